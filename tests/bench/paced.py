"""Our bus on a paced wire in real time: how much of the wire it uses, and how soon a meter's change is a PCS's setpoint.

The devices are a process of their own (`python -m tests.bench.paced`), paced to their baud rate by hil.pty. Both sides ask
for real-time priority where the machine gives it: on a busy machine the scheduler is measured otherwise, not the bus.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

from edge.clock import SystemClock
from edge.config import options
from edge.cycle import beat
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.port import TtyPort
from edge.field.line.timing import gap_us, read_bytes, transaction_us, write_bytes
from edge.field.profile import Profile
from edge.field.profiles.loader import load_profile
from edge.model import Reading
from edge.ops.process import fine_loop
from hil.plant.faces import Face
from hil.pty import PtyBus
from hil.slave import Slave
from tests.bench.rtu import COUNT, profile

TURNAROUND_MS = 5
SETTLE_S, MEASURE_S = 1.0, 6.0
CYCLE_MS = 100
CHANGES = 100
PRIORITY = 5  # above everything that is not real time, below what the kernel itself needs


@contextlib.contextmanager
def preferred() -> Iterator[bool]:
    """Real-time priority, for this process and those it starts; False where it is not given."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except (PermissionError, AttributeError):
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class Devices:
    """The process of the devices: `line()` is what it says next."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "tests.bench.paced", *words]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def _saturated() -> Profile:
    whole = profile()
    return replace(whole, link=replace(whole.link, turnaround_ms=TURNAROUND_MS, min_gap_ms=0))


def used_part(baud: int) -> float:
    """Reads of 20 registers back to back: what came of what the arithmetic allows, 0..1."""
    devices = Devices("saturated", str(baud))
    try:
        whole = _saturated()
        port = options.Port(name="bench", path=devices.line(), baud=baud)
        device = BusDevice(options.Device(name="bms", profile="x", port="bench", address=1, use="bms"), whole)
        device.polls[0].period_s = 1e-7
        readings: list[Reading] = []

        async def main() -> float:
            bus = Bus(0, port, TtyPort(port), [device], SystemClock(), readings.append, lambda *_: True)
            task = asyncio.create_task(bus.run())
            await asyncio.sleep(SETTLE_S)
            loop, before_count = asyncio.get_running_loop(), len(readings)
            started_s = loop.time()
            await asyncio.sleep(MEASURE_S)
            rate = (len(readings) - before_count) / (loop.time() - started_s)
            task.cancel()
            await asyncio.wait({task})
            return rate

        with asyncio.Runner(loop_factory=fine_loop) as runner:
            rate_hz = runner.run(main())
        return rate_hz * (gap_us(port, [whole.link]) + transaction_us(port, whole.link, read_bytes(COUNT))) / 1e6
    finally:
        devices.close()


def meter_to_pcs_ms() -> tuple[float, float, float]:
    """p50 and p99 of the time from a change in the meter to the same value in the PCS, and what the arithmetic says.

    Meter and PCS each on a bus of their own at 115 200 baud; a cycle of 100 ms between them hands the value on, where
    the kernel would decide in a few microseconds. Arithmetic: half a poll, the read, the request.
    """
    devices = Devices("chain")
    try:
        paths = devices.line().split()
        ports = [options.Port(name=name, path=path, baud=115_200) for name, path in zip("ab", paths, strict=True)]
        poc = BusDevice(
            options.Device(name="poc", profile="x", port="a", address=1, use="poc"), load_profile("abb-b23")
        )
        pcs = BusDevice(
            options.Device(name="pcs", profile="x", port="b", address=1, use="pcs", watchdog_s=5),
            load_profile("sinexcel-pcs-30"),
        )
        newest = [0]

        def note(reading: Reading) -> None:
            if reading.block == "power" and reading.values[0] is not None:
                newest[0] = reading.values[0]

        async def main() -> list[float]:
            buses = [
                Bus(index, port, TtyPort(port), [device], SystemClock(), note, lambda *_: True)
                for index, (port, device) in enumerate(zip(ports, (poc, pcs), strict=True))
            ]
            for bus in buses:  # as the controller does
                bus.align(asyncio.get_running_loop().time() + CYCLE_MS / 1000, CYCLE_MS / 1000)
            tasks = [asyncio.create_task(bus.run()) for bus in buses]
            hand_on = _HandOn(lambda: buses[1].set_value("pcs", "power_set", newest[0]))
            tasks.append(asyncio.create_task(beat(hand_on, CYCLE_MS, lambda: None)))
            found: list[float] = json.loads(await asyncio.to_thread(devices.line))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return found

        with asyncio.Runner(loop_factory=fine_loop) as runner:
            times_ms = sorted(runner.run(main()))
        read_us = transaction_us(ports[0], poc.profile.link, read_bytes(2))
        write_us = transaction_us(ports[1], replace(pcs.profile.link, turnaround_ms=0), write_bytes(6, 1) // 2)
        limit_ms = poc.polls[0].period_s * 500 + (read_us + write_us) / 1000
        return times_ms[len(times_ms) // 2], times_ms[(len(times_ms) - 1) * 99 // 100], limit_ms
    finally:
        devices.close()


class _HandOn:
    """What stands where the cycle would."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def run_once(self, late_us: int) -> None:
        self._act()


# ---- the devices


async def _serve_saturated(baud: int) -> None:
    bus = PtyBus("bench", baud, [Slave(_saturated(), 1, Face(values={}, version=lambda: 1), "bms")])
    bus.start()
    print(bus.path, flush=True)
    await asyncio.sleep(3_600)


async def _serve_chain() -> None:
    """Changes the meter at random moments; prints how long each change took to be the PCS's setpoint, in ms."""
    loop, rng = asyncio.get_running_loop(), Random(1)
    shown, taken, version, arrived = [0], [0.0], [0], asyncio.Event()

    def take(value: float) -> None:
        taken[0] = value
        version[0] += 1
        if value == shown[0]:
            arrived.set()

    meter = Face(values={"meter.power": lambda: float(shown[0])}, version=lambda: version[0])
    pcs = Face(
        values={"pcs.power": 0.0, "pcs.power_set": lambda: taken[0]},
        version=lambda: version[0],
        writes={"power_set": take},
    )
    buses = [
        PtyBus(name, 115_200, [Slave(load_profile(profile_id), 1, face, name)])
        for name, profile_id, face in (("poc", "abb-b23", meter), ("pcs", "sinexcel-pcs-30", pcs))
    ]
    for bus in buses:
        bus.start()
    print(*[bus.path for bus in buses], flush=True)
    await asyncio.sleep(3 * SETTLE_S)
    times_ms = []
    for number in range(CHANGES):
        await asyncio.sleep(rng.uniform(0.25, 0.35))
        arrived.clear()
        shown[0], version[0] = 100 * (number % 290 + 1) * (-1) ** number, version[0] + 1
        started_s = loop.time()
        await asyncio.wait_for(arrived.wait(), 5)
        times_ms.append(1000 * (loop.time() - started_s))
    print(json.dumps(times_ms), flush=True)
    await asyncio.sleep(3_600)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=fine_loop) as devices_runner:
        devices_runner.run(_serve_saturated(int(sys.argv[2])) if sys.argv[1] == "saturated" else _serve_chain())
