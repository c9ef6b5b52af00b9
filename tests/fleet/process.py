"""`edge-fleet ingest` as a process of a group of its own: whatever becomes of a test, nothing of it is left running."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cloud.broker import Broker


class Process:
    """The ingest, with its workers, and what it said."""

    def __init__(self, folder: Path, port: int, *words: str) -> None:
        self._log = folder / "ingest.log"
        self._command = [sys.executable, "-m", "edge.fleet", "ingest", "--port", str(port)]
        self._command += ["--retry-max-ms", "300", *words]
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stderr=log, start_new_session=True)

    def said(self) -> str:
        return self._log.read_text()

    def workers(self) -> list[int]:
        """Process ids of a crew's workers."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in found.split()]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def kill(self) -> None:
        """kill -9 of all of it; no harm when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that nobody has waited for has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path, broker: Broker) -> Iterator[Start]:
    """Starts an ingest at the broker with these words."""
    started: list[Process] = []

    def begin(*words: str) -> Process:
        started.append(Process(tmp_path, broker.port, *words))
        return started[-1]

    yield begin
    for one in started:
        one.kill()
