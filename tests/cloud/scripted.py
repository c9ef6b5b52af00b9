"""A broker that misbehaves as told: speaks just enough MQTT 5 for that, on a loopback port, each connection in a thread.

With `hold` it is the ingest as well: it keeps the numbers of each batch and acks them as a whole, like the real one.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

from edge.cloud.codec import Ack, Batch, decode_batch, encode_ack
from edge.cloud.ranges import RangeSet
from edge.cloud.topics import parse

CUT = -1  # as the answer to a publish: close the connection instead
QUOTA_EXCEEDED_BY_CLIENT = 0x93  # Receive Maximum exceeded
Answer = Callable[[str, bytes], int | None]


@dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes
    qos: int
    retain: bool


class ScriptedBroker:
    """Grants `receive_max` and hangs up on who exceeds it; answers each publish with `puback`, or never (None)."""

    def __init__(
        self,
        *,
        receive_max: int = 5,
        puback: int | Answer | None = None,
        connack: bytes | None = None,
        cut_after_bytes: int | None = None,
        resets: bool = False,
        pongs: bool = True,
        nonsense: bytes = b"",
        hold: bool = False,
    ) -> None:
        """`cut_after_bytes`: of a connection; `resets`: accepts and resets; `nonsense`: sent after the first publish."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._receive_max = receive_max
        self.puback: int | Answer | None = puback
        self.connack: bytes = connack or bytes((0x20, 6, 0, 0, 3, 0x21, receive_max >> 8, receive_max & 255))
        self.connack_v5: bytes | None = None  # to MQTT 5 only; b"" hangs up
        self.cut_after_bytes, self.resets, self.pongs, self.nonsense = cut_after_bytes, resets, pongs, nonsense
        self.levels: list[int] = []  # protocol level of each CONNECT
        self.client_ids: list[str] = []
        self.published: list[bytes] = []
        self.messages: list[Message] = []
        self.batches: list[tuple[str, Batch]] = []  # lane and batch, with `hold`
        self.held: dict[int, RangeSet] = {}  # epoch: numbers, with `hold`
        self.acks = hold
        self._hold = hold
        self.connected_count = self.exceeded_count = self.ping_count = 0
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Ends each connection."""
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def send(self, topic: str, payload: bytes) -> None:
        """A message, QoS 0, to everybody."""
        name = topic.encode()
        body = len(name).to_bytes(2) + name + b"\0" + payload
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                sock.sendall(b"\x30" + _varint(len(body)) + body)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._server.accept()
                self.connected_count += 1
                if self.resets:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    sock.close()
                    continue
                self._sockets.append(sock)
                threading.Thread(target=_Session(self, sock).talk, daemon=True).start()

    # ---- told by a session

    def take(self, message: Message) -> int | None:
        """Keeps it; what to answer."""
        self.messages.append(message)
        code = self.puback(message.topic, message.payload) if callable(self.puback) else self.puback
        address = parse(message.topic)
        if self._hold and code == 0 and address and address.kind in ("tm", "bf"):
            batch = decode_batch(message.payload)
            self.batches.append((address.kind, batch))
            held = self.held.setdefault(batch.epoch, RangeSet())
            held.add(batch.seq0, batch.seq0 + len(batch.samples) - 1)
            if self.acks:
                self.send_ack(
                    message.topic.replace(f"/{address.kind}/{address.name}", "/ack"), address.name, batch.epoch
                )
        return code

    def send_ack(self, topic: str, stream: str, epoch: int, unsynced: tuple[tuple[int, int], ...] = ()) -> None:
        held = self.held.setdefault(epoch, RangeSet())
        first = held.around(1)
        newest = tuple(held)[-200:]
        self.send(topic, encode_ack(Ack(stream, epoch, first[1] if first else 0, newest, unsynced)))


class _Session:
    """One connection."""

    def __init__(self, broker: ScriptedBroker, sock: socket.socket) -> None:
        self._broker, self._sock = broker, sock
        self._taken_bytes, self._unacked_count, self._level = 0, 0, 5

    def talk(self) -> None:
        with contextlib.suppress(OSError, EOFError), self._sock:
            while True:
                kind = self._take(1)[0]
                size, shift = 0, 0
                while True:
                    byte = self._take(1)[0]
                    size |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                self._answer(kind, self._take(size))

    def _take(self, size: int) -> bytes:
        data = b""
        limit = self._broker.cut_after_bytes
        while len(data) < size:
            more = self._sock.recv(min(size - len(data), 4_096 if limit is None else max(1, limit - self._taken_bytes)))
            self._taken_bytes += len(more)
            if not more or (limit is not None and self._taken_bytes >= limit):
                raise EOFError
            data += more
        return data

    def _answer(self, kind: int, data: bytes) -> None:
        broker = self._broker
        match kind >> 4:
            case 1:
                self._connect(data)
            case 3:
                broker.published.append(data)
                self._publish(kind, data)
            case 8:
                codes = b"\0" if self._level >= 5 else b""
                self._sock.sendall(bytes((0x90, 3 + len(codes))) + data[:2] + codes + b"\0")
            case 12:
                broker.ping_count += 1
                if broker.pongs:
                    self._sock.sendall(b"\xd0\0")
            case 14:
                raise EOFError

    def _connect(self, data: bytes) -> None:
        broker, self._level = self._broker, data[6]
        broker.levels.append(self._level)
        at = 10 + (1 + data[10] if self._level >= 5 else 0)
        broker.client_ids.append(data[at + 2 : at + 2 + int.from_bytes(data[at : at + 2])].decode())
        answer = broker.connack if broker.connack_v5 is None or self._level < 5 else broker.connack_v5
        if not answer:
            raise EOFError
        self._sock.sendall(answer)

    def _publish(self, kind: int, data: bytes) -> None:
        broker, qos = self._broker, kind >> 1 & 3
        size = 2 + int.from_bytes(data[:2])
        mid = data[size : size + 2] if qos else b""
        at = size + len(mid) + (1 + data[size + len(mid)] if self._level >= 5 else 0)
        message = Message(data[2:size].decode(), data[at:], qos, bool(kind & 1))
        if qos:
            self._unacked_count += 1
            if self._level >= 5 and self._unacked_count > broker._receive_max:
                broker.exceeded_count += 1
                self._sock.sendall(bytes((0xE0, 2, QUOTA_EXCEEDED_BY_CLIENT, 0)))
                raise EOFError
        code = broker.take(message)
        if broker.nonsense:
            self._sock.sendall(broker.nonsense)
        if code == CUT:
            raise EOFError
        if qos and code is not None:
            self._unacked_count -= 1
            self._sock.sendall(bytes((0x40, 4)) + mid + bytes((code, 0)) if self._level >= 5 else b"\x40\x02" + mid)


def _varint(size: int) -> bytes:
    out = bytearray()
    while size >= 128:
        out.append(size & 127 | 128)
        size >>= 7
    out.append(size)
    return bytes(out)
