"""A disk whose every sync takes seconds, under the uplink as it runs: live samples leave in time all the same."""

import os
import threading
import time
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.config.reader import load_config
from edge.control.kernel import Kernel
from edge.control.settings import config_struct
from edge.model import AuditEntry, SiteFlows
from edge.store.db.database import Database
from edge.uplink import Uplink, open_trace
from hil.demo.site import demo_tables, example_config, render
from tests.cloud.broker import wait_until
from tests.cloud.scripted import ScriptedBroker

pytestmark = pytest.mark.hil

SYNC_S, SECONDS, LATE_MAX_S = 4.0, 14, 1.0


def test_live_samples_do_not_wait_for_a_disk_that_syncs_slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = ScriptedBroker(receive_max=20, puback=0, hold=True)
    paths = {one.name: str(tmp_path / f"tty-{one.name}") for one in example_config().port}
    tables = demo_tables(tmp_path, paths, broker.port, {"kind": "none"})
    tables["store"] |= {"path": str(tmp_path / "store"), "sync_ms": 1_000}
    file = tmp_path / "site.toml"
    file.write_text(render(tables))
    config, clock = load_config(file), SystemClock()
    uplink = Uplink(config, clock)
    uplink.trace = open_trace(config, Kernel(config_struct(config)))
    uplink.step()
    slow_by, fdatasync, run = list[str](), os.fdatasync, Database.run

    def slow_sync(fd: int) -> None:
        slow_by.append(threading.current_thread().name)
        time.sleep(SYNC_S)
        fdatasync(fd)

    def slow_commit(self: Database, *args: object, **more: object) -> bool:
        slow_by.append(threading.current_thread().name)
        time.sleep(SYNC_S)
        return run(self, *args, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(os, "fdatasync", slow_sync)
    monkeypatch.setattr(Database, "run", slow_commit)
    ended = threading.Event()
    thread = threading.Thread(target=uplink.run, args=(ended,), name="uplink")
    thread.start()
    assert wait_until(lambda: uplink.status().connected, 5)
    late_s = list[float]()
    for index in range(SECONDS):
        mono_ms, wall_ms = clock.mono_ms(), clock.wall_ms()
        uplink.note_audit(AuditEntry(mono_ms, wall_ms, "test", "row", str(index)))
        uplink.note_flows(
            SiteFlows(mono_ms, wall_ms, 5_000, 4_000, 0, -1_000, 5_000, 0, 5, 0, 0, 0, 3_300, 3_310, 250, 9, 0)
        )
        noted_s, count = time.monotonic(), index + 1
        arrived = wait_until(lambda count=count: live_count(broker) >= count, 10)  # type: ignore[misc]  # bound now
        late_s.append(time.monotonic() - noted_s if arrived else 99.0)
        time.sleep(max(0.0, noted_s + 1 - time.monotonic()))
    monkeypatch.undo()
    ended.set()
    thread.join(30)
    assert max(late_s) < LATE_MAX_S, late_s
    assert slow_by.count("telemetry") > 1 and slow_by.count("logbook") > 1
    assert slow_by.count("uplink") <= 1, (
        "the epoch of the events, once in the life of a store: before the first one leaves"
    )
    broker.close()


def live_count(broker: ScriptedBroker) -> int:
    return sum(len(batch.samples) for lane, batch in list(broker.batches) if not batch.historical)
