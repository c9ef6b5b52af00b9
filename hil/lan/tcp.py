"""A Modbus TCP server in front of simulated slaves, with an envelope written apart from the driver's (none of pymodbus).

Each unit of the server is a slave that thinks it is on a line. `spoil` turns a right answer into whatever a bad device,
gateway or network would make of it: other bytes, late, in pieces, more than one, or the end of the connection.
"""

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

from hil.framing import sealed

Arrivals = Sequence[tuple[float, bytes | None]]  # (delay in s, bytes); None: the connection is reset
Spoil = Callable[[bytes, bytes], Arrivals]  # (request, answer), both with their envelopes
ENVELOPE_MAX_BYTES = 260


class Unit(Protocol):
    """What a slave must be: see hil.slave and hil.lan.sunspec."""

    address: int
    turnaround_s: float

    def receive(self, frame: bytes) -> bytes | None: ...


class TcpServer:
    """`await start()` in a running loop, then connect to `port`; `stop()`."""

    def __init__(
        self,
        units: Sequence[Unit],
        spoil: Spoil | None = None,
        before: Callable[[], None] = lambda: None,
        host: str = "127.0.0.1",
    ) -> None:
        self.units = {unit.address: unit for unit in units}
        self.spoil, self._before, self._host = spoil, before, host
        self.port = 0
        self.request_count = 0
        self.connection_count = 0
        self.is_deaf = False  # takes connections and bytes, and says nothing: half open, as the other side sees it
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def start(self, port: int = 0) -> None:
        """Listens; 0 lets the system choose the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), self._host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Listens no more and resets every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    def reset(self) -> None:
        """Every connection ends without a word of farewell."""
        for connection in tuple(self._connections):
            connection.abort()

    def answer(self, envelope: bytes) -> tuple[float, bytes] | None:
        """(delay in s, answer) to one request, or None when no such unit is here."""
        self.request_count += 1
        self._before()
        unit = self.units.get(envelope[6])
        reply = unit.receive(sealed(envelope[6:])) if unit is not None else None
        if unit is None or reply is None:
            return None
        body = reply[:-2]
        return unit.turnaround_s, envelope[:4] + struct.pack(">H", len(body)) + body

    def note(self, connection: "_Connection", is_there: bool) -> None:
        if is_there:
            self.connection_count += 1
            self._connections.add(connection)
        else:
            self._connections.discard(connection)


class _Connection(asyncio.Protocol):
    """One client of the server; its requests are answered in their order."""

    def __init__(self, server: TcpServer) -> None:
        self._server = server
        self._heard = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.note(self, True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.note(self, False)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while len(self._heard) >= 6:
            end = 6 + int.from_bytes(self._heard[4:6], "big")
            if self._heard[2:4] != b"\0\0" or not 8 <= end <= ENVELOPE_MAX_BYTES:
                self.abort()
                return
            if len(self._heard) < end:
                return
            envelope, self._heard = self._heard[:end], self._heard[end:]
            if not self._server.is_deaf:
                self._answer(envelope)

    def _answer(self, envelope: bytes) -> None:
        found = self._server.answer(envelope)
        if found is None:
            return
        delay_s, answer = found
        arrivals = [(0.0, answer)] if self._server.spoil is None else self._server.spoil(envelope, answer)
        for later_s, data in arrivals:
            asyncio.get_running_loop().call_later(delay_s + later_s, self._send, data)

    def _send(self, data: bytes | None) -> None:
        if data is None:
            self.abort()
        elif self._transport is not None:
            self._transport.write(data)
