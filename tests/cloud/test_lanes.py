"""The lanes over a scripted broker that is the ingest as well: what is refused, cut, asked for again, restamped."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.cloud import notices
from edge.cloud.codec import Ack, Batch, decode_batch, encode_ack, schema_json
from edge.cloud.dial import Backoff
from edge.cloud.lanes.events import EventLane
from edge.cloud.lanes.pace import Pace
from edge.cloud.lanes.suspects import CUTS_MAX_COUNT
from edge.cloud.link import Link, LinkSettings
from edge.cloud.notices import NumberedEvent, Replay, decode_result
from edge.cloud.sync import Sync
from edge.cloud.topics import Topics
from edge.model import SAMPLE_FIELDS, Event, Sample
from edge.store.clockmap import ClockMap
from edge.store.cursor import CursorFile
from edge.store.disk import Disk
from edge.store.segments import SegmentLog
from tests.cloud.broker import wait_until
from tests.cloud.scripted import CUT, ScriptedBroker

TOPICS = Topics("acme", "gw-1")
WALL_MS = 1_780_000_000_000


class Site:
    """A gateway with its link inline, its clock real time plus leaps."""

    def __init__(self, folder: Path, port: int, pace: Pace | None = None, clock: ClockMap | None = None) -> None:
        self.leap_ms = 0
        self.log = SegmentLog(folder / "ring", max_bytes=8 << 20, context=schema_json(), segment_bytes=1 << 16)
        self.kept: list[NumberedEvent] = []
        newest = lambda: len(self.kept)  # noqa: E731 - one line
        self.events = EventLane(self.read, newest, CursorFile(folder / "events"), 1_500)
        self.link = Link(LinkSettings("127.0.0.1", port, client_id="gw-1"), backoff=Backoff(10, 20, 10**6))
        self.sync = Sync(
            TOPICS, self.log, CursorFile(folder / "cursor"), self.link, pace=pace or Pace(1_000, 10**7),
            ack_max_ms=1_500, clock=clock, events=self.events,
        )  # fmt: skip

    def read(self, seq: int, count: int) -> list[NumberedEvent]:
        return [one for one in self.kept if one.seq > seq][:count]

    @property
    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000 + self.leap_ms

    def note(self, count: int) -> None:
        for _ in range(count):
            seq = self.log.next_seq
            self.sync.note(Sample(self.now_ms, WALL_MS + 1_000 * seq, (seq,) * len(SAMPLE_FIELDS)))

    def tell(self, text: str) -> None:
        self.kept.append(NumberedEvent(len(self.kept) + 1, Event(1, WALL_MS, "test", text), synced=True))

    def step(self) -> None:
        self.sync.step(self.now_ms)
        time.sleep(0.001)

    def leap(self, ms: int) -> None:
        self.leap_ms += ms
        for _ in range(30):
            self.step()

    def until(self, true: Callable[[], bool], limit_s: float = 8) -> None:
        assert wait_until(true, limit_s, self.step), (self.sync.pending_count, self.link.fault, self.link.up_count)


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    broker = ScriptedBroker(receive_max=10, puback=0, hold=True)
    yield broker
    broker.close()


def of(broker: ScriptedBroker, topic: str) -> list[bytes]:
    return [message.payload for message in broker.messages if message.topic == topic]


def firsts(broker: ScriptedBroker, topic: str = TOPICS.backfill("site")) -> list[int]:
    return [decode_batch(payload).seq0 for payload in of(broker, topic)]


# ---- refused, cut


@pytest.mark.parametrize("code", [0x87, 0x97], ids=["not authorised", "quota"])
def test_a_refused_record_is_parked_and_told_and_sent_again_only_when_it_is_asked_for(
    tmp_path: Path, broker: ScriptedBroker, code: int
) -> None:
    poison = True

    def answer(topic: str, payload: bytes) -> int:
        return code if poison and "/bf/" in topic and decode_batch(payload).seq0 == 1 else 0

    broker.puback = answer
    site = Site(tmp_path, broker.port)
    site.note(350)
    site.sync._fresh.clear()
    site.until(lambda: bool(site.sync.refusals))
    assert site.sync.refusals.popleft()[0] == TOPICS.backfill("site")
    for _ in range(20):
        site.leap(61_000)
    site.until(lambda: site.sync.acked_count == 250)
    assert firsts(broker).count(1) == 1 and site.sync.parked_count == 100, "twenty minutes: never again"
    assert site.sync.pending_count == 100 and site.sync.acked_count == 250 and not site.sync.refusals
    poison = False
    broker.send(TOPICS.replay, notices.encode_replay(Replay("r-1", "site", 0, 1, 100)))
    site.until(lambda: site.sync.pending_count == 0)
    assert site.sync.acked_count == 350 and site.sync.parked_count == 0
    site.until(lambda: len(of(broker, TOPICS.result("r-1"))) == 2)
    results = [decode_result(payload) for payload in of(broker, TOPICS.result("r-1"))]
    assert [one.outcome for one in results] == ["accepted", "done"] and results[1].sent_count == 100


def test_a_broker_that_refuses_everything_for_minutes_does_not_make_a_day_parked(
    tmp_path: Path, broker: ScriptedBroker
) -> None:
    broker.puback = lambda topic, _: 0x97 if "/bf/" in topic or "/tm/" in topic else 0
    site = Site(tmp_path, broker.port)
    site.note(5_000)
    site.until(lambda: bool(site.sync.refusals))
    for _ in range(5):
        site.leap(61_000)
        site.note(3)
    sent_count = len([message for message in broker.messages if "/bf/" in message.topic or "/tm/" in message.topic])
    assert sent_count <= 40 and site.sync.parked_count <= 3_000
    broker.puback = 0
    site.leap(61_000)
    site.until(lambda: site.sync.pending_count == site.sync.parked_count)


def test_trap_7_a_broker_that_hangs_up_on_one_message_gets_everything_else(
    tmp_path: Path, broker: ScriptedBroker
) -> None:
    def answer(topic: str, payload: bytes) -> int:
        batch = decode_batch(payload) if "/bf/" in topic else None
        return CUT if batch and batch.seq0 <= 150 < batch.seq0 + len(batch.samples) else 0

    broker.puback = answer
    site = Site(tmp_path, broker.port)
    site.note(400)
    site.sync._fresh.clear()
    site.until(lambda: bool(site.sync.refusals))
    assert "closed the connection" in site.sync.refusals[0][1]
    site.until(lambda: site.sync.pending_count == site.sync.parked_count)
    assert site.sync.parked_count == 100 and site.sync.acked_count == 300
    assert broker.connected_count <= 2 * (CUTS_MAX_COUNT + 2)
    poison_count = firsts(broker).count(101)
    for _ in range(10):
        site.leap(61_000)
    assert firsts(broker).count(101) == poison_count == CUTS_MAX_COUNT + 1, "and then it is left alone"


def test_a_topic_that_ends_every_session_does_not_hold_up_the_others(tmp_path: Path, broker: ScriptedBroker) -> None:
    broker.puback = lambda topic, _: CUT if "/tm/" in topic else 0
    site = Site(tmp_path, broker.port)
    for _ in range(50):
        site.until(lambda: site.link.room == site.link.window == 10)
        site.note(1)
        for _ in range(20):
            site.step()
        if site.sync.refusals:
            break
    assert site.sync.refusals[0][0] == TOPICS.live("site")
    site.until(lambda: site.sync.pending_count == 0)
    assert not site.sync.parked_count, "the samples went as backlog"


def test_trap_6_numbers_arrive_as_a_set_whatever_the_order_after_cuts(tmp_path: Path, broker: ScriptedBroker) -> None:
    site = Site(tmp_path, broker.port)
    site.note(3_000)
    for count in range(1, 7):
        site.until(lambda count=count: len(broker.batches) > 4 * count)  # type: ignore[misc]  # bound now
        broker.cut()
        site.note(7)
        site.until(lambda count=count: site.link.up_count > count)  # type: ignore[misc]
    site.until(lambda: site.sync.pending_count == 0)
    assert list(broker.held[site.log.epoch]) == [(1, 3_042)] and site.sync.acked_count == 3_042


# ---- order and pace


def test_live_samples_and_events_go_before_the_backlog(tmp_path: Path, broker: ScriptedBroker) -> None:
    site = Site(tmp_path, broker.port, Pace(3, 10**6))
    site.note(5_000)
    site.sync._fresh.clear()
    site.until(lambda: len(firsts(broker)) >= 3)
    for count in range(1, 20):
        site.note(1)
        site.tell("alarm")
        site.until(lambda count=count: len(firsts(broker, TOPICS.live("site"))) == count, 0.5)  # type: ignore[misc]
        site.until(lambda count=count: len(of(broker, TOPICS.events)) >= count, 0.5)  # type: ignore[misc]
        site.leap(50)
    assert firsts(broker) == sorted(firsts(broker)) and site.sync.pending_count > 0


def test_the_caps_of_the_tenant_are_listened_to(tmp_path: Path, broker: ScriptedBroker) -> None:
    site = Site(tmp_path, broker.port)
    site.until(lambda: site.link.connected)
    site.leap(10)
    broker.send(TOPICS.caps, b'{"backfill_batches_per_s": 0.5}')
    site.until(lambda: site.sync._pace.batches_per_s == 0.5)
    broker.send(TOPICS.caps, b"nonsense")
    site.until(lambda: bool(site.sync.refusals))
    assert site.sync._pace.batches_per_s == 0.5
    broker.send(TOPICS.caps, b"")
    site.until(lambda: site.sync._pace.batches_per_s == 1_000)


def test_the_status_tells_how_old_the_queue_is(tmp_path: Path, broker: ScriptedBroker) -> None:
    broker.acks = False
    site = Site(tmp_path, broker.port)
    site.note(3)
    site.until(lambda: site.link.connected)
    site.leap(120_000)
    site.leap(61_000)
    status = json.loads(of(broker, TOPICS.status)[-1])
    assert 180 <= status["queue_age_s"] <= 190 and status["pending_count"] == 3 and status["online"]
    assert site.sync.queue_age_ms // 1_000 == status["queue_age_s"]


# ---- asked for again


def test_a_range_is_sent_again_behind_the_backlog_and_what_the_ring_has_lost_is_counted(
    tmp_path: Path, broker: ScriptedBroker
) -> None:
    site = Site(tmp_path, broker.port)
    site.log._max_bytes = 3 << 16
    site.note(6_000)
    first = site.log.first_seq
    site.until(lambda: site.sync.pending_count == 0)
    before_count = len(broker.batches)
    broker.send(TOPICS.replay, notices.encode_replay(Replay("r-2", "site", site.log.epoch, first - 10, first + 249)))
    site.until(lambda: len(of(broker, TOPICS.result("r-2"))) == 2)
    again = [batch for _, batch in broker.batches[before_count:]]
    assert [(one.seq0, len(one.samples)) for one in again] == [(first, 100), (first + 100, 100), (first + 200, 50)]
    assert all(one.historical and not one.restamped for one in again)
    done = decode_result(of(broker, TOPICS.result("r-2"))[1])
    assert (done.sent_count, done.gone_count) == (250, 10)


def test_samples_of_an_unsynchronised_clock_are_marked_and_put_right_once_it_is_known(
    tmp_path: Path, broker: ScriptedBroker
) -> None:
    boot = Disk().boot_id()
    clock = ClockMap(boot)
    site = Site(tmp_path, broker.port, clock=clock)
    clock.note(site.now_ms, WALL_MS, synced=False)
    site.note(5)
    site.until(lambda: site.sync.pending_count == 0)
    assert [batch.unsynced for _, batch in broker.batches] == [True]
    clock.note(site.now_ms, WALL_MS + 86_400_000, synced=True)
    site.note(1)
    site.until(lambda: site.sync.pending_count == 0)
    assert [batch.unsynced for _, batch in broker.batches] == [True, False]
    count = len(broker.batches)
    site.leap(100)
    assert len(broker.batches) == count, "nobody has asked"
    broker.send_ack(TOPICS.ack, "site", site.log.epoch, unsynced=((1, 5),))
    site.until(lambda: len(broker.batches) > count)
    lane, batch = broker.batches[-1]
    assert lane == "bf" and batch.restamped and batch.historical and not batch.unsynced
    assert (batch.seq0, len(batch.samples)) == (1, 5)
    assert all(abs(one.wall_ms - WALL_MS - 86_400_000) < 10_000 for one in batch.samples)
    broker.send_ack(TOPICS.ack, "site", site.log.epoch, unsynced=((1, 5),))
    site.leap(1_000)
    assert len(broker.batches) == count + 1, "it is on its way"
    site.leap(61_000)
    broker.send_ack(TOPICS.ack, "site", site.log.epoch, unsynced=((1, 5),))
    site.until(lambda: len(broker.batches) >= count + 2)
    broker.acks = False  # a leap may end the session, and what is listed then goes again
    broker.send_ack(TOPICS.ack, "site", site.log.epoch)
    site.until(lambda: site.sync._restamps.first_range() is None and not len(site.sync._restamps._listed))
    count = len(broker.batches)
    site.leap(120_000)
    assert len(broker.batches) == count


def test_what_no_clock_ever_knew_is_not_sent_round_and_round(tmp_path: Path, broker: ScriptedBroker) -> None:
    other = ClockMap(b"another boot now")
    other.note(0, WALL_MS, synced=True)
    site = Site(tmp_path, broker.port, clock=other)
    site.note(20)
    site.sync._fresh.clear()
    site.until(lambda: site.sync.pending_count == 0)
    assert all(batch.unsynced for _, batch in broker.batches)
    count = len(broker.batches)
    for _ in range(5):
        broker.send_ack(TOPICS.ack, "site", site.log.epoch, unsynced=((1, 20),))
        site.leap(61_000)
    assert len(broker.batches) == count


def test_the_ack_of_a_stranger_does_not_count(tmp_path: Path, broker: ScriptedBroker) -> None:
    broker.acks = False
    site = Site(tmp_path, broker.port)
    site.note(3)
    site.sync._on_ack(TOPICS.ack, encode_ack(Ack("site", site.log.epoch ^ 1, 3, ())))
    site.sync._on_ack(TOPICS.ack, encode_ack(Ack("ev", site.log.epoch, 3, ())))
    assert site.sync.acked_count == 0 and isinstance(Batch("", 1, 1, ()), Batch)
