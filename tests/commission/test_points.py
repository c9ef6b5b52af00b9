"""Points by name on an own line: values with units, registers, and why a value is not to be believed."""

import asyncio
import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.__main__ import main as edge_main
from edge.commission.line import Heard
from edge.commission.live.measure import measure
from edge.commission.points import NoPoint, names_of, pieces, read_back, read_points
from edge.commission.value import Value, point_text, registers_of, values_screen
from edge.config import options
from edge.field.device import BusDevice
from edge.field.line.rtu import Expect, with_crc
from edge.field.profile import COILS, REGISTERS, Verify
from edge.field.profiles.loader import all_profiles, load_profile
from edge.model import Outcome
from hil.demo.site import demo_tables, render
from hil.plant.faces import Face
from hil.pty import PtyBus
from hil.slave import Slave
from hil.wire import Arrivals, Spoil
from tests.commission.site import HandSite, play
from tests.hil.site_kit import Kit


def read(device: str, *names: str, spoil: Spoil | None = None) -> list[Value]:
    async def script(site: HandSite) -> list[Value]:
        values = await read_points(site.hand.ask, site.device(device), names, site.clock)
        assert all(frame[1] in (3, 4) for frame in site.sent)
        return values

    return play(script, spoil)


def test_a_point_has_its_value_its_unit_and_its_registers() -> None:
    soc, voltage = read("bms1", "soc", "pack_voltage")
    assert (soc.value, soc.unit, soc.text, soc.raw, soc.quality) == (5_000, "cpct", "50.0 %", "0032", "good")
    assert voltage.text.endswith(" V") and int(voltage.raw, 16) == voltage.value and 5_000 < voltage.latency_us < 60_000


def test_every_point_and_every_readable_write_of_every_device_of_the_site_can_be_read() -> None:
    async def script(site: HandSite) -> None:
        for device in site.devices.values():
            values = await read_points(site.hand.ask, device, (), site.clock)
            assert [value.point for value in values] == names_of(device.profile) and len(values) > 2
            assert all(value.quality == "good" for value in values), values
            lines = values_screen(values, site.clock.mono_ms())
            assert len(lines) >= len(values) + 2 and all(len(line) <= 80 for line in lines)

    play(script)


@given(st.integers(4, 125), st.integers(0, 3))
def test_pieces_hold_every_point_once_uncut_and_are_as_short_as_asked(registers_max: int, skip: int) -> None:
    for block in (block for profile in all_profiles()[0] for block in profile.blocks if block.fc not in COILS):
        wanted = block.points[skip:]
        found = pieces(block, wanted, registers_max)
        assert all(piece.count <= registers_max for piece in found) or block.count <= registers_max
        held = [point for piece in found for point in piece.points if point in wanted]
        assert sorted(held, key=lambda p: p.addr) == sorted(wanted, key=lambda p: p.addr)
        for piece in found:
            assert all(piece.start <= p.addr <= piece.start + piece.count - REGISTERS[p.type] for p in piece.points)


def test_reads_in_pieces_say_the_same() -> None:
    async def script(site: HandSite) -> None:
        for device in site.devices.values():
            whole = await read_points(site.hand.ask, device, (), site.clock)
            split = await read_points(site.hand.ask, device, (), site.clock, 4)
            assert [(v.point, v.value, v.text, v.raw) for v in whole] == [
                (v.point, v.value, v.text, v.raw) for v in split
            ]

    play(script)


def test_flags_are_shown_by_name() -> None:
    async def script(site: HandSite) -> list[Value]:
        site.site.units[0].pcs.set_estop(True)
        site.site.step(1.0)
        return await read_points(site.hand.ask, site.device("pcs1"), ["status", "fault_1", "dc_fault"], site.clock)

    status, fault, none = play(script)
    assert "fault" in status.text and "emergency power off" in fault.text and none.text == "none set"


@pytest.mark.parametrize(
    ("reply", "quality"),
    [
        (lambda reply: b"", "no answer"),
        (lambda reply: reply[:-1] + bytes((reply[-1] ^ 1,)), "damaged answer"),
        (lambda reply: with_crc(b"\x07" + reply[1:-2]), "wrong answer"),
        (lambda reply: with_crc(bytes((reply[0], reply[1] | 0x80, 4))), "refused (exception 4)"),
    ],
)
def test_a_value_that_did_not_come_says_why(reply: object, quality: str) -> None:
    def spoil(slave: Slave, request: bytes, right: bytes) -> Arrivals | None:
        assert callable(reply)
        return [(0.0, reply(right))] if reply(right) else []

    (value,) = read("it1", "power_total", spoil=spoil)
    assert (value.value, value.text, value.raw, value.quality) == (None, "--", "", quality)
    assert all(len(line) <= 80 for line in values_screen([value], 0))


def test_what_a_device_marks_as_missing_and_what_is_outside_its_range_are_told_apart() -> None:
    def filled(octet: int) -> object:
        def spoil(slave: Slave, request: bytes, right: bytes) -> Arrivals | None:
            return [(0.0, with_crc(right[:3] + bytes((octet,)) * (len(right) - 5)))]

        return spoil

    (frequency,) = read("it1", "power_total", spoil=filled(0x7F))
    assert frequency.quality == "outside its range" and frequency.raw == "7F7F 7F7F"
    (soc,) = read("bms1", "soc", spoil=filled(0xFF))
    assert soc.quality == "outside its range" and soc.raw == "FFFF"
    (voltage,) = read("pcs1", "dc_voltage", spoil=filled(0xFF))
    assert voltage.quality == "device says: not available"


@pytest.mark.parametrize("name", [profile.id for profile in all_profiles()[0]])
def test_every_profile_that_ships_is_read_point_by_point_and_measured(name: str) -> None:
    """Inputs that are bits, ratios that multiply, timers of two registers: whatever a profile may have."""
    profile = load_profile(name)
    slave = Slave(profile, 9, Face(values={}, version=lambda: 0))
    use = {"meter": "poc", "io": "io"}.get(profile.kind, profile.kind)
    device = BusDevice(options.Device(name="x", profile=name, port="p", address=9, use=use), profile)
    port = options.Port(name="p", path="/dev/p")

    async def ask(_: BusDevice, expect: Expect) -> Heard:
        answer = expect.match(slave.receive(expect.request) or b"")
        return Heard(Outcome.TIMEOUT if answer is None else answer, 20_000)

    async def script(site: HandSite) -> None:
        values = await read_points(ask, device, (), site.clock)
        assert [value.point for value in values] == names_of(profile)
        assert all(value.raw for value in values), values
        seen = await measure(ask, device, port, 3 * len(profile.blocks))
        assert seen.ok_count == seen.sent_count and not seen.refused
        assert all(len(line) <= 80 for line in values_screen(values, site.clock.mono_ms()))

    play(script)


def test_an_input_that_alarms_while_it_is_open_is_named_while_it_is_open() -> None:
    profile = load_profile("remote-io-8")
    block = profile.blocks[0]
    point = block.points[0]
    raw = registers_of(block, point, b"\x7e")  # inputs 0 and 7 open
    text = point_text(profile, block, point, 0, raw)
    assert text == "emergency stop", text
    assert point_text(profile, block, point, 0, registers_of(block, point, b"\xff")) == "generator runs"


def test_a_written_frame_that_is_not_as_it_was_written_is_no_value() -> None:
    """A setpoint behind an enable: disabled, its number means nothing."""

    async def script(site: HandSite) -> tuple[Value, Value]:
        device = site.device("pcs1")
        write = replace(device.profile.writes[0], before=(1,), addr=134, verify=Verify(134, 3, 20, 0))
        registers = {True: b"\0\1\0\x0a", False: b"\0\0\0\x0a"}

        async def ask(_: BusDevice, expect: Expect) -> Heard:
            return Heard(registers[enabled], 1)

        enabled = True
        first = await read_back(ask, device, write, site.clock)
        enabled = False
        return first, await read_back(ask, device, write, site.clock)

    first, second = play(script)
    assert first.value == 1_000 and first.quality == "good"
    assert second.value is None and "not those of the write" in second.quality and second.raw == "0000 000A"


def test_another_device_at_the_address_is_not_believed() -> None:
    def spoil(slave: Slave, request: bytes, right: bytes) -> Arrivals | None:
        return [(0.0, with_crc(b"\x01\x03\x04B99 "))] if request[2:4] == b"\x89\x60" else None

    values = read("poc", "power_total", "frequency", spoil=spoil)
    assert all("another device: identifies as 'B99'" in value.quality for value in values)


def test_an_unknown_point_names_those_that_there_are() -> None:
    with pytest.raises(NoPoint, match=r"no point 'powr_total' \(did you mean power_total\?\); there are: power_total"):
        read("poc", "powr_total")


@pytest.mark.hil
def test_the_command_reads_a_real_tty_and_json_is_json(tmp_path: Path) -> None:
    """In a thread: the bus lives in this loop, the command has one of its own."""

    async def main() -> tuple[int, str, int, str]:
        kit = Kit()
        buses = {"fast": PtyBus("fast", 115_200, kit.fast), "slow": PtyBus("slow", 19_200, kit.slow)}
        for bus in buses.values():
            bus.start()
        tables = demo_tables(tmp_path, {name: bus.path for name, bus in buses.items()}, 1, {"kind": "none"})
        (tmp_path / "site.toml").write_text(render(tables))
        site = str(tmp_path / "site.toml")
        first = await asyncio.to_thread(_run, ["read", "-c", site, "bms1", "soc", "--json"])
        second = await asyncio.to_thread(_run, ["read", "-c", site, "poc"])
        for bus in buses.values():
            bus.stop()
        return *first, *second

    code, text, code_2, shown = asyncio.run(main())
    assert (code, json.loads(text)[0]["value"]) == (0, 5_000)
    assert code_2 == 0 and "frequency" in shown and "60.00 Hz" in shown


def _run(words: list[str]) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = edge_main(words)
    return code, out.getvalue()
