"""Ties the telemetry ring to the link: events and live first, backlog behind; the cursor moves on the ingest's word only.

Rules. Every sample is in the ring before it is sent. PUBACK is not delivery: what counts is the ack of the ingest,
after its commit. What is not acked in time, or was under way when the connection ended, is sent again; the ingest drops
doubles by (stream, epoch, seq). Nothing is deleted on an ack. What the broker refuses is parked and told, and so is what
makes it hang up. Order in a step: events, the newest samples, then at the backlog's pace: backlog, wall times that are
known better now, ranges that the fleet asks for again.
"""

from collections import deque

from edge.cloud.codec import Ack, Batch, decode_ack, encode_batch, encode_sample, schema_id, schema_json
from edge.cloud.engine import GONE
from edge.cloud.lanes.again import Replays, Restamps
from edge.cloud.lanes.age import QueueAge
from edge.cloud.lanes.events import EventLane
from edge.cloud.lanes.pace import Pace
from edge.cloud.lanes.post import Lane, Post, Refusal
from edge.cloud.lanes.rewind import begin_anew, highest
from edge.cloud.lanes.standing import Standing
from edge.cloud.lanes.stretch import STREAM, Stretch, Stretches
from edge.cloud.link import Connection
from edge.cloud.notices import decode_caps, decode_replay, encode_result, encode_status
from edge.cloud.topics import Topics
from edge.errors import DataFault
from edge.model import Sample
from edge.store.clockmap import ClockMap
from edge.store.cursor import CursorFile, Position
from edge.store.ring.aside import Aside, Work
from edge.store.segments import SegmentLog

KIND_SAMPLE = 1
LIVE_MAX_COUNT = 5  # samples waiting for the live lane; more is backlog
ACK_MAX_MS = 5_000  # an ingest commits each second
UNACKED_MAX_BATCHES = 32  # of the backlog: sent, but not yet acked by the ingest
CURSOR_WRITE_MS = 10_000
STATUS_MS = 60_000
REFUSALS_MAX_COUNT = 64


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
        aside: Aside | None = None,
        live_every_s: int = 1,
    ) -> None:
        """With `clock`, old samples get the stamp that is known now; `aside`, once it runs, waits for the disk."""
        self.log, self.link, self._topics, self._cursor = log, link, topics, cursor
        self._pace, self._version = pace or Pace(20, 100_000), version
        self._clock, self._events, self._aside = clock, events, aside or Aside("telemetry")
        at = cursor.position
        fresh = Position(log.epoch, log.first_seq - 1, log.first_seq - 1)
        self._ack_max_ms = ack_max_ms
        self.standing = Standing(at if at.epoch == log.epoch else fresh, ack_max_ms)
        self._written = cursor.position
        self._stretches = Stretches(log, clock)
        self._age = QueueAge(self._stretches)
        self._replays, self._restamps = Replays(STREAM, log.epoch), Restamps()
        self._fresh: deque[tuple[int, Sample]] = deque(maxlen=max(LIVE_MAX_COUNT, live_every_s + 1))
        self._live_every_ms, self._live_due_mono_ms = 1_000 * live_every_s, 0
        self._post = Post(link) if link is not None else None
        self._cursor_due_mono_ms = self._status_due_mono_ms = 0
        self._up_count = 0
        self._schemas: set[str] = set()
        self._now_mono_ms = 0
        self._newest: Sample | None = None
        self.refusals: deque[tuple[str, str]] = deque(maxlen=REFUSALS_MAX_COUNT)  # topic, reason; for the logbook
        self.notes: deque[str] = deque(maxlen=REFUSALS_MAX_COUNT)  # of a store put back from a copy; for the logbook
        self._own_seq = log.next_seq  # the first number this process gives
        self._known_seq = at.seq if at.epoch == log.epoch else 0  # the highest that this log is known to have given
        self.ack_fault_count = 0
        if link is not None:
            link.subscribe(topics.ack, self._on_ack)
            link.subscribe(topics.caps, self._on_caps)
            link.subscribe(topics.replay, self._on_replay)
        self._look_behind()

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
    def queue_age_ms(self) -> int:
        """How long the oldest of them has waited."""
        return self._age.ms

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
        """Everything that is due; never waits for the network."""
        self._now_mono_ms = mono_ms
        self._look_behind()
        self.standing.advance(self.log.first_seq)
        if self._age.is_due(mono_ms):
            waits = self.pending_count > 0
            gap = self.standing.acked.gap_from(self.standing.known.seq + 1, self.log.next_seq - 1) if waits else None
            self._age.look(gap, self._newest, mono_ms)
        if self.link is not None and self._post is not None:
            self._exchange(self.link, self._post)
        self._keep(mono_ms)

    def _keep(self, mono_ms: int) -> None:
        """Ring and cursors to the disk, after the network: it may take its time."""
        if not self._aside.is_running:
            self.log.sync_if_due(mono_ms)
        if self._aside.busy:
            return
        work = [self.log.begin_sync(mono_ms)] if self._aside.is_running else []
        if mono_ms >= self._cursor_due_mono_ms:
            self._cursor_due_mono_ms = mono_ms + CURSOR_WRITE_MS
            work += self._write_cursors()
        if due := [one for one in work if one is not None]:
            self._aside.give(*due)

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

    def _look_behind(self) -> None:
        """A store that was put back from a copy: its numbers were given before, and are given no more."""
        if self._known_seq < self.log.next_seq:
            return
        text = begin_anew(self.log, self._known_seq, self._own_seq)
        if not text:
            return
        self._own_seq, self._known_seq = 1, 0
        self.standing = Standing(Position(self.log.epoch), self._ack_max_ms)
        self._replays, self._restamps = Replays(STREAM, self.log.epoch), Restamps()
        self._fresh.clear()
        self._post = Post(self.link) if self.link is not None else None  # what is under way is of another epoch
        self._status_due_mono_ms = 0
        self._cursor_due_mono_ms = 0
        self.notes.append(text)

    def close(self) -> None:
        """Last words, then the disk."""
        if self.link is not None:
            self.link.publish(self._topics.status, GONE, 1, True)
            self.link.step(self._now_mono_ms)
            self.link.close()
        for sync in self._write_cursors():
            if sync is not None:
                sync()
        self.log.close()

    def _write_cursors(self) -> list[Work | None]:
        """Those that have moved; what is left to be done is their syncs."""
        at, syncs = self.standing.position, list[Work | None]()
        if (at != self._written or self._cursor.fault) and self._cursor.write(at, sync=False):
            self._written = at
            syncs.append(self._cursor.sync)
        if self._events is not None:
            syncs.append(self._events.keep_cursor())
        return syncs

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
        numbers = {
            "seq": self.log.next_seq - 1, "stored_count": self.stored_count, "acked_count": self.acked_count,
            "pending_count": self.pending_count, "queue_age_s": self.queue_age_ms // 1_000,
            "parked_count": self.parked_count, "lost_count": self.lost_count,
            "events_pending_count": self._events.pending_count if self._events else 0,
        }  # fmt: skip
        synced = self._clock is None or self._clock.synced
        return encode_status(self._version, schema_id(schema_json()), STREAM, self.log.epoch, numbers, synced=synced)

    def _send_results(self) -> None:
        while self._replays.results:
            result = self._replays.results[0]
            if self._publish("other", self._topics.result(result.command_id), encode_result(result)) is None:
                return
            self._replays.results.popleft()

    def _send_live(self) -> None:
        """The newest samples, when they are due: as a rule at once. What finds no room is backlog."""
        if not self._fresh or self._now_mono_ms < self._live_due_mono_ms:
            return
        if self._live_every_ms > 1_000:
            self._live_due_mono_ms = self._now_mono_ms + self._live_every_ms
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
        gap = self.standing.first_gap(self._fresh[0][0] - 1 if self._fresh else self.log.next_seq - 1)
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
            self._known_seq = max(self._known_seq, highest(ack))
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
