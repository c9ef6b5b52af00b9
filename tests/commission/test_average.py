"""How late the POC meter shows the battery's steps: arithmetic on made-up readings, words, and the simulated site."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.commission.average.fit import Lag, Step, lag_of, misfits
from edge.commission.average.words import average_line, averaging_ms, is_as_told, site_line
from edge.commission.live.effect import PAIRS_MIN, swing_order
from edge.config.reader import parse_config
from edge.control.settings import smoothing_doubt
from edge.field.device import BusDevice
from edge.field.profiles.loader import load_profile
from edge.model import Request
from hil.assembly import unit_specs
from hil.day.image import day_config, example_tables
from hil.day.wired import WiredSite, play
from hil.plant.average import MovingMean
from hil.plant.site import SiteSpec, TraceSpec
from tests.bench import smoothing

SWING_W, OVER_MS, LEVEL_MS = 1_500.0, 2_500, 5_000
FINE_MS = 5


def power_w(times_ms: list[int], at_ms: float, dead_ms: float = 60, tau_ms: float = 50) -> float:
    """The battery: the last setpoint it has heard, behind a lag that is a slope of twice its length."""
    told = [t for t in times_ms if t + dead_ms <= at_ms]
    now_w = swing_order(len(told) - 1) * SWING_W if told else 0.0
    before_w = swing_order(len(told) - 2) * SWING_W if len(told) > 1 else 0.0
    part = min((at_ms - told[-1] - dead_ms) / (2 * tau_ms), 1.0) if told else 1.0
    return before_w + (now_w - before_w) * part


def steps_of(
    window_ms: int, dead_ms: int = 0, every_ms: int = 100, pairs: int = PAIRS_MIN,
    load_w: Callable[[float], float] = lambda ms: 0.0, sign: int = -1,
) -> list[Step]:  # fmt: skip
    """What a sign test of so many pairs would have collected; PCS and meter are read 15 ms apart."""
    begins = [5_000]
    for index in range(2 * pairs):
        begins.append(begins[-1] + LEVEL_MS + 370 * index % 1_000 // every_ms * every_ms)
    fine = [load_w(t) + sign * power_w(begins, t) for t in range(0, begins[-1], FINE_MS)]
    sums = [0.0]
    for value in fine:
        sums.append(sums[-1] + value)

    def meter(ms: int) -> float:
        end = max((ms - dead_ms) // FINE_MS, 1)
        start = max(end - max(window_ms // FINE_MS, 1), 0)
        return (sums[end] - sums[start]) / (end - start)

    pcs = [(t, power_w(begins, t)) for t in range(20, begins[-1], every_ms)]
    poc = [(t, meter(t)) for t in range(35, begins[-1], every_ms)]
    steps = []
    for index, (begin, end) in enumerate(pairwise(begins)):
        if index == 0 or swing_order(index) != swing_order(index - 1):
            cut = [tuple(item for item in series if begin - 2_000 <= item[0] < end) for series in (poc, pcs)]
            steps.append(Step(begin, begin + OVER_MS, cut[0], (cut[1],)))
    return steps


def found(steps: list[Step]) -> Lag:
    lag = lag_of(steps)
    assert isinstance(lag, Lag), lag
    return replace(lag, window_ms=min(misfits(steps, lag.lag_ms))[1])


@settings(max_examples=60, deadline=None)
@given(window_ms=st.integers(0, 1_800), dead_ms=st.integers(0, 150), every_ms=st.sampled_from([50, 100, 200]))
def test_the_lag_is_the_dead_time_and_half_of_the_window_within_what_is_promised(
    window_ms: int, dead_ms: int, every_ms: int
) -> None:
    lag = found(steps_of(window_ms, dead_ms, every_ms))
    assert abs(lag.lag_ms - dead_ms - window_ms / 2) <= lag.half_ms
    assert lag.half_ms <= max(75, 0.2 * lag.lag_ms) and lag.every_ms == every_ms
    assert 0 <= lag.window_ms <= 2 * max(lag.lag_ms, 0) + 1


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_dead_time_is_told_from_a_mean(sign: int) -> None:
    late, mean = found(steps_of(0, 300, sign=sign)), found(steps_of(600, 0, sign=sign))
    assert abs(late.lag_ms - mean.lag_ms) < 15
    assert late.window_ms <= 150 and late.dead_ms >= 225
    assert abs(mean.window_ms - 600) <= 60 and mean.dead_ms <= 30


@pytest.mark.parametrize("window_ms", [0, 500, 1_000])
def test_a_load_that_drifts_and_one_that_is_noisy_leave_it_right(window_ms: int) -> None:
    random = Random(3)
    noise_w = [random.gauss(0, 100) for _ in range(30_000)]
    drifts = steps_of(window_ms, load_w=lambda ms: 40_000 + 0.05 * ms)  # 50 W/s
    noisy = steps_of(window_ms, pairs=12, load_w=lambda ms: 40_000 + noise_w[int(ms) // FINE_MS])
    for steps in (drifts, noisy):
        assert abs(found(steps).lag_ms - window_ms / 2) <= max(50, 0.1 * window_ms)


def test_one_jump_of_the_load_within_a_step_is_outvoted() -> None:
    steps = steps_of(500, pairs=12, load_w=lambda ms: 2_000.0 if 26_000 < ms < 26_900 else 0.0)
    assert abs(found(steps).lag_ms - 250) <= 25


def test_what_cannot_be_told_is_said_with_its_reason() -> None:
    random = Random(4)
    storm_w = [random.uniform(-6_000, 6_000) for _ in range(300)]
    for steps, why in (
        (steps_of(500)[:2], "at least 2 of each"),
        (steps_of(500, pairs=12, load_w=lambda ms: storm_w[int(ms) // 700]), "the load moves meanwhile"),
        (steps_of(0, every_ms=400), "it is read every 400 ms, at most 250 ms are needed"),
        (steps_of(500, sign=0, load_w=lambda ms: 0.001 * ms), "did not follow the steps"),
        ([replace(step, poc=step.poc[:3]) for step in steps_of(500)], "too few readings"),
    ):
        lag = lag_of(steps)
        assert isinstance(lag, str) and why in lag, lag


# ---- words


def poc_of(told_ms: int | None) -> BusDevice:
    device = day_config().device[0]
    return BusDevice(replace(device, averaging_ms=-1 if told_ms is None else told_ms), load_profile(device.profile))


@pytest.mark.parametrize(
    ("lag_ms", "told_ms", "word", "text"),
    [
        (250.0, None, "look", "put into its [[device]] in site.example.toml: averaging_ms = 500"),
        (250.0, 0, "FAIL", "but the site file says averaging_ms = 0: smoothing could feed on itself; put"),
        (250.0, 440, "good", "the site file says averaging_ms = 440"),
        (250.0, 390, "FAIL", "averaging_ms = 500"),
        (3.0, 0, "good", "no average to be seen"),
        (3.0, None, "look", "averaging_ms = 0"),
        (500.0, 1_000, "good", "(more than 800 ms: smoothing answers only the slow part of the load)"),
        (1_100.0, 2_000, "FAIL", "too late for smoothing"),
    ],
)
def test_the_verdict_compares_with_what_is_told_and_gives_the_line_to_write(
    lag_ms: float, told_ms: int | None, word: str, text: str
) -> None:
    line = average_line(day_config(), poc_of(told_ms), Lag(lag_ms, 20.0, int(2 * lag_ms), 5, 100))
    assert (line.subject, line.check, line.word) == ("poc", "average", word)
    assert text in line.text and len(line.text) <= 400


def test_what_could_not_be_told_stays_to_be_looked_at() -> None:
    line = average_line(day_config(), poc_of(None), "the load moves meanwhile")
    assert line.word == "look" and "Nobody says it either" in line.text and "Test again" in line.text


def test_the_line_to_write_is_one_that_the_site_file_takes_and_that_agrees_with_the_measurement() -> None:
    for lag_ms in (0.0, 26.0, 333.3, 1_000.0):
        lag = Lag(lag_ms, 10.0, 0, 5, 100)
        key, _, value = site_line(lag).partition(" = ")
        tables = example_tables()
        tables["device"][0][key] = int(value)
        assert parse_config(tables, "site.toml").device[0].averaging_ms == averaging_ms(lag)
        assert is_as_told(lag, int(value))


# ---- the simulated site


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(-1_000, 1_000)), min_size=1, max_size=60))
def test_a_moving_mean_is_the_mean_over_its_window_whatever_the_steps(parts: list[tuple[int, int]]) -> None:
    moving = MovingMean(0.5)
    every_ms = [power_w for ms, power_w in parts for _ in range(ms)][-500:]
    for ms, power_w in parts:
        moving.note(ms / 1_000, power_w)
    assert moving.value == pytest.approx(sum(every_ms) / len(every_ms), abs=1e-6)


STEADY = TraceSpec(((0.0, 1.0), (86_400.0, 1.0)), 30_000.0)


def measured(averaging_s: float, cycle_ms: int = 100, told_ms: int | None = None) -> dict[str, Any]:
    """What `edge check --live --sign-test` gets from a controller whose POC meter averages."""
    config = day_config(site={"cycle_ms": cycle_ms}, rule={"enabled": False})
    poc = replace(config.device[0], averaging_ms=-1 if told_ms is None else told_ms)
    config = replace(config, device=(poc, *config.device[1:]))
    spec = SiteSpec(units=unit_specs(config, connected=True), load=STEADY, poc_averaging_s=averaging_s)
    told: list[dict[str, Any]] = []

    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(15)
        wired.controller.authority.offer(Request("console", "service"))
        await asyncio.sleep(3)
        answer = await wired.controller.bench.run("sign-test", ("run",))
        assert answer.data["word"] == "right", answer.lines
        assert cycle_ms > 100 or answer.data["effect"]["pairs_count"] == PAIRS_MIN, "no longer than the sign needs"
        assert all(len(line) <= 80 for line in answer.lines)
        told.append(answer.data)

    play(config, spec, 1, script, plant_step_s=0.01)
    return told[0]


@pytest.mark.parametrize("told_ms", [None, 0, 900])
def test_an_average_of_half_a_second_that_nobody_or_somebody_wrong_declared_is_found_within_a_fifth(
    told_ms: int | None,
) -> None:
    data = measured(0.5, told_ms=told_ms)
    found = data["average"]
    assert abs(found["lag_ms"] - 250) <= 50 and abs(found["window_ms"] - 500) <= 100
    assert found["told_ms"] == told_ms and data["ok"] is (told_ms is None), (
        "told wrong fails, not told is to be looked at"
    )
    key, _, value = found["line"].partition(" = ")
    assert key == "averaging_ms" and abs(int(value) - 500) <= 100
    tables = example_tables()
    tables["device"][0] |= {key: int(value)}
    assert smoothing_doubt(parse_config(tables, "site.toml")) is None, "with that line smoothing has its fast part"
    if shutil.which("gcc") is not None:
        harm = smoothing.average_harm(500, int(value), 120)
        assert max(harm.values()) <= 1.05, "and makes no load worse"
        assert harm["iterations of 2 s"] < 0.7, "but this one much better"


@pytest.mark.parametrize(
    ("averaging_s", "cycle_ms", "off_ms"),
    [(0.0, 100, 10), (0.1, 100, 10), (1.0, 100, 10), (0.0, 200, 20), (0.5, 200, 40), (1.0, 200, 40)],
)
def test_other_averages_are_found_as_well_as_their_readings_allow(
    averaging_s: float, cycle_ms: int, off_ms: int
) -> None:
    found = measured(averaging_s, cycle_ms)["average"]
    assert abs(found["lag_ms"] - 500 * averaging_s) <= off_ms
    assert found["every_ms"] == cycle_ms


def test_a_right_declaration_is_confirmed() -> None:
    data = measured(0.5, told_ms=500)
    line = next(line for line in data["lines"] if line["check"] == "average")
    assert data["ok"] and line["word"] == "good" and "the site file says averaging_ms = 500" in line["text"]
