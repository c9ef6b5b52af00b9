"""The console's words of commissioning inside a running controller, in virtual time: read, check, write in SERVICE."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.commission.writing import parse_value, why_refused
from edge.console.view import Told
from edge.control.kernel import Gate, Kernel, Mode
from edge.control.settings import config_struct
from edge.field.rules import gate_rules
from edge.model import Request
from hil.assembly import unit_specs
from hil.day.image import day_config
from hil.day.wired import WiredSite, play
from hil.plant.site import SiteSpec
from tests.commission.site import HandSite
from tests.commission.site import play as play_hand

PV = {"limits": {"pv_rated_w": 40_000}}


def play_site(script: Any, **tables: dict[str, Any]) -> WiredSite:
    config = day_config(**{"site": {"cycle_ms": 100}, "rule": {"enabled": False}, **tables})
    return play(config, SiteSpec(units=unit_specs(config, connected=True), start_s=43_200.0), 1, script)


async def say(wired: WiredSite, line: str) -> Told:
    word, *args = line.split()
    told = await wired.controller.picture.bench(word, tuple(args))
    assert all(len(text) <= 80 for text in told.lines), told.lines
    return told


async def service(wired: WiredSite) -> None:
    await asyncio.sleep(10)
    wired.controller.authority.offer(Request("console", "service"))
    await asyncio.sleep(3)


def test_a_running_controller_reads_a_point_of_any_device_and_goes_on() -> None:
    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(10)
        told = await say(wired, "read bms1 soc cell_voltage_max")
        assert told.ok and told.data[0]["text"] == "50.0 %" and told.data[0]["quality"] == "good"
        for device in wired.config.device:
            whole = await say(wired, f"read {device.name}")
            assert whole.ok and all(value["quality"] == "good" for value in whole.data), whole.data
        assert wired.controller.picture.status().mode == "RUN"
        assert not any(sum(health.outcome_counts[1:]) for health in wired.controller.picture.status().devices)

    play_site(script)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("read", "read needs a device: poc, pcs1, bms1, pv1, it1"),
        ("read nobody soc", "no device 'nobody'; there are: poc"),
        ("read bms1 sok", "did you mean so"),
        ("check", "needs a device"),
        ("check poc 0", "must be 1..1000"),
        ("check poc x", "must be 1..1000"),
        ("write pcs1 power_set 0 W", "the site is in RUN; type: service"),
        ("write pcs1 power_set", "write takes DEVICE POINT VALUE UNIT"),
        ("sign-test now", "sign-test takes `run`"),
        ("sign-test run", "it begins in SERVICE"),
    ],
)
def test_a_word_that_cannot_be_done_says_why(line: str, said: str) -> None:
    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(10)
        told = await say(wired, line)
        assert not told.ok and said in told.data["error"], told.data

    play_site(script)


def test_check_counts_what_a_running_bus_hears_and_disturbs_no_age() -> None:
    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(10)
        told = await say(wired, "check pcs1 20")
        assert told.data["ok_count"] == told.data["sent_count"] == 20 and told.data["guarded"] is True
        assert told.data["watchdog_s"] == told.data["watchdog_wanted_s"] == 5.0
        assert abs(told.data["turnaround_p99_us"] - 5_000) < 500
        assert wired.controller.picture.status().mode == "RUN"

    play_site(script)


def test_a_write_in_service_is_sent_echoed_and_said() -> None:
    async def script(wired: WiredSite) -> None:
        await service(wired)
        told = await say(wired, "write pv1 power_limit 12.5 kW")
        assert told.ok and told.data["value"] == 12_500 and told.data["raw"] == 125
        assert wired.site.pv.limit_w == 12_500
        assert "echo is all there is" in told.lines[1] and len(told.lines) == 2

    play_site(script)


def test_a_value_that_the_controller_writes_too_is_said_to_return() -> None:
    async def script(wired: WiredSite) -> None:
        await service(wired)
        told = await say(wired, "write pv1 power_limit 12.5 kW")
        assert told.ok and "the controller writes this too" in told.lines[-1]

    play_site(script, **PV)


def test_a_written_value_is_read_back() -> None:
    async def script(wired: WiredSite) -> None:
        await service(wired)
        told = await say(wired, "write pcs1 power_set 0 W")
        assert told.ok and told.data["read_back"] == 0 and "read back 0 W" in told.lines

    play_site(script)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("power_set 5 kW", "in RUN only, and 0 always; it is SERVICE"),
        ("reactive_set 5 kvar", "in RUN only; it is SERVICE"),
        ("power_set 31 kW", "outside the range of profile sinexcel-pcs-30: -30.0 kW .. 30.0 kW"),
        ("power_set 5 kvar", "unit 'kvar' must be one of W, kW"),
        ("power_set five kW", "'five' is no number"),
        ("start 1 W", "no write 'start'; there are: power_set, reactive_set"),
    ],
)
def test_a_write_that_may_not_be_says_which_rule(words: str, said: str) -> None:
    async def script(wired: WiredSite) -> None:
        await service(wired)
        told = await say(wired, f"write pcs1 {words}")
        assert not told.ok and said in told.data["error"], told.data
        assert wired.site.units[0].pcs.set_w == 0

    play_site(script)


def test_a_device_without_writes_has_none() -> None:
    async def script(wired: WiredSite) -> None:
        await service(wired)
        assert "its profile lists none" in (await say(wired, "write poc power 1 W")).data["error"]

    play_site(script)


@given(st.integers(-400, 400), st.sampled_from(list(Mode)), st.integers(0, 40_000), st.integers(0, 40_000))
def test_what_is_said_of_a_refusal_is_what_the_gate_refuses(
    raw: int, mode: Mode, charge_w: int, discharge_w: int
) -> None:
    """Of what passes, the only rule left to name is the interval."""
    config = day_config()

    async def script(site: HandSite) -> None:
        kernel, devices = Kernel(config_struct(config)), list(site.devices.values())
        rules = gate_rules(config, devices)
        gate, pcs = Gate(rules, kernel.output), site.device("pcs1")
        unit = kernel.output.unit[0]
        unit.mode, unit.charge_max_w, unit.discharge_max_w = mode, charge_w, discharge_w
        write = pcs.profile.writes[0]
        passes = gate.allowed(0, pcs.settings.address, write.fc, write.addr, 1, raw, 1_000)
        text = why_refused(rules, 0, (pcs.settings.address, write.fc, write.addr, 1, raw), kernel.output)
        assert passes == ("less than" in text and "ago" in text) or (raw == 0 and passes), text

    play_hand(script)


@given(st.text(max_size=12), st.sampled_from(["W", "kW", "V", ""]))
def test_no_number_is_taken_for_another(text: str, unit: str) -> None:
    async def script(site: HandSite) -> int | str:
        pcs = site.device("pcs1")
        return parse_value(pcs, pcs.profile.writes[0], text, unit)

    value = play_hand(script)
    assert isinstance(value, str) or -30_000 <= value <= 30_000
