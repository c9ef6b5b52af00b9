"""The forecast against two recorded grids, its limits, and what is written down of it."""

import csv
import gzip
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.plan.forecast import AHEAD_MAX_HOURS, HOUR_MS, HourlyHistory
from tests.plan.signals.kit import DATA, needs_data

DAY_MS = 24 * HOUR_MS
FROM_MS = int(datetime(2021, 7, 1, tzinfo=UTC).timestamp() * 1000)


def recorded(name: str) -> list[tuple[int, int]]:
    with gzip.open(DATA / f"carbon/{name}_2020_2021_hourly_fuelmix_ci.csv.gz", "rt") as text:
        rows = [(row["utc"], row["ci_direct_g"]) for row in csv.DictReader(text)]
    times = [(int(datetime.fromisoformat(utc).timestamp() * 1000), round(float(g) * 1000)) for utc, g in rows if g]
    return [pair for pair in times if pair[0] >= FROM_MS - 35 * DAY_MS]


@needs_data
@pytest.mark.parametrize(("name", "most_pct"), [("ERCO", 13.0), ("CISO", 11.0)])
def test_the_day_ahead_error_on_a_recorded_half_year_is_what_it_was_measured_at(name: str, most_pct: float) -> None:
    rows = recorded(name)
    actual, history, errors = dict(rows), HourlyHistory(), list[float]()
    for time_ms, value in rows:
        if time_ms >= FROM_MS and time_ms % DAY_MS == 0:
            for hour in range(24):
                at_ms = time_ms + hour * HOUR_MS
                found = history.forecast_mg_per_kwh(at_ms)
                if at_ms in actual:
                    assert found is not None
                    errors.append(abs(found - actual[at_ms]) / actual[at_ms])
        history.note(time_ms, 3600, value)
    assert len(errors) > 4_000
    assert 100 * sum(errors) / len(errors) <= most_pct


def steady(days: int, value: int = 300_000) -> HourlyHistory:
    history = HourlyHistory()
    for hour in range(days * 24):
        history.note(FROM_MS + hour * HOUR_MS, 3600, value)
    return history


def test_two_days_are_no_profile_and_two_days_ahead_is_the_end() -> None:
    assert steady(2).forecast_mg_per_kwh(FROM_MS + 2 * DAY_MS) is None
    history = steady(5)
    newest_ms = FROM_MS + 5 * DAY_MS - HOUR_MS
    assert history.forecast_mg_per_kwh(newest_ms + AHEAD_MAX_HOURS * HOUR_MS) == 300_000
    assert history.forecast_mg_per_kwh(newest_ms + (AHEAD_MAX_HOURS + 1) * HOUR_MS) is None
    assert history.forecast_mg_per_kwh(newest_ms - HOUR_MS) is None  # the past is known, not foreseen
    assert history.week_mean_mg_per_kwh(newest_ms + 3 * DAY_MS) == 300_000
    assert history.week_mean_mg_per_kwh(newest_ms + 6 * DAY_MS) is None


def test_an_anomaly_fades_and_quarters_of_an_hour_add_up_to_their_hour() -> None:
    history = steady(28)
    for quarter in range(24):
        history.note(FROM_MS + 28 * DAY_MS + quarter * 900_000, 900, 400_000)
    end_ms = FROM_MS + 28 * DAY_MS + 5 * HOUR_MS
    found = [history.forecast_mg_per_kwh(end_ms + hours * HOUR_MS) for hours in (1, 10, 18)]
    assert found == [394_596, 357_375, 336_788]  # 300 + 100 * exp(-h / 18)


def test_what_is_older_than_the_profile_is_forgotten_and_not_taken() -> None:
    history = steady(40)
    history.note(FROM_MS, 3600, 9_000_000)
    assert len(list(history.lines())) == 28 * 24 + 1
    assert history.forecast_mg_per_kwh(FROM_MS + 40 * DAY_MS) == 300_000


@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 5_000_000)), max_size=60))
def test_what_is_written_down_comes_back(hours: list[tuple[int, int]]) -> None:
    history, again = HourlyHistory(), HourlyHistory()
    for hour, value in hours:
        history.note(hour * HOUR_MS, 300, value)
    assert again.read_lines(list(history.lines()))
    assert list(again.lines()) == list(history.lines())


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_anything_else_that_stands_there_changes_nothing(lines: list[str]) -> None:
    history = steady(4)
    before = list(history.lines())
    if not history.read_lines(lines):
        assert list(history.lines()) == before
