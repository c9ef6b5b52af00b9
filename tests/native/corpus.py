"""The vector corpus and the same bytes everywhere: every compiler, optimisation, instrumentation and machine must give the
hash in tests/golden/kernel_vectors.toml. `python -m tests.native.corpus` is `make cross`; `--golden` writes the file anew
(after a change that is meant to change outputs, and only when the oracle agrees).

Two programs read the vectors: `guard` (the wish half replaced, so that the guard meets any bits at all) and `whole`.
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

from tests.native import tools

HERE = Path(__file__).resolve().parent
GOLDEN = tools.ROOT / "tests" / "golden" / "kernel_vectors.toml"
SEED, STEPS = 7, 40_000
WARNINGS = [
    "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wstrict-prototypes",
    "-Werror",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variant:
    name: str
    compiler: str
    flags: tuple[str, ...]
    emulator: tuple[str, ...] = ()


VARIANTS = [
    Variant("gcc -O0", "gcc", ("-O0",)),
    Variant("gcc -O2", "gcc", ("-O2",)),
    Variant("gcc -O3", "gcc", ("-O3",)),
    Variant("clang -O0", "clang-19", ("-O0",)),
    Variant("clang -O2", "clang-19", ("-O2",)),
    Variant("clang -O3", "clang-19", ("-O3",)),
    Variant("gcc sanitized", "gcc", ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")),
    Variant(
        "clang sanitized", "clang-19",
        ("-O1", "-fsanitize=address,undefined,implicit-conversion", "-fno-sanitize-recover=all"),
    ),
    Variant("gcc coverage", "gcc", ("-O0", "--coverage")),
    Variant("clang coverage", "clang-19", ("-O0", "-fprofile-instr-generate", "-fcoverage-mapping", "-fcoverage-mcdc")),
    Variant("aarch64 -O2", "aarch64-linux-gnu-gcc", ("-O2", "-static"), ("qemu-aarch64-static",)),
    Variant("armhf -O2", "arm-linux-gnueabihf-gcc", ("-O2", "-static"), ("qemu-arm-static",)),
    Variant("armhf sanitized", "arm-linux-gnueabihf-gcc",
            ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all"),
            ("qemu-arm-static", "-L", "/usr/arm-linux-gnueabihf")),
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


def vectors(seed: int = SEED, steps: int = STEPS) -> Path:
    """The vector file, written anew whenever the generator or the ABI is newer."""
    target = tools.BUILD / f"vectors-{seed}-{steps}.bin"
    sources = [*HERE.glob("vectors*"), tools.NATIVE / "kernel_abi.h"]
    if target.exists() and target.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return target
    tools.need("gcc")
    generator = tools.BUILD / "vectors"
    compile_c(generator, "gcc", ("-O1",), [HERE / "vectors.c"], tools.NATIVE)
    partial = target.with_suffix(".part")
    with partial.open("wb") as out:
        subprocess.run([str(generator), str(seed), str(steps)], stdout=out, check=True)
    partial.rename(target)
    return target


def replay(binary: Path, file: Path, emulator: tuple[str, ...] = (), *arguments: str) -> str:
    """What replay prints: hash and count of records. Raises RuntimeError when it fails."""
    quiet = {**os.environ, "LLVM_PROFILE_FILE": str(binary.with_suffix(".profraw"))}
    done = tools.run([*emulator, str(binary), str(file), *arguments], env=quiet, cwd=binary.parent)
    if done.returncode != 0:
        raise RuntimeError(f"{binary.name}: {done.stdout[-200:]} {done.stderr[-800:]}")
    return done.stdout.split()[0]


def build_and_replay(variant: Variant, whole: bool, file: Path) -> str:
    name = re.sub(r"\W+", "-", f"{variant.name}-{'whole' if whole else 'guard'}")
    target = tools.BUILD / "replay" / name / "replay"
    try:
        compile_c(target, variant.compiler, variant.flags, replay_sources(whole=whole), tools.NATIVE)
        return replay(target, file, variant.emulator)
    except RuntimeError as fault:
        return str(fault)


def reference(whole: bool) -> str:
    return build_and_replay(VARIANTS[1], whole, vectors())


def write_golden() -> None:
    digest = hashlib.sha256(vectors().read_bytes()).hexdigest()
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(
        "# The kernel's outputs and states on the generated vectors, as one hash each: `make cross` compares, and\n"
        "# `python -m tests.native.corpus --golden` writes. A change here is a change of what the kernel does.\n"
        f'seed = {SEED}\nsteps = {STEPS}\nvectors_sha256 = "{digest}"\n'
        f'guard = "{reference(False)}"\nwhole = "{reference(True)}"\n'
    )
    print(f"wrote {GOLDEN.relative_to(tools.ROOT)}")


def compare(variants: list[Variant], jobs_count: int) -> bool:
    golden = tomllib.loads(GOLDEN.read_text())
    file = vectors(golden["seed"], golden["steps"])
    if hashlib.sha256(file.read_bytes()).hexdigest() != golden["vectors_sha256"]:
        print("the vectors themselves differ from the golden ones: the generator or the ABI has changed")
        return False
    pairs = [(variant, half) for variant in variants for half in ("guard", "whole")]
    print(f"{'build':<18} {'half':<6} result on {golden['steps']} cycles")
    good = True
    with ThreadPoolExecutor(jobs_count) as pool:
        found = pool.map(lambda pair: build_and_replay(pair[0], pair[1] == "whole", file), pairs)
        for (variant, half), result in zip(pairs, found, strict=True):
            same = result == golden[half]
            good = good and same
            print(f"{variant.name:<18} {half:<6} {result} {'same' if same else 'DIFFERS'}", flush=True)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", action="store_true", help="write the golden hashes from the present kernel")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if given.golden:
        write_golden()
    try:
        tools.need(*(variant.compiler for variant in VARIANTS), *(v.emulator[0] for v in VARIANTS if v.emulator))
    except tools.Missing as fault:
        print(fault)
        return 1
    return 0 if compare(VARIANTS, given.jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
