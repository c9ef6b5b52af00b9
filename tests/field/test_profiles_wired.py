"""Profiles that need more than a plain register, through the real controller and their simulated devices, frame by frame."""

import asyncio
from itertools import pairwise
from typing import Any

from edge.config.reader import parse_config, read_toml
from edge.model import Request
from hil.assembly import unit_specs
from hil.day.image import EXAMPLE
from hil.day.wired import WiredSite, play
from hil.framing import sealed
from hil.plant.site import SiteSpec
from hil.wire import Arrivals

HEARTBEAT, EMS_MODE = 13_079, 13_049


def run(script: Any, spoil: Any = None, **profiles: str) -> WiredSite:
    """The example site with other profiles for some devices, the POC meter and the PCS each on a line of their own."""
    tables = read_toml(EXAMPLE)
    tables["site"] |= {"cycle_ms": 500}
    tables["limits"] |= {"ramp_up_max_w_per_s": 0, "ramp_down_max_w_per_s": 0}
    tables["rule"] |= {"enabled": False}
    for name in ("store", "cloud", "console"):
        tables.pop(name, None)
    tables["signal"] = {"kind": "none"}
    tables["port"].append({**tables["port"][0], "name": "third", "path": "/dev/none", "gap_ms": 0})
    for device in tables["device"]:
        device["profile"] = profiles.get(device["name"], device["profile"])
        device["port"] = "third" if device["name"] == "pcs1" else device["port"]
        device["watchdog_s"] = 0
    config = parse_config(tables, "site.toml")
    return play(config, SiteSpec(units=unit_specs(config)), 1, script, spoil=spoil)


def mode_of(wired: WiredSite) -> str:
    return wired.controller.picture.status().mode


async def takes(wired: WiredSite, *asked_taken_w: tuple[int, int], within_w: int) -> None:
    """Each power that is asked for comes, as exactly as the registers say it; the PCS stays guarded."""
    for asked_w, taken_w in asked_taken_w:
        now_ms = wired.clock.mono_ms()
        wired.controller.picture.offer(Request("console", "power", asked_w, now_ms + 20_000, "test", "manual"))
        await asyncio.sleep(18)
        assert abs(wired.site.units[0].pcs.power_w - taken_w) < within_w
    health = {device.device: device for device in wired.controller.picture.status().devices}
    assert health["pcs1"].guarded and not health["pcs1"].write_failed


def test_a_setpoint_in_three_registers_and_a_timer_that_counts_down_carry_a_site() -> None:
    heartbeats: list[float] = []
    setpoints: list[tuple[int, ...]] = []

    def spoil(slave: Any, request: bytes, reply: bytes) -> None:
        reg = int.from_bytes(request[2:4], "big")
        if slave.name == "pcs1" and (request[1], reg) == (6, HEARTBEAT):
            heartbeats.append(asyncio.get_running_loop().time())
        if slave.name == "pcs1" and (request[1], reg) == (16, EMS_MODE):
            setpoints.append(tuple(int.from_bytes(request[at : at + 2], "big") for at in (7, 9, 11)))

    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(20)
        assert mode_of(wired) == "RUN"
        await takes(wired, (4_000, 4_000), (-3_000, -3_000), within_w=200)

    wired = run(script, spoil, pcs1="sungrow-sh")
    assert (3, 0xBB, 4_000) in setpoints and (3, 0xAA, 3_000) in setpoints and setpoints[-1] == (3, 0xCC, 0)
    gaps_s = [b - a for a, b in pairwise(heartbeats)]
    assert len(gaps_s) >= 5 and max(gaps_s) < 11, "it has 20 s, and is written again each 9"
    assert wired.controller.all_safe


def test_a_remote_mode_is_set_up_ahead_of_its_timer_and_carries_a_site() -> None:
    """Deye: battery side by power, remote mode 1, its timer; then per mille of 30 kW. Again each 5 s, for it counts down."""
    written: list[tuple[float, int, tuple[int, ...]]] = []

    def spoil(slave: Any, request: bytes, reply: bytes) -> None:
        if slave.name == "pcs1" and request[1] == 16:
            words = tuple(int.from_bytes(request[at : at + 2], "big") for at in range(7, len(request) - 2, 2))
            written.append((asyncio.get_running_loop().time(), int.from_bytes(request[2:4], "big"), words))

    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(20)
        assert mode_of(wired) == "RUN"
        await takes(wired, (4_000, 3_990), (-3_000, -3_000), within_w=100)

    wired = run(script, spoil, pcs1="deye-sg01hp3-30")
    arming = [(reg, words) for _, reg, words in written if reg in (1100, 1101, 1104)]
    whole = [(1104, (1, 2)), (1100, (1,)), (1101, (15,))]
    assert arming == (whole * 20)[: len(arming)], "always in this order; the last may be cut short by the end"
    times_s = [time_s for time_s, reg, _ in written if reg == 1101]
    assert len(times_s) >= 8 and max(b - a for a, b in pairwise(times_s)) < 7
    powers = [words for _, reg, words in written if reg == 1109]
    assert powers[0] == (0,) and (133,) in powers and (0x10000 - 100,) in powers and powers[-1] == (0,)
    assert wired.controller.all_safe


def test_a_timer_that_reads_back_as_something_else_is_no_guard() -> None:
    stuck: list[bool] = []

    def spoil(slave: Any, request: bytes, reply: bytes) -> Arrivals | None:
        is_timer = request[1] == 3 and int.from_bytes(request[2:4], "big") == HEARTBEAT
        return [(0.0, sealed(request[:2] + b"\x02\x00\x00"))] if stuck and is_timer else None

    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(20)
        assert mode_of(wired) == "RUN"
        device = wired.controller.buses[2].device("pcs1")
        now_ms = wired.clock.mono_ms()
        wired.controller.picture.offer(Request("console", "power", 4_000, now_ms + 60_000, "test", "manual"))
        await asyncio.sleep(8)
        assert wired.site.units[0].pcs.power_w > 3_000
        stuck.append(True)
        await asyncio.sleep(15)
        reasons = {reason.name for reason in wired.controller.picture.status().reasons}
        assert not device.guarded and "unit unguarded" in reasons
        assert abs(wired.site.units[0].pcs.power_w) < 50, "0 kW while nothing stands behind us"

    run(script, spoil, pcs1="sungrow-sh")


def test_a_meter_behind_transformers_is_the_poc_of_a_site() -> None:
    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(20)
        status = wired.controller.picture.status()
        assert mode_of(wired) == "RUN"
        seen_w = wired.controller.kernel.input.poc_power_w
        assert seen_w % 40 == 0 and abs(seen_w - wired.site.poc_power_w) < 4_000, "ratio 40: steps of 40 W"
        assert all(device.failed_count == 0 for device in status.devices)

    run(script, poc="acrel-adl400")
