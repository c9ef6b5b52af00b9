"""The strict RTU transaction, without any I/O: request frames out, bytes in, one verdict out.

Rules. A reply counts only if its CRC is right and its address, function and byte count (for writes: the whole echo) are
those of the request. A right frame may be found after noise, after the echo of our own request, or glued to another.
Whatever else arrives is classified when the time is over: CRC (bytes but no frame) or MISMATCH (a frame, but not ours).
Who waits how long, and what is sent next, is the bus's business.
"""

import struct

from edge._kernel import lib
from edge.model import Outcome

FRAME_MAX_BYTES = 256
BUFFER_MAX_BYTES = 600  # more than two frames is noise; only the newest bytes can still hold an answer
_EXCEPTION_BYTES = 5

Answer = bytes | int | Outcome  # the payload, an exception code, or how it failed


_crc = lib.tw_crc16


def crc16(frame: bytes) -> int:
    """CRC-16/MODBUS of the bytes, computed in C."""
    return int(_crc(frame, len(frame)))


def with_crc(body: bytes) -> bytes:
    """The frame: body and its CRC, low byte first."""
    return body + crc16(body).to_bytes(2, "little")


def read_request(address: int, fc: int, start: int, count: int) -> bytes:
    """Frame of FC3 or FC4 for `count` registers from wire address `start`."""
    return with_crc(struct.pack(">BBHH", address, fc, start, count))


def write_request(address: int, fc: int, start: int, registers: tuple[int, ...]) -> bytes:
    """Frame of FC6 (one register) or FC16."""
    if fc == 6:
        return with_crc(struct.pack(">BBHH", address, 6, start, registers[0]))
    count = len(registers)
    return with_crc(struct.pack(f">BBHHB{count}H", address, 16, start, count, 2 * count, *registers))


class Expect:
    """What the answer to one request must look like; reusable for every repetition of that request."""

    __slots__ = ("_body_bytes", "_exception_head", "_head", "request", "size_bytes", "wire_chars")

    def __init__(self, request: bytes) -> None:
        self.request = request
        address, fc = request[0], request[1]
        self._exception_head = bytes((address, fc | 0x80))
        if fc in (3, 4):
            count = request[4] << 8 | request[5]
            self._head = bytes((address, fc, 2 * count))
            self._body_bytes = 3
            self.size_bytes = 5 + 2 * count
        else:  # a write echoes address and value (FC6) or address and count (FC16)
            self._head = request[:6]
            self._body_bytes = 2
            self.size_bytes = 8
        self.wire_chars = len(request) + self.size_bytes  # of the whole transaction

    def match(self, received: bytes | bytearray) -> bytes | int | None:
        """The payload when a right answer is in `received`, the exception code of a right refusal, or None so far."""
        size = self.size_bytes
        if len(received) == size and received.startswith(self._head):
            frame = bytes(received)
            if not _crc(frame, size):  # its CRC included, the CRC of a right frame is 0
                return frame[self._body_bytes : -2]
        return self._search(received)

    def _search(self, received: bytes | bytearray) -> bytes | int | None:
        found = self._find(received, self._head, self.size_bytes)
        if found is not None:
            return found[self._body_bytes : self.size_bytes - 2]
        refused = self._find(received, self._exception_head, _EXCEPTION_BYTES)
        return None if refused is None else refused[2]

    def _find(self, received: bytes | bytearray, head: bytes, size: int) -> bytes | None:
        """A right frame with this head. An FC6 answer cannot be told from a line echo: hence the read-back."""
        at = received.find(head)
        while at >= 0:
            frame = bytes(received[at : at + size])
            if len(frame) == size and not crc16(frame):
                return frame
            at = received.find(head, at + 1)
        return None

    def verdict(self, received: bytes | bytearray) -> Outcome:
        """What it was, when the time is over and nothing matched."""
        if not received:
            return Outcome.TIMEOUT
        return Outcome.MISMATCH if _holds_a_frame(received, self.request) else Outcome.CRC


def _holds_a_frame(received: bytes | bytearray, request: bytes) -> bool:
    """Is there any well-formed frame that is not our own request? Bounded: at most 600 starts, two lengths each."""
    data = bytes(received[-BUFFER_MAX_BYTES:])
    for at in range(len(data) - _EXCEPTION_BYTES + 1):
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
