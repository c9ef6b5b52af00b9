"""Axes hold what they must; gaps cut lines; stairs change only where the value does."""

import re

from hypothesis import given
from hypothesis import strategies as st

from edge.report.sheet.material import Range, Stretch, day_of, merged
from edge.report.sheet.svg import Plot, Step, nice_axis, runs, tick_text

DAY = day_of("2026-01-01", "UTC")
HOUR_MS = 3_600_000
VALUE = st.floats(-1e7, 1e7, allow_nan=False)


@given(VALUE, VALUE)
def test_an_axis_holds_both_ends_with_few_ticks(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    axis = nice_axis(low, high)
    tiny = (abs(low) + abs(high)) * 1e-6 + 1e-6
    assert axis.low <= low + tiny and axis.high >= high - tiny and 2 <= len(axis.ticks) <= 8
    assert list(axis.ticks) == sorted(set(axis.ticks))


def test_ticks_are_short() -> None:
    assert [tick_text(value) for value in (0.0, 2.5, -200.0, 1.25, 100.0)] == ["0", "2.5", "−200", "1.25", "100"]


def steps(*hours: int) -> list[Step]:
    return [
        Step(DAY.first_ms + hour * HOUR_MS, DAY.first_ms + (hour + 1) * HOUR_MS, float(hour // 4)) for hour in hours
    ]


def test_a_gap_cuts_the_line_and_is_hatched() -> None:
    plot = Plot(DAY, nice_axis(0, 10), 920, 200, "kW", "x")
    series = steps(0, 1, 2, 8, 9)
    assert [len(run) for run in runs(series)] == [3, 2]
    plot.line(series, "load")
    plot.gaps(series)
    drawn = plot.render()
    assert drawn.count('class="l load"') == 2 and drawn.count('class="gap"') == 2
    first = re.search(r'class="l load" d="([^"]+)"', drawn)
    assert first is not None and first[1].count("V") == 0  # the same value: one straight line
    assert drawn.count("<title>no data</title>") == 2


def test_hours_are_the_weighted_mean_of_what_they_hold_and_absent_below_half() -> None:
    def stretch(start_min: int, stop_min: int, value: int | None) -> Stretch:
        found = None if value is None else Range(value, value - 1, value + 1)
        return Stretch(DAY.first_ms + start_min * 60_000, DAY.first_ms + stop_min * 60_000, (found,) * 5)

    made = list(
        merged([stretch(0, 15, 10), stretch(15, 60, 30), stretch(60, 80, 5), stretch(120, 180, None)], DAY.bounds())
    )
    assert [one.start_ms - DAY.first_ms for one in made] == [0]
    assert made[0].ranges[0] == Range(25.0, 9, 31)
