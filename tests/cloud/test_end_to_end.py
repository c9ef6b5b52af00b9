"""The real controller, a real broker and the real ingest, with kill -9 for two of them: everything acknowledged, once.

The controller's ttys do not exist, so its devices are silent; its samples of each second are not.
"""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.broker import WHY_NONE, Broker
from tests.cloud.test_access import edge, site
from tests.cloud.test_sync import IngestProcess

pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]
LIMIT_S = 60.0  # a broker of MQTT 3.1.1 costs some seconds at each turn


class Controller:
    """`edge run` as a process, and what its console says of the cloud."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._log = (folder / "edge.log").open("wb")
        command = [sys.executable, "-m", "edge", "run", "-c", str(site(folder, port))]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def uplink(self) -> dict[str, Any]:
        done = edge("console", str(self._folder / "console.sock"), "show status --json")
        found: dict[str, Any] = json.loads(done.stdout)["data"]["uplink"] if done.returncode == 0 else {}
        return found

    def until(self, **wanted: int) -> dict[str, Any]:
        """Waits until each of these counts is reached."""
        end_s = time.monotonic() + LIMIT_S
        seen = self.uplink()
        while any(seen.get(name, -1) < count for name, count in wanted.items()):
            assert time.monotonic() < end_s, (wanted, seen, (self._folder / "edge.log").read_text())
            time.sleep(0.1)
            seen = self.uplink()
        return seen

    def until_all_acknowledged(self, least: int) -> int:
        """How many were stored at a look at which all of them were acknowledged."""
        end_s = time.monotonic() + LIMIT_S
        while True:
            seen = self.until(stored_count=least)
            if seen["acked_count"] == seen["stored_count"] and not seen["pending_count"]:
                return int(seen["stored_count"])
            assert time.monotonic() < end_s, (seen, (self._folder / "edge.log").read_text())

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(15)
        self._log.close()


def test_all_is_acknowledged_and_held_once_after_broker_and_ingest_were_killed(tmp_path: Path, broker: Broker) -> None:
    file = tmp_path / "fleet.db"
    ingest = IngestProcess(file, broker.port)
    controller = Controller(tmp_path, broker.port)
    try:
        controller.until(acked_count=3)
        broker.kill()
        stored = controller.until(stored_count=controller.uplink()["stored_count"] + 4)["stored_count"]
        assert controller.uplink()["acked_count"] < stored
        broker.start()
        controller.until(acked_count=stored)
        ingest.end(signal.SIGKILL)
        stored = controller.until(stored_count=controller.uplink()["stored_count"] + 4)["stored_count"]
        ingest.start()
        least = controller.until_all_acknowledged(stored)
    finally:
        controller.end()
        time.sleep(1.5)  # the ingest commits each second
        assert ingest.end() == 0
    with sqlite3.connect(file) as db:
        held = db.execute("SELECT epoch, seq FROM samples ORDER BY epoch, seq").fetchall()
    assert len({epoch for epoch, _ in held}) == 1 and len(held) >= least
    assert [seq for _, seq in held] == list(range(1, len(held) + 1)), "each number once, none missing"
