"""Smoothing on a simulated site, in short: what `make bench` prints in full. 1 MW, the real kernel, a plant in C."""

import shutil
from dataclasses import replace

import pytest

from tests.bench import smoothing
from tests.bench import smoothing_loads as loads

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on this machine")
needs_data = pytest.mark.skipif(loads.data_folder() is None, reason="no ../shared/data beside the project")


@needs_data
def test_a_recorded_training_run_is_smoothed_to_a_third() -> None:
    load = loads.recorded(loads.GPT3)
    assert load is not None
    found = smoothing.run(load[:120_000], smoothing.FAST)
    assert found["W5"] <= 0.035
    assert found["R15"] <= 0.05
    assert found["soc_swing"] <= 0.01
    assert abs(found["dead_time_ms"] - smoothing.FAST.delay_ms) <= 30


def test_iterations_of_2_s_are_predicted_where_a_loop_is_too_slow_to_follow() -> None:
    load = loads.iterations(2, 240)
    found = smoothing.run(load, smoothing.SLOW)
    assert found["B5"] <= 0.65
    assert found["period_ms"] == pytest.approx(2_000, abs=40)


@pytest.mark.parametrize("delay_ms", [50, 200, 400, 1_000])
@pytest.mark.parametrize("name", ["one stop", "steps, 20 s", "noise, 0.3 s", "sweep down", "periods change", "bursts"])
def test_no_load_is_made_worse_in_any_minute(name: str, delay_ms: int) -> None:
    load = loads.harm_loads(180)[name]()
    assert load is not None
    assert smoothing.run(load, smoothing.loop_of(delay_ms))["harm"] <= 1.05


def test_an_announced_stop_is_felt_less_than_half_as_much() -> None:
    known = replace(smoothing.FAST, dead_time_given_ms=smoothing.FAST.delay_ms)
    assert smoothing.announced_ratio(loads.flat(160), known) <= 0.4


@pytest.mark.parametrize("loop", [smoothing.FAST, smoothing.SLOW])
def test_a_surge_is_above_the_import_limit_no_longer_than_the_loop_needs(loop: smoothing.Loop) -> None:
    found = smoothing.run(loads.surge(90, 6e5, 1e6), replace(loop, import_w=800_000, measure_from_s=0))
    assert found["above_longest_s"] * 1_000 <= loop.delay_ms + 2 * loop.cycle_ms


@pytest.mark.parametrize(("meter_ms", "told_ms"), [(500, 500), (500, 400), (500, 600), (500, None), (1_200, 1_200)])
def test_a_meter_that_averages_makes_no_load_worse_whether_the_site_says_so_or_not(
    meter_ms: int, told_ms: int | None
) -> None:
    found = smoothing.average_harm(meter_ms, told_ms, 120)
    assert max(found.values()) <= 1.05, found


def test_half_of_a_meters_averaging_time_belongs_to_its_age() -> None:
    told = replace(smoothing.FAST, meter_ms=500, poc_half_ms=250, measure_from_s=0)
    assert smoothing.run(loads.iterations(2, 180), told)["harm"] <= 1.05


def test_a_loop_that_feeds_on_itself_is_found_out_and_left_alone() -> None:
    silent = replace(smoothing.FAST, meter_ms=1_000, measure_from_s=240)  # averages a second and does not say so
    assert smoothing.run(loads.steps(300, 5, 2), silent)["battery_step_1s"] <= 0.1
