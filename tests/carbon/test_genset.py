"""A genset with a meter: its energy and the carbon of its fuel on the bus, in the ledger, over gaps; without one nothing."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from edge.carbon.factors.use import genset_factor
from edge.carbon.flow import SiteFlow
from edge.carbon.ledger.balance import interval_fault
from edge.carbon.ledger.body import energy_mj
from edge.carbon.pool import StoredPool
from edge.config.evidence import Evidence
from edge.config.options import Device
from edge.errors import ConfigFault
from edge.model import RegisterValue
from edge.uplink import Uplink
from hil.assembly import unit_specs
from hil.day.image import day_config
from hil.day.wired import WiredSite, play
from hil.plant.site import SiteSpec
from hil.slave import Slave
from hil.wire import Arrivals
from tests.carbon.ledger_kit import SITE, site
from tests.carbon.test_book import START_MS, Run, balance
from tests.carbon.test_flow import flows
from tests.carbon.test_uplink_account import LIMITS, QUARTER_S, HandClock, entries

DIESEL = 750_000  # mg/kWh
HOUR_MS = 3_600_000
TABLE = "egrid2023-ercot/direct 2023: power stations of this fuel"


def genset_device(number: int = 1) -> dict[str, Any]:
    """Like the meter of the IT load."""
    meter = next(one for one in tomli.loads(SITE.read_text())["device"] if one["use"] == "load")
    return {**meter, "name": f"gen{number}", "use": "genset", "address": 70 + number}


def with_genset(folder: Path, **more: Any) -> Any:
    device = [*tomli.loads(SITE.read_text())["device"], genset_device()]
    return site(device=device, store={"path": str(folder)}, cloud={}, signal={}, console={}, limits=LIMITS, **more)


def test_load_takes_the_mean_of_grid_and_genset() -> None:
    bus = SiteFlow(StoredPool(1_000_000), step_max_ms=HOUR_MS, genset_mg_per_kwh=DIESEL)
    one = bus.step(replace(flows(100_000, 50_000, -50_000, 150_000), genset_power_w=50_000), HOUR_MS, 400_000)
    assert one.load_mj == 150_000 * HOUR_MS and one.genset_ug == 50 * DIESEL * 1000
    assert one.site_intensity_mg_per_kwh == (100 * 400_000 + 50 * DIESEL) // 200
    assert one.charge_ug * 4 == one.grid_ug + one.genset_ug


@given(
    st.lists(
        st.tuples(*(st.integers(-50_000, 50_000) for _ in range(4)), st.integers(0, 10_000), st.integers(0, 900_000)),
        min_size=1, max_size=40,
    )
)  # fmt: skip
def test_whatever_runs_the_balance_is_exact(steps: list[tuple[int, ...]]) -> None:
    run = Run(60_000)
    run.site = SiteFlow(StoredPool(100_000), step_max_ms=60_000, genset_mg_per_kwh=DIESEL)
    at_ms = START_MS
    for poc_w, pv_w, battery_w, genset_w, soc_cpct, mg in steps:
        at_ms += 20_000
        run.step(at_ms, replace(flows(poc_w, pv_w, battery_w, None, soc_cpct), genset_power_w=genset_w), 20_000, mg)
    run.end()
    totals = run.site.totals()
    into = totals.opening_ug + totals.grid_ug + totals.genset_ug
    assert into == totals.load_ug + totals.export_ug + totals.loss_ug + totals.stored_ug
    for one in run.closed:
        carbon, energy = balance(one)
        assert (carbon, abs(energy) <= 1) == (0, True)
        made = sum(flow.carbon_ug for flow in one.flows if flow.source == "genset")
        burnt = sum(flow.energy_mj for flow in one.flows if flow.source == "genset")
        assert abs(made - burnt * DIESEL // 3_600_000) <= 1


def test_a_meter_that_is_silent_makes_the_second_estimated_and_none_does_not() -> None:
    one = flows(100_000, 0, 0, 100_000)
    assert SiteFlow(StoredPool(1)).step(one, 1_000, 400_000).quality == "measured"
    assert SiteFlow(StoredPool(1), genset_mg_per_kwh=DIESEL).step(one, 1_000, 400_000).quality == "estimated"
    running = replace(one, genset_power_w=50_000)
    assert SiteFlow(StoredPool(1)).step(running, 1_000, 400_000).genset_mj == 0


@pytest.mark.parametrize(
    ("evidence", "table", "value", "source"),
    [
        (Evidence(), "", 700_000, "default of unknown electricity"),
        (Evidence(), "egrid2023-ercot", 1_478_900, TABLE),
        (Evidence(genset_fuel="gas"), "egrid2023-ercot", 391_700, TABLE),
        (Evidence(genset_mg_per_kwh=DIESEL), "egrid2023-ercot", DIESEL, "site file"),
    ],
)  # fmt: skip
def test_the_factor_of_its_fuel_and_where_it_is_from(evidence: Evidence, table: str, value: int, source: str) -> None:
    found = genset_factor(evidence, table, "direct")
    assert (found.mg_per_kwh, found.source) == (value, source)


def test_two_gensets_with_a_meter_each_are_refused() -> None:
    device = [*tomli.loads(SITE.read_text())["device"], genset_device(1), genset_device(2)]
    with pytest.raises(ConfigFault, match="only one may have use = 'genset'"):
        site(device=device)


def seconds(uplink: Uplink, clock: HandClock, count: int) -> None:
    for _ in range(count):
        clock.now_ms += 1_000
        at = clock.now_ms // 1_000
        counted = (
            RegisterValue("poc", "meter.energy_import", 1_000 * at), RegisterValue("gen1", "meter.energy_import", 500 * at),
        )  # fmt: skip
        now = replace(flows(3_600_000, 0, 0, 5_400_000, 5_000), registers=counted, genset_power_w=1_800_000)
        uplink.note_flows(replace(now, mono_ms=clock.now_ms, wall_ms=clock.wall_ms()))
        uplink.step()


def test_the_ledger_books_it_apart_from_the_grid_and_fills_an_hour_from_its_register(tmp_path: Path) -> None:
    clock = HandClock()
    config = with_genset(tmp_path, evidence={"genset_mg_per_kwh": DIESEL})
    uplink = Uplink(config, clock)
    seconds(uplink, clock, QUARTER_S + 1)
    uplink.close()
    clock.now_ms += 4 * QUARTER_S * 1_000
    uplink = Uplink(config, clock)
    seconds(uplink, clock, QUARTER_S)
    uplink.close()
    found = entries(tmp_path)
    plan = found[0].body["plan"]
    assert plan["genset"] == {"fuel": "oil", "mg_per_kwh": DIESEL, "source": "site file"}
    bodies = [one.body for one in found if one.kind == "interval"]
    assert len(bodies) >= 4 and [interval_fault(body, plan) for body in bodies] == [None] * len(bodies)
    filled = [body for body in bodies if body["missing_ms"] == QUARTER_S * 1_000]
    passed_s = 4 * QUARTER_S + 1  # from the last reading before to the first behind
    assert len(filled) == 3 and sum(energy_mj(body, "genset") for body in filled) == 500 * passed_s * 3_600_000
    for body in bodies:
        genset_ug = sum(flow["ug"] for flow in body["flows"] if flow["from"] == "genset")
        assert abs(genset_ug - energy_mj(body, "genset") * DIESEL // 3_600_000) <= 1
        grid_ug = sum(flow["ug"] for flow in body["flows"] if flow["from"] == "grid")
        assert body["location_ug"] == grid_ug + (body["gap"]["ug"] if body["gap"] else 0)  # it is no Scope 2
    flow = next(flow for flow in bodies[0]["flows"] if flow["from"] == "genset")
    flow["ug"] -= 3  # a genset cleaner than its fuel
    fault = interval_fault(bodies[0], plan)
    assert fault is not None and fault.field == "flows: sum of ug from genset"


def test_its_meter_reaches_the_second_of_the_account_through_bus_and_image_and_is_unknown_when_silent() -> None:
    config = day_config(site={"cycle_ms": 100})
    config = replace(config, device=(*config.device, Device(**genset_device())))
    silent, seen = set[str](), []

    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        return [] if slave.name in silent else None

    async def script(wired: WiredSite) -> None:
        wired.site.genset_power_w = 12_000.0
        for names in ((), ("gen1",)):
            silent.update(names)
            await asyncio.sleep(30)
            seen.append(wired.controller.picture.flows().genset_power_w)

    play(config, SiteSpec(units=unit_specs(config)), 1, script, spoil=spoil)
    assert seen[0] == pytest.approx(12_000, abs=100) and seen[1] is None
