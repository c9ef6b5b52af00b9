"""Coverage of the kernel by the vectors: lines, branches and MC/DC (each condition decides by itself), by clang. The guard
and the gate are measured on the guard's vectors, the wish half on its own.

`make coverage` prints the table, and with it everything that is missing; what cannot be reached is listed in
tests/native/unreached.toml with a reason each. Anything else that is missing fails, and so does a reason without need.
"""

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.native import corpus, tools

UNREACHED = Path(__file__).resolve().parent / "unreached.toml"
WORK = tools.BUILD / "coverage"
FLAGS = ("-O0", "-fprofile-instr-generate", "-fcoverage-mapping", "-fcoverage-mcdc")


def measure(program: corpus.Program) -> list[dict[str, Any]]:
    """What llvm-cov says of each file that this program is to cover."""
    binary = WORK / program.name
    corpus.compile_c(binary, "clang-19", FLAGS, corpus.replay_sources(whole=program.whole), tools.NATIVE)
    corpus.replay(binary, corpus.vectors(program))
    data = binary.with_suffix(".profdata")
    merge = ["llvm-profdata-19", "merge", "-sparse", str(binary.with_suffix(".profraw")), "-o", str(data)]
    subprocess.run(merge, check=True)
    files = [path for path in corpus.kernel_files(whole=True) if corpus.of_wish_half(path) == program.whole]
    files.append(tools.NATIVE / ("wish.h" if program.whole else "inner.h"))
    export = ["llvm-cov-19", "export", str(binary), f"-instr-profile={data}", *(str(path) for path in files)]
    done = subprocess.run(export, check=True, capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)["data"][0]["files"]
    return found


@dataclass(slots=True)
class Covered:
    """One file; what a header's function does is summed over the files that include it."""

    name: str
    lines: tuple[int, int]  # covered, all
    branches: dict[tuple[int, int, str], int]
    conditions: dict[tuple[int, int, int], bool]
    never: list[str]

    @property
    def row(self) -> tuple[tuple[int, int], ...]:
        branches = (sum(count > 0 for count in self.branches.values()), len(self.branches))
        return self.lines, branches, (sum(self.conditions.values()), len(self.conditions))


def count_lines(segments: list[list[Any]]) -> tuple[int, int]:
    """Covered and all lines. Not llvm-cov's own sum, which counts a header's lines once a file that includes it."""
    by_line: dict[int, list[list[Any]]] = {}
    for segment in segments:
        by_line.setdefault(segment[0], []).append(segment)
    counts: list[int] = []
    before: list[Any] | None = None  # the region that goes on from an earlier line
    for line in range(segments[0][0], segments[-1][0] + 1) if segments else ():
        here = by_line.get(line, [])
        begun = [count for _, _, count, has_count, is_entry, is_gap in here if has_count and is_entry and not is_gap]
        goes_on = before is not None and before[3]
        if begun or goes_on:
            counts.append(max([*begun, before[2] if before is not None and goes_on else 0]))
        before = here[-1] if here else before
    return sum(count > 0 for count in counts), len(counts)


def read_file(file: dict[str, Any]) -> Covered:
    """Merges the instances of each place and names what is missing: `file | source line | what`."""
    name = file["filename"]
    branches: dict[tuple[int, int, str], int] = {}
    conditions: dict[tuple[int, int, int], bool] = {}
    for line, column, _, _, taken, not_taken, *_ in file.get("branches", []):
        for count, side in ((taken, "true"), (not_taken, "false")):
            branches[line, column, side] = branches.get((line, column, side), 0) + count
    for record in file.get("mcdc_records", []):
        for index, shown in enumerate(record[-1]):
            place = (record[0], record[1], index + 1)
            conditions[place] = conditions.get(place, False) or shown
    source = [text.strip() for text in Path(name).read_text().split("\n")]
    never = [f"{source[at[0] - 1]} | never {at[2]} (column {at[1]})" for at, count in branches.items() if count == 0]
    never += [
        f"{source[at[0] - 1]} | condition {at[2]} never decides by itself"
        for at, shown in conditions.items()
        if not shown
    ]
    for line, column, count, has_count, is_entry, is_gap in file["segments"]:
        if has_count and is_entry and not is_gap and count == 0:
            never.append(f"{source[line - 1]} | never run (column {column})")
    short = Path(name).name
    return Covered(short, count_lines(file["segments"]), branches, conditions, [f"{short} | {x}" for x in never])


def print_table(files: list[Covered]) -> None:
    print(f"{'file':<14}" + "".join(f"{kind:>20}" for kind in ("lines", "branches", "MC/DC")))
    totals = [tuple(map(sum, zip(*column, strict=True))) for column in zip(*(file.row for file in files), strict=True)]
    for name, row in [*((file.name, file.row) for file in files), ("all", totals)]:
        shown = [
            f"{done}/{count}".rjust(12) + f" {100 * done / count if count else 100:>5.1f} %" for done, count in row
        ]
        print(f"{name:<14}{''.join(shown)}")


def main() -> int:
    try:
        tools.need("clang-19", "llvm-cov-19", "llvm-profdata-19")
    except tools.Missing as fault:
        return tools.absent(fault)
    os.environ.pop("LLVM_PROFILE_FILE", None)
    files = [read_file(file) for program in (corpus.GUARD, corpus.WISH) for file in measure(program)]
    print_table(files)
    listed = {row["place"]: row["reason"] for row in tomllib.loads(UNREACHED.read_text())["unreached"]}
    missing = {line for file in files for line in file.never}
    for reason in dict.fromkeys(listed.values()):
        print(f"cannot be reached: {reason}")
        for place in (place for place in listed if listed[place] == reason):
            print(f"    {place}")
    for place in sorted(missing - set(listed)):
        print(f"NOT REACHED, and no reason given: {place}")
    for place in sorted(set(listed) - missing):
        print(f"listed as never reached, but is: {place}")
    print(f"{len(missing & set(listed))} places cannot be reached; of all others {len(missing - set(listed))} are not")
    return 1 if missing ^ set(listed) else 0


if __name__ == "__main__":
    sys.exit(main())
