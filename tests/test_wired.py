"""The whole way in virtual time: registers, transactions, kernel, orders, leases, on simulated devices."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import tomli

from edge.console.screens import devices_screen
from edge.control.kernel import abi_hash
from edge.field.profiles.loader import FOLDER, parse_profile
from edge.fleet.replay import replay, table
from edge.model import Request
from edge.store.trace import TraceWriter
from hil.assembly import unit_specs
from hil.day.image import EXAMPLE, day_config, default_day
from hil.day.wired import WiredSite, play
from hil.plant.site import SiteSpec
from hil.slave import Slave
from hil.wire import Arrivals


def run(script: Any, *, spoil: Any = None, **tables: Any) -> WiredSite:
    config = day_config(**{"site": {"cycle_ms": 100}, **tables})
    return play(config, SiteSpec(units=unit_specs(config)), 1, script, spoil=spoil)


def mode_of(wired: WiredSite) -> str:
    return wired.controller.picture.status().mode


def reasons_of(wired: WiredSite) -> set[str]:
    return {reason.name for reason in wired.controller.picture.status().reasons}


async def until(wired: WiredSite, mode: str, limit_s: int = 60) -> int:
    for second in range(limit_s):
        if mode_of(wired) == mode:
            return second
        await asyncio.sleep(1)
    raise AssertionError(f"never {mode}: {mode_of(wired)}, {reasons_of(wired)}")


def test_a_site_found_switched_off_runs_within_seconds_and_ends_at_zero() -> None:
    async def script(wired: WiredSite) -> None:
        assert await until(wired, "RUN") <= 5  # of which the precharge takes two and the PCS's soft start one
        await asyncio.sleep(20)
        status = wired.controller.picture.status()
        assert all(device.guarded and not device.write_failed for device in status.devices)
        assert all(200 <= port.load_permille <= 400 for port in status.ports)

    wired = run(script)
    pcs = wired.site.units[0].pcs
    assert wired.controller.all_safe and pcs.set_w == 0 and abs(pcs.power_w) < 1


def test_a_wish_is_followed_by_the_plant_and_dies_with_its_lease() -> None:
    async def script(wired: WiredSite) -> None:
        await until(wired, "RUN")
        await asyncio.sleep(10)
        now_ms = wired.clock.mono_ms()
        wired.controller.picture.offer(Request("console", "power", 12_000, now_ms + 5_000, "test"))
        await asyncio.sleep(4)
        assert wired.site.units[0].pcs.power_w > 10_000
        await asyncio.sleep(4)
        assert wired.site.units[0].pcs.power_w < 3_000

    no_ramp = {"ramp_up_max_w_per_s": 0, "ramp_down_max_w_per_s": 0}
    run(script, limits=no_ramp, rule={"enabled": False})


@pytest.mark.parametrize(
    ("device", "reason", "mode"),
    [("poc", "poc_stale", "RUN"), ("bms1", "unit bms_lost", "FAULT"), ("pcs1", "unit pcs_lost", "STOPPING")],
)
def test_a_device_that_falls_silent_leads_to_zero_within_its_age_limit(device: str, reason: str, mode: str) -> None:
    silent: set[str] = set()

    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        return [] if slave.name in silent else None

    async def script(wired: WiredSite) -> None:
        await until(wired, "RUN")
        await asyncio.sleep(10)
        silent.add(device)
        await asyncio.sleep(6.5)
        assert reason in reasons_of(wired) and mode_of(wired) == mode
        assert wired.controller.kernel.output.battery_w == 0
        silent.clear()
        await asyncio.sleep(15)
        if mode == "FAULT":
            assert mode_of(wired) == "FAULT", "a latched trip waits for a person"
            wired.controller.picture.offer(Request("console", "reset"))
        await until(wired, "RUN", 40)

    run(script, spoil=spoil)


def test_a_pcs_that_loses_its_controller_goes_to_zero_by_itself() -> None:
    async def script(wired: WiredSite) -> None:
        await until(wired, "RUN")
        wired.controller.picture.offer(Request("console", "power", 12_000, wired.clock.mono_ms() + 60_000, "test"))
        await asyncio.sleep(20)
        for port in wired.ports.values():
            port.is_cut = True
        for _ in range(80):
            await asyncio.sleep(0.1)
            wired.move()
        assert abs(wired.site.units[0].pcs.power_w) < 1, "the device's own timer of 5 s"

    run(script, limits={"ramp_up_max_w_per_s": 0, "ramp_down_max_w_per_s": 0})


def test_hold_stops_and_resume_runs_again() -> None:
    async def script(wired: WiredSite) -> None:
        await until(wired, "RUN")
        wired.controller.picture.offer(Request("console", "hold"))
        await asyncio.sleep(3)
        assert mode_of(wired) == "STANDBY" and wired.site.units[0].pcs.state == "standby"
        wired.controller.picture.offer(Request("console", "resume"))
        await until(wired, "RUN", 20)

    run(script)


def test_a_trace_replays_bit_for_bit_and_a_changed_bit_is_named(tmp_path: Path) -> None:
    kept: dict[str, Any] = {}

    async def script(wired: WiredSite) -> None:
        wired.uplink.records = []
        kept["before"] = wired.controller.kernel.images()[1]
        await asyncio.sleep(20)
        kept["config"] = wired.controller.kernel.config_bytes()
        kept["records"] = wired.uplink.records

    run(script)
    first = kept["records"][0]
    sizes = (len(first.input), len(first.state), len(first.output))
    writer = TraceWriter(tmp_path / "t", kept["config"], abi_hash(), sizes, max_bytes=4 << 20,
                         initial_state=kept["before"])  # fmt: skip
    for record in kept["records"]:
        writer.note(record)
    writer.close()
    verdict = replay(tmp_path / "t")
    assert verdict.same and f"{len(kept['records'])} cycles, all the same" in verdict.text
    assert len(list(table(tmp_path / "t", 10))) == 1 + (len(kept["records"]) + 9) // 10

    other = TraceWriter(tmp_path / "u", kept["config"], abi_hash(), sizes, max_bytes=4 << 20,
                        initial_state=kept["before"])  # fmt: skip
    spoiled = kept["records"][:100]
    wrong = bytearray(spoiled[50].output)
    wrong[24] ^= 1
    for record in spoiled:
        images = (record.input, record.state, bytes(wrong) if record is spoiled[50] else record.output)
        other.note(type(record)(record.seq, record.mono_ms, record.wall_ms, record.late_us, *images))
    other.close()
    verdict = replay(tmp_path / "u")
    assert not verdict.same and f"cycle {spoiled[50].seq} differs: output." in verdict.text


def test_a_day_at_image_level_keeps_the_limits_and_the_balances() -> None:
    assert EXAMPLE.exists()
    day = default_day(3)
    story = day.run(2 * 3_600)
    balance, total = day.site.balance(), day.mission.account.totals()
    assert story.over_longest_s <= 3 and story.mode_seconds["RUN"] > 7_100
    assert abs(balance.bus_residual_wh) < 1e-3 and abs(balance.battery_residual_wh) < 1e-3
    assert total.opening_ug + total.grid_ug == total.load_ug + total.export_ug + total.loss_ug + total.stored_ug


@pytest.mark.parametrize("when", ["from the start", "after an outage"])
def test_a_meter_that_is_not_the_one_of_the_profile_forbids_power_and_is_named(when: str) -> None:
    silent: set[str] = set()

    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        return [] if slave.name in silent else None

    async def script(wired: WiredSite) -> None:
        if when == "from the start":
            swap(wired)
        else:
            assert not wired.controller.picture.status().devices[0].identity_fault
            await until(wired, "RUN")
            silent.add("poc")
            await asyncio.sleep(4)
            swap(wired)
            silent.clear()
        await asyncio.sleep(15)
        status = wired.controller.picture.status()
        assert status.devices[0].identity_fault == "identifies as 'A43', profile wants ^B2[34]$"
        assert status.battery_set_w == 0 and (status.devices[0].age_ms or 10_000) > 5_000
        assert mode_of(wired) == "BOOT" if when == "from the start" else "poc_stale" in reasons_of(wired)
        shown = devices_screen(status)
        assert "wrong device" in shown[1]
        assert any("identifies as 'A43', profile wants ^B2[34]$" in line for line in shown)

    run(script, spoil=spoil)


def swap(wired: WiredSite) -> None:
    """Another meter at the address of the POC meter: the same registers, another name."""
    slaves = wired.ports["fast"]._slaves
    slave = next(slave for slave in slaves.values() if slave.name == "poc")
    other = tomli.loads((FOLDER / "abb-b23.toml").read_text())
    other["identify"] |= {"match": "^A4", "example": "A43 "}
    slaves[slave.address] = Slave(parse_profile(other, "a43.toml"), slave.address, slave.face, "poc")
