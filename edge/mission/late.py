"""Quarters booked at what stood in for the grid's factor, and the real one that came hours later: for the ledger to note.

Only a sample that covers a whole quarter says what its factor was; sources of five minutes are live or gone. A restart
forgets which quarters were weak: they stay at the conservative value they were booked at.
"""

from collections import deque
from typing import NamedTuple

from edge.carbon.factors.use import factor_use
from edge.carbon.interval import FactorUse, Interval
from edge.plan.signals.base import IntensityReading
from edge.plan.signals.live import Late

WEAK = ("stale", "substituted", "default")
WEAK_MAX_COUNT = 300  # three days of quarters: no source of an inventory is later


class LateFactor(NamedTuple):
    """The factor of the quarter that began then."""

    start_wall_ms: int
    factor: FactorUse


class LateFactors:
    """Which quarters wait for their factor. Owned by the uplink."""

    def __init__(self, late: deque[Late]) -> None:
        """`late`: what the signal says of times that are over."""
        self._late = late
        self._weak: dict[int, int] = {}  # start -> stop

    def note_closed(self, interval: Interval) -> None:
        if interval.factor.quality in WEAK:
            self._weak[interval.start_wall_ms] = interval.stop_wall_ms
            if len(self._weak) > WEAK_MAX_COUNT:
                del self._weak[min(self._weak)]

    def poll(self) -> list[LateFactor]:
        """What has come since; mostly nothing."""
        found = []
        while self._late:
            one = self._late.popleft()
            for start_ms, stop_ms in list(self._weak.items()):
                if one.start_wall_ms <= start_ms and stop_ms <= one.stop_wall_ms:
                    del self._weak[start_ms]
                    found.append(LateFactor(start_ms, factor_use(_reading(one))))
        return found


def _reading(one: Late) -> IntensityReading:
    return IntensityReading(one.value_mg_per_kwh, None, one.quality, one.source, one.start_wall_ms, one.origin)
