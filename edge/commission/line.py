"""One RS-485 line in the hand of a technician: one question at a time, reads only, and an ear for who else speaks.

For a line that no controller runs: scan, `edge read`, `edge check --live`. Nothing but reads leaves it, whoever asks.
Times are the loop's, so it runs in virtual time as well.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from edge.config import options
from edge.errors import EdgeError
from edge.field.line.port import Port
from edge.field.line.rtu import BUFFER_MAX_BYTES, Answer, Expect, crc16
from edge.field.line.timing import chars_us, silence_us
from edge.model import Outcome

SCAN_FUNCTIONS = (3, 4)  # a device of which nothing is known is asked for registers only
READ_FUNCTIONS = (1, 2, 3, 4)
CONNECT_MAX_S, CONNECT_LOOK_S = 4.0, 0.05  # over TCP: a little longer than the port itself tries
TTY_HINT = "is it the right path, may you use it, and is the edge service or another program on it?"
TTY_PATTERNS = (
    "edge/*",
    "serial/by-id/*",
    "ttyUSB*",
    "ttyACM*",
    "ttyAMA*",
)  # ours by name, adapters, UARTs of a gateway
TCP_HINT = "is it the right address, is Modbus TCP switched on, and does it take another client?"
GAP_S = 0.02  # after an answer, before the next question: what a shared bus of mixed makes needs


class LineFault(EdgeError):
    """The port cannot be opened, or is gone."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one question brought: the answer, when its last byte came, and every byte that came meanwhile."""

    answer: Answer
    latency_us: int = 0  # from the request handed to the driver to the whole answer; 0 without one
    data: bytes = b""
    stray: bytes = b""  # came before the question, when nobody was asked

    @property
    def is_answer(self) -> bool:
        """Data or a refusal: either way somebody is there."""
        return not isinstance(self.answer, Outcome)


def wire_s(settings: options.Port, expect: Expect) -> float:
    """Seconds that question and answer occupy the wire."""
    return (chars_us(settings, expect.wire_chars) + 2 * silence_us(settings)) / 1e6


class ReadLine:
    """Owns an open port. `open` in a running loop; `close` whatever happens."""

    def __init__(
        self, settings: options.Port, port: Port, gap_s: float = GAP_S, functions: tuple[int, ...] = SCAN_FUNCTIONS
    ) -> None:
        self.settings = settings
        self._is_tcp = is_tcp = settings.kind == "tcp"
        self._where = f"{settings.host}:{settings.tcp_port}" if is_tcp else settings.path
        self._hint = TCP_HINT if is_tcp else TTY_HINT
        self.sent_count = 0
        self._port, self._functions = port, functions
        self._gap_s = 0.0 if is_tcp else max(gap_s, silence_us(settings) / 1e6)
        self._expect: Expect | None = None
        self._come: asyncio.Future[Answer] | None = None
        self._buffer = bytearray()
        self._stray = bytearray()
        self._active_s = -1e9  # when something was last said or heard
        self._gone = False

    async def open(self) -> None:
        """Raises LineFault, which says what is in the way. A connection over TCP is waited for."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + (CONNECT_MAX_S if self.settings.kind == "tcp" else 0.0)
        while True:
            try:
                self._port.open(self._on_bytes)
                return
            except OSError as error:
                if loop.time() >= end_s:
                    raise LineFault(f"{error}: the line cannot be opened; {self._hint}{self._others()}") from error
            await asyncio.sleep(CONNECT_LOOK_S)

    def _others(self) -> str:
        """The lines that there are, when this one is not: a name mistyped, an adapter plugged in elsewhere."""
        if self._is_tcp or Path(self._where).exists():
            return ""
        there = [str(path) for pattern in TTY_PATTERNS for path in sorted(Path("/dev").glob(pattern))]
        return f" There are: {', '.join(there) or 'no serial adapters in /dev'}"

    def close(self) -> None:
        self._port.close()

    async def listen(self, seconds: float) -> bytes:
        """What is heard while nothing is said, the newest bytes of it."""
        await asyncio.sleep(seconds)
        return self._take_stray()

    async def ask(self, expect: Expect, turnaround_s: float) -> Heard:
        """One question. It waits for as long as the frames take on the wire, and `turnaround_s` for the device.

        Raises: ValueError for a request that is no read, LineFault when the port is gone.
        """
        if expect.request[1] not in self._functions:
            raise ValueError(f"function {expect.request[1]}: only reads go out here")
        loop = asyncio.get_running_loop()
        if self._gone and self._is_tcp:
            await self._begin_anew()
        await asyncio.sleep(max(0.0, self._active_s + self._gap_s - loop.time()))
        stray = self._take_stray()
        self._buffer.clear()
        self._expect, self._come = expect, loop.create_future()
        await self._send(expect.request)
        sent_s = loop.time()
        timer = loop.call_at(sent_s + wire_s(self.settings, expect) + turnaround_s, self._settle, None)
        try:
            answer = await self._come
        finally:
            timer.cancel()
            self._expect = None
        latency_us = 0 if isinstance(answer, Outcome) else round((loop.time() - sent_s) * 1e6)
        return Heard(answer, latency_us, bytes(self._buffer), stray)

    async def _send(self, request: bytes) -> None:
        self.sent_count += 1
        self._active_s = asyncio.get_running_loop().time()
        try:
            self._port.write(request)
        except OSError as error:
            if not self._is_tcp:
                raise LineFault(f"{self._where}: {error}") from error
            await self._begin_anew()  # a connection on which nobody answered twice is given up by the port
            self._port.write(request)

    async def _begin_anew(self) -> None:
        self._port.close()
        self._gone = False
        await self.open()

    def _settle(self, answer: Answer | None) -> None:
        if self._come is not None and not self._come.done() and self._expect is not None:
            self._come.set_result(self._expect.verdict(self._buffer) if answer is None else answer)

    def _on_bytes(self, data: bytes) -> None:
        self._active_s = asyncio.get_running_loop().time()
        if not data:
            self._gone = True
            if self._is_tcp:
                self._settle(Outcome.PORT)
            elif self._come is not None and not self._come.done():
                self._come.set_exception(LineFault(f"{self._where}: the port is gone; is it plugged in?"))
            return
        kept = self._stray if self._expect is None else self._buffer
        kept += data
        del kept[:-BUFFER_MAX_BYTES]
        if self._expect is not None:
            answer = self._expect.match(self._buffer)
            if answer is not None:
                self._settle(answer)

    def _take_stray(self) -> bytes:
        if self._gone:
            raise LineFault(f"{self._where}: the port is gone; is it plugged in?")
        stray = bytes(self._stray)
        self._stray.clear()
        return stray


def right_frames(data: bytes) -> list[bytes]:
    """Every frame with a right CRC in what was heard, requests and answers alike, as they follow each other."""
    found, at = [], 0
    while at + 5 <= len(data):
        frame = next((data[at : at + size] for size in _sizes(data, at) if _is_right(data, at, size)), b"")
        if frame:
            found.append(frame)
        at += len(frame) or 1
    return found


def _is_right(data: bytes, at: int, size: int) -> bool:
    return at + size <= len(data) and not crc16(data[at : at + size])


def _sizes(data: bytes, at: int) -> tuple[int, ...]:
    """How long a frame that begins here may be."""
    fc = data[at + 1]
    if fc & 0x80:
        return (5,)
    if fc in (1, 2, 3, 4):
        return (8, 5 + data[at + 2])
    if fc in (15, 16):
        return (8, 9 + data[at + 6]) if at + 6 < len(data) else (8,)
    return (8,) if fc in (5, 6) else ()
