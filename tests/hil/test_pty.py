"""The bus on a pseudo terminal, in real time: pacing, several devices, wrong baud, and an independent master."""

import asyncio
import contextlib
import os
import termios
import tty
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import pytest
from pymodbus.client import AsyncModbusSerialClient

from edge.field.line.rtu import Expect, read_request, write_request
from hil.faults import Fault, FaultBox
from hil.pty import PtyBus
from tests.hil.site_kit import Kit

pytestmark = pytest.mark.hil
POC_POWER = read_request(1, 3, 0x5B14, 2)


class Master:
    """A plain serial master: writes, and waits for as many bytes as it wants."""

    def __init__(self, path: str, baud: int) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd)
        settings = termios.tcgetattr(self.fd)
        settings[4] = settings[5] = getattr(termios, f"B{baud}")
        termios.tcsetattr(self.fd, termios.TCSANOW, settings)
        self.heard, self.news = bytearray(), asyncio.Event()
        asyncio.get_running_loop().add_reader(self.fd, self.listen)

    def listen(self) -> None:
        self.heard += os.read(self.fd, 512)
        self.news.set()

    async def ask(self, request: bytes, wanted_bytes: int, timeout_s: float = 0.5) -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        self.heard.clear()
        started_s = loop.time()
        os.write(self.fd, request)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while len(self.heard) < wanted_bytes:
                    self.news.clear()
                    await self.news.wait()
        took_s = loop.time() - started_s
        await asyncio.sleep(0.005)
        return bytes(self.heard), took_s

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.fd)
        os.close(self.fd)


def play(bus: PtyBus, story: Callable[[], Awaitable[None]], limit_s: float = 10.0) -> None:
    async def main() -> None:
        bus.start()
        try:
            await asyncio.wait_for(story(), limit_s)
        finally:
            bus.stop()

    asyncio.run(main())


@pytest.mark.parametrize("baud", [9_600, 19_200, 115_200])
def test_a_transaction_takes_the_time_of_the_wire(baud: int) -> None:
    kit = Kit()
    bus = PtyBus("fast", baud, kit.fast)
    request = read_request(2, 3, 122, 22)
    wire_s = (8 + 49) * 10 / baud + 0.005

    async def story() -> None:
        master = Master(bus.path, baud)
        times = []
        for _ in range(12):
            reply, took_s = await master.ask(request, 49)
            assert isinstance(Expect(request).match(reply), bytes)
            times.append(took_s)
        master.close()
        assert min(times) >= wire_s - 0.0005
        assert median(times) < wire_s + 0.015

    play(bus, story)


def test_many_devices_hear_everything_and_answer_only_their_own() -> None:
    kit = Kit()
    bus = PtyBus("slow", 115_200, kit.slow)

    async def story() -> None:
        master = Master(bus.path, 115_200)
        for _ in range(5):
            for slave in kit.slow:
                for block in slave.profile.blocks:
                    request = read_request(slave.address, block.fc, block.start, block.count)
                    reply, _ = await master.ask(request, 5 + 2 * block.count)
                    assert isinstance(Expect(request).match(reply), bytes)
                    assert len(reply) == 5 + 2 * block.count
        assert (await master.ask(read_request(9, 3, 0, 1), 1, 0.1))[0] == b""
        assert sum(slave.request_count for slave in kit.slow) == bus.request_count - 1
        master.close()

    play(bus, story)


def test_a_wrong_baud_rate_is_garbage() -> None:
    bus = PtyBus("fast", 19_200, Kit().fast)

    async def story() -> None:
        master = Master(bus.path, 9_600)
        assert (await master.ask(POC_POWER, 9, 0.15))[0] == b"" and bus.garbage_bytes == 8
        master.close()
        master = Master(bus.path, 19_200)
        assert len((await master.ask(POC_POWER, 9))[0]) == 9
        master.close()

    play(bus, story)


def test_glued_frames_are_no_frames_and_pieces_of_one_are_one() -> None:
    bus = PtyBus("fast", 19_200, Kit().fast)

    async def story() -> None:
        master = Master(bus.path, 19_200)
        assert (await master.ask(POC_POWER + POC_POWER, 9, 0.15))[0] == b""
        master.heard.clear()
        os.write(master.fd, POC_POWER[:3])
        assert len((await master.ask(POC_POWER[3:], 9))[0]) == 9
        master.close()

    play(bus, story)


def test_a_master_that_talks_into_a_reply_spoils_it() -> None:
    bus = PtyBus("fast", 9_600, Kit().fast)
    request = read_request(2, 3, 122, 22)  # its reply takes 51 ms

    async def story() -> None:
        master = Master(bus.path, 9_600)
        os.write(master.fd, request)
        await asyncio.sleep(0.030)
        reply, _ = await master.ask(request, 49, 0.2)
        assert len(reply) == 49 and Expect(request).match(reply) is None
        master.close()

    play(bus, story)


def test_faults_act_and_a_late_reply_does_not_hurt_the_next() -> None:
    async def story() -> None:
        box.start_s = asyncio.get_running_loop().time()
        master = Master(bus.path, 115_200)
        assert (await master.ask(POC_POWER, 9, 0.1))[0] == b""
        pcs = read_request(2, 3, 122, 22)
        assert isinstance(Expect(pcs).match((await master.ask(pcs, 49))[0]), bytes)
        late, _ = await master.ask(b"", 9, 0.5)
        assert isinstance(Expect(POC_POWER).match(late), bytes)
        master.close()

    box = FaultBox([Fault("poc", "late", 0.0, params={"delay_s": 0.3})])
    bus = PtyBus("fast", 115_200, Kit().fast, faults=box)
    play(bus, story)


def test_a_link_gives_the_line_a_fixed_name_and_goes_away(tmp_path: Path) -> None:
    link = tmp_path / "rs485-1"
    bus = PtyBus("fast", 19_200, Kit().fast, link=str(link))

    async def story() -> None:
        assert link.readlink() == Path(bus.path)
        await asyncio.sleep(0)

    play(bus, story)
    assert not link.is_symlink()


def test_an_independent_master_reads_and_writes_every_device() -> None:
    kit = Kit()
    bus = PtyBus("slow", 19_200, [kit.bms, kit.it, kit.pcs])

    async def story() -> None:
        client = AsyncModbusSerialClient(bus.path, baudrate=19_200, timeout=0.5, retries=0)
        assert await client.connect()
        for _ in range(2):
            main = await client.read_holding_registers(0x2100, count=17, device_id=1)
            assert main.registers[0] == round(kit.unit.pack.voltage_v * 10)
            assert main.registers[3] == round(kit.unit.pack.soc * 100)
            await asyncio.sleep(0.02)
            it = await client.read_input_registers(0x34, count=2, device_id=3)
            watts = client.convert_from_registers(it.registers, client.DATATYPE.FLOAT32)
            assert watts == pytest.approx(kit.site.it_power_w, rel=1e-6)
            await asyncio.sleep(0.02)
            assert not (await client.write_register(327, 7, device_id=2)).isError()
            await asyncio.sleep(0.02)
            refused = await client.read_holding_registers(9_999, count=1, device_id=2)
            assert refused.isError() and refused.exception_code == 2
            await asyncio.sleep(0.02)
        assert kit.unit.pcs.comm_timeout_s == 7.0
        client.close()

    play(bus, story)


def test_writes_over_the_line_move_the_plant() -> None:
    kit = Kit()
    bus = PtyBus("fast", 115_200, kit.fast)

    async def story() -> None:
        master = Master(bus.path, 115_200)
        for addr, value in ((650, 1), (135, 80)):
            request = write_request(2, 6, addr, (value,))
            assert (await master.ask(request, 8))[0] == request
            kit.step(2.0)
        assert kit.unit.pcs.power_w == pytest.approx(8_000)
        master.close()

    play(bus, story)
