"""Mutation of the kernel and the gate: every small change must show on the vectors. `make mutate` tries all of them;
`--sample N --seed S` takes N, the same ones for the same seed. Survivors are listed in tests/native/survivors.toml, each
with a reason: `equivalent` ones cannot show and do not count, the others do not show yet and do. One not listed fails.

A mutant is compiled into the replay program and stops at the first record whose state or output differs from the original's.
One that does not differ is tried once more under the sanitizers, as `make cross` tries the original. The guard's vectors
are the oracle's too (agree.py): the original is what the handbook says. A mutant whose machine code is the original's is
none; one that does not compile or link is none either.
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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.native import corpus, tools
from tests.native.mutants import Mutant, mutants_of

SURVIVORS = Path(__file__).resolve().parent / "survivors.toml"
WORK = tools.BUILD / "mutate"
FLAGS = ["-O1", "-std=c11", "-w"]
CHECKED = [*FLAGS, *corpus.CHECKED]
SECONDS_MAX = 20  # a mutant may loop for ever; the original needs well below one second
SCORE_MIN_PCT = 95
HEADERS = {False: ("inner.h", "causes.h"), True: ("wish.h",)}  # of the guard, of the wish half


class Build:
    """The original's objects, compiled with these flags, and programs with some of them replaced."""

    def __init__(self, program: corpus.Program, folder: Path, flags: list[str]) -> None:
        self.folder, self.flags = folder, flags
        folder.mkdir(parents=True)
        self.objects = {
            source.name: folder / f"{source.stem}.o" for source in corpus.replay_sources(whole=program.whole)
        }
        for source in corpus.replay_sources(whole=program.whole):
            if not self.compile(source, tools.NATIVE, self.objects[source.name]):
                raise RuntimeError(f"{source.name} does not compile")

    def compile(self, source: Path, native: Path, target: Path) -> bool:
        command = ["gcc", *self.flags, "-c", f"-I{native}", f"-I{corpus.HERE}", str(source), "-o", str(target)]
        return tools.run(command).returncode == 0

    def link(self, target: Path, objects: dict[str, Path]) -> bool:
        every = map(str, (self.objects | objects).values())
        return tools.run(["gcc", *self.flags, "-o", str(target), *every]).returncode == 0

    def try_with(self, changed: list[Path], native: Path, against: list[str]) -> str:
        """`killed`, `survived`, `same` (same machine code) or `stillborn` of the program with these sources changed."""
        objects = {source.name: source.with_suffix(".o") for source in changed}
        if not all(self.compile(source, native, objects[source.name]) for source in changed):
            return "stillborn"
        if all(path.read_bytes() == self.objects[name].read_bytes() for name, path in objects.items()):
            return "same"
        binary = changed[0].with_name("mutant")
        if not self.link(binary, objects):
            return "stillborn"
        try:
            done = subprocess.run([str(binary), *against], capture_output=True, timeout=SECONDS_MAX, check=False)
        except subprocess.TimeoutExpired:
            return "killed"
        return "survived" if done.returncode == 0 else "killed"


class Bench:
    """Trail of one program's original, and the trial of a mutant."""

    def __init__(self, program: corpus.Program) -> None:
        self.folder = WORK / program.name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.plain = Build(program, self.folder / "plain", FLAGS)
        self.checked = Build(program, self.folder / "checked", CHECKED)
        self.sources = corpus.replay_sources(whole=program.whole)
        self.preprocessed = {source.name: self.preprocess(source, tools.NATIVE) for source in self.sources}
        binary, trail = self.folder / "original", self.folder / "trail.bin"
        self.plain.link(binary, {})
        corpus.replay(binary, corpus.vectors(program), (), "write", str(trail))
        self.against = [str(corpus.vectors(program)), "check", str(trail)]

    @staticmethod
    def preprocess(source: Path, native: Path) -> str:
        return tools.run(["gcc", "-E", "-P", "-std=c11", f"-I{native}", f"-I{corpus.HERE}", str(source)]).stdout

    def changed(self, mutant: Mutant, folder: Path) -> list[Path]:
        """The sources that the mutant changes, written into `folder`; with a changed header, all of the kernel."""
        text = (tools.NATIVE / mutant.file).read_text().split("\n")
        text[mutant.line_index] = mutant.becomes
        if mutant.file.endswith(".h"):
            for path in [*tools.NATIVE.glob("*.h"), *self.sources]:
                shutil.copy(path, folder)
        (folder / mutant.file).write_text("\n".join(text))
        if mutant.file.endswith(".c"):
            return [folder / mutant.file]
        ours = [folder / source.name for source in self.sources]
        return [source for source in ours if self.preprocess(source, folder) != self.preprocessed[source.name]]

    def judge(self, mutant: Mutant) -> str:
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            changed = self.changed(mutant, folder)
            native = folder if mutant.file.endswith(".h") else tools.NATIVE
            verdict = self.plain.try_with(changed, native, self.against)
            if verdict == "survived":
                again = self.checked.try_with(changed, native, self.against)
                return "killed" if again == "killed" else "survived"
            return verdict


def every_mutant(whole: bool) -> list[Mutant]:
    files = [path for path in corpus.kernel_files(whole=True) if corpus.of_wish_half(path) == whole]
    return [
        mutant for path in (*files, *(tools.NATIVE / name for name in HEADERS[whole])) for mutant in mutants_of(path)
    ]


def sampled(every: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """`count` of them, the same ones for the same seed; 0: all."""
    if count == 0:
        return every
    return sorted(every, key=lambda m: hashlib.sha256(f"{seed} {m.line_index} {m.key}".encode()).digest())[:count]


def judged(every: list[Mutant], jobs_count: int) -> Iterator[tuple[Mutant, str]]:
    """Each with its verdict, and now and then a line of how far it is."""
    benches = {whole: Bench(program) for whole, program in ((False, corpus.GUARD), (True, corpus.WISH))}
    wish_files = {mutant.file for mutant in every_mutant(True)}
    said_s = time.monotonic()
    with ThreadPoolExecutor(jobs_count) as pool:
        verdicts = pool.map(lambda mutant: benches[mutant.file in wish_files].judge(mutant), every)
        for index, (mutant, verdict) in enumerate(zip(every, verdicts, strict=True)):
            if time.monotonic() - said_s > 15:
                said_s = time.monotonic()
                print(f"{index} of {len(every)} tried", file=sys.stderr, flush=True)
            yield mutant, verdict


def read_survivors() -> dict[str, tuple[bool, str]]:
    """Mutant -> whether it is equivalent, and the reason."""
    if not SURVIVORS.exists():
        return {}
    groups = tomllib.loads(SURVIVORS.read_text())["survivors"]
    return {key: (group["equivalent"], group["reason"]) for group in groups for key in group["mutants"]}


def print_table(found: list[tuple[Mutant, str]], listed: dict[str, tuple[bool, str]]) -> float:
    """A row a file; returns the score of all together."""
    rows: dict[str, Counter[str]] = {}
    for mutant, verdict in found:
        if verdict == "survived" and listed.get(mutant.key, (False, ""))[0]:
            verdict = "equivalent"
        rows.setdefault(mutant.file, Counter())[verdict] += 1
    rows["all"] = sum(rows.values(), Counter())
    names = ("killed", "survived", "equivalent", "same", "stillborn")
    heads = ("killed", "survived", "equivalent", "same code", "no program")
    print(f"{'file':<14}" + "".join(f"{head:>12}" for head in heads) + f"{'score':>10}")
    score_pct = 100.0
    for file, row in rows.items():
        score_pct = 100 * row["killed"] / max(1, row["killed"] + row["survived"])
        print(f"{file:<14}" + "".join(f"{row[name]:>12}" for name in names) + f"{score_pct:>8.1f} %")
    return score_pct


def toml_text(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=0, help="how many; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--only", default="", help="those whose `file | line | becomes` matches this pattern")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    begin_s = time.monotonic()
    every = [mutant for mutant in (*every_mutant(False), *every_mutant(True)) if re.search(given.only, mutant.key)]
    chosen = sampled(every, given.sample, given.seed)
    try:
        tools.need("gcc")
        found = list(judged(chosen, given.jobs))
    except (tools.Missing, RuntimeError) as fault:
        return tools.absent(fault)
    listed = read_survivors()
    score_pct = print_table(found, listed)
    alive = {mutant.key for mutant, verdict in found if verdict == "survived"}
    unknown = sorted(alive - set(listed))
    for key in unknown:
        print(f"survived, and no reason is given: {toml_text(key)},")
    stale = sorted(set(listed) - alive) if chosen == every and not given.only else []
    for key in stale:
        print(f"listed as a survivor, but is none (any more): {key}")
    for equivalent, reason in dict.fromkeys(listed[key] for key in sorted(alive & set(listed))):
        count = sum(listed.get(key) == (equivalent, reason) for key in alive)
        print(f"{count:>4} {'equivalent' if equivalent else 'not shown'}: {reason}")
    print(
        f"{len(chosen)} of {len(every)} mutants in {time.monotonic() - begin_s:.0f} s: "
        f"score {score_pct:.1f} %, at least {SCORE_MIN_PCT}"
    )
    return 0 if score_pct >= SCORE_MIN_PCT and not unknown and not stale else 1


if __name__ == "__main__":
    sys.exit(main())
