"""How coverage is counted, on data written here as llvm-cov writes it; that the list of the unreachable is about the code
there is. Whether all else is reached is `make coverage`.
"""

import tomllib
from pathlib import Path

from tests.native import coverage, tools

SOURCE = "int f(int a)\n{\n    if (a > 0) {\n        return 1;\n    }\n    return 2;\n}\n"


def test_a_line_counts_with_the_region_that_begins_in_it_or_goes_on() -> None:
    body, inner, after = [2, 1, 5, True, True, False], [3, 16, 0, True, True, False], [5, 6, 5, True, False, False]
    segments = [body, inner, after, [7, 2, 0, False, False, False]]
    assert coverage.count_lines(segments) == (4, 6)  # lines 4 and 5 never
    assert coverage.count_lines([]) == (0, 0)


def test_what_never_happened_is_named_by_its_line_and_side(tmp_path: Path) -> None:
    path = tmp_path / "f.c"
    path.write_text(SOURCE)
    found = coverage.read_file({
        "filename": str(path), "branches": [[3, 9, 3, 14, 0, 5, 0, 0, 4]], "mcdc_records": [[3, 9, 3, 14, 0, 0, [False]]],
        "segments": [[2, 1, 5, True, True, False], [3, 16, 0, True, True, False], [5, 6, 5, True, False, False]],
    })  # fmt: skip
    assert found.never == [
        "f.c | if (a > 0) { | never true (column 9)",
        "f.c | if (a > 0) { | condition 1 never decides by itself",
        "f.c | if (a > 0) { | never run (column 16)",
    ]


def test_every_unreachable_place_is_a_line_of_the_kernel_and_has_a_reason() -> None:
    for row in tomllib.loads(coverage.UNREACHED.read_text())["unreached"]:
        file, rest = row["place"].split(" | ", 1)
        line = rest.rsplit(" | ", 1)[0]
        assert line in [text.strip() for text in (tools.NATIVE / file).read_text().splitlines()], row["place"]
        assert len(row["reason"]) > 10
