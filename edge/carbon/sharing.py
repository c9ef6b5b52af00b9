"""Proportional sharing in whole numbers: every source gives to every sink in proportion, and all sums stay exact."""

from collections.abc import Sequence


def share(sources: Sequence[int], sinks: Sequence[int]) -> list[list[int]]:
    """A matrix whose rows sum to `sources` and whose columns sum to `sinks`, each cell within 2 of source * sink / total.

    Both sums must be equal and nothing negative. The last sink takes what rounding leaves: put the largest there.
    """
    total = sum(sources)
    left = list(sources)
    matrix = [[0] * len(sinks) for _ in sources]
    if total != sum(sinks) or min((*sources, *sinks), default=0) < 0:
        raise ValueError(f"cannot share {list(sources)} among {list(sinks)}")
    if not total:
        return matrix
    for column, sink in enumerate(sinks[:-1]):
        missing = sink
        for row, source in enumerate(sources):
            part = min(source * sink // total, left[row])
            matrix[row][column] = part
            left[row] -= part
            missing -= part
        while missing:  # at most a unit for each source
            row = max(range(len(left)), key=left.__getitem__)
            part = min(missing, left[row], 1 + missing // len(left))
            matrix[row][column] += part
            left[row] -= part
            missing -= part
    for row, rest in enumerate(left):
        matrix[row][-1] = rest
    return matrix
