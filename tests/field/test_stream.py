"""Fifty thousand transactions on a bad line, and not one value that is not true of its time. A million: `make bench`."""

import pytest

from tests.field.stream import FAULTS, stream

TRANSACTIONS = 50_000


def test_no_wrong_value_is_believed_whatever_is_done_to_the_answers() -> None:
    result = stream(1, TRANSACTIONS)
    assert result.wrong == []
    assert result.sent_count >= TRANSACTIONS and result.believed_count > TRANSACTIONS // 2
    assert set(result.faults) == set(FAULTS) and min(result.faults.values()) > 200


@pytest.mark.parametrize("seed", [2, 112, 125, 150, 174, 211])
def test_on_a_line_where_half_of_all_answers_are_bad_still_none_is_wrong(seed: int) -> None:
    """With several answers owed at once. The later seeds have each found a way for an older one to be believed."""
    result = stream(seed, 10_000, chance=0.5)
    assert result.wrong == [] and result.believed_count > 500
