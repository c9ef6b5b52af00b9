"""A set of sequence numbers kept as ranges: few, sorted, never touching. No meaning, no I/O."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class RangeSet:
    """Whole numbers as closed ranges."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._firsts, self._lasts, strict=True)))

    def __len__(self) -> int:
        """How many ranges."""
        return len(self._firsts)

    def count(self) -> int:
        """How many numbers."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def add(self, first: int, last: int) -> None:
        if last < first:
            return
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def drop_to(self, last: int) -> int:
        """Forgets everything up to `last`; returns how many numbers that were."""
        gone = 0
        while self._firsts and self._firsts[0] <= last:
            end = min(self._lasts[0], last)
            gone += end - self._firsts[0] + 1
            if self._lasts[0] <= last:
                del self._firsts[0], self._lasts[0]
            else:
                self._firsts[0] = last + 1
        return gone

    def around(self, seq: int) -> tuple[int, int] | None:
        """The range that holds `seq`, or None."""
        at = bisect_left(self._lasts, seq)
        if at < len(self._firsts) and self._firsts[at] <= seq:
            return self._firsts[at], self._lasts[at]
        return None

    def gap_from(self, seq: int, last: int) -> tuple[int, int] | None:
        """The first stretch of numbers in seq..last that is not in the set, or None."""
        found = self.around(seq)
        start = found[1] + 1 if found else seq
        if start > last:
            return None
        at = bisect_right(self._firsts, start)
        return start, min(last, self._firsts[at] - 1) if at < len(self._firsts) else last
