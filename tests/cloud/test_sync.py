"""Ring, link, broker and ingest together: nothing lost, nothing doubled, live before backlog."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.cloud.codec import Ack, encode_ack, schema_json
from edge.cloud.dial import Backoff
from edge.cloud.engine import GONE
from edge.cloud.lanes.pace import Pace
from edge.cloud.link import Link, LinkSettings
from edge.cloud.sync import Sync
from edge.cloud.topics import Topics
from edge.model import SAMPLE_FIELDS, Sample
from edge.store.cursor import CursorFile
from edge.store.segments import SegmentLog
from tests.cloud.broker import WHY_NONE, Broker, socket_of, wait_until
from tests.cloud.scripted import ScriptedBroker

pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]
TOPICS = Topics("acme", "gw-1")


class Gateway:
    """A sync with real time and a ring in `folder`; samples are made up from their number."""

    def __init__(self, folder: Path, port: int) -> None:
        self.log = SegmentLog(folder / "ring", max_bytes=8 << 20, context=schema_json(), segment_bytes=1 << 16)
        settings = LinkSettings("127.0.0.1", port, client_id="gw-1", will=(TOPICS.status, GONE))
        self.link = Link(settings, backoff=Backoff(100, 200, 10**6))
        self.sync = Sync(
            TOPICS, self.log, CursorFile(folder / "cursor"), self.link, pace=Pace(50, 10**6), ack_max_ms=1_500
        )

    def note(self, count: int) -> None:
        for _ in range(count):
            seq = self.log.next_seq
            self.sync.note(Sample(seq * 1_000, 10**12 + seq, (seq, None, *([7] * (len(SAMPLE_FIELDS) - 2)))))

    def step(self) -> None:
        self.sync.step(time.monotonic_ns() // 1_000_000)
        time.sleep(0.002)

    def until(self, true: Callable[[], bool], limit_s: float = 10) -> None:
        assert wait_until(true, limit_s, self.step), (self.sync.pending_count, self.link.fault)

    def drain(self) -> None:
        self.until(lambda: self.link.connected and self.sync.pending_count == 0, 15)


class IngestProcess:
    def __init__(self, file: Path, port: int) -> None:
        self._words = [sys.executable, "-m", "edge.fleet", "ingest", "--sqlite", str(file), "--port", str(port)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([*self._words, "--retry-max-ms", "300"], stderr=subprocess.DEVNULL)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)


def rows(file: Path) -> list[tuple[int, int]]:
    with sqlite3.connect(file) as db:
        found = db.execute(
            "SELECT seq, data FROM samples WHERE tenant='acme' AND gateway='gw-1' ORDER BY seq"
        ).fetchall()
    return [(seq, json.loads(data)[0]) for seq, data in found]


def complete(count: int) -> list[tuple[int, int]]:
    return [(seq, seq) for seq in range(1, count + 1)]


def test_an_outage_is_made_good_live_first(tmp_path: Path, broker: Broker) -> None:
    file = tmp_path / "fleet.db"
    ingest = IngestProcess(file, broker.port)
    gateway = Gateway(tmp_path, broker.port)
    gateway.note(5)
    gateway.drain()
    assert gateway.sync.acked_count == 5
    broker.kill()
    gateway.until(lambda: not gateway.link.connected)
    for _ in range(400):
        gateway.note(1)
        gateway.sync.step(time.monotonic_ns() // 1_000_000)
    assert gateway.sync.pending_count == 400 and not gateway.sync.connected
    broker.start()
    seen: list[str] = []
    watcher = watch(broker.port, "tw1/acme/gw-1/+/site", lambda topic, _: seen.append(topic.split("/")[3]))
    gateway.drain()
    assert wait_until(lambda: len(seen) >= 7, 3, watcher)
    assert seen[0] == "tm" and set(seen[1:7]) == {"bf"}
    assert (gateway.sync.stored_count, gateway.sync.acked_count) == (405, 405)
    assert ingest.end() == 0
    assert rows(file) == complete(405)
    gateway.sync.close()
    again = Gateway(tmp_path, broker.port)  # the cursor was kept, and nothing was deleted on an ack
    assert again.sync.pending_count == 0 and again.log.first_seq == 1


def watch(port: int, topic: str, seen: Callable[[str, bytes], None]) -> Callable[[], None]:
    """Another subscriber, ready when this returns; the result drives it."""
    link = Link(LinkSettings("127.0.0.1", port))
    link.subscribe(topic, seen)

    def step() -> None:
        link.step(time.monotonic_ns() // 1_000_000)
        time.sleep(0.002)

    assert wait_until(lambda: link.connected, 3, step)
    for _ in range(30):
        step()  # the subscription is on its way
    return step


def test_kills_of_broker_and_ingest_lose_and_double_nothing(tmp_path: Path, broker: Broker) -> None:
    file = tmp_path / "fleet.db"
    ingest = IngestProcess(file, broker.port)
    gateway = Gateway(tmp_path, broker.port)
    gateway.note(3_000)
    gateway.until(lambda: gateway.sync.acked_count > 300)
    broker.kill()
    gateway.note(100)
    gateway.until(lambda: not gateway.link.connected)
    broker.start()
    gateway.until(lambda: gateway.sync.acked_count > 900)
    ingest.end(signal.SIGKILL)
    gateway.note(100)
    for _ in range(100):
        gateway.step()
    gateway.link._down("cut by the test")  # what was sent to nobody is sent again after a reconnection
    ingest.start()
    gateway.until(lambda: gateway.link.connected)
    gateway.sync.standing.begin()  # do not sit out the ten seconds for what went to the dead ingest
    gateway.until(lambda: gateway.sync.acked_count > 1_500)
    gateway = Gateway(tmp_path, broker.port)  # the gateway too: no close, the cursor is old
    gateway.note(50)
    gateway.drain()
    assert ingest.end() == 0
    assert rows(file) == complete(3_250)


def test_status_schema_and_will_are_retained(tmp_path: Path, broker: Broker) -> None:
    gateway = Gateway(tmp_path, broker.port)
    seen: dict[str, bytes] = {}
    gateway.until(lambda: gateway.link.connected)
    for _ in range(20):
        gateway.step()
    watcher = watch(broker.port, "tw1/#", lambda topic, payload: seen.update({topic: payload}))
    assert wait_until(lambda: len(seen) == 2, 3, watcher)
    assert b'"online": true' in seen[TOPICS.status]
    assert schema_json() in seen.values()
    socket_of(gateway.link).shutdown(socket.SHUT_RDWR)
    assert wait_until(lambda: seen[TOPICS.status] == GONE, 3, watcher)


def test_garbage_for_an_ack_is_survived(tmp_path: Path, broker: Broker) -> None:
    gateway = Gateway(tmp_path, broker.port)
    for payload in (b"", b"x", encode_ack(Ack("site", 1, 10**9, ())), encode_ack(Ack("no", gateway.log.epoch, 9, ()))):
        gateway.sync._on_ack(TOPICS.ack, payload)
    gateway.note(3)
    gateway.sync._on_ack(TOPICS.ack, encode_ack(Ack("site", gateway.log.epoch, 0, ((2, 10**12),))))
    assert gateway.sync.acked_count == 2 and gateway.sync.pending_count == 1
    gateway.note(1)
    assert gateway.sync.pending_count == 2  # an ack of the future does not count for what comes


def test_a_broker_that_never_acks_gets_each_sample_a_few_times_only(tmp_path: Path) -> None:
    broker = ScriptedBroker(puback=0, receive_max=5)
    gateway = Gateway(tmp_path, broker.port)
    gateway.note(200)
    gateway.until(lambda: gateway.link.connected)
    for quarter in range(0, 2_400):  # ten minutes; slow enough that each PUBACK comes within its 20 s
        gateway.sync.step(time.monotonic_ns() // 1_000_000 + quarter * 250)
        time.sleep(0.001)
    assert gateway.link.up_count == 1
    batches = [one for one in broker.published if b"/bf/" in one[:40] or b"/tm/" in one[:40]]
    assert 5 <= len(batches) < 60 and gateway.sync.acked_count == 0 and gateway.sync.pending_count == 200
    broker.close()


def test_what_the_ring_overwrote_does_not_hold_up_the_rest(tmp_path: Path, broker: Broker) -> None:
    gateway = Gateway(tmp_path, broker.port)
    gateway.log._max_bytes = 3 << 16
    gateway.note(6_000)
    first = gateway.log.first_seq
    assert first > 1
    file = tmp_path / "fleet.db"
    ingest = IngestProcess(file, broker.port)
    gateway.drain()
    assert ingest.end() == 0
    assert rows(file) == complete(6_000)[first - 1 :]
    assert gateway.sync.lost_count == first - 1
    assert gateway.sync.acked_count == 6_001 - first
