"""The bus owner in virtual time: who is served when, and what a sick device does to the others."""

import asyncio
import itertools
from collections.abc import Callable

import pytest

from edge.config import options
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.rtu import with_crc
from edge.field.profiles.loader import load_profile
from edge.model import Outcome, Reading
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.field.line import Answer, Line, Register

POC_POWER, PCS_POWER, PCS_SET, PCS_STATUS = 0x5B14, 122, 135, 32


class Bench:
    """A POC meter (address 1) and a PCS (address 2) on a fast port."""

    def __init__(self, clock: VirtualClock, allowed: Callable[..., bool] = lambda *_: True) -> None:
        self.poc, self.pcs = Register(1), Register(2)
        self.poc.registers[POC_POWER + 1] = 12_345 & 0xFFFF
        self.line = Line(self.poc, self.pcs)
        self.readings: list[Reading] = []
        self.devices = [
            BusDevice(options.Device(name="poc", profile="abb-b23", port="fast", address=1, use="poc"),
                      load_profile("abb-b23")),
            BusDevice(options.Device(name="pcs", profile="sinexcel-pcs-30", port="fast", address=2, use="pcs",
                                     watchdog_s=5), load_profile("sinexcel-pcs-30")),
        ]  # fmt: skip
        settings = options.Port(name="fast", path="/dev/none", baud=115_200, gap_ms=2)
        self.bus = Bus(0, settings, self.line, self.devices, clock, self.readings.append, allowed)

    def of(self, device: str, block: str) -> list[Reading]:
        return [r for r in self.readings if (r.device, r.block) == (device, block)]


def play(seconds: float, prepare: Callable[[Bench], None] = lambda bench: None, *,
         allowed: Callable[..., bool] = lambda *_: True) -> Bench:  # fmt: skip
    async def main(loop: VirtualLoop, clock: VirtualClock) -> Bench:
        bench = Bench(clock, allowed)
        prepare(bench)
        task = asyncio.create_task(bench.bus.run())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait({task})
        return bench

    return run_virtual(main)


def test_every_block_keeps_its_period() -> None:
    bench = play(10)
    assert 95 <= len(bench.of("poc", "power")) <= 101
    assert 95 <= len(bench.of("pcs", "fast")) <= 101
    assert 18 <= len(bench.of("pcs", "state")) <= 21
    assert len(bench.of("poc", "energy")) == 1 or len(bench.of("poc", "energy")) == 2
    assert bench.of("poc", "power")[0].values == (123,)


def test_the_watchdog_is_written_and_believed_only_when_read_back() -> None:
    bench = play(2)
    assert (327, 5) in bench.pcs.writes and bench.bus.device("pcs").guarded

    def deaf(bench: Bench) -> None:
        bench.pcs.deaf_to = {327}

    bench = play(5, deaf)
    assert not bench.bus.device("pcs").guarded
    assert 2 <= bench.pcs.writes.count((327, 5)) <= 4, "tried again, but modestly"


def test_the_newest_setpoint_wins_and_old_ones_never_leave() -> None:
    def many(bench: Bench) -> None:
        for power_w in range(100, 3_100, 100):
            bench.bus.set_value("pcs", "power_set", power_w)

    bench = play(0.5, many)
    assert [value for reg, value in bench.pcs.writes if reg == PCS_SET] == [30]


def test_an_unchanged_setpoint_is_repeated_as_heartbeat() -> None:
    bench = play(10, lambda bench: bench.bus.set_value("pcs", "power_set", 5_000))
    assert 9 <= [reg for reg, _ in bench.pcs.writes].count(PCS_SET) <= 12


def test_a_setpoint_that_is_not_taken_is_sent_again_then_reported() -> None:
    def deaf(bench: Bench) -> None:
        bench.pcs.deaf_to = {PCS_SET}
        bench.bus.set_value("pcs", "power_set", 5_000)

    assert play(2, deaf).bus.device("pcs").write_failed


def test_what_the_gate_refuses_never_reaches_the_line() -> None:
    bench = play(2, lambda bench: bench.bus.set_value("pcs", "power_set", 5_000), allowed=lambda *_: False)
    assert bench.pcs.writes == []
    assert bench.bus.device("pcs").outcome_counts[Outcome.GATE] > 0
    assert len(bench.of("pcs", "fast")) > 10, "a refused write is no fault of the device"


def test_a_silent_device_costs_the_others_little() -> None:
    def silent(bench: Bench) -> None:
        bench.line.spoil = lambda request, reply: [] if request[0] == 2 else [(0.005, reply)]

    bench = play(20, silent)
    assert bench.of("pcs", "fast") == []
    taken = [r.taken_mono_ms for r in bench.of("poc", "power")]
    assert len(taken) > 130
    assert max(b - a for a, b in itertools.pairwise(taken)) < 450


def wrong(kind: str) -> Callable[[bytes, bytes], Answer]:
    def spoil(request: bytes, reply: bytes) -> Answer:
        if request[0] != 1 or request[1] != 3:
            return [(0.005, reply)]
        spoiled = {
            "bad crc": reply[:-1] + bytes([reply[-1] ^ 1]),
            "wrong unit": with_crc(bytes([9]) + reply[1:-2]),
            "wrong function": with_crc(reply[:1] + b"\x04" + reply[2:-2]),
            "too short": with_crc(reply[:2] + bytes([2]) + reply[3:5]),
            "truncated": reply[:-3],
            "noise": bytes(range(40)),
        }[kind]
        return [(0.005, spoiled)]

    return spoil


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("bad crc", Outcome.CRC), ("wrong unit", Outcome.MISMATCH), ("wrong function", Outcome.MISMATCH),
     ("too short", Outcome.MISMATCH), ("truncated", Outcome.CRC), ("noise", Outcome.CRC)],
)  # fmt: skip
def test_a_wrong_answer_is_never_a_reading(kind: str, outcome: Outcome) -> None:
    def spoil(bench: Bench) -> None:
        bench.line.spoil = wrong(kind)

    bench = play(5, spoil)
    assert not [r for r in bench.readings if r.device == "poc"]
    assert bench.bus.device("poc").outcome_counts[outcome] > 0
    assert len(bench.of("pcs", "fast")) > 10


@pytest.mark.parametrize("kind", ["prefix", "echo", "split", "glued"])
def test_a_right_answer_in_bad_company_is_found(kind: str) -> None:
    def spoil(request: bytes, reply: bytes) -> Answer:
        return {
            "prefix": [(0.005, b"\x00\xff" + reply)],
            "echo": [(0.0, request), (0.005, reply)],
            "split": [(0.005, reply[:3]), (0.010, reply[3:])],
            "glued": [(0.005, with_crc(bytes([9]) + reply[1:-2]) + reply)],
        }[kind]

    def prepare(bench: Bench) -> None:
        bench.line.spoil = spoil

    bench = play(3, prepare)
    assert {r.values for r in bench.of("poc", "power")} == {(123,)}
    assert bench.bus.device("poc").trust.failed_count == 0


def test_a_late_answer_is_never_taken_for_the_next_one() -> None:
    """Two blocks of one device with the same length and different data; every answer comes after the time-out."""

    def late(bench: Bench) -> None:
        profile_blocks = {r.start: r.name for r in load_profile("abb-b23").blocks}
        assert len(profile_blocks) == 3
        bench.line.spoil = lambda request, reply: [(0.230 if request[0] == 1 else 0.005, reply)]

    bench = play(20, late)
    assert {r.values for r in bench.of("poc", "power")} <= {(123,)}


def test_a_cut_port_is_an_outcome_and_comes_back() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        bench = Bench(clock)
        task = asyncio.create_task(bench.bus.run())
        await asyncio.sleep(1)
        bench.line.gone = True
        await asyncio.sleep(2)
        assert not bench.bus.port_health().is_open and "line" in bench.bus.port_health().error
        count = len(bench.readings)
        bench.line.gone = False
        await asyncio.sleep(3)
        assert len(bench.readings) > count + 10 and bench.bus.port_health().is_open
        task.cancel()

    run_virtual(main)


def test_shutdown_writes_the_safe_value_and_waits_for_its_echo() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.bus.set_value("pcs", "power_set", 20_000)
        task = asyncio.create_task(bench.bus.run())
        await asyncio.sleep(1)
        assert bench.pcs.registers[PCS_SET] == 200
        task.cancel()
        await asyncio.wait({task})
        assert await bench.bus.shutdown()
        assert bench.pcs.registers[PCS_SET] == 0

    run_virtual(main)


def test_a_shutdown_in_the_middle_of_a_transaction_still_ends_at_the_safe_value() -> None:
    """The answer to the request that was cut short comes back while the first safe write is under way."""

    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        for offset_ms in range(0, 100, 7):
            bench = Bench(clock)
            busy_until_s = 0.0

            def spoil(request: bytes, reply: bytes) -> Answer:
                nonlocal busy_until_s
                lost = loop.time() < busy_until_s  # two talk at once: both are lost
                busy_until_s = loop.time() + 0.02
                return [] if lost else [(0.02, reply)]

            bench.line.spoil = spoil
            bench.bus.set_value("pcs", "power_set", 20_000)
            task = asyncio.create_task(bench.bus.run())
            await asyncio.sleep(1 + offset_ms / 1000)
            task.cancel()
            await asyncio.wait({task})
            assert await bench.bus.shutdown()
            assert bench.pcs.registers[PCS_SET] == 0

    run_virtual(main)
