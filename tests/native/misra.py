"""cppcheck with its MISRA C:2012 add-on on the kernel, against native/DEVIATIONS.md: each rule that is not kept, how often,
and why. `make misra` prints the table; it fails on a rule that is not listed, on a required rule in more places than are
listed, on a row that nothing needs any more, and on anything else that cppcheck finds. Rules are numbers: their texts are
not free to be shown. `--count` writes the counts of the rows anew.
"""

import argparse
import os
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from tests.native import corpus, tools

DEVIATIONS = tools.NATIVE / "DEVIATIONS.md"
ROW = re.compile(r"^\| (\d+\.\d+) \| (required|advisory) \| (\d+) \| (.+?) \|$", re.MULTILINE)
FINDING = re.compile(r"^(?P<place>[^:\n]+:\d+): (?P<id>[\w.-]+): (?P<text>.*)$", re.MULTILINE)
PREFIX = "misra-c2012-"


class Row(NamedTuple):
    category: str
    places_count: int
    reason: str


def read_deviations(text: str) -> dict[str, Row]:
    return {rule: Row(category, int(count), reason) for rule, category, count, reason in ROW.findall(text)}


def find(native: Path = tools.NATIVE) -> dict[str, list[str]]:
    """What cppcheck finds: rule, or its own name of the finding -> places."""
    quiet = ("missingIncludeSystem", "unusedFunction", "unmatchedSuppression")
    files = [str(path.relative_to(native.parent)) for path in corpus.kernel_files(native, whole=True)]
    options = ["--addon=misra", "--std=c11", "--enable=all", "--quiet", f"-j{os.cpu_count() or 1}"]
    options += ["--template={file}:{line}: {id}: {message}", *(f"--suppress={name}" for name in quiet)]
    command = ["cppcheck", *options, *files]
    done = tools.run(command, cwd=native.parent)
    found: dict[str, set[str]] = defaultdict(set)
    for match in FINDING.finditer(done.stderr):
        name = match["id"]
        ours = name.removeprefix(PREFIX)
        found[ours].add(match["place"] if name.startswith(PREFIX) else f"{match['place']} {match['text']}")
    if done.returncode != 0 or not found:  # the add-on always finds something; nothing at all means that it did not run
        raise RuntimeError(f"cppcheck: {done.stdout[-300:]} {done.stderr[-1000:]}")
    return {name: sorted(places) for name, places in found.items()}


def complaints(found: dict[str, list[str]], listed: dict[str, Row]) -> list[str]:
    """What is wrong between the two, a line each."""
    wrong = []
    for name, places in found.items():
        if name not in listed:
            wrong.append(f"{name} is not in DEVIATIONS.md: {', '.join(places[:5])}")
        elif listed[name].category == "required" and len(places) > listed[name].places_count:
            wrong.append(f"{name}: {len(places)} places, {listed[name].places_count} are listed: {', '.join(places)}")
    return wrong + [f"{name} is listed, but kept everywhere: take the row out" for name in listed if name not in found]


def counted(text: str, found: dict[str, list[str]]) -> str:
    """The list with its counts written anew."""
    return ROW.sub(lambda row: f"| {row[1]} | {row[2]} | {len(found.get(row[1], []))} | {row[4]} |", text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", action="store_true", help="write the counts of the rows anew")
    given = parser.parse_args()
    try:
        tools.need("cppcheck")
        found = find()
    except (tools.Missing, RuntimeError) as fault:
        return tools.absent(fault)
    if given.count:
        DEVIATIONS.write_text(counted(DEVIATIONS.read_text(), found))
    listed = read_deviations(DEVIATIONS.read_text())
    print(f"{'rule':>6} {'category':<9}{'places':>7}{'listed':>8}  reason")
    for rule in sorted(listed, key=lambda rule: tuple(map(int, rule.split(".")))):
        row = listed[rule]
        print(f"{rule:>6} {row.category:<9}{len(found.get(rule, [])):>7}{row.places_count:>8}  {row.reason}")
    wrong = complaints(found, listed)
    for line in wrong:
        print(line)
    print(f"{len(listed)} rules with deviations, {'NOT as listed' if wrong else 'as listed; all others are kept'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
