"""The whole plant: signs, balance, sources that look like what they were fitted on, speed, seeds."""

from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import fmean, pstdev
from time import process_time

import pytest

from hil.plant.load import AiLoad, AiLoadSpec, LoadTrace
from hil.plant.pv import Pv, PvSpec, Sky, SkySpec
from hil.plant.site import Site, SiteSpec, TraceSpec
from hil.traces import read_load_kw

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the recorded data is not beside the project")


def drive(site: Site, steps: int, dt_s: float = 1.0) -> list[float]:
    """A battery that follows a plan within its limits."""
    pcs, bms = site.units[0].pcs, site.units[0].bms
    site.step(dt_s)
    pcs.start()
    powers = []
    for index in range(steps):
        if index % 10 == 0:
            volts = site.units[0].pack.voltage_v
            wish_w = 25_000 if index // 7_200 % 2 else -25_000
            pcs.set_power_w(max(min(wish_w, 0.9 * bms.discharge_limit_a * volts), -0.9 * bms.charge_limit_a * volts))
        site.step(dt_s)
        powers.append(site.poc_power_w)
    return powers


def test_a_day_balances_to_the_last_milliwatt_hour() -> None:
    site = Site(seed=5)
    drive(site, 86_400)
    truth = site.balance()
    assert truth.discharge_wh > 10_000 and truth.pv_wh > 100_000
    assert abs(truth.bus_residual_wh) < 1e-6 * truth.grid_import_wh
    assert abs(truth.battery_residual_wh) < 1e-6 * truth.charge_wh
    assert not site.units[0].bms.trip_names and site.units[0].pcs.state == "running"


def test_the_signs_are_those_of_the_design() -> None:
    site = Site(SiteSpec(start_s=43_200))
    drive(site, 100)
    assert site.pv_power_w > 0 and site.it_power_w > 0 and site.battery_power_w < 0
    assert site.poc_power_w == pytest.approx(site.load_power_w - site.pv_power_w - site.battery_power_w)
    assert 1.05 < site.load_power_w / site.it_power_w < 1.6


def test_a_seed_reproduces_and_another_differs() -> None:
    runs = [drive(Site(SiteSpec(start_s=36_000), seed=seed), 2_000) for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]


def test_a_day_of_seconds_is_cheap() -> None:
    site = Site()
    drive(site, 1_000)
    started_s = process_time()
    drive(site, 20_000)
    per_step_us = (process_time() - started_s) / 20_000 * 1e6
    assert per_step_us < 40, "11 us on the build machine; the rest is room for a busy one"


def levels(load: AiLoad | LoadTrace, seconds: int, dt_s: float = 2.0) -> list[float]:
    return [load.advance(index * dt_s, dt_s) for index in range(round(seconds / dt_s))]


def test_the_generated_training_job_has_the_measured_shape() -> None:
    powers_w = levels(AiLoad(AiLoadSpec(scale_w=458_600, jobs=((0.0, 1e9),)), Random(7)), 3_400)[20:]
    ordered = sorted(powers_w)
    assert fmean(powers_w) == pytest.approx(438_400, rel=0.012)
    assert pstdev(powers_w) == pytest.approx(20_850, rel=0.25)
    assert ordered[len(ordered) // 20] == pytest.approx(399_800, rel=0.02)
    dips = [i for i in range(1, len(powers_w) - 1) if powers_w[i - 1] > powers_w[i] <= powers_w[i + 1]
            and powers_w[i] < 425_000]  # fmt: skip
    assert fmean(2 * (b - a) for a, b in pairwise(dips)) == pytest.approx(10.9, rel=0.15)


def test_jobs_start_and_stop_between_idle_and_full() -> None:
    load = AiLoad(AiLoadSpec(scale_w=100_000, jobs=((60.0, 200.0),)), Random(1))
    powers_w = levels(load, 300, 1.0)
    assert powers_w[30] == pytest.approx(37_000) and powers_w[290] == pytest.approx(37_000)
    assert min(powers_w[75:195]) > 60_000 and max(powers_w[75:195]) <= 100_000


@needs_data
def test_the_generator_agrees_with_the_recorded_run() -> None:
    rows = read_load_kw(DATA / "load/64xH100_gpt3_ac_run5848_2_pernode.csv.gz")
    real = LoadTrace(rows, 60_000.0)
    recorded = levels(real, 3_300)[20:]
    made = levels(AiLoad(AiLoadSpec(jobs=((0.0, 1e9),)), Random(2)), 3_300)[20:]
    assert max(recorded) <= 60_000.0
    assert fmean(made) == pytest.approx(fmean(recorded), rel=0.015)
    assert pstdev(made) == pytest.approx(pstdev(recorded), rel=0.25)


def test_a_broken_sky_has_the_fitted_clouds() -> None:
    sky = Sky(SkySpec(), Random(3))
    clear = Sky(SkySpec(cloud_fraction=0.0), Random(3))
    parts = []
    for t_s in range(40_000, 47_000):
        parts.append(sky.advance(t_s, 1.0) / clear.advance(t_s, 1.0))
    assert 0.55 < sum(part < 0.7 for part in parts) / len(parts) < 0.85
    steps = [b - a for a, b in pairwise(parts)]
    assert 0.008 < pstdev(steps) < 0.018  # 1.2 % measured
    assert 0.03 < max(map(abs, steps)) < 0.13  # 7..10 % measured in one hour


def test_nights_are_dark_and_noon_clips_at_the_inverter() -> None:
    site = Site(SiteSpec(irradiance=SkySpec(cloud_fraction=0.0), pv=PvSpec(rating_w=50_000)))
    powers_w = []
    for _ in range(1_440):
        site.step(60.0)
        powers_w.append(site.pv_power_w)
    assert powers_w[60] == 0.0 and max(powers_w) == 33_000.0


def test_heat_costs_pv_power() -> None:
    cool, hot = Pv(PvSpec(), 5.0), Pv(PvSpec(), 40.0)
    for _ in range(2_000):
        cool.step(600.0, 1.0, 5.0)
        hot.step(600.0, 1.0, 40.0)
    assert 0.85 < hot.power_w / cool.power_w < 0.9


def test_traces_can_take_the_place_of_both_generators() -> None:
    spec = SiteSpec(
        load=TraceSpec(((0.0, 100.0), (10.0, 200.0)), scale_w=40_000),
        irradiance=TraceSpec(((0.0, 0.0), (10.0, 1_000.0))),
    )
    site = Site(spec)
    for _ in range(6):
        site.step(1.0)
    assert site.it_power_w == pytest.approx(30_000)
    assert site.pv.irradiance_w_per_m2 == pytest.approx(500)
