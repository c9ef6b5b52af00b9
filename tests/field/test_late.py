"""The late answer: a reply that comes after its time-out must never be taken for the answer to another question."""

import asyncio
import random

import pytest
import tomli

from edge.config import options
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.rtu import Expect, read_request
from edge.field.profile import Profile
from edge.field.profiles.loader import FOLDER, parse_profile
from edge.model import Outcome, Reading
from hil.framing import sealed
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.field.line import Line, Register

BLOCKS = {"power": 0x5B14, "frequency": 0x5000, "energy": 0x5100}


def twins() -> Profile:
    """A meter whose blocks have the same function and length: nothing in a frame tells their answers apart."""
    tables = tomli.loads((FOLDER / "abb-b23.toml").read_text())
    tables["point"] = [point for point in tables["point"] if point["block"] == "power"]
    tables["block"] = [
        {"name": name, "fc": 3, "start": start, "count": 6, "period_ms": 200, "priority": 3}
        for name, start in BLOCKS.items()
    ]
    for name in ("frequency", "energy"):
        tables["point"].append({"name": name, "block": name, "addr": BLOCKS[name], "type": "u32"})
    return parse_profile(tables, "twins.toml")


def play(latency_s: list[float], seconds: float) -> tuple[list[Reading], BusDevice]:
    """The device answers question after question, each after the next latency, and never two at once."""

    async def main(loop: VirtualLoop, clock: VirtualClock) -> tuple[list[Reading], BusDevice]:
        slave, readings = Register(1), []
        for number, start in enumerate(BLOCKS.values()):
            slave.registers[start + 1] = 100 * (number + 1)
        line, free_s = Line(slave), 0.0
        delays = iter(latency_s * 2000)

        def spoil(request: bytes, reply: bytes) -> list[tuple[float, bytes]]:
            nonlocal free_s
            free_s = max(free_s, loop.time()) + next(delays)
            return [(free_s - loop.time(), reply)]

        line.spoil = spoil
        device = BusDevice(options.Device(name="poc", profile="x", port="fast", address=1, use="poc"), twins())
        port = options.Port(name="fast", path="/dev/none", baud=115_200, gap_ms=2)
        bus = Bus(0, port, line, [device], clock, readings.append, lambda *_: True)
        task = asyncio.create_task(bus.run())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait({task})
        return readings, device

    return run_virtual(main)


EXPECTED = {"power": 1, "frequency": 200, "energy": 300}


@pytest.mark.parametrize("latency_ms", range(150, 1_000, 25))
def test_a_device_that_is_always_late_never_gives_a_wrong_value(latency_ms: int) -> None:
    readings, device = play([latency_ms / 1000], 60)
    assert all(reading.values == (EXPECTED[reading.block],) for reading in readings)
    if latency_ms > 225:
        assert device.trust.failed_count > 0


@pytest.mark.parametrize("seed", range(60))
def test_a_device_that_is_sometimes_late_never_gives_a_wrong_value(seed: int) -> None:
    dice = random.Random(seed)
    latency_s = [dice.choice([0.005, 0.005, 0.005, 0.190, 0.250, 0.450, 0.700]) for _ in range(97)]
    readings, _ = play(latency_s, 60)
    assert all(reading.values == (EXPECTED[reading.block],) for reading in readings), f"seed {seed}"
    assert readings


def test_a_probe_is_not_asked_again_while_its_last_answer_may_still_come() -> None:
    """The device owes two answers at a time, for ever: probes of two lengths would be answered by their own past."""
    readings, device = play([0.9], 120)
    assert all(reading.values == (EXPECTED[reading.block],) for reading in readings)
    probes = [device.probes.take(1_000.0 + 0.5 * n) for n in range(5)]
    assert len(set(probes[:4])) == 4 and probes[4] is probes[0], "all there are, then the one asked longest ago"
    device.probes.note_refusal(probes[1])
    assert device.probes.take(2_000.0) is probes[0] and device.probes.take(2_000.0) is not probes[1]


def test_a_refusal_behind_the_answer_to_an_older_question_is_not_believed() -> None:
    ask = Expect(read_request(1, 3, 0x5B14, 6))
    older = sealed(b"\x01\x03\x04\0\0\0\7")
    for newer in (sealed(b"\x01\x83\x04"), sealed(b"\x01\x03\x0c" + bytes(12))):
        assert ask.match(newer) is not None and ask.match(ask.request + newer) is not None
        assert ask.match(older + newer) is None and ask.verdict(older + newer) is Outcome.MISMATCH
        assert ask.match(b"\x09" + older[1:] + newer) is not None, "another device's, damaged: noise"
        assert ask.match(sealed(b"\x09\x03\x04\0\0\0\7") + newer) is not None
