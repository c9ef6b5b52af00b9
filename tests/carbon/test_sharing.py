"""Sharing: rows and columns exact, cells in proportion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.carbon.sharing import share

AMOUNTS = st.lists(st.integers(0, 10**15), min_size=1, max_size=4)


@given(AMOUNTS, st.lists(st.integers(0, 1_000), min_size=1, max_size=4))
def test_rows_and_columns_are_exact_and_cells_in_proportion(sources: list[int], weights: list[int]) -> None:
    total, weight = sum(sources), sum(weights) or 1
    sinks = [total * one // weight for one in weights]
    sinks[-1] += total - sum(sinks)
    matrix = share(sources, sinks)
    assert [sum(row) for row in matrix] == sources
    assert [sum(column) for column in zip(*matrix, strict=True)] == sinks
    for row, source in enumerate(sources):
        for column, sink in enumerate(sinks):
            exact = source * sink // total if total else 0
            assert matrix[row][column] >= 0 and abs(matrix[row][column] - exact) <= len(sources) + len(sinks)


def test_sums_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot share"):
        share([1, 2], [4])
    with pytest.raises(ValueError, match="cannot share"):
        share([-1, 2], [1])
