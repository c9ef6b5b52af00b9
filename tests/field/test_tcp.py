"""Modbus TCP as a port of the bus: what counts as an answer, and what a bad server, network or gateway may do."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.clock import SystemClock
from edge.config import options
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.rtu import Expect, read_request, with_crc, write_request
from edge.field.line.tcp import Stream, StreamFault, TcpPort
from edge.field.profiles.loader import load_profile
from edge.field.sunspec.walk import walk
from edge.model import Outcome, Reading
from hil.lan.sunspec import Map, SunSpecSlave
from hil.lan.tcp import Arrivals, TcpServer
from tests.field.line import Register
from tests.field.sunspec_kit import BMS
from tests.field.test_late import BLOCKS, EXPECTED, twins

POWER = 0x5B14


def answer(request: bytes, registers: list[int], number: int | None = None) -> bytes:
    """The envelope that answers a read of ours, by our own idea of it."""
    body = struct.pack(f">BBB{len(registers)}H", request[6], request[7], 2 * len(registers), *registers)
    return (request[:2] if number is None else number.to_bytes(2, "big")) + struct.pack(">HH", 0, len(body)) + body


# ---- the stream, without any I/O


@given(st.lists(st.tuples(st.integers(1, 255), st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=125)), max_size=6),
       st.data())  # fmt: skip
def test_answers_are_found_however_the_bytes_are_cut(reads: list[tuple[int, list[int]]], data: st.DataObject) -> None:
    stream = Stream()
    for unit, registers in reads:
        expect = Expect(read_request(unit, 3, 100, len(registers)))
        reply = answer(stream.request(expect.request), registers)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=5)))
        frames: list[bytes] = []
        for begin, end in zip([0, *cuts], [*cuts, len(reply)], strict=True):
            frames += stream.receive(reply[begin:end])
        assert [expect.match(frame) for frame in frames] == [struct.pack(f">{len(registers)}H", *registers)]


@given(st.binary(max_size=600))
def test_garbage_is_a_fault_or_waited_for_and_never_an_answer_to_another_transaction(garbage: bytes) -> None:
    stream = Stream()
    request = stream.request(read_request(1, 3, 0, 2))
    try:
        for frame in stream.receive(garbage):
            assert (garbage.startswith(request[:4]) and frame[:2] == b"\x01\x03") or frame[:2] == b"\x01\x83"
    except StreamFault as fault:
        assert str(fault)
    assert len(stream._received) <= 600


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda good: b"\x12\x34" + good[2:], "transaction 4660"),
        (lambda good: b"\0\0" + good[2:], "transaction 0"),  # to some 0 is "any"
        (lambda good: good[:2] + b"\0\1" + good[4:], "protocol 1"),
        (lambda good: good[:4] + b"\0\2" + good[6:], "of 2 bytes"),
        (lambda good: good[:4] + b"\xff\xff" + good[6:], "of 65535 bytes"),
        (lambda good: good[:6] + b"\x07" + good[7:], "unit 7"),
        (lambda good: good[:7] + b"\x04" + good[8:], "function 4"),
    ],
)
def test_each_byte_of_the_envelope_is_judged(spoil: Callable[[bytes], bytes], text: str) -> None:
    stream = Stream()
    good = answer(stream.request(read_request(1, 3, 0, 2)), [1, 2])
    with pytest.raises(StreamFault, match=text):
        list(stream.receive(spoil(good)))


def test_a_late_answer_is_dropped_and_the_wanted_one_counts() -> None:
    stream = Stream()
    first = stream.request(read_request(1, 3, 100, 2))
    second = stream.request(read_request(1, 3, 200, 2))
    assert list(stream.receive(answer(first, [1, 1]))) == [] and stream.late_count == 1
    assert list(stream.receive(answer(second, [2, 2]))) == [with_crc(b"\x01\x03\x04\0\2\0\2")]
    with pytest.raises(StreamFault, match="nobody asked"):  # an answer is used once
        list(stream.receive(answer(second, [3, 3])))


def test_transaction_numbers_never_are_zero_and_begin_again() -> None:
    stream = Stream()
    seen = set()
    for _ in range(65_600):
        request = stream.request(read_request(1, 3, 0, 1))
        list(stream.receive(answer(request, [7])))
        seen.add(request[:2])
    assert b"\0\0" not in seen and len(seen) == 65_535


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_on_a_connection_no_answer_is_taken_for_another(seed: int) -> None:
    """200 requests of the same form, each for its own number; what is late comes with a later request, in order."""
    dice = random.Random(seed)
    spoil, stream, late = misbehaving(dice), Stream(), b""
    right_count = 0
    for wanted in range(1, 201):
        expect = Expect(read_request(1, 3, wanted, 2))
        request = stream.request(expect.request)
        try:
            for delay_s, data in spoil(request, answer(request, [0, wanted])):
                if data is None:
                    raise StreamFault("reset")
                if delay_s >= 0.05:
                    late += data
                    continue
                for frame in stream.receive(late + data):
                    found = expect.match(frame)
                    assert found is None or found == struct.pack(">HH", 0, wanted), f"seed {seed}, request {wanted}"
                    right_count += found is not None
                late = b""
        except StreamFault:
            stream, late = Stream(stream.number), b""
    assert right_count > 100


# ---- real sockets; bounded


class Bench:
    """A meter with three blocks that only the transaction number tells apart, behind a server that may misbehave."""

    def __init__(self, spoil: Callable[[bytes, bytes], Arrivals] | None = None) -> None:
        profile = twins()
        fast = tuple(replace(block, period_ms=20) for block in profile.blocks)
        profile = replace(profile, blocks=fast, link=replace(profile.link, timeout_ms=60))
        self.device = BusDevice(options.Device(name="poc", profile="x", port="lan", address=1, use="poc"), profile)
        self.readings: list[Reading] = []
        self.server = TcpServer([Twin()], spoil)

    async def play(self, story: Callable[["Bench"], Iterator[float]]) -> None:
        await self.server.start()
        settings = options.Port(name="lan", kind="tcp", host="127.0.0.1", tcp_port=self.server.port)
        self.port = TcpPort(settings)
        self.bus = Bus(0, settings, self.port, [self.device], SystemClock(), self.readings.append, lambda *_: True)
        task = asyncio.create_task(self.bus.run())
        try:
            for wait_s in story(self):
                await asyncio.sleep(wait_s)
        finally:
            task.cancel()
            await asyncio.wait({task})
            await self.bus.shutdown(100)
            self.server.stop()
            await asyncio.sleep(0)

    def right(self) -> bool:
        return all(reading.values == (EXPECTED[reading.block],) for reading in self.readings)


class Twin(Register):
    """The unit: a meter of plain registers."""

    turnaround_s = 0.0

    def __init__(self) -> None:
        super().__init__(1)
        for number, start in enumerate(BLOCKS.values()):
            self.registers[start + 1] = 100 * (number + 1)

    def receive(self, frame: bytes) -> bytes | None:
        return self.answer(frame)


def run(bench: Bench, story: Callable[[Bench], Iterator[float]]) -> Bench:
    asyncio.run(bench.play(story))
    return bench


@pytest.mark.hil
def test_a_good_server_is_read_at_once_and_again_after_a_reset() -> None:
    def story(bench: Bench) -> Iterator[float]:
        yield 0.5
        assert len(bench.readings) > 5 and bench.bus.port_health().is_open
        bench.server.reset()
        bench.readings.clear()
        yield 1.5
        assert len(bench.readings) > 5 and bench.server.connection_count == 2

    assert run(Bench(), story).right()


@pytest.mark.hil
def test_a_half_open_connection_is_noticed_and_begun_anew() -> None:
    def story(bench: Bench) -> Iterator[float]:
        yield 0.4
        bench.server.is_deaf = True
        yield 3.0
        assert bench.server.connection_count >= 2
        bench.server.is_deaf = False
        bench.readings.clear()
        yield 2.5
        assert bench.readings

    assert run(Bench(), story).right()


@pytest.mark.hil
def test_a_server_that_is_not_there_never_holds_the_loop_up_and_is_tried_less_and_less() -> None:
    async def main() -> None:
        with socket.socket() as taken:  # bound, and nobody listens
            taken.bind(("127.0.0.1", 0))
            settings = options.Port(name="lan", kind="tcp", host="127.0.0.1", tcp_port=taken.getsockname()[1])
            port = TcpPort(settings)
            device = BusDevice(options.Device(name="poc", profile="x", port="lan", address=1, use="poc"), twins())
            bus = Bus(0, settings, port, [device], SystemClock(), lambda _: None, lambda *_: True)
            task = asyncio.create_task(bus.run())
            loop, longest_s = asyncio.get_running_loop(), 0.0
            end_s = loop.time() + 2.0
            while (began_s := loop.time()) < end_s:
                await asyncio.sleep(0.01)
                longest_s = max(longest_s, loop.time() - began_s)
            assert longest_s < 0.2
            assert not bus.port_health().is_open and "127.0.0.1" in bus.port_health().error
            assert 2 <= port._failed_count <= 4  # at once, after 0.5 s, after 1 s more
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(main())


def misbehaving(dice: random.Random) -> Callable[[bytes, bytes], Arrivals]:
    """Late, wrong numbers, split, merged, doubled, reset, garbage length, silence: a third of the answers."""
    kept: list[bytes] = []

    def spoil(request: bytes, good: bytes) -> Arrivals:
        kept.append(good)
        other = dice.choice(kept[-20:])
        cut = dice.randrange(1, len(good))
        options_: list[Arrivals] = [
            [(dice.choice([0.07, 0.13, 0.2]), good)],
            [(0.0, other)],
            [(0.0, other), (0.0, good)],
            [(0.0, good[:2] + other[2:])] if other[6:8] != good[6:8] else [],
            [(0.0, bytes((good[0] ^ 1, good[1])) + good[2:])],
            [(0.0, b"\0\0" + good[2:])],
            [(0.0, good[:cut]), (dice.choice([0.001, 0.05]), good[cut:])],
            [(0.0, good + good)],
            [(0.0, good[:cut]), (0.01, None)],
            [(0.0, None)],
            [(0.0, good[:4] + dice.randbytes(2) + good[6:])],
            [(0.0, dice.randbytes(dice.randrange(1, 300)))],
            [(0.0, good[:2] + dice.randbytes(2) + good[4:])],
            [(0.0, good[:6] + dice.randbytes(1) + good[7:])],
            [(0.0, good[:-2])],
            [],
        ]
        return dice.choice(options_) if dice.random() < 0.2 else [(0.0, good)]

    return spoil


@pytest.mark.hil
@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_server_does_no_value_is_wrong(seed: int) -> None:
    def story(bench: Bench) -> Iterator[float]:
        yield 3.0

    bench = run(Bench(misbehaving(random.Random(seed))), story)
    assert len(bench.readings) > 10 and bench.right(), f"seed {seed}"


# ---- independent peers


@pytest.mark.hil
def test_pymodbus_as_a_server_is_read_written_and_guarded() -> None:
    async def main() -> None:
        registers = [0] * 1000
        registers[122], registers[32], registers[142] = 65_536 - 250, 4, 7_680
        peer = SimDevice(2, [SimData(0, values=registers, datatype=DataType.REGISTERS)])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            number = free.getsockname()[1]
        server = ModbusTcpServer([peer], address=("127.0.0.1", number))
        serving = asyncio.create_task(server.serve_forever())
        settings = options.Port(name="lan", kind="tcp", host="127.0.0.1", tcp_port=number)
        pcs = options.Device(name="pcs", profile="sinexcel-pcs-30", port="lan", address=2, use="pcs", watchdog_s=5)
        device, readings = BusDevice(pcs, load_profile("sinexcel-pcs-30")), []
        bus = Bus(0, settings, TcpPort(settings), [device], SystemClock(), readings.append, lambda *_: True)
        bus.set_value("pcs", "power_set", -12_300)
        task = asyncio.create_task(bus.run())
        for _ in range(500):
            await asyncio.sleep(0.01)
            fast = [reading for reading in readings if reading.block == "fast"]
            if fast and fast[-1].values[2] == -12_300 and device.guarded:
                break
        assert device.guarded and fast[-1].values[2] == -12_300 and not device.outcome_counts[Outcome.MISMATCH]
        task.cancel()
        await asyncio.wait({task})
        assert await bus.shutdown()
        await server.shutdown()
        serving.cancel()

    asyncio.run(main())


@pytest.mark.hil
def test_pymodbus_as_a_client_reads_and_writes_our_server() -> None:
    async def main() -> None:
        image = Map(BMS)
        server = TcpServer([SunSpecSlave(image, 3)])
        await server.start()
        client = AsyncModbusTcpClient("127.0.0.1", port=server.port, timeout=1)
        assert await client.connect()
        marker = await client.read_holding_registers(40_000, count=2, device_id=3)
        assert marker.registers == [0x5375, 0x6E53]
        await client.write_registers(image.where["802.SetOp"], [2], device_id=3)
        assert image.get("802.SetOp") == 2
        client.close()
        server.stop()

    asyncio.run(main())


@pytest.mark.hil
def test_pysunspec2_finds_in_our_server_what_our_walk_finds() -> None:
    sunspec2 = pytest.importorskip("sunspec2.modbus.client", reason='pysunspec2 is not installed: the extra "sunspec"')

    async def main() -> None:
        image = Map(BMS)
        slave = SunSpecSlave(image, 3)
        server = TcpServer([slave])
        await server.start()
        theirs = sunspec2.SunSpecModbusClientDeviceTCP(slave_id=3, ipaddr="127.0.0.1", ipport=server.port, timeout=2)
        await asyncio.get_running_loop().run_in_executor(None, theirs.scan)
        battery = theirs.models[802][0]
        assert battery.SoC.cvalue == pytest.approx(55.12) and battery.A.cvalue == pytest.approx(-5.5)
        assert theirs.models[803][0].groups["string"][1].StrSoC.value == 50
        battery.SetOp.value = 2
        await asyncio.get_running_loop().run_in_executor(None, battery.SetOp.write)
        assert image.get("802.SetOp") == 2
        theirs.close()
        server.stop()

        async def read(start: int, count: int) -> bytes | int | Outcome:
            expect = Expect(read_request(3, 3, start, count))
            return expect.match(slave.receive(expect.request) or b"") or Outcome.TIMEOUT

        ours = await walk(read)
        assert [model.number for model in ours.models] == [n for n in theirs.models if isinstance(n, int)]
        assert [(m.addr, m.length) for m in ours.models] == [
            (theirs.models[m.number][0].model_addr, theirs.models[m.number][0].model_len) for m in ours.models
        ]

    asyncio.run(main())


def test_a_write_over_tcp_counts_only_with_its_echo() -> None:
    stream = Stream()
    expect = Expect(write_request(1, 16, 300, (1, 2)))
    request = stream.request(expect.request)
    echo = request[:4] + b"\0\6" + request[6:12]
    (frame,) = stream.receive(echo)
    assert expect.match(frame) is not None
    request = stream.request(expect.request)
    (frame,) = stream.receive(request[:4] + b"\0\6" + request[6:8] + b"\0\7" + request[10:12])
    assert expect.match(frame) is None
