"""The link against paho's own thread on one mosquitto, in the same run; and a day of backlog drained through 100 ms.

Publishing: QoS 1, one sample of 274 bytes, both with a window of 16. Backlog: 86 400 samples at 1 Hz in the ring, a new one
each second; the ingest is scripted and acks what it was given, as fast as it comes.
"""

import collections
import os
import select
import tempfile
import threading
import time
from pathlib import Path

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.clock import SystemClock
from edge.cloud.codec import Ack, decode_batch, encode_ack, encode_sample, schema_json
from edge.cloud.engine import Engine
from edge.cloud.lanes.pace import Pace
from edge.cloud.link import Link, LinkSettings
from edge.cloud.ranges import RangeSet
from edge.cloud.sync import Sync
from edge.cloud.topics import Topics
from edge.config.options import Cloud
from edge.model import Sample
from edge.store.cursor import CursorFile
from edge.store.segments import SegmentLog
from hil.demo.broker import find_broker
from tests.bench.wire import samples
from tests.cloud.broker import running
from tests.cloud.proxy import DelayProxy

PAYLOAD, WINDOW, MESSAGES_COUNT, ROUNDS = os.urandom(274), 16, 8_000, 3
DAY_COUNT, ONE_WAY_S = 86_400, 0.05
TOPICS = Topics("bench", "gw")


def engine_per_s(port: int) -> float:
    """Messages a second that the broker has acked, over our engine in its own thread."""
    clock = SystemClock()
    engine = Engine(lambda: Link(LinkSettings("127.0.0.1", port, client_id="bench-ours")), clock)
    engine.start()
    while not engine.connected:
        engine.step(clock.mono_ms())
        time.sleep(0.001)
    return _timed(lambda: _publish_all(engine, clock))


def link_per_s(port: int) -> float:
    """The same over a link that is driven inline, as its engine does."""
    clock = SystemClock()
    link = Link(LinkSettings("127.0.0.1", port, client_id="bench-link"))
    while not link.connected:
        link.step(clock.mono_ms())
        time.sleep(0.001)
    return _timed(lambda: _publish_all(link, clock))


def _timed(work: "collections.abc.Callable[[], None]") -> float:
    started_s = time.monotonic()
    work()
    return MESSAGES_COUNT / (time.monotonic() - started_s)


def _publish_all(link: "Link | Engine", clock: SystemClock) -> None:
    sent_count = acked_count = 0
    while acked_count < MESSAGES_COUNT:
        while sent_count < MESSAGES_COUNT and link.publish("bench/a", PAYLOAD) is not None:
            sent_count += 1
        link.step(clock.mono_ms())
        acked_count += len(link.settled)
        link.settled.clear()
        if sent_count == MESSAGES_COUNT or not link.room:
            fd = link.fileno()
            select.select([fd], [fd] if link.wants_write() else [], [], 0.1)
    link.close()


def paho_per_s(port: int) -> float:
    """The same over paho's loop_start, the window kept by the application."""
    client = paho.Client(CallbackAPIVersion.VERSION2, "bench-paho", protocol=MQTTProtocolVersion.MQTTv5)
    room, ready, done = threading.Semaphore(WINDOW), threading.Event(), threading.Semaphore(0)

    def on_publish(*_: object) -> None:
        room.release()
        done.release()

    client.on_publish = on_publish
    client.on_connect = lambda *_: ready.set()
    client.max_inflight_messages_set(WINDOW)
    client.connect("127.0.0.1", port)
    client.loop_start()
    ready.wait(5)

    def work() -> None:
        for _ in range(MESSAGES_COUNT):
            room.acquire()
            client.publish("bench/a", PAYLOAD, qos=1)
        for _ in range(MESSAGES_COUNT):
            done.acquire()

    per_s = _timed(work)
    client.loop_stop()
    client.disconnect()
    return per_s


class _Ingest:
    """Subscribes, keeps numbers, acks; notes how late each live sample was."""

    def __init__(self, port: int) -> None:
        self.held, self.late_max_ms, self.live_count = RangeSet(), 0, 0
        self.link = Link(LinkSettings("127.0.0.1", port, client_id="bench-ingest"))
        self._clock, self._epoch, self._due_mono_ms = SystemClock(), 0, 0
        self._seqs: list[int] = []
        for topic in (TOPICS.live("site"), TOPICS.backfill("site")):
            self.link.subscribe(topic, self._take)

    def _take(self, topic: str, payload: bytes) -> None:
        batch = decode_batch(payload)
        self._epoch = batch.epoch
        self.held.add(batch.seq0, batch.seq0 + len(batch.samples) - 1)
        self._seqs.append(batch.seq0)
        if "/tm/" in topic:
            self.live_count += len(batch.samples)
            self.late_max_ms = max(self.late_max_ms, self._clock.mono_ms() - batch.samples[0].mono_ms)

    def step(self, mono_ms: int) -> None:
        self.link.step(mono_ms)
        self.link.settled.clear()
        if mono_ms >= self._due_mono_ms and self._seqs:  # commits each second, as the real one
            self._due_mono_ms = mono_ms + 1_000
            first = self.held.around(1)
            ranges = {found for found in map(self.held.around, self._seqs) if found}
            ack = Ack("site", self._epoch, first[1] if first else 0, tuple(sorted(ranges)))
            if self.link.publish(TOPICS.ack, encode_ack(ack)) is not None:
                self._seqs.clear()


def drain_day(folder: Path, port: int) -> tuple[float, float, int]:
    """(seconds from the connection until all is acked, the latest live sample in s, samples missing at the ingest)."""
    clock = SystemClock()
    log = SegmentLog(folder / "ring", max_bytes=64 << 20, context=schema_json())
    for sample in samples(DAY_COUNT):
        log.append(1, encode_sample(sample))
    proxy, ingest, cloud = DelayProxy(port, ONE_WAY_S), _Ingest(port), Cloud()
    engine = Engine(lambda: Link(LinkSettings("127.0.0.1", proxy.port, client_id="bench-gw")), clock)
    pace = Pace(cloud.backfill_per_s, cloud.backfill_bytes_per_s)
    sync = Sync(TOPICS, log, CursorFile(folder / "cursor"), engine, pace=pace)
    while not ingest.link.connected:
        ingest.step(clock.mono_ms())
        time.sleep(0.001)
    engine.start()
    started_ms = due_ms = clock.mono_ms()
    newest = samples(1)[0]
    while sync.pending_count or not ingest.live_count:
        now_ms = clock.mono_ms()
        if now_ms >= due_ms:
            due_ms += 1_000
            sync.note(Sample(now_ms, newest.wall_ms, newest.values))
        sync.step(now_ms)
        ingest.step(clock.mono_ms())
        time.sleep(0.002)
        if now_ms - started_ms > 120_000:
            break
    took_s = (clock.mono_ms() - started_ms) / 1_000
    missing = log.next_seq - 1 - ingest.held.count()
    sync.close()
    ingest.link.close()
    proxy.close()
    return took_s, ingest.late_max_ms / 1_000, missing


def rows() -> list[tuple[str, float, float, str]]:
    """For `make bench`: (what, measured, at most, unit). Empty where mosquitto is not installed."""
    if find_broker("mosquitto") is None:
        return []
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name) / "broker", "listener {port} 127.0.0.1\nallow_anonymous true") as broker,
    ):
        pairs = [(paho_per_s(broker.port), engine_per_s(broker.port), link_per_s(broker.port)) for _ in range(ROUNDS)]
        theirs, ours, inline = map(max, zip(*pairs, strict=True))  # the best of each: others use this machine too
        took_s, late_s, missing = drain_day(Path(name) / "gw", broker.port)
    return [
        (f"publish QoS 1, paho loop_start {theirs:.0f}/s, our link {inline:.0f}/s", theirs / inline, 1 / 1.8, "x"),
        ("the same with our link in its thread", 1_000 / ours, 5.0, "ms a message"),  # the backlog's pace wants 50
        ("24 h of backlog through 100 ms round trip", took_s, 60.0, "s"),
        ("live samples meanwhile, the latest", late_s, 5.0, "s late"),
        ("of all these samples, missing at the ingest", missing, 0.0, "samples"),
    ]
