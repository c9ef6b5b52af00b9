"""The vector corpus and the same bytes everywhere: every compiler, optimisation, instrumentation and machine must give the
hashes in tests/golden/kernel_vectors.toml. `make cross` compares; `make golden` writes the file anew, after a change that is
meant to change outputs, and only when the oracle agrees with every vector of the guard (agree.py).

Three programs: `guard` (the wish half replaced, so that the guard meets any bits at all), `whole` (the kernel on the same
vectors), `wish` (the kernel on vectors of sites that live long enough for the wish half to learn).
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from native.build import FLAGS as RELEASE
from tests.native import tools

HERE = Path(__file__).resolve().parent
GOLDEN = tools.ROOT / "tests" / "golden" / "kernel_vectors.toml"
SEED = 7
WARNINGS = [
    "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wstrict-prototypes",
    "-Werror",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Program:
    """What reads which vectors. `count`: cycles of vectors.c, lives of vectors_wish.c."""

    name: str
    whole: bool
    generator: str
    count: int


GUARD = Program("guard", False, "vectors", 40_000)
WHOLE = Program("whole", True, "vectors", 40_000)
WISH = Program("wish", True, "vectors_wish", 200)
PROGRAMS = (GUARD, WHOLE, WISH)


@dataclass(frozen=True, slots=True)
class Variant:
    name: str
    compiler: str
    flags: tuple[str, ...]
    emulator: tuple[str, ...] = ()


CHECKED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
REFERENCE = Variant("gcc -O2", "gcc", ("-O2",))
# The kernel has no assertions of its own: `checked` is the build that stops at anything undefined.
OWN = [
    REFERENCE,
    *(Variant(f"gcc {level}", "gcc", (level,)) for level in ("-O0", "-O3", "-Os")),
    *(Variant(f"clang {level}", "clang-19", (level,)) for level in ("-O0", "-O2", "-O3", "-Os")),
    Variant("gcc release", "gcc", tuple(RELEASE)),
    Variant("gcc checked", "gcc", CHECKED),
    Variant("clang checked", "clang-19", (*CHECKED, "-fsanitize=implicit-conversion")),
    Variant("gcc coverage", "gcc", ("-O0", "--coverage")),
    Variant("clang coverage", "clang-19", ("-O0", "-fprofile-instr-generate", "-fcoverage-mapping", "-fcoverage-mcdc")),
]
CROSS = [
    Variant("aarch64 -O2", "aarch64-linux-gnu-gcc", ("-O2", "-static"), ("qemu-aarch64-static",)),
    Variant("armhf -O2", "arm-linux-gnueabihf-gcc", ("-O2", "-static"), ("qemu-arm-static",)),
    Variant(
        "armhf checked", "arm-linux-gnueabihf-gcc", ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all"),
        ("qemu-arm-static", "-L", "/usr/arm-linux-gnueabihf"),
    ),
]  # fmt: skip


def of_wish_half(path: Path) -> bool:
    """A file of the clever half: it includes wish.h and nothing of the guard's."""
    return '#include "wish.h"' in path.read_text()


def kernel_files(native: Path = tools.NATIVE, whole: bool = False) -> list[Path]:
    """The C files of the guard and gate, or of the whole kernel."""
    files = sorted(native.glob("*.c"))
    return files if whole else [path for path in files if not of_wish_half(path)]


def replay_sources(native: Path = tools.NATIVE, whole: bool = False) -> list[Path]:
    stub = [] if whole else [HERE / "wish_stub.c"]
    return [HERE / "replay.c", *stub, *kernel_files(native, whole)]


def compile_c(target: Path, compiler: str, flags: tuple[str, ...], sources: list[Path], native: Path) -> None:
    """Raises RuntimeError with the compiler's words."""
    target.parent.mkdir(parents=True, exist_ok=True)
    done = tools.run([
        compiler, *WARNINGS, *flags, f"-I{native}", f"-I{HERE}", "-o", str(target), *(str(path) for path in sources),
    ], cwd=target.parent)  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{target.name}: {done.stderr[-2000:]}")


def vectors(program: Program = GUARD, seed: int = SEED) -> Path:
    """The vector file, written anew whenever the generator or the ABI is newer."""
    target = tools.BUILD / f"{program.generator}-{seed}-{program.count}.bin"
    sources = [*HERE.glob("vectors*"), tools.NATIVE / "kernel_abi.h"]
    if target.exists() and target.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return target
    tools.need("gcc")
    generator = tools.BUILD / program.generator
    compile_c(generator, "gcc", ("-O1",), [HERE / f"{program.generator}.c"], tools.NATIVE)
    partial = target.with_suffix(".part")
    with partial.open("wb") as out:
        subprocess.run([str(generator), str(seed), str(program.count)], stdout=out, check=True)
    partial.rename(target)
    return target


def replay(binary: Path, file: Path, emulator: tuple[str, ...] = (), *arguments: str) -> str:
    """What replay prints: hash and count of records. Raises RuntimeError when it fails."""
    quiet = {**os.environ, "LLVM_PROFILE_FILE": str(binary.with_suffix(".profraw"))}
    done = tools.run([*emulator, str(binary), str(file), *arguments], env=quiet, cwd=binary.parent)
    if done.returncode != 0:
        raise RuntimeError(f"{binary.name}: {done.stdout[-200:]} {done.stderr[-800:]}")
    return done.stdout.split()[0]


def hashes(variant: Variant, whole: bool) -> dict[str, str]:
    """Program name -> hash, or what went wrong, of the programs made of the whole kernel or of the guard alone."""
    mine = [program for program in PROGRAMS if program.whole == whole]
    target = tools.BUILD / "replay" / re.sub(r"\W+", "-", f"{variant.name}-{whole}") / "replay"
    try:
        compile_c(target, variant.compiler, variant.flags, replay_sources(whole=whole), tools.NATIVE)
        return {program.name: replay(target, vectors(program), variant.emulator) for program in mine}
    except RuntimeError as fault:
        return {program.name: str(fault) for program in mine}


def digest(program: Program) -> str:
    return hashlib.sha256(vectors(program).read_bytes()).hexdigest()


def write_golden() -> None:
    found = hashes(REFERENCE, False) | hashes(REFERENCE, True)
    tables = [
        f"[{program.name}] # {program.generator}.c {SEED} {program.count}\n"
        f'vectors_sha256 = "{digest(program)}"\nhash = "{found[program.name]}"\n'
        for program in PROGRAMS
    ]
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(
        "# The kernel's outputs and states on the generated vectors, as one hash each: `make cross` compares, `make\n"
        "# golden` writes. A change here is a change of what the kernel does.\n\n" + "\n".join(tables)
    )
    print(f"wrote {GOLDEN.relative_to(tools.ROOT)}")


def expected() -> dict[str, str]:
    """The golden hashes. Raises RuntimeError where the vectors are not those that they were made of."""
    golden = tomllib.loads(GOLDEN.read_text())
    for program in PROGRAMS:
        if digest(program) != golden[program.name]["vectors_sha256"]:
            raise RuntimeError(
                f"the vectors of `{program.name}` are not the golden ones: {program.generator}.c or the ABI has changed; "
                "if it was meant to, `make golden`"
            )
    return {program.name: golden[program.name]["hash"] for program in PROGRAMS}


def compare(variants: list[Variant], jobs_count: int) -> bool:
    """Prints the table of hashes; True if all are the golden ones."""
    golden = expected()
    print(f"{'build':<16}" + "".join(f"{name:<19}" for name in golden).rstrip())
    print(f"{'golden':<16}" + "".join(f"{text:<19}" for text in golden.values()).rstrip())
    good = True
    pairs = [(variant, whole) for variant in variants for whole in (False, True)]
    with ThreadPoolExecutor(jobs_count) as pool:
        found = list(pool.map(lambda pair: hashes(*pair), pairs))
    for variant, guard, whole in zip(variants, found[::2], found[1::2], strict=True):
        row = guard | whole
        same = all(row[name] == golden[name] for name in golden)
        good = good and same
        print(f"{variant.name:<16}" + "".join(f"{row[name]:<19}" for name in golden) + ("same" if same else "DIFFERS"))
    print(f"{len(variants)} builds, {len(golden)} programs: {'the same bytes everywhere' if good else 'NOT the same'}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", action="store_true", help="write the golden hashes from the present kernel")
    parser.add_argument("--native", action="store_true", help="only this machine's own builds, no emulator")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    variants = OWN if given.native else OWN + CROSS
    try:
        if given.golden:
            tools.need("gcc")
            write_golden()
            return 0
        tools.need(*(variant.compiler for variant in variants), *(v.emulator[0] for v in variants if v.emulator))
        return 0 if compare(variants, given.jobs) else 1
    except (tools.Missing, RuntimeError) as fault:
        return tools.absent(fault)


if __name__ == "__main__":
    sys.exit(main())
