"""Closed intervals: nothing gained, nothing lost, whatever the powers were, for a year."""

import json
import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.carbon.book import IntervalBook
from edge.carbon.flow import SiteFlow
from edge.carbon.interval import INTERVAL_MS, ClockState, FactorUse, Interval
from edge.carbon.pool import PoolState, StoredPool
from edge.model import SiteFlows
from tests.carbon.test_flow import flows

START_MS = 1_735_689_600_000  # 2025-01-01T00:00Z
CLOCK = ClockState("ntp", 0, synced=True)


def factor(quality: str = "measured", value: int = 300_000) -> FactorUse:
    return FactorUse("ercot/1", "average_generation", value, "ERCOT", "2023", None, "", quality)


class Run:
    """A site and its book, second by second."""

    def __init__(self, interval_ms: int = INTERVAL_MS, capacity_wh: int = 100_000) -> None:
        self.site = SiteFlow(StoredPool(capacity_wh), step_max_ms=interval_ms)
        self.book = IntervalBook(interval_ms)
        self.closed: list[Interval] = []

    def step(self, wall_ms: int, one: SiteFlows, step_ms: int, mg_per_kwh: int, quality: str = "measured") -> None:
        before = self.site.pool.freeze_state()
        step = self.site.step(replace(one, wall_ms=wall_ms), step_ms, mg_per_kwh)
        found = self.book.note(step, before, self.site.pool.freeze_state(), factor(quality, mg_per_kwh), CLOCK)
        if found:
            self.closed.append(found)

    def end(self) -> None:
        found = self.book.close()
        if found:
            self.closed.append(found)


def balance(interval: Interval) -> tuple[int, int]:
    """(carbon residual in ug, energy residual in mJ) of one interval; the vessel for rounding is 1 mJ."""
    into = sum(f.carbon_ug for f in interval.flows if f.sink == "battery")
    out = sum(f.carbon_ug for f in interval.flows if f.source == "battery" and f.sink != "losses")
    carbon = interval.carbon_open_ug + into - out - interval.storage_loss_ug - interval.carbon_close_ug
    charged = sum(f.energy_mj for f in interval.flows if f.sink == "battery")
    delivered = sum(f.energy_mj for f in interval.flows if f.source == "battery" and f.sink != "losses")
    lost = sum(f.energy_mj for f in interval.flows if f.sink == "losses")
    moved_uj = (charged - delivered - lost) * 1000 + interval.true_up_uj
    energy_uj = interval.stored_open_uj + moved_uj - interval.stored_close_uj
    return carbon, energy_uj // 1000


def test_the_vector_of_the_method_as_two_intervals() -> None:
    run = Run(3_600_000, 1_000_000)
    run.step(START_MS + 3_600_000, flows(1_000_000, 400_000, -200_000, 1_200_000), 3_600_000, 350_000)
    run.step(START_MS + 7_200_000, flows(1_100_000, 0, 152_000, 1_252_000), 3_600_000, 450_000)
    run.end()
    one, two = run.closed
    kwh = {(f.source, f.sink): f.energy_mj / 3.6e9 for f in one.flows}
    assert {key: round(value, 6) for key, value in kwh.items()} == {
        ("grid", "battery"): 142.857143, ("grid", "load"): 857.142857, ("pv", "battery"): 57.142857,
        ("pv", "load"): 342.857143, ("battery", "losses"): 10,
    }  # fmt: skip
    assert sum(f.carbon_ug for f in one.flows if f.sink == "load") == 300_000_000_000
    assert (one.carbon_close_ug, one.facility_mj) == (50_000_000_000, 1_200 * 3_600_000_000)
    assert sum(f.carbon_ug for f in two.flows if f.sink == "load") == 537_105_263_157
    assert two.carbon_close_ug == 7_894_736_843 and two.factor.value_mg_per_kwh == 450_000
    assert balance(one) == balance(two) == (0, 0) and one.missing_ms == 0


POWER = st.integers(-200_000, 200_000)
STEP = st.tuples(POWER, POWER, POWER, st.integers(1, 4_000), st.integers(0, 900_000), st.integers(0, 10_000))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_every_interval_balances_whatever_the_meters_say(steps: list[tuple[int, int, int, int, int, int]]) -> None:
    run, wall_ms, before = Run(10_000, 5_000), START_MS, PoolState(0, 0)
    for poc_w, pv_w, battery_w, step_ms, mg, soc in steps:
        wall_ms += step_ms
        run.step(wall_ms, flows(poc_w, pv_w, battery_w, soc_cpct=soc), step_ms, mg)
    run.end()
    for interval in run.closed:
        carbon, energy_mj = balance(interval)
        assert carbon == 0 and 0 <= energy_mj <= 1
        assert (interval.stored_open_uj, interval.carbon_open_ug) == (before.stored_uj, before.carbon_ug)
        before = PoolState(interval.stored_close_uj, interval.carbon_close_ug)
        assert all(f.energy_mj >= 0 and f.carbon_ug >= 0 for f in interval.flows)


def test_a_year_of_quarters_leaves_no_residual() -> None:
    """35 040 intervals of random flows: carbon to the microgram, energy to the millijoule, over the year as in each."""
    chance, run = random.Random(3), Run(capacity_wh=2_000_000)
    for quarter in range(35_040):
        battery_w = chance.randint(-500_000, 500_000)
        run.step(
            START_MS + (quarter + 1) * INTERVAL_MS,
            flows(chance.randint(0, 2_000_000), chance.randint(0, 800_000), battery_w), INTERVAL_MS,
            chance.randint(100_000, 500_000),
        )  # fmt: skip
    run.end()
    assert len(run.closed) == 35_040
    assert all(balance(one)[0] == 0 and 0 <= balance(one)[1] <= 1 for one in run.closed)
    grid_ug = sum(f.carbon_ug for one in run.closed for f in one.flows if f.source == "grid")
    used_ug = sum(f.carbon_ug for one in run.closed for f in one.flows if f.sink in ("load", "export"))
    lost_ug = sum(one.storage_loss_ug for one in run.closed)
    assert grid_ug == used_ug + lost_ug + run.closed[-1].carbon_close_ug == run.site.totals().grid_ug


def test_seconds_that_are_missing_and_the_worst_factor_are_told() -> None:
    run = Run(60_000)
    for second in range(1, 31):
        run.step(START_MS + second * 1000, flows(1_000, 0, 0), 1_000, 300_000, "stale" if second == 7 else "measured")
    run.step(START_MS + 61_000, flows(1_000, 0, 0), 1_000, 300_000)
    (one,) = run.closed
    assert one.missing_ms == 30_000 and one.factor.quality == "stale"
    assert (one.start_wall_ms, one.stop_wall_ms) == (START_MS, START_MS + 60_000)


def test_a_restart_within_an_interval_goes_on_where_it_was() -> None:
    whole, cut = Run(60_000), Run(60_000)
    for second in range(1, 61):
        for run in (whole, cut):
            run.step(START_MS + second * 1000, flows(1_000 + second, 300, -200), 1_000, 300_000)
        if second == 30:
            state = json.loads(json.dumps(cut.book.freeze_state()))
            cut.book = IntervalBook(60_000)
            cut.book.resume(state)
    whole.end()
    cut.end()
    assert whole.closed == cut.closed
