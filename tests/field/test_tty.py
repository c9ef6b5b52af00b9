"""Real descriptors and an independent peer: our bus over PTYs, against pymodbus's server. Bounded; needs real time."""

import asyncio
import os
import tty
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.clock import SystemClock
from edge.config import options
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.port import TtyPort
from edge.field.profiles.loader import load_profile
from edge.model import Reading
from edge.ops.process import fine_loop

pytestmark = pytest.mark.hil


def pcs(watchdog_s: int = 5) -> BusDevice:
    settings = options.Device(
        name="pcs", profile="sinexcel-pcs-30", port="a", address=2, use="pcs", watchdog_s=watchdog_s
    )
    return BusDevice(settings, load_profile("sinexcel-pcs-30"))


async def until(done: object, seconds: float = 5.0) -> None:
    assert callable(done)
    async with asyncio.timeout(seconds):
        while not done():  # noqa: ASYNC110 (what is waited for is the outside world)
            await asyncio.sleep(0.01)


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


def test_pymodbus_as_a_device_is_read_written_and_guarded(tmp_path: Path) -> None:
    async def main() -> None:
        ours, ours_end = os.openpty()
        theirs, theirs_end = os.openpty()
        for fd in (ours_end, theirs_end):
            tty.setraw(fd)
        loop = asyncio.get_running_loop()
        loop.add_reader(ours, lambda: os.write(theirs, os.read(ours, 512)))
        loop.add_reader(theirs, lambda: os.write(ours, os.read(theirs, 512)))
        registers = [0] * 1000
        registers[122], registers[32], registers[142] = 65_536 - 250, 4, 7_680
        device = SimDevice(2, [SimData(0, values=registers, datatype=DataType.REGISTERS)])
        server = ModbusSerialServer([device], port=os.ttyname(theirs_end), baudrate=115_200, framer=FramerType.RTU)
        serving = asyncio.create_task(server.serve_forever())
        readings: list[Reading] = []
        settings = options.Port(name="a", path=os.ttyname(ours_end), baud=115_200)
        peer = pcs()
        bus = Bus(0, settings, TtyPort(settings), [peer], SystemClock(), readings.append, lambda *_: True)
        bus.set_value("pcs", "power_set", -12_345)
        running = asyncio.create_task(bus.run())

        def seen() -> bool:
            fast = [r for r in readings if r.block == "fast"]
            return bool(fast) and fast[-1].values[2] == -12_300 and peer.guarded and len(readings) > 20

        await until(seen)
        assert not peer.write_failed and peer.outcome_counts[0] == peer.sent_count
        assert [r for r in readings if r.block == "fast"][-1].values[:2] == (-2_500, 0)
        await stop(running)
        assert await bus.shutdown()
        await server.shutdown()
        serving.cancel()
        for fd in (ours, theirs):
            loop.remove_reader(fd)
        for fd in (ours, ours_end, theirs, theirs_end):
            os.close(fd)

    asyncio.run(main())


def test_a_tty_is_configured_written_read_and_its_loss_is_told() -> None:
    async def main() -> None:
        master, slave = os.openpty()
        settings = options.Port(name="a", path=os.ttyname(slave), baud=19_200, parity="E", stopbits=2)
        port, chunks = TtyPort(settings), []
        port.open(chunks.append)
        os.close(slave)
        port.write(b"\x01\x03\x00\xff")
        assert os.read(master, 16) == b"\x01\x03\x00\xff"
        os.write(master, b"\x11\x13\x0d\x0a\x00")
        await until(lambda: b"".join(chunks) == b"\x11\x13\x0d\x0a\x00", 2)  # raw: no XON, no CR, no NUL lost
        os.close(master)
        await until(lambda: chunks[-1] == b"", 2)
        port.close()
        port.close()

    asyncio.run(main())


def test_a_port_that_is_not_there_or_cannot_do_rs485_is_an_os_error() -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="/dev/nonexistent"):
            TtyPort(options.Port(name="a", path="/dev/nonexistent")).open(lambda _: None)
        master, slave = os.openpty()
        with pytest.raises(OSError, match="rs485"):
            TtyPort(options.Port(name="a", path=os.ttyname(slave), rs485="kernel")).open(lambda _: None)
        os.close(master)
        os.close(slave)

    asyncio.run(main())


def test_a_second_opener_is_refused() -> None:
    async def main() -> None:
        master, slave = os.openpty()
        settings = options.Port(name="a", path=os.ttyname(slave))
        first = TtyPort(settings)
        first.open(lambda _: None)
        with pytest.raises(OSError, match=settings.path):
            TtyPort(settings).open(lambda _: None)
        first.close()
        os.close(master)
        os.close(slave)

    asyncio.run(main())


def test_a_timer_of_the_controllers_loop_is_not_rounded_up_to_a_millisecond() -> None:
    async def main() -> float:
        loop, best_s = asyncio.get_running_loop(), 1.0
        for _ in range(50):
            started_s = loop.time()
            await asyncio.sleep(0.0003)
            best_s = min(best_s, loop.time() - started_s)
        return best_s

    with asyncio.Runner(loop_factory=fine_loop) as runner:
        assert 0.0003 <= runner.run(main()) < 0.0009


def test_the_bus_opens_a_lost_port_again(tmp_path: Path) -> None:
    """An adapter is pulled and plugged: the path is a link, as udev makes it."""

    async def main() -> None:
        link = tmp_path / "rs485-1"
        master, slave = os.openpty()
        link.symlink_to(os.ttyname(slave))
        settings = options.Port(name="a", path=str(link), baud=115_200)
        bus = Bus(0, settings, TtyPort(settings), [pcs()], SystemClock(), lambda _: None, lambda *_: True)
        running = asyncio.create_task(bus.run())
        await until(lambda: bus.port_health().is_open, 2)
        os.close(slave)
        os.close(master)
        await until(lambda: not bus.port_health().is_open, 3)
        link.unlink()
        master, slave = os.openpty()
        link.symlink_to(os.ttyname(slave))
        await until(lambda: bus.port_health().is_open, 4)
        await stop(running)
        assert not await bus.shutdown(100)  # nobody answers at this end
        assert not bus.port_health().is_open
        os.close(slave)
        os.close(master)

    asyncio.run(main())
