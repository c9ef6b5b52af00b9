"""A table of (t_s, value) rows played in order: linear between rows, from the start again after the end."""

from collections.abc import Sequence

from edge.errors import DataFault


class Series:
    """Cheap for a time that moves forwards; any jump is found by walking."""

    __slots__ = ("_end_s", "_index", "_t_s", "_values")

    def __init__(self, rows: Sequence[tuple[float, float]]) -> None:
        if len(rows) < 2:
            raise DataFault(f"a trace needs at least 2 rows, this one has {len(rows)}")
        first_s = rows[0][0]
        self._t_s = [t_s - first_s for t_s, _ in rows]
        for index in range(1, len(rows)):
            if self._t_s[index] <= self._t_s[index - 1]:
                raise DataFault(f"row {index + 1} of a trace: t_s = {rows[index][0]} does not increase")
        self._values = [value for _, value in rows]
        self._end_s = self._t_s[-1]
        self._index = 0

    def max(self) -> float:
        return max(self._values)

    def at(self, t_s: float) -> float:
        t_s %= self._end_s
        times, index = self._t_s, self._index
        if t_s < times[index]:
            index = 0
        while times[index + 1] < t_s:
            index += 1
        self._index = index
        start_s, value = times[index], self._values[index]
        return value + (self._values[index + 1] - value) * (t_s - start_s) / (times[index + 1] - start_s)
