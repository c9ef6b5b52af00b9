"""A gateway's uplink with journal, ring and the engine of its link, all real, for tests with a broker and an ingest."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.config.reader import load_config
from edge.model import AuditEntry
from edge.store.cursor import CursorFile
from edge.uplink import Uplink
from hil.demo.site import demo_tables, example_config, render
from tests.carbon.test_flow import flows
from tests.cloud.broker import Broker, wait_until
from tests.torture.site.oracle import read_ring

PERIOD_S = 0.1  # of samples; ten times as fast as on a site
DRAIN_S = 40.0


class Gateway:
    """An uplink as the controller runs it: stepped by one thread, its link in a thread of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder / "store"
        tables = demo_tables(folder, {one.name: str(folder / one.name) for one in example_config().port}, port, {})
        tables["signal"] = {"kind": "none"}
        tables["store"]["path"] = str(self.folder)
        tables["cloud"] |= {"reconnect_max_s": 0, "backfill_start_max_s": 0}
        (folder / "site.toml").write_text(render(tables))
        self._file, self._clock = folder / "site.toml", SystemClock()
        self.asked_count = 0
        self._due_s = time.monotonic()
        self.open()

    def open(self) -> None:
        self.uplink = Uplink(load_config(self._file), self._clock)
        assert self.uplink._link is not None
        self.uplink._link.start()

    def again(self) -> None:
        """Ends as told, and begins anew."""
        self.uplink.close()
        self.open()

    def step(self) -> None:
        if time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + PERIOD_S
            now = flows(1_000, 0, -1_000, 2_000, 5_000)
            self.uplink.note_flows(replace(now, mono_ms=self._clock.mono_ms(), wall_ms=self._clock.wall_ms()))
        self.rest()

    def rest(self) -> None:
        """A step without a new sample."""
        self.uplink.step()
        time.sleep(0.005)

    def drain(self) -> bool:
        return wait_until(self.all_acknowledged, DRAIN_S, self.rest)

    def ask(self) -> None:
        """Somebody asks for something: an event, of a kind of its own so that none is held back."""
        self.asked_count += 1
        now = (self._clock.mono_ms(), self._clock.wall_ms())
        self.uplink.note_audit(AuditEntry(*now, "console", f"test-{self.asked_count}", f"number {self.asked_count}"))

    def run(self, seconds: float) -> None:
        """For so long, with two events a second."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.ask()
            wait_until(lambda: False, min(0.5, end_s - time.monotonic()), self.step)

    def cursors(self) -> tuple[int, int]:
        """As the files say: all samples, and all events, up to these numbers are stored."""
        return tuple(CursorFile(self.folder / f"{name}.cursor").position.seq for name in ("telemetry", "events"))  # type: ignore[return-value]  # two

    def events(self) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/journal.db?mode=ro", uri=True)) as db:
            return db.execute("SELECT seq, mono_ms, level, name, text FROM events ORDER BY seq").fetchall()

    def samples(self) -> list[tuple[int, int]]:
        return sorted((seq, mono_ms) for (_, seq), (mono_ms, _) in read_ring(self.folder / "telemetry").items())

    def all_acknowledged(self) -> bool:
        sync, lane = self.uplink._sync, self.uplink._sync._events if self.uplink._sync else None
        assert sync is not None and lane is not None and self.uplink.logbook.journal is not None
        return sync.pending_count == 0 and lane.acked_seq == self.uplink.logbook.journal.events_seq

    @property
    def name(self) -> str:
        return f"{self.uplink._topics.tenant}/{self.uplink._topics.gateway}"


@pytest.fixture
def gateway(tmp_path: Path, broker: Broker) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path, broker.port)
    yield gateway
    gateway.uplink.close()
