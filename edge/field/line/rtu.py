"""The strict RTU transaction, without any I/O: request frames out, bytes in, one verdict out.

Rules. A reply counts only if its CRC is right and its address, function and byte count (for writes: the whole echo) are
those of the request. A right frame may be found after noise, after the echo of our own request, or glued to another's;
but not behind a frame of the same device that answers something else: that one is late, and so may this one be.
Whatever else arrives is classified when the time is over: CRC (bytes but no frame) or MISMATCH (a frame, but not ours).
A broadcast (unit 0) has no answer, so nobody knows who has heard it: no setpoint is ever sent that way.
Who waits how long, and what is sent next, is the bus's business.
"""

import struct

from edge._kernel import lib
from edge.model import Outcome

FRAME_MAX_BYTES = 256
BUFFER_MAX_BYTES = 600  # more than two frames is noise; only the newest bytes can still hold an answer
_EXCEPTION_BYTES = 5
MIRRORED = (5, 6)  # functions whose answer is their request, bit by bit: an echo of the line looks just the same

BROADCAST_S = 0.1  # what all devices need to obey one (Modbus over Serial Line V1.02, 2.4.1: 100 to 200 ms)

Answer = bytes | int | Outcome  # the payload, an exception code, or how it failed


_crc = lib.tw_crc16


def crc16(frame: bytes) -> int:
    """CRC-16/MODBUS of the bytes, computed in C."""
    return int(_crc(frame, len(frame)))


def with_crc(body: bytes) -> bytes:
    """The frame: body and its CRC, low byte first."""
    return body + crc16(body).to_bytes(2, "little")


def read_request(address: int, fc: int, start: int, count: int) -> bytes:
    """Frame of FC3 or FC4 for `count` registers (FC1, FC2: bits) from wire address `start`."""
    return with_crc(struct.pack(">BBHH", address, fc, start, count))


def write_request(address: int, fc: int, start: int, registers: tuple[int, ...]) -> bytes:
    """Frame of FC6 (one register), FC16, FC5 (one coil, 0xFF00 or 0) or FC15 (one coil, 1 or 0)."""
    if fc in (5, 6):
        return with_crc(struct.pack(">BBHH", address, fc, start, registers[0]))
    if fc == 15:
        return with_crc(struct.pack(">BBHHBB", address, 15, start, 1, 1, registers[0]))
    count = len(registers)
    return with_crc(struct.pack(f">BBHHB{count}H", address, 16, start, count, 2 * count, *registers))


class Expect:
    """What the answer to one request must look like; reusable for every repetition of that request."""

    __slots__ = (
        "_body_bytes", "_exception_head", "_head", "_raw", "is_mirrored", "request", "size_bytes", "turnaround_s",
        "wire_chars",
    )  # fmt: skip

    def __init__(self, request: bytes, raw: int | None = None) -> None:
        """`raw`: the number that a write of the profile puts into its registers; only the profile knows its sign."""
        self.request = request
        self._raw = raw
        self.turnaround_s: float | None = None  # what is waited for when no answer is expected
        address, fc = request[0], request[1]
        self.is_mirrored = fc in MIRRORED
        self._exception_head = bytes((address, fc | 0x80))
        if fc in (1, 2, 3, 4):
            count = request[4] << 8 | request[5]
            data_bytes = 2 * count if fc > 2 else (count + 7) // 8
            self._head = bytes((address, fc, data_bytes))
            self._body_bytes = 3
            self.size_bytes = 5 + data_bytes
        else:  # a write echoes address and value (FC6) or address and count (FC16)
            self._head = request[:6]
            self._body_bytes = 2
            self.size_bytes = 8
        self.wire_chars = len(request) + self.size_bytes  # of the whole transaction

    @property
    def register_count(self) -> int:
        """Registers or bits that it is about."""
        return 1 if self.request[1] in (5, 6) else int.from_bytes(self.request[4:6], "big")

    @property
    def write(self) -> tuple[int, int, int, int, int] | None:
        """(address, function, register, count, number) of a write, as the gate is asked; None for a read.

        The number is the one it was made with, else that of its registers, without a sign.
        """
        address, fc = self.request[:2]
        if fc in (1, 2, 3, 4):
            return None
        values = self.request[4:6] if fc in (5, 6) else self.request[7:-2]
        raw = int.from_bytes(values, "big") if self._raw is None else self._raw
        return address, fc, int.from_bytes(self.request[2:4], "big"), self.register_count, raw

    def match(self, received: bytes | bytearray) -> bytes | int | None:
        """The payload when a right answer is in `received`, the exception code of a right refusal, or None so far."""
        size = self.size_bytes
        if len(received) == size and received.startswith(self._head):
            frame = bytes(received)
            if not _crc(frame, size):  # its CRC included, the CRC of a right frame is 0
                return frame[self._body_bytes : -2]
        return self._search(received)

    def _search(self, received: bytes | bytearray) -> bytes | int | None:
        at, size = self._find(received, self._head, self.size_bytes), self.size_bytes
        if at < 0:
            at, size = self._find(received, self._exception_head, _EXCEPTION_BYTES), _EXCEPTION_BYTES
        if at < 0 or _holds_a_frame(received[:at], self.request, self.request[0]):
            return None  # a device that answers an older question first is not believed in what follows
        frame = bytes(received[at : at + size])
        return frame[2] if frame[1] & 0x80 else frame[self._body_bytes : -2]

    def _find(self, received: bytes | bytearray, head: bytes, size: int) -> int:
        """Where a right frame with this head begins, or -1. An FC6 answer cannot be told from a line echo."""
        at = received.find(head)
        while at >= 0:
            frame = bytes(received[at : at + size])
            if len(frame) == size and not crc16(frame):
                return at
            at = received.find(head, at + 1)
        return -1

    def length_of(self, answer: bytes | int) -> int:
        """Bytes of the frame that held this answer."""
        return self.size_bytes if isinstance(answer, bytes) else _EXCEPTION_BYTES

    def beyond_echo(self, received: bytes) -> bytes:
        """What comes behind our own request, where the adapter hands that back too."""
        at = received.find(self.request)
        return received if at < 0 else received[at + len(self.request) :]

    def verdict(self, received: bytes | bytearray) -> Answer:
        """What it was, when the time is over and nothing matched."""
        if not received:
            return Outcome.TIMEOUT
        return Outcome.MISMATCH if _holds_a_frame(received, self.request) else Outcome.CRC


class Broadcast(Expect):
    """A write to all devices of a line. Nobody answers; when they have had time to obey, that is all that is known."""

    __slots__ = ()

    def __init__(self, request: bytes) -> None:
        super().__init__(request)
        if request[0] != 0 or self.write is None:
            raise ValueError("only a write to unit 0 is a broadcast")
        self.size_bytes, self.wire_chars, self.turnaround_s = 0, len(request), BROADCAST_S

    def match(self, received: bytes | bytearray) -> None:
        """Whoever answers is not believed."""

    def verdict(self, received: bytes | bytearray) -> bytes:
        return b""


def _holds_a_frame(received: bytes | bytearray, request: bytes, address: int | None = None) -> bool:
    """Is there any well-formed frame (of this address) that is not our own request? At most 600 starts, two lengths each."""
    data = bytes(received[-BUFFER_MAX_BYTES:])
    for at in range(len(data) - _EXCEPTION_BYTES + 1):
        if address is not None and data[at] != address:
            continue
        for size in _sizes(data, at):
            frame = data[at : at + size]
            if len(frame) == size and frame != request and not crc16(frame):
                return True
    return False


def _sizes(data: bytes, at: int) -> tuple[int, ...]:
    fc = data[at + 1]
    if fc & 0x80:
        return (_EXCEPTION_BYTES,)
    if fc in (1, 2, 3, 4):
        return (5 + data[at + 2],)
    return (8,) if fc in (5, 6, 15, 16) else ()
