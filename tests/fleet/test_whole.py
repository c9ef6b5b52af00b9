"""A gateway's uplink with journal and ring, a broker and the ingest, all real: each sample and each event arrives once.

Broker and ingest are killed while it runs, and the gateway begins anew. At any moment what a cursor says is stored, is
in the database; and when all is acknowledged, the gateway is quiet.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from edge.cloud.link import Link, LinkSettings
from edge.cloud.topics import events_filter, ingest_filters
from tests.cloud.broker import WHY_NONE, Broker, wait_until
from tests.fleet.cluster import Cluster
from tests.fleet.gateway import Gateway
from tests.fleet.process import Start

pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]
QUIET_S = 7.0  # what is not acknowledged is sent again after 5 s

Ask = Callable[[str], list[tuple[object, ...]]]


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
