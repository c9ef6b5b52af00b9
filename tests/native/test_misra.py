"""What `make misra` says of findings and rows, on findings written here; and that the real list can be read."""

from tests.native.misra import DEVIATIONS, complaints, counted, read_deviations

TEXT = """
| rule | category | places | reason |
|---|---|---|---|
| 10.1 | required | 2 | why |
| 15.5 | advisory | 1 | so |
"""


def test_a_rule_of_the_list_is_fine_up_to_its_count() -> None:
    listed = read_deviations(TEXT)
    assert complaints({"10.1": ["a.c:1", "a.c:2"], "15.5": ["a.c:3"]}, listed) == []
    assert complaints({"10.1": ["a.c:1"], "15.5": ["a.c:3"]}, listed) == []


def test_an_unlisted_rule_one_place_more_and_a_needless_row_are_said() -> None:
    listed = read_deviations(TEXT)
    for found, word in (
        ({"10.1": ["a.c:1"], "15.5": ["a.c:1"], "17.2": ["a.c:9"]}, "17.2 is not in"),
        ({"10.1": ["a.c:1", "a.c:2", "a.c:3"], "15.5": ["a.c:1"]}, "10.1: 3 places"),
        ({"10.1": ["a.c:1"]}, "15.5 is listed, but"),
    ):
        (line,) = complaints(found, listed)
        assert word in line


def test_counts_are_written_anew_and_reasons_stay() -> None:
    assert "| 10.1 | required | 1 | why |" in counted(TEXT, {"10.1": ["a.c:1"]})


def test_every_row_of_the_real_list_is_read_and_has_a_reason() -> None:
    text = DEVIATIONS.read_text()
    listed = read_deviations(text)
    assert len(listed) == sum(line.startswith("| ") for line in text.splitlines()) - 1
    assert all(len(row.reason) > 10 and row.places_count > 0 for row in listed.values())
