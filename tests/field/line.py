"""A line with scripted devices in virtual time: what a Port is to the bus, and what a slave may do wrong."""

import asyncio
import struct
from collections.abc import Callable

from edge.field.line.rtu import with_crc

Answer = list[tuple[float, bytes]]  # (delay in s, bytes)


class Register:
    """A device of plain registers at one address, with its own idea of a CRC's place: none, it uses with_crc."""

    def __init__(self, address: int) -> None:
        self.address = address
        self.registers: dict[int, int] = {0x8960: 0x4232, 0x8961: 0x3320}  # says "B23 " where that meter does
        self.writes: list[tuple[int, int]] = []
        self.deaf_to: set[int] = set()  # registers it echoes but does not take

    def answer(self, frame: bytes) -> bytes | None:
        address, fc, start, value = struct.unpack(">BBHH", frame[:6])
        if address != self.address:
            return None
        if fc in (3, 4):
            words = [self.registers.get(start + i, 0) for i in range(value)]
            return with_crc(struct.pack(f">BBB{value}H", address, fc, 2 * value, *words))
        self.writes.append((start, value))
        if start not in self.deaf_to:
            self.registers[start] = value
        return frame


class Line:
    """Implements edge.field.line.port.Port; `spoil(request, reply)` may turn a reply into any bytes at any times."""

    def __init__(self, *devices: Register) -> None:
        self.name = "line"
        self._devices = devices
        self.requests: list[tuple[float, bytes]] = []
        self.spoil: Callable[[bytes, bytes], Answer] = lambda request, reply: [(0.005, reply)]
        self.gone = False
        self._on_bytes: Callable[[bytes], None] | None = None

    def open(self, on_bytes: Callable[[bytes], None]) -> None:
        if self.gone:
            raise OSError("no such line")
        self._on_bytes = on_bytes

    def write(self, frame: bytes) -> None:
        if self.gone:
            raise OSError("the line was cut")
        loop = asyncio.get_running_loop()
        self.requests.append((loop.time(), frame))
        for device in self._devices:
            reply = device.answer(frame)
            if reply is not None:
                for delay_s, data in self.spoil(frame, reply):
                    loop.call_later(delay_s, self._deliver, data)

    def _deliver(self, data: bytes) -> None:
        if self._on_bytes is not None:
            self._on_bytes(data)

    def close(self) -> None:
        self._on_bytes = None
