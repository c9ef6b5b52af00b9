"""Who answers at an address: the right device runs, another is never written nor believed, also after an outage."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import tomli

from edge.config import options
from edge.errors import ConfigFault
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.rtu import with_crc
from edge.field.profile import Identify, Profile
from edge.field.profiles.loader import FOLDER, load_profile, parse_profile
from edge.model import Reading
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.field.line import Line, Register

PCS_SET, WATCHDOG, START = 135, 327, 650
RIGHT = Identify(1, 3, 6, "str", "^SINEXCEL", "SINEXCEL 30")


def profile() -> Profile:
    return replace(load_profile("sinexcel-pcs-30"), identify=RIGHT)


def named(device: Register, text: str) -> None:
    raw = text.encode().ljust(12, b"\0")
    device.registers |= {1 + i: int.from_bytes(raw[2 * i : 2 * i + 2], "big") for i in range(6)}


class Bench:
    """A PCS at address 2 that says who it is, a setpoint and a start waiting for it."""

    def __init__(self, clock: VirtualClock, says: str) -> None:
        self.pcs = Register(2)
        named(self.pcs, says)
        self.line = Line(self.pcs)
        self.readings: list[Reading] = []
        settings = options.Device(name="pcs", profile="x", port="fast", address=2, use="pcs", watchdog_s=5)
        self.device = BusDevice(settings, profile())
        port = options.Port(name="fast", path="/dev/none", baud=115_200, gap_ms=2)
        self.bus = Bus(0, port, self.line, [self.device], clock, self.readings.append, lambda *_: True)

    def ask(self) -> None:
        self.bus.set_value("pcs", "power_set", 5_000)
        self.bus.command("pcs", "start")

    def swap(self, says: str) -> None:
        """Another device takes the place and the address of this one."""
        named(self.pcs, says)
        self.pcs.writes.clear()
        self.readings.clear()

    @property
    def fault(self) -> str:
        return self.bus.health()[0].identity_fault


def play(says: str, script: Callable[[Bench], Awaitable[None]]) -> Bench:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> Bench:
        bench = Bench(clock, says)
        task = asyncio.create_task(bench.bus.run())
        await script(bench)
        task.cancel()
        await asyncio.wait({task})
        await bench.bus.shutdown()
        return bench

    return run_virtual(main)


async def asked_for(bench: Bench, seconds: int) -> None:
    for _ in range(10 * seconds):
        bench.ask()
        await asyncio.sleep(0.1)


def test_the_right_device_is_identified_first_and_then_runs() -> None:
    async def script(bench: Bench) -> None:
        await asked_for(bench, 3)
        assert bench.line.requests[0][1][1:6] == bytes((3, 0, 1, 0, 6))
        assert not bench.fault and bench.device.guarded and len(bench.readings) > 20
        assert [frame[1:6] for _, frame in bench.line.requests].count(bytes((3, 0, 1, 0, 6))) == 1

    bench = play("SINEXCEL 30", script)
    assert {PCS_SET, WATCHDOG, START} <= {reg for reg, _ in bench.pcs.writes}


def test_a_wrong_device_is_never_written_never_believed_and_named() -> None:
    async def script(bench: Bench) -> None:
        await asked_for(bench, 30)
        assert bench.fault == "identifies as 'TOASTER', profile wants ^SINEXCEL"
        assert bench.bus.health()[0].age_ms is None and not bench.device.guarded
        assert len(bench.line.requests) < 10, "asked again now and then, nothing else"

    bench = play("TOASTER", script)  # the shutdown at its end asks once more, and writes nothing either
    assert bench.pcs.writes == [] and bench.readings == []


def test_a_device_that_refuses_to_say_is_not_the_one() -> None:
    async def script(bench: Bench) -> None:
        bench.line.spoil = lambda request, _: [(0.005, refusal(request))] if request[3] == 1 else []
        await asked_for(bench, 10)
        assert bench.fault == "identifies as nothing (exception 2), profile wants ^SINEXCEL"

    assert play("SINEXCEL", script).pcs.writes == []


def refusal(request: bytes) -> bytes:
    return with_crc(bytes((request[0], request[1] | 0x80, 2)))


@pytest.mark.parametrize("outage", ["silent", "port"])
def test_a_device_swapped_during_an_outage_is_refused_until_the_right_one_is_back(outage: str) -> None:
    async def away(bench: Bench, seconds: float) -> None:
        if outage == "silent":
            bench.line.spoil = lambda *_: []
            await asyncio.sleep(seconds)
            bench.line.spoil = lambda _, reply: [(0.005, reply)]
        else:
            bench.line.gone = True
            await asyncio.sleep(seconds)
            bench.line.gone = False

    async def script(bench: Bench) -> None:
        await asked_for(bench, 3)
        assert bench.device.guarded
        await away(bench, 5)
        bench.swap("GRID METER")
        await asked_for(bench, 20)
        assert "GRID METER" in bench.fault and not bench.device.guarded
        assert bench.pcs.writes == [] and bench.readings == []
        bench.swap("SINEXCEL 30")
        await asked_for(bench, 10)
        assert not bench.fault and bench.device.guarded and len(bench.readings) > 20
        assert {PCS_SET, WATCHDOG} <= {reg for reg, _ in bench.pcs.writes}

    play("SINEXCEL 30", script)


def test_a_short_silence_asks_nobody_who_he_is() -> None:
    async def script(bench: Bench) -> None:
        await asyncio.sleep(2)
        bench.line.spoil = lambda *_: []
        await asyncio.sleep(0.15)
        bench.line.spoil = lambda _, reply: [(0.005, reply)]
        await asyncio.sleep(5)
        assert [frame[1:6] for _, frame in bench.line.requests].count(bytes((3, 0, 1, 0, 6))) == 1

    play("SINEXCEL 30", script)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ({"match": "("}, "match"),
        ({"match": "^OTHER"}, "match"),
        ({"example": "far too long for it"}, "example"),
        ({"example": "Grüße"}, "example"),
        ({"type": "u16", "count": 2}, "count"),
        ({"type": "u16", "count": 1, "example": "0x12345"}, "example"),
        ({"type": "f32"}, "type"),
        ({"count": 61}, "count"),
    ],
)
def test_a_profile_that_cannot_identify_is_refused(words: dict[str, object], key: str) -> None:
    tables = tomli.loads((FOLDER / "abb-b23.toml").read_text())
    tables["identify"] |= words
    with pytest.raises(ConfigFault) as caught:
        parse_profile(tables, "p.toml")
    assert any(problem.key == f"identify.{key}" for problem in caught.value.problems), caught.value.problems


def test_a_number_is_matched_as_hexadecimal() -> None:
    tables = tomli.loads((FOLDER / "abb-b23.toml").read_text())
    tables["identify"] |= {"type": "u16", "count": 1, "match": "^0x00[67]0$", "example": "0x0070"}
    parsed = parse_profile(tables, "p.toml")
    device = BusDevice(options.Device(name="a", profile="x", port="p", address=1, use="poc"), parsed)
    assert device.note_identity(b"\x00\x60", 0.0) and not device.identity.fault
    assert not device.note_identity(b"\x01\x60", 0.0)
    assert device.identity.fault == "identifies as '0x0160', profile wants ^0x00[67]0$"
