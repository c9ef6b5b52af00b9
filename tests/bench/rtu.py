"""What one transaction of 20 registers over a PTY costs the client: our bus, pymodbus's async client, minimalmodbus.

The slave is a process of its own, so that only the client's CPU is counted; rounds alternate, medians are compared.
Run: `python -m tests.bench.rtu`.
"""

import asyncio
import json
import os
import statistics
import struct
import subprocess
import sys
import time
import tty
from dataclasses import replace

import minimalmodbus
import tomli
from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient

from edge.clock import SystemClock
from edge.config import options
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.port import TtyPort
from edge.field.line.rtu import with_crc
from edge.field.profile import Profile
from edge.field.profiles.loader import FOLDER, parse_profile
from edge.model import Reading

COUNT, START, ROUNDS, TRANSACTIONS = 20, 0x2100, 7, 300
SILENCE_S = 0.00175  # what a request must be preceded by above 19 200 baud


def serve(fd: int) -> None:
    """A slave at address 1: any read of n registers is answered with 0, 1, 2 ...; ends when its PTY does."""
    replies: dict[int, bytes] = {}
    while True:
        try:
            request = os.read(fd, 512)
        except OSError:
            return
        address, fc, _, count = struct.unpack(">BBHH", request[:6])
        if count not in replies:
            replies[count] = with_crc(struct.pack(f">BBB{count}H", address, fc, 2 * count, *range(count)))
        os.write(fd, replies[count])


class Slave:
    """The slave's process and the path of its line."""

    def __init__(self) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        command = [sys.executable, "-m", "tests.bench.rtu", str(master)]
        self._process = subprocess.Popen(command, pass_fds=[master])
        os.close(master)
        self._slave = slave  # kept open: a PTY without anybody at this end is an error to the other

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._slave)


def profile() -> Profile:
    """One block of 20 registers with the ten values of a battery, as fast as the line's silence permits."""
    whole = parse_profile(tomli.loads((FOLDER / "soltaro-rack-c.toml").read_text()), "bench")
    block = replace(whole.blocks[0], period_ms=1, start=START, count=COUNT)
    return replace(whole, blocks=(block,), commands=(), watchdog=None, link=replace(whole.link, min_gap_ms=0))


async def ours(path: str, silence_s: float) -> float:
    """Client CPU of one transaction in microseconds: poll choice, frame, match, decode, reading."""
    done = asyncio.Event()
    readings: list[Reading] = []

    def note(reading: Reading) -> None:
        readings.append(reading)
        if len(readings) >= TRANSACTIONS:
            done.set()

    settings = options.Port(name="bench", path=path, baud=115_200)
    device = BusDevice(options.Device(name="bms", profile="x", port="bench", address=1, use="bms"), profile())
    bus = Bus(0, settings, TtyPort(settings), [device], SystemClock(), note, lambda *_: True)
    bus._master.gap_s = silence_s
    device.polls[0].period_s = 1e-7
    before_s = time.process_time()
    task = asyncio.create_task(bus.run())
    await done.wait()
    used_s = time.process_time() - before_s
    task.cancel()
    await asyncio.wait({task})
    await bus.shutdown()
    assert readings[-1].values[0] == 0 and device.outcome_counts[0] >= TRANSACTIONS
    return used_s / len(readings) * 1e6


async def theirs(path: str, silence_s: float) -> float:
    """The same of pymodbus: request and registers only, no decoding. It keeps no silence of its own."""
    client = AsyncModbusSerialClient(path, framer=FramerType.RTU, baudrate=115_200, timeout=1, retries=0)
    assert await client.connect()
    before_s = time.process_time()
    for _ in range(TRANSACTIONS):
        reply = await client.read_holding_registers(START, count=COUNT, device_id=1)
        assert reply.registers[-1] == COUNT - 1
        if silence_s:
            await asyncio.sleep(silence_s)
    used_s = time.process_time() - before_s
    client.close()
    return used_s / TRANSACTIONS * 1e6


def simplest(path: str) -> float:
    """The same of minimalmodbus, which is synchronous and keeps the silence by sleeping."""
    client = minimalmodbus.Instrument(path, 1)
    client.serial.baudrate, client.serial.timeout = 115_200, 1
    before_s = time.process_time()
    for _ in range(TRANSACTIONS):
        assert client.read_registers(START, COUNT)[-1] == COUNT - 1
    used_s = time.process_time() - before_s
    client.serial.close()
    return used_s / TRANSACTIONS * 1e6


def rtu_cpu_ratio() -> dict[str, float]:
    """CPU per transaction in microseconds, medians of alternating rounds, and the ratio ours / pymodbus.

    Without suffix: back to back. `_paced`: both with the silence of the standard before each request. `ratio_simplest`:
    ours / minimalmodbus, of the same run; each as fast as it goes.
    """
    slave = Slave()
    found: dict[str, float] = {}
    try:
        for suffix, silence_s in (("", 0.0), ("_paced", SILENCE_S)):
            pairs = [
                (asyncio.run(ours(slave.path, silence_s)), asyncio.run(theirs(slave.path, silence_s)))
                for _ in range(ROUNDS)
            ]
            ours_us, theirs_us = (statistics.median(side) for side in zip(*pairs, strict=True))
            found[f"edge{suffix}_us"], found[f"pymodbus{suffix}_us"] = round(ours_us, 1), round(theirs_us, 1)
            found[f"ratio{suffix}"] = round(statistics.median(one / other for one, other in pairs), 3)
        found["minimalmodbus_us"] = round(statistics.median(simplest(slave.path) for _ in range(ROUNDS)), 1)
        found["ratio_simplest"] = round(found["edge_us"] / found["minimalmodbus_us"], 3)
    finally:
        slave.close()
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(int(sys.argv[1]))
    else:
        print(json.dumps(rtu_cpu_ratio()))
