"""Brokers for tests: a real mosquitto (or amqtt) on a random loopback port, and a scripted one that misbehaves.

Reusable by others: `with running(folder) as broker: ... broker.kill(); broker.start()`.
"""

import contextlib
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.cloud.link import Link
from hil.demo.broker import BrokerProgram, broker_text, find_broker

WHY_NONE = "" if find_broker() else broker_text()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until(true: Callable[[], bool], limit_s: float, step: Callable[[], None] = lambda: time.sleep(0.02)) -> bool:
    """Calls `step` until `true()`; False when the limit is over."""
    end_s = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > end_s:
            return False
        step()
    return True


class Broker:
    """One broker process; keeps its port over a kill and a new start."""

    def __init__(self, folder: Path, program: BrokerProgram, extra: str = "") -> None:
        self.port = free_port()
        self._folder, self._program, self._extra = folder, program, extra
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        command = self._program.command(self._folder, self.port, self._extra.format(port=self.port))
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        assert wait_until(self._answers, 10), (self._folder / "broker.log").read_text()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
            return True
        return False

    def log(self) -> str:
        return (self._folder / "broker.log").read_text()

    def stop(self) -> None:
        """SIGTERM."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None


def socket_of(link: Link) -> socket.socket:
    """The socket that the link is connected by, for tests that cut it or look at it."""
    assert link._client is not None, "the link is not connected"
    return link._client.handed


@contextlib.contextmanager
def running(folder: Path, extra: str = "", name: str | None = None) -> Iterator[Broker]:
    """A broker for the length of a test, which is skipped where this machine has none.

    `extra`: a listener of its own, with {port} (mosquitto only).
    """
    program = find_broker("mosquitto" if extra else name)
    if program is None:
        pytest.skip(f"{name or 'mosquitto'} is not installed" if name or extra else WHY_NONE)
    broker = Broker(folder, program, extra)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


class ScriptedBroker:
    """Speaks just enough MQTT 5 to misbehave: grants `receive_max`, acks each publish with `puback` or never (None)."""

    def __init__(self, *, receive_max: int = 5, puback: int | None = None, connack: bytes | None = None) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._puback = puback
        self._connack = connack or bytes((0x20, 6, 0, 0, 3, 0x21, receive_max >> 8, receive_max & 255))
        self.connack_v5: bytes | None = None  # to MQTT 5 only; b"" hangs up
        self.levels: list[int] = []  # protocol level of each CONNECT
        self.published: list[bytes] = []
        self.connected_count = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._server.accept()
                self.connected_count += 1
                threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), sock:
            while True:
                self._answer(sock, *self._packet(sock))

    def _packet(self, sock: socket.socket) -> tuple[int, bytes]:
        kind, size, shift = self._take(sock, 1)[0], 0, 0
        while True:
            byte = self._take(sock, 1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return kind, self._take(sock, size)

    def _take(self, sock: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = sock.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _answer(self, sock: socket.socket, kind: int, data: bytes) -> None:
        match kind >> 4:
            case 1:
                self.levels.append(data[6])
                answer = self._connack if self.connack_v5 is None or data[6] < 5 else self.connack_v5
                if not answer:
                    raise EOFError
                sock.sendall(answer)
            case 3:
                self.published.append(data)
                size = int.from_bytes(data[:2])
                if self._puback is not None:
                    sock.sendall(bytes((0x40, 4)) + data[2 + size : 4 + size] + bytes((self._puback, 0)))
            case 8:
                sock.sendall(bytes((0x90, 4)) + data[:2] + b"\0\0")
            case 12:
                sock.sendall(b"\xd0\0")
