"""Ties the telemetry ring to the link: events and live first, backlog behind; the cursor moves on the ingest's word only.

Rules. Every sample is in the ring before it is sent. PUBACK is not delivery: what counts is the ack of the ingest,
after its commit. What is not acked in time, or was under way when the connection ended, is sent again; the ingest drops
doubles by (stream, epoch, seq). Nothing is deleted on an ack. What the broker refuses is parked and told, and so is what
makes it hang up. Order in a step: events, the newest samples, then at the backlog's pace: backlog, wall times that are
known better now, ranges that the fleet asks for again.
"""

import json
from collections import deque
from pathlib import Path

from edge.cloud.codec import Ack, Batch, decode_ack, encode_batch, encode_sample, schema_id, schema_json
from edge.cloud.engine import GONE
from edge.cloud.lanes.again import Replays, Restamps
from edge.cloud.lanes.events import EventLane
from edge.cloud.lanes.pace import Pace
from edge.cloud.lanes.post import Lane, Post, Refusal
from edge.cloud.lanes.standing import Standing
from edge.cloud.lanes.stretch import Stretch, Stretches
from edge.cloud.link import Connection
from edge.cloud.notices import decode_caps, decode_replay, encode_result
from edge.cloud.topics import Topics
from edge.config.options import Cloud, Store
from edge.errors import DataFault
from edge.model import Sample
from edge.store.clockmap import ClockMap
from edge.store.cursor import CursorFile, Position
from edge.store.disk import Disk
from edge.store.segments import SegmentLog

STREAM = "site"
KIND_SAMPLE = 1
LIVE_MAX_COUNT = 5  # samples waiting for the live lane; more is backlog
ACK_MAX_MS = 5_000  # an ingest commits each second
UNACKED_MAX_BATCHES = 32  # of the backlog: sent, but not yet acked by the ingest
CURSOR_WRITE_MS = 10_000
STATUS_MS = 60_000
QUEUE_AGE_MS = 5_000  # how often the oldest waiting sample is looked up
REFUSALS_MAX_COUNT = 64


def pace_of(cloud: Cloud) -> Pace:
    """How fast a site's backlog may go, as configured."""
    return Pace(cloud.backfill_per_s, cloud.backfill_bytes_per_s, cloud.backfill_start_max_s * 1_000)


def telemetry_log(store: Store, disk: Disk | None = None) -> SegmentLog:
    """The telemetry ring of a site; its context is the schema of its samples."""
    folder = Path(store.path) / "telemetry"
    limit, sync_ms = store.telemetry_max_bytes, store.sync_ms
    return SegmentLog(folder, max_bytes=limit, stream=STREAM, context=schema_json(), sync_ms=sync_ms, disk=disk)


class Sync:
    """The sender. One thread owns it with its log, cursor and link; `link` None keeps everything local."""

    def __init__(
        self,
        topics: Topics,
        log: SegmentLog,
        cursor: CursorFile,
        link: Connection | None,
        *,
        pace: Pace | None = None,
        version: str = "",
        ack_max_ms: int = ACK_MAX_MS,
        clock: ClockMap | None = None,
        events: EventLane | None = None,
    ) -> None:
        """With `clock`, a sample taken before the time was known is sent with the stamp that is known now."""
        self.log, self.link, self._topics, self._cursor = log, link, topics, cursor
        self._pace, self._version = pace or Pace(20, 100_000), version
        self._clock, self._events = clock, events
        at = cursor.position
        fresh = Position(log.epoch, log.first_seq - 1, log.first_seq - 1)
        self.standing = Standing(at if at.epoch == log.epoch else fresh, ack_max_ms)
        self._written = cursor.position
        self._stretches = Stretches(log, clock)
        self._replays, self._restamps = Replays(STREAM, log.epoch), Restamps()
        self._fresh: deque[tuple[int, Sample]] = deque(maxlen=LIVE_MAX_COUNT)
        self._post = Post(link) if link is not None else None
        self._cursor_due_mono_ms = self._status_due_mono_ms = self._age_due_mono_ms = 0
        self._up_count = 0
        self._schemas: set[str] = set()
        self._now_mono_ms = 0
        self._newest: Sample | None = None
        self.queue_age_ms = 0
        self.refusals: deque[tuple[str, str]] = deque(maxlen=REFUSALS_MAX_COUNT)  # topic, reason; for the logbook
        self.ack_fault_count = 0
        if link is not None:
            link.subscribe(topics.ack, self._on_ack)
            link.subscribe(topics.caps, self._on_caps)
            link.subscribe(topics.replay, self._on_replay)

    # ---- numbers for UplinkStatus

    @property
    def connected(self) -> bool:
        return self.link is not None and self.link.connected

    @property
    def stored_count(self) -> int:
        return self.log.stored_count

    @property
    def acked_count(self) -> int:
        """Samples the ingest says it has committed, as far as this gateway was told."""
        return self.standing.acked_count

    @property
    def pending_count(self) -> int:
        """Samples not yet acked that can still be sent."""
        numbers = self.log.next_seq - 1 - self.standing.known.seq - self.standing.acked.count()
        return max(0, min(numbers, self.stored_count - self.acked_count))

    @property
    def lost_count(self) -> int:
        """Samples overwritten or damaged before any ack."""
        return max(0, self.stored_count - self.acked_count - self.pending_count)

    @property
    def parked_count(self) -> int:
        """Samples that the broker refused; they are among the pending ones."""
        return self.standing.parked_count()

    @property
    def fault(self) -> str:
        """What is wrong with the store, for `store_fault`."""
        return self.log.fault or self._cursor.fault or (self.log.notes[-1] if self.log.notes else "")

    # ---- driving

    def note(self, sample: Sample) -> int:
        """Keeps a sample; it goes out with the next step. Returns its number."""
        seq = self.log.append(KIND_SAMPLE, encode_sample(sample))
        self._fresh.append((seq, sample))
        self._newest = sample
        return seq

    def step(self, mono_ms: int) -> None:
        """Everything that is due; never waits for the network. A sync of the disk may take its time here."""
        self._now_mono_ms = mono_ms
        self.standing.advance(self.log.first_seq)
        if mono_ms >= self._age_due_mono_ms:
            self._age_due_mono_ms = mono_ms + QUEUE_AGE_MS
            self.queue_age_ms = self._oldest_age_ms()
        if self.link is not None and self._post is not None:
            self._exchange(self.link, self._post)
        self.log.sync_if_due(mono_ms)  # after the network: it may take its time
        if mono_ms >= self._cursor_due_mono_ms:
            self._cursor_due_mono_ms = mono_ms + CURSOR_WRITE_MS
            self._write_cursor()

    def _exchange(self, link: Connection, post: Post) -> None:
        link.step(self._now_mono_ms)
        for refusal in post.refusals(self._now_mono_ms):
            self._park(refusal)
        for token in post.answered:
            self._replays.note_settled(token)
        if link.up_count != self._up_count:
            self._up_count = link.up_count
            self._begin()
        if link.connected:
            self.standing.expire(self._now_mono_ms)
            self._send(link, post)
            link.step(self._now_mono_ms)

    def _park(self, refusal: Refusal) -> None:
        """Not again by itself, but a live sample once more as backlog; what is in the ring can still be asked for."""
        sent = refusal.sent
        if sent is not None and sent.lane == "live":
            self.standing.reopen(sent.first, sent.last)
        elif sent is not None and sent.lane == "backlog":
            self.standing.park(sent.first, sent.last)
        self.refusals.append((refusal.topic, refusal.reason))

    def _begin(self) -> None:
        """A session began: what was under way before it may not have arrived."""
        self.standing.begin()
        self._restamps.begin()
        self._pace.begin(self._now_mono_ms)
        self._schemas.clear()
        self._status_due_mono_ms = 0
        if self._events is not None:
            self._events.begin()

    def close(self) -> None:
        """Last words, then the disk."""
        if self.link is not None:
            self.link.publish(self._topics.status, GONE, 1, True)
            self.link.step(self._now_mono_ms)
            self.link.close()
        self._write_cursor()
        self.log.close()

    def _write_cursor(self) -> None:
        at = self.standing.position
        if at != self._written and self._cursor.write(at):
            self._written = at
        if self._events is not None:
            self._events.keep_cursor()

    def _oldest_age_ms(self) -> int:
        """How long the oldest sample that is not acked has waited; the stamps of the samples when it is of another boot."""
        if not self.pending_count or self._newest is None:
            return 0
        gap = self.standing.acked.gap_from(self.standing.known.seq + 1, self.log.next_seq - 1)
        stretch = self._stretches.read(*gap, self._now_mono_ms) if gap else None
        if stretch is None or not stretch.samples:
            return 0
        oldest, newest = stretch.samples[0], self._newest
        same_boot = oldest.mono_ms <= newest.mono_ms and newest.mono_ms - oldest.mono_ms <= self._now_mono_ms
        waited_ms = self._now_mono_ms - oldest.mono_ms if same_boot else newest.wall_ms - oldest.wall_ms
        return max(0, waited_ms)

    # ---- sending

    def _send(self, link: Connection, post: Post) -> None:
        """As much as there is room for."""
        if self._now_mono_ms >= self._status_due_mono_ms and post.room >= 2:
            self._status_due_mono_ms = self._now_mono_ms + STATUS_MS
            self._publish("other", self._topics.status, self._status(), retain=True)
            self._publish_schema(schema_json())
        self._send_results()
        if self._events is not None:
            topic = self._topics.events
            self._events.step(self._now_mono_ms, lambda payload: self._publish("events", topic, payload) is not None)
        self._send_live()
        while (
            post.room > link.window // 2
            and self.standing.backfill_count() < UNACKED_MAX_BATCHES
            and self._pace.allows(self._now_mono_ms)
            and self._send_backlog()
        ):
            pass

    def _status(self) -> bytes:
        status = {"online": True, "version": self._version, "schema": schema_id(schema_json()), "stream": STREAM}
        status |= {"epoch": str(self.log.epoch), "seq": self.log.next_seq - 1, "stored_count": self.stored_count}
        status |= {"acked_count": self.acked_count, "pending_count": self.pending_count}
        status |= {"queue_age_s": self.queue_age_ms // 1_000, "parked_count": self.parked_count}
        status["clock_synced"] = self._clock is None or self._clock.synced
        return json.dumps(status, sort_keys=True).encode()

    def _send_results(self) -> None:
        while self._replays.results:
            result = self._replays.results[0]
            if self._publish("other", self._topics.result(result.command_id), encode_result(result)) is None:
                return
            self._replays.results.popleft()

    def _send_live(self) -> None:
        """The newest samples, at once. What finds no room is backlog."""
        fresh = [
            (seq, *self._stretches.stamp(self._clock.boot if self._clock else b"", one)) for seq, one in self._fresh
        ]
        self._fresh.clear()
        while fresh:
            first, _, sure = fresh[0]
            run = [one for index, (seq, one, known) in enumerate(fresh) if seq == first + index and known == sure]
            del fresh[: len(run)]
            batch = Batch(schema_id(schema_json()), self.log.epoch, first, tuple(run), unsynced=not sure)
            self._publish_batch("live", batch)

    def _send_backlog(self) -> bool:
        """One batch, or one stretch passed over. False: nothing to send, no room, or not readable now."""
        gap = self.standing.first_gap(self.log.next_seq - 1)
        if gap is not None:
            return self._send_gap(*gap)
        again = self._restamps.first_range() if self._clock is not None and self._clock.synced else None
        if again is not None:
            return self._send_restamp(*again)
        ranges = self._replays.ranges
        return bool(ranges) and self._send_replay(*ranges[0])

    def _send_gap(self, first: int, last: int) -> bool:
        stretch = self._stretches.read(first, last, self._now_mono_ms)
        if stretch is None:
            return False
        if stretch.gone_count:
            self.standing.give_up(first, stretch.first_seq - 1)
        return not stretch.samples or self._send_stretch("backlog", stretch) is not None

    def _send_restamp(self, first: int, last: int) -> bool:
        stretch = self._stretches.read(first, last, self._now_mono_ms)
        if stretch is None:
            return False
        if stretch.gone_count:
            self._restamps.give_up(first, stretch.first_seq - 1)
        if stretch.samples and stretch.unsynced:
            self._restamps.give_up(stretch.first_seq, stretch.last_seq)
        elif stretch.samples:
            if self._send_stretch("restamp", stretch) is None:
                return False
            self._restamps.note_sent(stretch.first_seq, stretch.last_seq, self._now_mono_ms)
        return True

    def _send_replay(self, first: int, last: int) -> bool:
        stretch = self._stretches.read(first, last, self._now_mono_ms)
        if stretch is None:
            return False
        token = self._send_stretch("replay", stretch) if stretch.samples else None
        if stretch.samples and token is None:
            return False
        self._replays.note_sent(stretch.last_seq, stretch.gone_count, token, len(stretch.samples))
        return True

    def _send_stretch(self, lane: Lane, stretch: Stretch) -> int | None:
        if not self._publish_schema(stretch.context):
            return None
        name, restamped = schema_id(stretch.context), lane == "restamp"
        flags = {"historical": True, "unsynced": stretch.unsynced, "restamped": restamped}
        return self._publish_batch(lane, Batch(name, self.log.epoch, stretch.first_seq, stretch.samples, **flags))

    def _publish_batch(self, lane: Lane, batch: Batch) -> int | None:
        payload = encode_batch(batch)
        topic = self._topics.live(STREAM) if lane == "live" else self._topics.backfill(STREAM)
        first, last = batch.seq0, batch.seq0 + len(batch.samples) - 1
        token = self._publish(lane, topic, payload, first, last)
        if token is None:
            return None
        if lane in ("live", "backlog"):
            self.standing.note_sent(token, first, last, self._now_mono_ms, backfill=lane == "backlog")
        if lane != "live":
            self._pace.note_sent(len(payload) + len(topic))
        return token

    def _publish_schema(self, schema: bytes) -> bool:
        name = schema_id(schema)
        unwanted = self._post is not None and self._post.is_muted(self._topics.schema(name))
        if name not in self._schemas and not unwanted:
            if self._publish("other", self._topics.schema(name), schema, retain=True) is None:
                return False
            self._schemas.add(name)
        return True

    def _publish(
        self, lane: Lane, topic: str, payload: bytes, first: int = 0, last: int = 0, *, retain: bool = False
    ) -> int | None:
        assert self._post is not None
        return self._post.publish(lane, topic, payload, self._now_mono_ms, first=first, last=last, retain=retain)

    # ---- what comes in

    def _on_ack(self, _: str, payload: bytes) -> None:
        try:
            ack = decode_ack(payload)
        except DataFault:
            self.ack_fault_count += 1
            return
        if self._events is not None:
            self._events.take(ack, self._now_mono_ms)
        if ack.stream == STREAM and ack.epoch == self.log.epoch:
            self._take(ack)

    def _take(self, ack: Ack) -> None:
        self.standing.take(ack, self.log.next_seq - 1, self._now_mono_ms)
        self.standing.advance(self.log.first_seq)
        self._restamps.take(ack, self._now_mono_ms)

    def _on_caps(self, topic: str, payload: bytes) -> None:
        try:
            self._pace.cap(decode_caps(payload))
        except DataFault as fault:
            self.refusals.append((topic, f"not caps, the ones before stay: {fault}"))

    def _on_replay(self, topic: str, payload: bytes) -> None:
        try:
            replay = decode_replay(payload)
        except DataFault as fault:
            self.refusals.append((topic, f"not a request: {fault}"))
            return
        self._replays.ask(replay, self.log.next_seq - 1, self._now_mono_ms)
