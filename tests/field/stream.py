"""A long seeded stream of transactions on a bad line: is any value ever accepted that is not true of its time?

Every register of the meter says which block it is of and when it was read, so that another block's value, another
device's and an older one of the same block all show. What a checksum of 16 bits cannot see, a burst of more than 16 bits,
is not in the stream: one in 65 536 of those passes any receiver.
"""

import asyncio
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import tomli

from edge.config import options
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.profile import Profile
from edge.field.profiles.loader import FOLDER, load_profile, parse_profile
from edge.model import Reading
from hil.framing import refusal, sealed
from hil.virtual import VirtualClock, VirtualLoop, run_virtual

BLOCKS = {"power": 0x5B14, "frequency": 0x5000, "energy": 0x5100}  # of one length: nothing in a frame tells them apart
CODE = 100_000_000  # a value is its block's number times this, and the millisecond of its reading
PCS_SET, TIMER = 135, 327
Spoil = Callable[[Random, bytes, bytes], list[bytes]]  # of a request and its right reply: the pieces that arrive


def _flipped(rng: Random, frame: bytes, reply: bytes) -> list[bytes]:
    """Up to three bits: a checksum of this kind sees them all."""
    bits = int.from_bytes(reply, "big")
    for bit in rng.sample(range(8 * len(reply)), rng.randrange(1, 4)):
        bits ^= 1 << bit
    return [bits.to_bytes(len(reply), "big")]


def _burst(rng: Random, frame: bytes, reply: bytes) -> list[bytes]:
    """Up to 16 bits side by side."""
    bits = int.from_bytes(reply, "big") ^ (rng.getrandbits(16) | 1) << rng.randrange(8 * len(reply) - 16)
    return [bits.to_bytes(len(reply), "big")]


def _resized(reply: bytes, change: Callable[[bytes], bytes]) -> list[bytes]:
    """Whole and sealed, of another length."""
    if reply[1] == 6:
        return [sealed(reply[:4])]
    words = change(reply[3:-2])
    return [sealed(reply[:2] + bytes((len(words),)) + words)]


def _split(rng: Random, frame: bytes, reply: bytes) -> list[bytes]:
    at = rng.randrange(1, len(reply))
    return [reply[:at], reply[at:]]


SPOILT: dict[str, Spoil] = {
    "silence": lambda rng, frame, reply: [],
    "noise before": lambda rng, frame, reply: [rng.randbytes(rng.randrange(1, 12)) + reply],
    "noise only": lambda rng, frame, reply: [rng.randbytes(rng.randrange(1, 60))],
    "truncated": lambda rng, frame, reply: [reply[: rng.randrange(1, len(reply))]],
    "flipped": _flipped,
    "burst": _burst,
    "wrong unit": lambda rng, frame, reply: [sealed(bytes((rng.choice([9, reply[0] ^ 3]),)) + reply[1:-2])],
    "wrong function": lambda rng, frame, reply: [
        sealed(reply[:1] + bytes((rng.choice([1, 2, 4, 16, 0x84]),)) + reply[2:-2])
    ],
    "shorter": lambda rng, frame, reply: _resized(reply, lambda words: words[:-2]),
    "longer": lambda rng, frame, reply: _resized(reply, lambda words: words + b"\x00\x07"),
    "wrong echo": lambda rng, frame, reply: [reply] if reply[1] == 6 else [],
    "late": lambda rng, frame, reply: [reply],
    "echo": lambda rng, frame, reply: [frame + reply],
    "twice": lambda rng, frame, reply: [reply, reply],
    "split": _split,
    "refused": lambda rng, frame, reply: [refusal(frame[0], frame[1], rng.choice([1, 2, 3, 4, 6]))],
}
FAULTS = (*SPOILT, "another's")  # what somebody else was told before


def twins() -> Profile:
    tables = tomli.loads((FOLDER / "abb-b23.toml").read_text())
    del tables["identify"]
    tables["block"] = [
        {"name": name, "fc": 3, "start": start, "count": 6, "period_ms": 50, "priority": 3}
        for name, start in BLOCKS.items()
    ]
    point = {"addr": BLOCKS["power"], "type": "u32", "scale": 1, "unit": "W"}
    tables["point"] = [{"name": "power", "role": "meter.power", "block": "power", **point}]
    tables["point"] += [
        {"name": name, "block": name, "addr": BLOCKS[name], "type": "u32"} for name in ("frequency", "energy")
    ]
    return parse_profile(tables, "twins.toml")


@dataclass
class Stream:
    """What was sent, what was done to the answers, what was believed; `wrong` should stay empty."""

    sent_count: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    believed_count: int = 0
    wrong: list[str] = field(default_factory=list)


class BadLine:
    """Implements edge.field.line.port.Port: a meter of twins (1) and a PCS (2), who answer in order and often badly."""

    name = "bad"

    def __init__(self, rng: Random, chance: float, loop: VirtualLoop, result: Stream) -> None:
        self._rng, self._chance, self._loop, self._result = rng, chance, loop, result
        self.registers = {PCS_SET: 0, TIMER: 5}
        self._free_s = {1: 0.0, 2: 0.0}  # when a device has answered all it was asked
        self._last = b""
        self._on_bytes: object = None

    def open(self, on_bytes: object) -> None:
        self._on_bytes = on_bytes

    def close(self) -> None:
        self._on_bytes = None

    def write(self, frame: bytes) -> None:
        self._result.sent_count += 1
        now_s, rng = self._loop.time(), self._rng
        address, before = frame[0], dict(self.registers)
        reply = self._answer(frame, int(now_s * 1000 + 1e-6))
        latency_s = 0.004
        if rng.random() < self._chance:
            fault = rng.choice(FAULTS)
            self._result.faults[fault] += 1
            if fault == "late":
                latency_s = rng.choice([0.1, 0.19, 0.21, 0.3, 0.5, 0.9, 1.7])
            if fault == "wrong echo" and frame[1] == 6:  # it takes nothing and says what it has
                self.registers = before
                reply = sealed(frame[:4] + before[int.from_bytes(frame[2:4], "big")].to_bytes(2, "big"))
            if fault == "wrong unit" and now_s < self._free_s[address]:
                # Late as well. In the name of one that is on the line it could be the very answer that one is asked for
                # then, which no receiver can tell; so it comes in the name of one that is not.
                pieces = [sealed(b"\x09" + reply[1:-2])]
            elif fault == "another's" and self._last[:3] == reply[:3]:
                pieces = []  # it would be right, but for its time: that is what "late" is for
            else:
                pieces = SPOILT[fault](rng, frame, reply) if fault in SPOILT else [self._last]
        else:
            pieces = [reply]
        at_s = self._free_s[address] = max(now_s, self._free_s[address]) + latency_s
        if pieces and pieces[0] is not reply and pieces[0] is self._last:
            at_s = now_s + latency_s  # a frame of somebody else's is on the line now or never: no device keeps one
        for piece in pieces:
            if piece:
                self._loop.call_at(at_s, self._deliver, piece)
                at_s += 0.0005
        self._last = reply

    def _deliver(self, data: bytes) -> None:
        if self._on_bytes is not None:
            self._on_bytes(data)

    def _answer(self, frame: bytes, mono_ms: int) -> bytes:
        address, fc, start, count = struct.unpack(">BBHH", frame[:6])
        if fc == 6:
            self.registers[start] = count
            return frame
        if address == 1:
            number = next((n for n, s in enumerate(BLOCKS.values(), 1) if s == start), 9)
            words = struct.pack(">I", number * CODE + mono_ms) * ((count + 1) // 2)
        else:
            words = b"".join(self.registers.get(start + n, start + n).to_bytes(2, "big") for n in range(count))
        return sealed(bytes((address, fc, 2 * count)) + words[: 2 * count])


class _Judge:
    """Looks at every reading, and at every echo that was believed."""

    def __init__(self, result: Stream, line: BadLine, pcs: BusDevice) -> None:
        self._result, self._line, self._pcs = result, line, pcs

    def note(self, reading: Reading) -> None:
        self._result.believed_count += 1
        if reading.device == "poc":
            self._check_meter(reading)
        elif reading.block == "fast":
            sent = self._line.registers[PCS_SET]
            set_w = 100 * (sent - 65_536 if sent > 32_767 else sent)
            if reading.values[0] != 1_220 or reading.values[3] != 142 or reading.values[2] != set_w:
                self._result.wrong.append(f"{reading}, setpoint {set_w}")
        elif reading.block == "energy" and reading.values[0] != ((144 << 16) + 145) * 100:
            self._result.wrong.append(f"{reading}")
        box = self._pcs.boxes["power_set"]
        if box.sent_raw is not None and box.sent_raw & 0xFFFF != self._line.registers[PCS_SET]:
            self._result.wrong.append(f"{box.sent_raw} counts as echoed, the PCS has {self._line.registers[PCS_SET]}")

    def _check_meter(self, reading: Reading) -> None:
        value = reading.values[0] or 0
        number, mono_ms = divmod(value, CODE)
        if list(BLOCKS)[number - 1 : number] != [reading.block] or mono_ms != reading.taken_mono_ms:
            self._result.wrong.append(f"{reading}: of block {number} at {mono_ms} ms")


def stream(seed: int, transactions: int, chance: float = 0.15) -> Stream:
    """At least so many transactions, of which `chance` are answered badly."""

    async def main(loop: VirtualLoop, clock: VirtualClock) -> Stream:
        result, rng = Stream(), Random(seed)
        line = BadLine(rng, chance, loop, result)
        pcs_settings = options.Device(name="pcs", profile="x", port="bad", address=2, use="pcs", watchdog_s=5)
        poc_settings = options.Device(name="poc", profile="x", port="bad", address=1, use="poc")
        devices = [BusDevice(poc_settings, twins()), BusDevice(pcs_settings, load_profile("sinexcel-pcs-30"))]
        port = options.Port(name="bad", path="/dev/none", baud=115_200, gap_ms=2)
        judge = _Judge(result, line, devices[1])
        bus = Bus(0, port, line, devices, clock, judge.note, lambda *_: True)
        task = asyncio.create_task(bus.run())
        while result.sent_count < transactions and not result.wrong:
            bus.set_value("pcs", "power_set", rng.randrange(-30_000, 30_000))
            await asyncio.sleep(0.37)
            assert not task.done()
        task.cancel()
        return result

    return run_virtual(main)
