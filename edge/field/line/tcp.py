"""Modbus TCP as one more port of the bus: the same requests and the same strict answers, in another envelope.

The bus writes RTU frames and reads RTU frames; here the address and the body travel behind the seven bytes of MBAP, which
pymodbus's framer puts on and takes off. What it lets pass is judged here. An answer counts only with the transaction
number of the request that is waited for, its unit and its function. One that answers a request given up is late and is
dropped; anything else that does not fit means that the stream cannot be trusted: the connection is ended, and begun anew.
Connecting never waits: `open` fails at once while it is under way, and the bus asks again.
"""

import asyncio
import secrets
from collections.abc import Iterator

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU

from edge.config import options
from edge.field.line.port import OnBytes
from edge.field.line.rtu import with_crc

CONNECT_MAX_S = 3.0
BACKOFF_S, BACKOFF_MAX_S = 0.5, 5.0  # between attempts, the first at once: what control needs must come back quickly
UNANSWERED_MAX = 2  # requests in a row without a byte: the other end is gone without a word (half open)
HEAD_BYTES = 6  # transaction, protocol, length; the unit belongs to what the length counts
LENGTH_MIN, LENGTH_MAX = 3, 254  # unit, function and a byte; unit and the longest body
LATE_MAX = 64  # requests given up whose answers may still come


class StreamFault(Exception):
    """What came is no answer to anything that was asked: nothing behind it can be trusted either."""


class Stream:
    """The bytes of one connection, both ways; no I/O. One request is waited for at a time, the newest.

    `number` is where the one before it ended: a gateway may bring to a new connection what was asked on the old one.
    """

    def __init__(self, number: int = 0) -> None:
        self._framer = FramerSocket(DecodePDU(False))
        self.number = number  # of the newest transaction
        self._wanted: bytes | None = None  # unit and function of the request that is waited for
        self._given_up: dict[int, bytes] = {}  # transaction -> unit and function
        self._received = bytearray()
        self.late_count = 0

    def request(self, frame: bytes) -> bytes:
        """The envelope for one RTU request. Whatever was waited for before is given up."""
        if self._wanted is not None:
            self._given_up[self.number] = self._wanted
            if len(self._given_up) > LATE_MAX:
                del self._given_up[next(iter(self._given_up))]
        self.number = self.number % 0xFFFF + 1  # 1..65535: a framer may take 0 for "any"
        self._wanted = frame[:2]
        self._given_up.pop(self.number, None)
        envelope: bytes = self._framer.encode(frame[1:-2], frame[0], self.number)
        return envelope

    def receive(self, data: bytes) -> Iterator[bytes]:
        """RTU frames of the answers that are in, at most one of them wanted. Raises StreamFault at the first wrong byte."""
        self._received += data
        while self._is_whole():
            used, unit, number, body = self._framer.decode(bytes(self._received))
            del self._received[:used]
            if self._wanted is not None and number == self.number:
                self._judge(self._wanted, unit, body)
                self._wanted = None
                yield with_crc(bytes((unit,)) + body)
            elif number in self._given_up:
                self._judge(self._given_up.pop(number), unit, body)
                self.late_count += 1
            else:
                raise StreamFault(f"an answer to transaction {number}, which nobody asked")

    def _is_whole(self) -> bool:
        """Is a whole envelope here? Its head is judged as soon as it is, so that no more than one is ever kept."""
        received = self._received
        if len(received) >= 4 and received[2:4] != b"\0\0":
            raise StreamFault(f"protocol {received[2] << 8 | received[3]}: not Modbus")
        if len(received) < HEAD_BYTES:
            return False
        length = received[4] << 8 | received[5]
        if not LENGTH_MIN <= length <= LENGTH_MAX:
            raise StreamFault(f"an answer of {length} bytes: {LENGTH_MIN}..{LENGTH_MAX} are possible")
        return len(received) >= HEAD_BYTES + length

    @staticmethod
    def _judge(wanted: bytes, unit: int, body: bytes) -> None:
        if unit != wanted[0] or body[0] & 0x7F != wanted[1]:
            asked = f"unit {wanted[0]}, function {wanted[1]}"
            raise StreamFault(f"unit {unit}, function {body[0]} answers {asked}")


class _Link(asyncio.Protocol):
    """One connection; tells its port what happens to it, as long as the port still wants to know."""

    def __init__(self, port: "TcpPort") -> None:
        self._port = port
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._port.note_data(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.note_lost(self)


class TcpPort:
    """A Modbus TCP server, or a gateway with several units behind it, as the bus sees a port."""

    def __init__(self, settings: options.Port) -> None:
        self.name = settings.name
        self.late_count = 0
        self.fault = ""  # why the connection was last ended
        self._where = f"{settings.host}:{settings.tcp_port}"
        self._host, self._tcp_port = settings.host, settings.tcp_port
        self._attempt: asyncio.Task[_Link] | None = None
        self._next_s = 0.0  # not tried again before this
        self._failed_count = 0
        self._link: _Link | None = None  # the connection in use
        self._stream = Stream(secrets.randbelow(0xFFFF))
        self._on_bytes: OnBytes | None = None
        self._unanswered_count = 0

    # ---- what the bus calls

    def open(self, on_bytes: OnBytes) -> None:
        """Takes the connection if there is one, else sees to it that one is tried. Raises OSError while there is none."""
        attempt, now_s = self._attempt, asyncio.get_running_loop().time()
        if attempt is None:
            if now_s < self._next_s:
                raise OSError(self._no_connection())
            self._attempt = asyncio.create_task(self._connect(), name=f"connect {self._where}")
            raise OSError(self._no_connection())
        if not attempt.done() or attempt.cancelled():
            raise OSError(self._no_connection())
        self._attempt = None
        error = attempt.exception()
        if error is not None:
            self._note_failed(str(error) or "no answer to the call", now_s)
            raise OSError(self._no_connection()) from error
        link = attempt.result()
        if link.transport is None or link.transport.is_closing():
            self._note_failed("it was closed at once", now_s)
            raise OSError(self._no_connection())
        self._link, self._stream, self._on_bytes = link, Stream(self._stream.number), on_bytes
        self._unanswered_count = 0

    def write(self, frame: bytes) -> None:
        """Sends a request. Raises OSError when the connection is gone, or as good as gone."""
        link = self._link
        if link is None or link.transport is None or link.transport.is_closing():
            raise OSError(f"{self._where}: the connection is closed")
        if self._unanswered_count >= UNANSWERED_MAX or link.transport.get_write_buffer_size():
            raise OSError(
                f"{self._where}: no word after {self._unanswered_count} requests: the connection is begun anew"
            )
        self._unanswered_count += 1
        link.transport.write(self._stream.request(frame))

    def close(self) -> None:
        link, self._link, self._on_bytes = self._link, None, None
        if link is not None and link.transport is not None:
            link.transport.abort()
        if self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None

    # ---- what the connection tells

    def note_data(self, link: _Link, data: bytes) -> None:
        if link is not self._link or self._on_bytes is None:
            return
        self._unanswered_count = 0
        try:
            for frame in self._stream.receive(data):
                self._failed_count = 0
                self._on_bytes(frame)
        except StreamFault as fault:
            self._end(str(fault))
        self.late_count += self._stream.late_count
        self._stream.late_count = 0

    def note_lost(self, link: _Link) -> None:
        if link is self._link:
            self._end("the other end closed the connection")

    # ---- connecting

    async def _connect(self) -> _Link:
        async with asyncio.timeout(CONNECT_MAX_S):
            loop = asyncio.get_running_loop()
            _, link = await loop.create_connection(lambda: _Link(self), self._host, self._tcp_port)
            return link

    def _note_failed(self, fault: str, now_s: float) -> None:
        self.fault = fault
        patience_s = BACKOFF_S * 2 ** min(self._failed_count - 1, 8) if self._failed_count else 0.0
        self._next_s = now_s + min(patience_s, BACKOFF_MAX_S)
        self._failed_count += 1

    def _no_connection(self) -> str:
        return f"{self._where}: {self.fault or 'connecting'}"

    def _end(self, fault: str) -> None:
        """The bus hears that the port is gone, closes it, and opens it again."""
        self._note_failed(fault, asyncio.get_running_loop().time())
        if self._on_bytes is not None:
            self._on_bytes(b"")
