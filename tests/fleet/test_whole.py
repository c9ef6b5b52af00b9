"""A gateway's uplink with journal and ring, a broker and the ingest, all real: each sample and each event arrives once.

Broker and ingest are killed while it runs, and the gateway begins anew. At any moment what a cursor says is stored, is
in the database; and when all is acknowledged, the gateway is quiet.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from edge.clock import SystemClock
from edge.cloud.link import Link, LinkSettings
from edge.cloud.topics import events_filter, ingest_filters
from edge.config.reader import load_config
from edge.model import AuditEntry
from edge.store.cursor import CursorFile
from edge.uplink import Uplink
from hil.demo.site import demo_tables, example_config, render
from tests.carbon.test_flow import flows
from tests.cloud.broker import WHY_NONE, Broker, wait_until
from tests.fleet.cluster import Cluster
from tests.fleet.process import Start
from tests.torture.site.oracle import read_ring

pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]
PERIOD_S = 0.1  # of samples; ten times as fast as on a site
QUIET_S = 7.0  # what is not acknowledged is sent again after 5 s
DRAIN_S = 40.0

Ask = Callable[[str], list[tuple[object, ...]]]


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


@pytest.fixture(params=["sqlite", "postgres, two workers"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Ask, list[str]]:
    """A look into the database, and the words of its ingest."""
    if request.param == "sqlite":
        file = tmp_path / "fleet.db"

        def look(query: str) -> list[tuple[object, ...]]:
            with contextlib.closing(sqlite3.connect(file, timeout=10)) as db:
                return db.execute(query).fetchall()

        return look, ["--sqlite", str(file)]
    cluster: Cluster = request.getfixturevalue("cluster")
    dsn = cluster.dsn()

    def ask(query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(dsn) as db:
            return db.execute(query.encode()).fetchall()

    return ask, ["--postgres", dsn, "--workers", "2"]


@pytest.fixture
def gateway(tmp_path: Path, broker: Broker) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path, broker.port)
    yield gateway
    gateway.uplink.close()


def stored(ask: Ask, table: str) -> set[object]:
    return {row[0] for row in ask(f"SELECT seq FROM {table}")}


def test_each_sample_and_event_arrives_once_though_broker_and_ingest_are_killed(
    broker: Broker, start: Start, gateway: Gateway, book: tuple[Ask, list[str]]
) -> None:
    ask, words = book
    ingest = start(*words)

    def check() -> None:
        samples, events = gateway.cursors()
        assert set(range(1, samples + 1)) <= stored(ask, "samples")
        assert {row[0] for row in gateway.events() if int(str(row[0])) <= events} <= stored(ask, "events")

    gateway.run(2)
    assert gateway.drain(), ingest.said()
    for kill_broker, kill_ingest in ((True, False), (False, True), (True, True)):
        if kill_broker:
            broker.kill()
        if kill_ingest:
            ingest.kill()
        gateway.run(1.5)
        assert not gateway.all_acknowledged(), "nobody there could have acknowledged it"
        check()
        if kill_broker:
            broker.start()
            gateway.run(0.5)
        if kill_ingest:
            ingest.start()
        gateway.again()
        gateway.run(1.5)
    assert gateway.uplink.logbook.journal is not None and gateway.uplink.logbook.journal.flush()
    assert gateway.drain(), ingest.said()
    check()
    assert_all_is_there_once(ask, gateway)
    assert heard_in(broker, gateway, QUIET_S) == [], "what is acknowledged is not sent again"
    samples, events = gateway.cursors()
    assert events == gateway.events()[-1][0] and samples == gateway.samples()[-1][0]


def assert_all_is_there_once(ask: Ask, gateway: Gateway) -> None:
    events = gateway.events()
    assert ask("SELECT seq, mono_ms, level, name, text FROM events ORDER BY seq") == events
    assert len({row[3] for row in events if str(row[3]).startswith("asked.test-")}) == gateway.asked_count
    samples = gateway.samples()
    assert ask("SELECT seq, mono_ms FROM samples ORDER BY seq") == samples and len(samples) > 50
    assert len(ask("SELECT DISTINCT epoch FROM samples")) == len(ask("SELECT DISTINCT epoch FROM events")) == 1
    assert all(count == 1 for (count,) in ask("SELECT count(*) FROM held GROUP BY series")), "no gap"


def heard_in(broker: Broker, gateway: Gateway, seconds: float) -> list[str]:
    """Topics of what a gateway without new samples and events sends in so long."""
    heard: list[str] = []
    spy = Link(LinkSettings("127.0.0.1", broker.port))
    for pattern in (*ingest_filters()[:2], events_filter()):
        spy.subscribe(pattern, lambda topic, _: heard.append(topic))

    def step() -> None:
        gateway.rest()
        spy.step(time.monotonic_ns() // 1_000_000)

    assert wait_until(lambda: spy.connected, 5, step)
    wait_until(lambda: False, seconds, step)
    spy.close()
    return heard
