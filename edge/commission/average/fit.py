"""From readings around steps of the battery: how much later the POC meter shows them than the PCS does. Pure functions.

A mean over a window shows a step half of the window later, as a slope. Each step gives the lag as a difference of two areas:
the time by which a signal is behind, summed over the change, whatever shape the PCS gives it. Steps up and down err
opposite ways where a load drifts, so each kind has its median and the result is the middle of the two.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median

from edge.commission.live.effect import T99

Series = Sequence[tuple[int, float]]  # (mono_ms of the reading, W), in order
STEPS_MIN = 2  # of each kind, up and down
MOVED_MIN = 0.3  # of what the PCS did, or it is another meter's business
OFF_MS, OFF_PART = 50, 0.2  # off by so much, a lag does smoothing no harm (average rows of tests.bench.smoothing)
SURE_MS = 75  # at 99 %: off by that, the worst load of 29 gets worse by 6 %
SHARES = 20  # the window is looked for in so many parts of twice the lag, its width without a dead time
PARAMS = 2  # two medians
DEVIATION = 1.4826 * 1.2533  # standard error of a median, from the median deviation of normal noise
READ_PART = 4  # a change between two readings is known to this part of their distance: they keep time with it
EVERY_MAX_MS = 250  # farther apart, and it is not


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the battery's power: readings from a while before it until a while after it was over."""

    begin_ms: int
    over_ms: int
    poc: Series
    pcs: tuple[Series, ...]  # one a unit


@dataclass(frozen=True, slots=True)
class Lag:
    """The POC meter behind the PCS's own: a dead time and half of a window. `half_ms`: of its 99 % interval.

    `window_ms` is 0 until `misfits` has been asked: that takes longer.
    """

    lag_ms: float
    half_ms: float
    window_ms: int
    steps_count: int
    every_ms: int  # between two readings of the meter

    @property
    def dead_ms(self) -> int:
        return round(self.lag_ms - self.window_ms / 2)


@dataclass(frozen=True, slots=True)
class _Change:
    """A signal around a step, 0 before it and 1 after it."""

    points: list[tuple[float, float]]  # (ms since begin, part)
    change_w: float

    def late_ms(self) -> float:
        """The middle of the change, after begin: the area above the signal."""
        return sum((b[0] - a[0]) * (2 - a[1] - b[1]) / 2 for a, b in pairwise(self.points))


def lag_of(steps: Sequence[Step]) -> Lag | str:
    """The lag of the POC meter; or in words why it cannot be told yet."""
    seen = [found for found in map(_look, steps) if found is not None]
    if len(seen) < len(steps):
        return "the POC meter, or the PCS, gave too few readings around a step"
    ups, downs = ([item for item in seen if (item[2] > 0) == up] for up in (True, False))
    if min(len(ups), len(downs)) < STEPS_MIN:
        return f"{len(ups)} steps up and {len(downs)} down were seen; at least {STEPS_MIN} of each are needed"
    lags = [[poc.late_ms() - _late_ms(pcs) for poc, pcs, _ in group] for group in (ups, downs)]
    middles = [median(group) for group in lags]
    if median(abs(poc.change_w / change_w) for poc, _, change_w in seen) < MOVED_MIN:
        return "the POC meter did not follow the steps"
    off_ms = median(abs(lag - middle) for group, middle in zip(lags, middles, strict=True) for lag in group)
    every_ms, lag_ms = _every_ms(steps), mean(middles)
    chance_ms = T99[min(max(len(seen) - PARAMS, 3), 11)] * DEVIATION * off_ms / math.sqrt(len(seen))
    half_ms, sure_ms = chance_ms + every_ms / READ_PART, max(SURE_MS, OFF_PART * lag_ms)
    if every_ms > EVERY_MAX_MS:
        return f"it is read every {every_ms} ms, at most {EVERY_MAX_MS} ms are needed"
    if half_ms > sure_ms:
        found = f"{lag_ms:.0f} +- {half_ms:.0f} ms after {len(seen)} steps, +-{sure_ms:.0f} ms is needed"
        return f"{found}: the load moves meanwhile"
    return Lag(lag_ms, half_ms, 0, len(seen), every_ms)


def _look(step: Step) -> tuple[_Change, list[_Change], float] | None:
    """The meter, the units, and by how much the battery changed. None: something is missing."""
    poc = _change(step, step.poc)
    pcs = [_change(step, series) for series in step.pcs]
    units = [unit for unit in pcs if unit is not None]
    change_w = sum(unit.change_w for unit in units)
    return None if poc is None or len(units) < len(pcs) or not change_w else (poc, units, change_w)


def _change(step: Step, series: Series) -> _Change | None:
    before = [power_w for ms, power_w in series if ms <= step.begin_ms]
    after = [power_w for ms, power_w in series if ms >= step.over_ms]
    if not before or not after or mean(before) == mean(after):
        return None
    start_w, change_w = mean(before), mean(after) - mean(before)
    between = [
        (float(ms - step.begin_ms), (power_w - start_w) / change_w)
        for ms, power_w in series
        if step.begin_ms < ms < step.over_ms
    ]
    return _Change([(0.0, 0.0), *between, (float(step.over_ms - step.begin_ms), 1.0)], change_w)


def _late_ms(units: Sequence[_Change]) -> float:
    """Of the battery as a whole: each unit by its part."""
    return sum(unit.late_ms() * unit.change_w for unit in units) / sum(unit.change_w for unit in units)


def _every_ms(steps: Sequence[Step]) -> int:
    return round(median(b[0] - a[0] for step in steps for a, b in pairwise(step.poc)))


# ---- the window


def misfits(steps: Sequence[Step], lag_ms: float) -> Iterator[tuple[float, int]]:
    """(sum of squares, window in ms): how little a moving mean of the PCS's readings, this late, looks like the meter's.

    The least is the window. One at a time: each takes as long as the control thread may be kept.
    """
    seen = [found for found in map(_look, steps) if found is not None]
    for part in range(SHARES + 1):
        width_ms = 2 * max(lag_ms, 0.0) * part / SHARES
        yield sum(_misfit(*item, lag_ms, width_ms) for item in seen), round(width_ms)


def _misfit(poc: _Change, units: Sequence[_Change], change_w: float, lag_ms: float, width_ms: float) -> float:
    """Sum of squares between the meter and the units' mean over this width, this late."""
    half_ms = max(width_ms, 1.0) / 2
    areas = [(_sums(unit.points), unit.points, unit.change_w / change_w) for unit in units]
    error = 0.0
    for ms, part in poc.points[1:-1]:
        shown = sum(
            share * (_area(points, sums, ms - lag_ms + half_ms) - _area(points, sums, ms - lag_ms - half_ms))
            for sums, points, share in areas
        )
        error += (part - shown / (2 * half_ms)) ** 2
    return error


def _sums(points: Sequence[tuple[float, float]]) -> list[float]:
    """The area below the signal from begin to each point."""
    sums = [0.0]
    for a, b in pairwise(points):
        sums.append(sums[-1] + (b[0] - a[0]) * (a[1] + b[1]) / 2)
    return sums


def _area(points: Sequence[tuple[float, float]], sums: Sequence[float], ms: float) -> float:
    """The area from begin to `ms`: nothing before, the whole step after the last point."""
    if ms <= 0:
        return 0.0
    at = bisect_right(points, (ms, math.inf)) - 1
    from_ms, from_part = points[at]
    if at == len(points) - 1:
        return sums[at] + ms - from_ms
    slope = (points[at + 1][1] - from_part) / (points[at + 1][0] - from_ms)
    return sums[at] + (ms - from_ms) * (from_part + slope * (ms - from_ms) / 2)
