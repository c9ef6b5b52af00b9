"""Fifty thousand transactions on a bad line, and not one value that is not true of its time. A million: `make bench`."""

from tests.field.stream import FAULTS, stream

TRANSACTIONS = 50_000


def test_no_wrong_value_is_believed_whatever_is_done_to_the_answers() -> None:
    result = stream(1, TRANSACTIONS)
    assert result.wrong == []
    assert result.sent_count >= TRANSACTIONS and result.believed_count > TRANSACTIONS // 2
    assert set(result.faults) == set(FAULTS) and min(result.faults.values()) > 200


def test_on_a_line_where_half_of_all_answers_are_bad_still_none_is_wrong() -> None:
    result = stream(2, 10_000, chance=0.5)
    assert result.wrong == [] and result.believed_count > 500
