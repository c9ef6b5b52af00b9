"""Mutation of the guard and the gate: every small change must show on the vectors. `make mutate`; `--sample N` takes N of
them, always the same. Survivors are listed in tests/native/survivors.toml with a reason each; one that is not listed fails.

A mutant is compiled into the replay program and stops at the first record whose state or output differs from the original's
(tests of the tests: the same vectors are compared with the oracle elsewhere). One whose machine code is the original's is no
mutant; one that does not compile is none either.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.native import corpus, tools
from tests.native.mutants import Mutant, mutants_of

SURVIVORS = Path(__file__).resolve().parent / "survivors.toml"
WORK = tools.BUILD / "mutate"
FLAGS = ["-O1", "-std=c11", "-w"]
SECONDS_MAX = 20  # a mutant may loop for ever; the original needs well below one second
SCORE_MIN_PCT = 95
HEADERS = ("inner.h", "causes.h")


def compile_object(source: Path, native: Path, target: Path) -> bool:
    command = ["gcc", *FLAGS, "-c", f"-I{native}", f"-I{corpus.HERE}", str(source), "-o", str(target)]
    return tools.run(command).returncode == 0


VECTORS = corpus.vectors()


def prepare() -> Path:
    """Objects and trail of the original."""
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "objects").mkdir(parents=True)
    for source in corpus.replay_sources():
        if not compile_object(source, tools.NATIVE, WORK / "objects" / f"{source.stem}.o"):
            raise SystemExit(f"{source.name} does not compile")
    trail = WORK / "trail.bin"
    binary = WORK / "original"
    tools.run(["gcc", "-o", str(binary), *(str(path) for path in sorted((WORK / "objects").glob("*.o")))])
    corpus.replay(binary, VECTORS, (), "write", str(trail))
    return trail


def same_code(left: Path, right: Path) -> bool:
    return left.read_bytes() == right.read_bytes()


def judge(mutant: Mutant, trail: Path) -> str:
    """`killed`, `survived`, `same` (same machine code) or `stillborn`."""
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        folder = Path(name)
        text = (tools.NATIVE / mutant.file).read_text().split("\n")
        text[mutant.line_index] = mutant.becomes
        header = mutant.file.endswith(".h")
        native = folder / "native"
        native.mkdir()
        for path in tools.NATIVE.glob("*.h"):
            shutil.copy(path, native)
        (native / mutant.file).write_text("\n".join(text))
        changed = corpus.replay_sources()[1:] if header else [native / mutant.file]
        objects = {path.stem: path for path in sorted((WORK / "objects").glob("*.o"))}
        original = dict(objects)
        for source in changed:
            if header:
                source = Path(shutil.copy(source, native))
            target = folder / f"{source.stem}.o"
            if not compile_object(source, native, target):
                return "stillborn"
            objects[source.stem] = target
        if all(same_code(objects[stem], original[stem]) for stem in objects):
            return "same"
        binary = folder / "mutant"
        if tools.run(["gcc", "-o", str(binary), *(str(path) for path in objects.values())]).returncode != 0:
            return "stillborn"
        try:
            command = [str(binary), str(VECTORS), "check", str(trail)]
            done = subprocess.run(command, capture_output=True, timeout=SECONDS_MAX, check=False)
        except subprocess.TimeoutExpired:
            return "killed"
        return "survived" if done.returncode == 0 else "killed"


def chosen(sample_count: int, only: str) -> list[Mutant]:
    names = [*corpus.kernel_files(), *(tools.NATIVE / name for name in HEADERS)]
    every = [mutant for path in names if path.exists() for mutant in mutants_of(path)]
    every = [mutant for mutant in every if re.search(only, mutant.key)]
    if sample_count and sample_count < len(every):
        every = sorted(every, key=lambda mutant: hashlib.sha256(mutant.key.encode()).digest())[:sample_count]
    return every


def toml_text(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=0, help="how many; 0: all")
    parser.add_argument("--only", default="", help="those whose `file | line | becomes` matches this pattern")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    tools.need("gcc")
    begin_s = time.monotonic()
    trail = prepare()
    every = chosen(given.sample, given.only)
    rows = tomllib.loads(SURVIVORS.read_text()).get("survivor", []) if SURVIVORS.exists() else []
    listed = {row["mutant"]: row["reason"] for row in rows}
    with ThreadPoolExecutor(given.jobs) as pool:
        verdicts = list(pool.map(lambda mutant: judge(mutant, trail), every))
    survived = [mutant for mutant, verdict in zip(every, verdicts, strict=True) if verdict == "survived"]
    unknown = sorted({mutant.key for mutant in survived} - set(listed))
    for key in unknown:
        print(f'[[survivor]]\nmutant = {toml_text(key)}\nreason = ""\n')
    count = Counter(verdicts)
    alive = len([mutant for mutant in survived if mutant.key not in listed])
    equivalent = len(survived) - alive
    score_pct = 100 * count["killed"] / max(1, count["killed"] + alive)
    if not (given.only or given.sample):
        killed = {m.key for m, verdict in zip(every, verdicts, strict=True) if verdict != "survived"}
        for key in sorted(set(listed) & killed | set(listed) - {m.key for m in every}):
            print(f"listed as a survivor, but is none (any more): {key}")
    print(f"{len(every)} mutants: {count['killed']} killed, {alive} survived, {equivalent} listed with a reason, "
          f"{count['same']} the same code, {count['stillborn']} do not compile")  # fmt: skip
    print(f"mutation score {score_pct:.1f} % (at least {SCORE_MIN_PCT}), {time.monotonic() - begin_s:.0f} s")
    return 0 if score_pct >= SCORE_MIN_PCT and not unknown else 1


if __name__ == "__main__":
    sys.exit(main())
