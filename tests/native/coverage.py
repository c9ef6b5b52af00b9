"""Coverage of the guard and the gate by the vectors: lines, branches and MC/DC (each condition decides by itself), by
clang. `make coverage` prints the table, and with it everything that is missing; what cannot be reached is listed in
tests/native/unreached.toml with a reason each.
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


def measure() -> dict[str, Any]:
    """The coverage data of llvm-cov for the kernel's files."""
    WORK.mkdir(parents=True, exist_ok=True)
    binary = WORK / "replay"
    corpus.compile_c(binary, "clang-19", FLAGS, corpus.replay_sources(), tools.NATIVE)
    corpus.replay(binary, corpus.vectors())
    data = WORK / "replay.profdata"
    merge = ["llvm-profdata-19", "merge", "-sparse", str(binary.with_suffix(".profraw")), "-o", str(data)]
    subprocess.run(merge, check=True)
    files = [str(path) for path in (*corpus.kernel_files(), tools.NATIVE / "inner.h")]
    export = ["llvm-cov-19", "export", str(binary), f"-instr-profile={data}", *files]
    found: dict[str, Any] = json.loads(subprocess.run(export, check=True, capture_output=True, text=True).stdout)
    return found["data"][0]


def source_at(path: str, line: int) -> str:
    return Path(path).read_text().split("\n")[line - 1].strip()


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


def read_file(file: dict[str, Any]) -> Covered:
    """Merges the instances of each place and names what is missing: `file | source line | what`."""
    name, lines = file["filename"], file["summary"]["lines"]
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
    return Covered(short, (lines["covered"], lines["count"]), branches, conditions, [f"{short} | {x}" for x in never])


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
        print(fault)
        return 1
    os.environ.pop("LLVM_PROFILE_FILE", None)
    data = measure()
    files = [read_file(file) for file in data["files"]]
    print_table(files)
    rows = tomllib.loads(UNREACHED.read_text()).get("unreached", []) if UNREACHED.exists() else []
    listed = {row["place"]: row["reason"] for row in rows}
    missing = [line for file in files for line in file.never]
    for place in sorted(set(missing)):
        print(f"missing: {place}: {listed.get(place, 'NO REASON GIVEN')}")
    stale = sorted(set(listed) - set(missing))
    for place in stale:
        print(f"listed as never reached, but is: {place}")
    unexplained = set(missing) - set(listed)
    print(f"{len(set(missing))} missing, {len(unexplained)} without a reason")
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
