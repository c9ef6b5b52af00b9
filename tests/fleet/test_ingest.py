"""`edge-fleet ingest` as a process, with a real broker and a real database: several workers, kills, a database away."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from edge.cloud.codec import decode_ack
from edge.cloud.link import Link, LinkSettings
from edge.cloud.topics import Topics
from tests.cloud.broker import WHY_NONE, Broker, wait_until
from tests.cloud.test_access import edge
from tests.fleet.cluster import Cluster, running
from tests.fleet.made import SCHEMA, SCHEMA_ID, payload

pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]
BATCH_COUNT, SAMPLES = 40, 25


class Process:
    """`edge-fleet ingest` and what it said."""

    def __init__(self, folder: Path, port: int, *words: str) -> None:
        self._log = folder / "ingest.log"
        command = [sys.executable, "-m", "edge.fleet", "ingest", "--port", str(port), "--retry-max-ms", "300", *words]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)

    def said(self) -> str:
        return self._log.read_text()

    def workers(self) -> list[int]:
        """Process ids of a crew's workers."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in found.split()]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


class Publisher:
    """Gateways without a ring: sends what it is told to, and keeps what was acknowledged."""

    def __init__(self, port: int, gateways: Sequence[str]) -> None:
        self.link = Link(LinkSettings("127.0.0.1", port, retry_first_ms=100, retry_max_ms=300))
        self.contiguous: dict[str, int] = {}
        for gateway in gateways:
            self.link.subscribe(Topics("acme", gateway).ack, self._on_ack)
        assert wait_until(lambda: self.link.connected, 5, self.step)

    def _on_ack(self, topic: str, message: bytes) -> None:
        self.contiguous[topic.split("/")[2]] = decode_ack(message).contiguous_seq

    def step(self) -> None:
        self.link.step(time.monotonic_ns() // 1_000_000)
        time.sleep(0.001)

    def publish(self, topic: str, message: bytes, *, retain: bool = False) -> None:
        assert wait_until(lambda: self.link.room > 0, 10, self.step)
        self.link.publish(topic, message, 1, retain)
        self.step()


def count(dsn: str) -> tuple[int, int]:
    """Samples, and distinct ones."""
    with psycopg.connect(dsn) as db:
        row = db.execute("SELECT count(*), count(DISTINCT (tenant, gateway, epoch, seq)) FROM samples").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def test_two_workers_share_the_work_and_every_ack_is_whole(tmp_path: Path, broker: Broker, cluster: Cluster) -> None:
    dsn = cluster.dsn()
    ingest = Process(tmp_path, broker.port, "--postgres", dsn, "--workers", "2")
    gateways = ["gw-1", "gw-2", "gw-3"]
    publisher = Publisher(broker.port, gateways)
    assert wait_until(lambda: ingest.said().count("'connected'") == 2, 15), ingest.said()
    publisher.publish(Topics("acme", "gw-1").schema(SCHEMA_ID), SCHEMA, retain=True)
    for gateway in gateways:
        topics = Topics("acme", gateway)
        for number in range(BATCH_COUNT):
            topic = topics.backfill("site") if number % 3 else topics.live("site")
            publisher.publish(topic, payload(1 + number * SAMPLES, SAMPLES))
    whole = dict.fromkeys(gateways, BATCH_COUNT * SAMPLES)
    assert wait_until(lambda: publisher.contiguous == whole, 15, publisher.step), publisher.contiguous
    assert count(dsn) == (3_000, 3_000)
    with psycopg.connect(dsn) as db:
        named = db.execute(f"SELECT max(poc_power_w) FROM samples_{SCHEMA_ID}".encode()).fetchone()
    assert named == (BATCH_COUNT * SAMPLES,)
    assert ingest.end() == 0


def test_a_worker_that_is_killed_is_started_again_and_nothing_acknowledged_is_lost(
    tmp_path: Path, broker: Broker, cluster: Cluster
) -> None:
    dsn = cluster.dsn()
    ingest = Process(tmp_path, broker.port, "--postgres", dsn, "--workers", "2")
    publisher = Publisher(broker.port, ["gw-1"])
    assert wait_until(lambda: ingest.said().count("'connected'") == 2, 15), ingest.said()
    topics, acked = Topics("acme", "gw-1"), 0
    for kill in (False, True, False):
        if kill:
            os.kill(ingest.workers()[0], signal.SIGKILL)
        for number in range(10):
            publisher.publish(topics.live("site"), payload(1 + (acked + number) * 5, 5))
        acked += 10

        def again(acked: int = acked) -> None:  # as a gateway does: what is not acknowledged is sent again
            for number in range(acked):
                publisher.publish(topics.backfill("site"), payload(1 + number * 5, 5))
            wait_until(lambda: False, 0.5, publisher.step)

        assert wait_until(lambda wanted=acked * 5: publisher.contiguous.get("gw-1") == wanted, 20, again)
    assert wait_until(lambda: ingest.said().count("'connected'") == 3, 15), ingest.said()
    assert "worker=" in ingest.said() and "exit -9" in ingest.said()
    assert ingest.end() == 0 and count(dsn) == (150, 150)


def test_a_database_that_goes_away_costs_nothing_but_time(tmp_path: Path, broker: Broker) -> None:
    with running() as own:
        dsn = own.dsn()
        ingest = Process(tmp_path, broker.port, "--postgres", dsn)
        publisher = Publisher(broker.port, ["gw-1"])
        topics = Topics("acme", "gw-1")
        assert wait_until(lambda: "'connected'" in ingest.said(), 15), ingest.said()
        publisher.publish(topics.live("site"), payload(1, 50))
        assert wait_until(lambda: publisher.contiguous.get("gw-1") == 50, 10, publisher.step)
        own.stop()
        publisher.publish(topics.live("site"), payload(51, 50))
        assert wait_until(lambda: "state='postgres: " in ingest.said(), 10, publisher.step), ingest.said()
        assert publisher.contiguous == {"gw-1": 50}
        own.start()
        assert wait_until(lambda: publisher.contiguous.get("gw-1") == 100, 30, publisher.step), ingest.said()
        assert count(dsn) == (100, 100)
        assert wait_until(lambda: ingest.said().rstrip().endswith("'connected'"), 10, publisher.step)
        own.stop()
        publisher.publish(topics.live("site"), payload(101, 50))
        assert wait_until(lambda: ingest.said().count("state='postgres: ") >= 2, 10, publisher.step)
        assert ingest.end() == 1, "what it holds was not stored, and it says so"


def test_options_that_cannot_be_used_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    def said(*words: str) -> str:
        done = edge("ingest", *words, module="edge.fleet")
        assert done.returncode == 2 and "Traceback" not in done.stderr
        return done.stderr

    assert "one of the arguments --sqlite --postgres is required" in said()
    file = str(tmp_path / "fleet.db")
    assert "takes one worker; use --postgres" in said("--sqlite", file, "--workers", "2")
    assert "allowed 1..32" in said("--postgres", "dbname=x", "--workers", "0")
    assert "allowed: a URL or words" in said("--postgres", "what")
    assert "no such folder" in said("--sqlite", str(tmp_path / "no" / "fleet.db"))
    assert "allowed are letters" in said("--postgres", "dbname=x", "--group", "a/b")
