"""The sign test on the simulated site in virtual time: right, reversed, no effect, noise, refused, and ended early."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from edge.console.view import Told
from edge.field.line.rtu import with_crc
from edge.model import Request
from hil.assembly import unit_specs
from hil.day.image import day_config
from hil.day.wired import WiredSite, play
from hil.plant.load import AiLoadSpec
from hil.plant.site import SiteSpec, TraceSpec
from hil.slave import Slave
from hil.wire import Arrivals

Spoil = Callable[[Slave, bytes, bytes], Arrivals | None]
STEADY = TraceSpec(((0.0, 1.0), (86_400.0, 1.0)), 30_000.0)
EXPORT = {"limits": {"export_max_w": 80_000}}


def play_site(script: Any, *, spoil: Spoil | None = None, load: Any = STEADY, **tables: dict[str, Any]) -> WiredSite:
    quiet = {"ramp_up_max_w_per_s": 0, "ramp_down_max_w_per_s": 0}  # nothing moves the battery but the test
    limits = {"limits": {**quiet, **tables.pop("limits", {})}}
    config = day_config(**{"site": {"cycle_ms": 100}, "rule": {"enabled": False}, **limits, **tables})
    spec = SiteSpec(units=unit_specs(config, connected=True), load=load, start_s=0.0)
    return play(config, spec, 1, script, spoil=spoil)


async def service(wired: WiredSite) -> None:
    await asyncio.sleep(15)  # RUN, and every delay of a start is over
    wired.controller.authority.offer(Request("console", "service"))
    await asyncio.sleep(3)
    assert wired.controller.picture.status().mode == "SERVICE"


def run_test(
    *, spoil: Spoil | None = None, load: Any = STEADY, before: Callable[[WiredSite], None] = lambda wired: None,
    **tables: dict[str, Any],
) -> Told:  # fmt: skip
    """From a site in SERVICE; whatever the result, the site must be there again, at 0 W."""
    told: list[Told] = []

    async def script(wired: WiredSite) -> None:
        before(wired)
        await service(wired)
        told.append(await wired.controller.bench.run("sign-test", ("run",)))
        assert_at_rest(wired)

    play_site(script, spoil=spoil, load=load, **tables)
    assert all(len(line) <= 80 for line in told[0].lines), told[0].lines
    return told[0]


def assert_at_rest(wired: WiredSite) -> None:
    status, pcs = wired.controller.picture.status(), wired.site.units[0].pcs
    assert status.mode == "SERVICE" and status.battery_set_w == 0
    assert abs(pcs.power_w) < 300 and pcs.set_w == 0


def text_of(told: Told) -> str:
    return " ".join(" ".join(told.lines).split())


def turned(name: str, size: int, *starts: int) -> Spoil:
    """A device whose values of `size` octets at these registers have the other sign."""

    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        first, body = int.from_bytes(request[2:4], "big"), bytearray(reply[:-2])
        if slave.name != name or request[1] not in (3, 4):
            return None
        for start in starts:
            if first <= start < first + request[5]:
                at = 3 + 2 * (start - first)
                value = -int.from_bytes(body[at : at + size], "big", signed=True)
                body[at : at + size] = value.to_bytes(size, "big", signed=True)
        return [(0.0, with_crc(bytes(body)))]

    return spoil


def test_a_right_site_is_found_right_with_numbers() -> None:
    told = run_test()
    data = told.data
    assert told.ok and data["ok"], told.lines
    assert data["word"] == "right" and data["step_w"] == 1_500
    assert data["effect"]["poc"]["mean"] == pytest.approx(1.0, abs=0.1) and data["effect"]["pairs_count"] >= 4
    assert data["effect"]["swing_w"] == pytest.approx(3_000, abs=150) and data["effect"]["pack"]["mean"] > 0.5
    assert "right: discharge lowers poc" in told.lines[0]


def test_a_turned_poc_meter_is_found_and_the_meter_is_named() -> None:
    told = run_test(spoil=turned("poc", 4, 0x5B14), **EXPORT)
    assert not told.data["ok"] and told.data["word"] == "reversed"
    wanted = "so it is the meter. Turn its CTs, or sign of point power_total (now 1) in profile abb-b23"
    assert wanted in text_of(told)
    assert told.data["effect"]["poc"]["mean"] == pytest.approx(-1.0, abs=0.1)


def test_at_a_zero_export_site_a_turned_meter_forbids_the_step_and_is_named_as_a_cause() -> None:
    told = run_test(spoil=turned("poc", 4, 0x5B14))
    assert not told.ok and "passes export_max_w = 0 W" in text_of(told) and "the meter is turned" in text_of(told)


def turn_pcs(wired: WiredSite) -> None:
    """The PCS takes a setpoint with the other sign, and measures with it."""
    slave = next(slave for slave in wired.slaves["fast"] if slave.name == "pcs1")
    act = slave.face.writes["power_set"]
    slave.face.writes["power_set"] = lambda value: act(-value)


def test_a_pcs_that_is_turned_is_told_from_a_meter_that_is() -> None:
    told = run_test(spoil=turned("pcs1", 2, 122, 135), before=turn_pcs)
    assert told.data["word"] == "reversed"
    assert "pcs1 turns; sign of its write power_set and of point power_total" in text_of(told)


def test_a_pcs_whose_own_meter_is_turned_is_found() -> None:
    told = run_test(spoil=turned("pcs1", 2, 122))
    assert not told.data["ok"] and "the PCS's own power moves against its setpoint" in text_of(told)


def test_a_bms_whose_current_has_the_other_sign_is_found_beside_a_right_meter() -> None:
    told = run_test(spoil=turned("bms1", 2, 0x2101))
    assert not told.data["ok"] and told.data["word"] == "right"
    assert "turn sign of point pack_current (now 1) in profile soltaro-rack-c" in text_of(told)


class Elsewhere:
    """A POC meter whose CTs see only a part of the battery: none of it, or half."""

    def __init__(self, part: float) -> None:
        self.part = part
        self.wired: WiredSite | None = None

    def know(self, wired: WiredSite) -> None:
        self.wired = wired

    def __call__(self, slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        if self.wired is None or slave.name != "poc" or request[2:4] != b"\x5b\x14":
            return None
        site = self.wired.site
        power_w = site.poc_power_w + (1 - self.part) * site.units[0].pcs.power_w
        return [(0.0, with_crc(reply[:3] + round(100 * power_w).to_bytes(4, "big", signed=True)))]


def test_a_meter_that_the_battery_does_not_move_is_told() -> None:
    elsewhere = Elsewhere(0.0)
    told = run_test(spoil=elsewhere, before=elsewhere.know)
    assert not told.data["ok"] and told.data["word"] == "none" and "no effect: poc moves by" in text_of(told)


def test_a_meter_that_moves_by_half_has_a_wrong_ratio() -> None:
    elsewhere = Elsewhere(0.5)
    told = run_test(spoil=elsewhere, before=elsewhere.know)
    assert told.data["ok"] and told.data["word"] == "right" and "CT ratio or scale?" in text_of(told)
    assert told.data["effect"]["poc"]["mean"] == pytest.approx(0.5, abs=0.05)


def test_the_noise_of_a_load_that_is_metered_is_taken_out() -> None:
    told = run_test(load=AiLoadSpec(scale_w=60_000.0, jobs=((0.0, 1e6),)))
    assert told.data["ok"] and told.data["word"] == "right" and told.data["effect"]["with_load"]


class Storm:
    """An unmetered load that changes at random by far more than the step, seen by the POC meter alone."""

    def __call__(self, slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        if slave.name != "poc" or request[2:4] != b"\x5b\x14":
            return None
        power = int.from_bytes(reply[3:7], "big", signed=True) + 100 * self.level_w()
        return [(0.0, with_crc(reply[:3] + power.to_bytes(4, "big", signed=True)))]

    def level_w(self) -> int:
        second = int(asyncio.get_running_loop().time() / 3)
        return Random(second).randrange(-12_000, 12_000)


def test_a_load_that_storms_is_said_to_hide_the_step() -> None:
    told = run_test(spoil=Storm())
    assert not told.data["ok"] and told.data["word"] == "noise" and told.data["effect"]["pairs_count"] == 12
    assert "not distinguishable from load noise" in text_of(told) and "kW" in text_of(told)


# ---- refused, and ended early


def refused_in(prepare: Callable[[WiredSite], None], **tables: dict[str, Any]) -> str:
    told: list[Told] = []

    async def script(wired: WiredSite) -> None:
        await service(wired)
        prepare(wired)
        await asyncio.sleep(3)
        before_w = wired.site.units[0].pcs.power_w
        told.append(await wired.controller.bench.run("sign-test", ("run",)))
        assert wired.site.units[0].pcs.power_w == before_w

    play_site(script, **tables)
    assert not told[0].ok and told[0].data.keys() == {"error"}
    return str(told[0].data["error"])


def test_it_begins_in_service_only() -> None:
    assert "is in RUN: it begins in SERVICE" in refused_in(
        lambda wired: wired.controller.authority.offer(Request("console", "resume"))
    ).replace("CONNECT", "RUN").replace("START", "RUN")


def test_an_interlock_forbids_it_by_name() -> None:
    text = refused_in(lambda wired: wired.machines["bms1"].forced_alarms.add("test"))
    assert "unit 0 bms_alarm" in text and "`why`" in text


@pytest.mark.parametrize(("soc", "shown"), [(0.12, "12.0 %"), (0.93, "93.0 %")])
def test_a_battery_near_its_ends_is_not_stepped(soc: float, shown: str) -> None:
    def prepare(wired: WiredSite) -> None:
        wired.site.units[0].pack.soc = soc

    assert f"SOC {shown} must be 15.0 %..90.0 %" in refused_in(prepare)


def test_a_step_that_would_pass_the_contract_is_not_made() -> None:
    assert "passes import_max_w" in refused_in(lambda wired: None, limits={"import_max_w": 31_000})


async def begin(wired: WiredSite, seconds: float) -> "asyncio.Task[Told]":
    await service(wired)
    task = asyncio.create_task(wired.controller.bench.run("sign-test", ("run",)))
    await asyncio.sleep(seconds)
    assert abs(wired.site.units[0].pcs.power_w) > 1_000, "a step is on"
    return task


def test_who_asked_goes_away_and_the_battery_is_at_rest_within_seconds() -> None:
    async def script(wired: WiredSite) -> None:
        task = await begin(wired, 15)
        task.cancel()
        await asyncio.sleep(2)
        assert_at_rest(wired)
        progress = await wired.controller.bench.run("sign-test", ())
        assert progress.data == {"running": False, "text": "no sign test runs"}

    play_site(script)


def test_a_hold_ends_it() -> None:
    async def script(wired: WiredSite) -> None:
        task = await begin(wired, 15)
        wired.controller.authority.offer(Request("fleet", "hold", reason="stop it"))
        told = await asyncio.wait_for(task, 8)
        assert not told.data["ok"] and "somebody asked for hold" in text_of(told)
        assert_at_rest(wired)

    play_site(script)


def test_a_trip_ends_it_with_its_name() -> None:
    async def script(wired: WiredSite) -> None:
        task = await begin(wired, 15)
        wired.site.units[0].pcs.trip("test")
        told = await asyncio.wait_for(task, 12)
        assert not told.data["ok"] and "pcs_fault" in text_of(told)
        assert wired.site.units[0].pcs.power_w == 0

    play_site(script)


def test_without_a_cycle_the_wish_dies_with_its_lease() -> None:
    """The part that gives the requests is gone, the kernel is not: the battery goes to 0 W by itself."""

    async def script(wired: WiredSite) -> None:
        task = await begin(wired, 15)
        wired.controller.bench._test = None
        await asyncio.sleep(4)
        assert abs(wired.site.units[0].pcs.power_w) < 200
        task.cancel()

    play_site(script)
