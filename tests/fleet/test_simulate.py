"""Simulated gateways through a real broker into a real database, with and without kills: nothing lost, nothing doubled."""

import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from edge.cloud.link import LinkSettings
from edge.fleet.books.reading import _open_postgres, _open_sqlite
from edge.fleet.simulate.judge import judge
from edge.fleet.simulate.swarm import Swarm
from tests.cloud.broker import WHY_NONE, Broker
from tests.cloud.test_access import edge
from tests.fleet.cluster import Cluster
from tests.fleet.test_ingest import Process

pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]
KILLS = int(os.environ.get("KILLS", "4"))
GATEWAYS = 20


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def swarm(port: int) -> Swarm:
    settings = [LinkSettings("127.0.0.1", port, retry_first_ms=100, retry_max_ms=500) for _ in range(GATEWAYS)]
    return Swarm(settings, time.time_ns() // 1_000_000, now_ms())


def drive(fleet: Swarm, seconds: float, *, more: bool) -> None:
    """For so long; without `more` at most so long, until all is acknowledged."""
    end_ms = now_ms() + int(seconds * 1_000)
    while now_ms() < end_ms and (more or fleet.unacked_count):
        fleet.step(now_ms(), more=more)


def test_twenty_gateways_for_ten_seconds_lose_and_double_nothing(tmp_path: Path, broker: Broker) -> None:
    words = ("--sqlite", str(tmp_path / "fleet.db"), "--port", str(broker.port))
    done = edge("simulate", str(GATEWAYS), "--minutes", "0.17", "--rate", "5", *words, module="edge.fleet")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost 0, of these acknowledged 0, doubled 0, wrong 0" in done.stdout and not done.stdout.startswith("sent 0")
    told = edge("gaps", "--sqlite", str(tmp_path / "fleet.db"), "--json", module="edge.fleet")
    assert told.returncode == 0 and told.stdout.count('"gaps": []') == GATEWAYS


def test_the_judge_sees_what_is_lost_and_what_is_wrong(tmp_path: Path, broker: Broker) -> None:
    ingest = Process(tmp_path, broker.port, "--sqlite", str(tmp_path / "fleet.db"))
    fleet = swarm(broker.port)
    drive(fleet, 4, more=True)
    drive(fleet, 15, more=False)
    assert ingest.end() == 0
    fleet.close()
    look = _open_sqlite(tmp_path / "fleet.db")
    assert judge(fleet.gateways, look).good and fleet.sample_count > GATEWAYS
    with sqlite3.connect(tmp_path / "fleet.db") as db:
        db.execute("DELETE FROM sample WHERE series = 1 AND seq = 1")
        db.execute("UPDATE sample SET data = '[0]' WHERE series = 2 AND seq = 1")
        db.execute("DELETE FROM held WHERE series = 3")
    found = judge(fleet.gateways, look)
    assert found.lost == 1 and found.wrong >= 2 and found.acked_lost > 1


def test_kills_of_workers_and_broker_lose_nothing_that_was_acknowledged(
    tmp_path: Path, broker: Broker, cluster: Cluster
) -> None:
    draw = random.Random(os.environ.get("SEED", "1"))
    dsn = cluster.dsn()
    ingest = Process(tmp_path, broker.port, "--postgres", dsn, "--workers", "2")
    fleet = swarm(broker.port)
    drive(fleet, 5, more=True)
    for kill in range(KILLS):
        drive(fleet, draw.uniform(0.5, 3), more=True)
        workers = ingest.workers()
        if kill % 2 and workers:
            os.kill(draw.choice(workers), signal.SIGKILL)
        else:
            broker.kill()
            drive(fleet, draw.uniform(0, 0.5), more=True)
            broker.start()
    drive(fleet, 90, more=False)
    assert fleet.unacked_count == 0, ingest.said()
    assert ingest.end() == 0
    fleet.close()
    found = judge(fleet.gateways, _open_postgres(dsn))
    assert found.good and found.sent > GATEWAYS * 5, found.text()
