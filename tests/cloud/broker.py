"""A broker for tests: a real mosquitto (or amqtt) on a random loopback port. One that misbehaves is in scripted.py.

Reusable by others: `with running(folder) as broker: ... broker.kill(); broker.start()`.
"""

import contextlib
import signal
import socket
import subprocess
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
