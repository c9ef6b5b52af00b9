"""Ties the telemetry ring to the link: live first, backlog behind it, and the cursor moves on the ingest's word only.

Rules. Every sample is in the ring before it is sent. PUBACK is not delivery: what counts is the ack of the ingest,
after its commit. What is not acked in time, or was under way when the connection ended, is sent again; the ingest drops
doubles by (stream, epoch, seq). Nothing is deleted on an ack. While no ingest answers, the patience doubles, so that
a backlog is not sent round and round over a metered line.
"""

import json
from collections import deque
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from edge.cloud.access import access_of
from edge.cloud.codec import Ack, Batch, decode_ack, decode_sample, encode_batch, encode_sample, schema_id, schema_json
from edge.cloud.link import Link, LinkSettings
from edge.cloud.ranges import RangeSet
from edge.cloud.topics import Topics
from edge.config.options import Cloud, Site, Store
from edge.errors import DataFault
from edge.model import Sample
from edge.store.clockmap import ClockMap
from edge.store.cursor import CursorFile, Position
from edge.store.disk import Disk
from edge.store.segments import Entry, SegmentLog

STREAM = "site"
KIND_SAMPLE = 1
BATCH_MAX_COUNT = 60
LIVE_MAX_COUNT = 5  # samples waiting for the live lane; more is backlog
ACK_MAX_MS = 5_000  # an ingest commits each second
ACK_LONGEST_MS = 300_000
UNACKED_MAX_BATCHES = 32  # sent, but not yet acked by the ingest
CURSOR_WRITE_MS = 10_000
READ_PATIENCE_MS = 300_000  # a fault of reading the ring may pass; after this the records behind it are given up
GONE = json.dumps({"online": False}).encode()


def link_of(site: Site, cloud: Cloud) -> Link:
    """The link of a site as configured, with its will."""
    return Link(
        LinkSettings(
            cloud.host,
            cloud.port,
            client_id=f"tw1-{site.tenant}-{site.id}",
            access=access_of(cloud),
            keepalive_s=cloud.keepalive_s,
            will=(Topics(site.tenant, site.id).status, GONE),
        )
    )


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
        link: Link | None,
        *,
        backfill_per_s: int = 10,
        version: str = "",
        ack_max_ms: int = ACK_MAX_MS,
        clock: ClockMap | None = None,
    ) -> None:
        """With `clock`, a sample taken before the time was known is sent with the stamp that is known now."""
        self.log, self.link, self._topics, self._cursor = log, link, topics, cursor
        self._backfill_per_s, self._version = backfill_per_s, version
        at = cursor.position
        self._known = at if at.epoch == log.epoch else Position(log.epoch, log.first_seq - 1, log.first_seq - 1)
        self._clock = clock
        self._written = cursor.position
        self._acked = RangeSet()  # beyond the cursor
        self._gone_count = self._known.gone_count  # numbers passed over: overwritten, damaged or never used
        self._unacked: deque[tuple[int, int, int, bool]] = deque()  # first, last, due, backfill
        self._fresh: deque[tuple[int, Sample]] = deque(maxlen=LIVE_MAX_COUNT)
        self._ack_max_ms = self._patience_ms = ack_max_ms
        self._tokens = 0.0
        self._tokens_mono_ms: int | None = None
        self._unreadable_mono_ms: int | None = None  # since when the next stretch of the backlog cannot be read
        self._cursor_due_mono_ms = 0
        self._up_count = 0
        self._schemas: set[str] = set()
        self._now_mono_ms = 0
        self.ack_fault_count = 0
        self._schema = schema_id(schema_json())
        if link is not None:
            link.subscribe(topics.ack, self._on_ack)

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
        return max(0, self._known.seq + self._acked.count() - self._gone_count)

    @property
    def pending_count(self) -> int:
        """Samples not yet acked that can still be sent."""
        numbers = self.log.next_seq - 1 - self._known.seq - self._acked.count()
        return max(0, min(numbers, self.stored_count - self.acked_count))

    @property
    def lost_count(self) -> int:
        """Samples overwritten or damaged before any ack."""
        return max(0, self.stored_count - self.acked_count - self.pending_count)

    @property
    def fault(self) -> str:
        """What is wrong with the store, for `store_fault`."""
        return self.log.fault or self._cursor.fault or (self.log.notes[-1] if self.log.notes else "")

    # ---- driving

    def note(self, sample: Sample) -> int:
        """Keeps a sample; it goes out with the next step. Returns its number."""
        seq = self.log.append(KIND_SAMPLE, encode_sample(sample))
        self._fresh.append((seq, sample))
        return seq

    def step(self, mono_ms: int) -> None:
        """Everything that is due; never waits for the network. A sync of the disk may take its time here."""
        self._now_mono_ms = mono_ms
        self.log.sync_if_due(mono_ms)
        self._advance()
        if mono_ms >= self._cursor_due_mono_ms:
            self._cursor_due_mono_ms = mono_ms + CURSOR_WRITE_MS
            self._write_cursor()
        if self.link is None:
            return
        self.link.step(mono_ms)
        self.link.settled.clear()  # the ingest's ack is what counts
        if self.link.up_count != self._up_count:
            self._up_count = self.link.up_count
            self._unacked.clear()
            self._schemas.clear()
        if self.link.connected:
            self._expire()
            self._send_birth()
            self._send_live()
            self._send_backlog()
            self.link.step(mono_ms)

    def close(self) -> None:
        """Last words, then the disk."""
        if self.link is not None:
            self.link.publish(self._topics.status, GONE, 1, True)
            self.link.step(self._now_mono_ms)
            self.link.close()
        self._write_cursor()
        self.log.close()

    def _write_cursor(self) -> None:
        at = Position(self.log.epoch, self._known.seq, self._gone_count)
        if at != self._written and self._cursor.write(at):
            self._written = at

    # ---- sending

    def _send_birth(self) -> None:
        if self._schema in self._schemas or self.link is None or self.link.room < 2:
            return
        status = {"online": True, "version": self._version, "schema": self._schema, "stream": STREAM}
        status |= {"epoch": str(self.log.epoch), "seq": self.log.next_seq - 1}
        self.link.publish(self._topics.status, json.dumps(status, sort_keys=True).encode(), 1, True)
        self._publish_schema(schema_json())

    def _publish_schema(self, schema: bytes) -> bool:
        name = schema_id(schema)
        if name not in self._schemas and self.link is not None:
            if self.link.publish(self._topics.schema(name), schema, 1, True) is None:
                return False
            self._schemas.add(name)
        return True

    def _send_live(self) -> None:
        """The newest samples in one message, at once. What finds no room is backlog."""
        fresh = list(self._fresh)
        self._fresh.clear()
        if fresh:
            first = fresh[0][0]
            run = [sample for index, (seq, sample) in enumerate(fresh) if seq == first + index]
            self._send(self._topics.live(STREAM), self._schema, first, run, historical=False)

    def _send_backlog(self) -> None:
        """Oldest first, at most `backfill_per_s` batches a second and half of the window."""
        assert self.link is not None
        before_ms = self._now_mono_ms if self._tokens_mono_ms is None else self._tokens_mono_ms
        self._tokens_mono_ms = self._now_mono_ms
        earned = (self._now_mono_ms - before_ms) * self._backfill_per_s / 1_000
        self._tokens = min(self._tokens + earned, float(max(1, self._backfill_per_s)))
        underway = sum(1 for one in self._unacked if one[3])
        while self._tokens >= 1 and underway < UNACKED_MAX_BATCHES and self.link.room > self.link.window // 2:
            gap = self._first_gap()
            if gap is None or not self._send_stretch(*gap):
                return
            self._tokens -= 1
            underway += 1

    def _first_gap(self) -> tuple[int, int] | None:
        taken = RangeSet()
        for first, last in self._acked:
            taken.add(first, last)
        for first, last, _, _ in self._unacked:
            taken.add(first, last)
        return taken.gap_from(self._known.seq + 1, self.log.next_seq - 1)

    def _send_stretch(self, first: int, last: int) -> bool:
        """One batch from what the ring still holds of first..last. False: no room, or not readable now."""
        entries: list[Entry] = []
        for entry in takewhile(lambda entry: entry.seq <= last, self.log.read_from(first)):
            if entries and (entry.seq != entries[-1].seq + 1 or entry.context != entries[0].context):
                break
            entries.append(entry)
            if len(entries) == BATCH_MAX_COUNT:
                break
        if (not entries or entries[0].seq > first) and self._waits_for_disk():
            return False
        self._unreadable_mono_ms = None
        if not entries:
            self._acked.add(first, last)  # damaged or skipped: nobody will ever get these
            self._gone_count += last - first + 1
            return True
        if entries[0].seq > first:
            self._acked.add(first, entries[0].seq - 1)
            self._gone_count += entries[0].seq - first
        return self._send_entries(entries)

    def _waits_for_disk(self) -> bool:
        """True while a fault of reading is so young that it may pass: what is on disk is not given up for it."""
        if self.log.read_fault and self._unreadable_mono_ms is None:
            self._unreadable_mono_ms = self._now_mono_ms
        since_mono_ms = self._unreadable_mono_ms
        young = since_mono_ms is not None and self._now_mono_ms - since_mono_ms < READ_PATIENCE_MS
        return bool(self.log.read_fault) and young

    def _send_entries(self, entries: list[Entry]) -> bool:
        samples = [self._sample_of(entry) for entry in entries]
        run = [sample for sample in takewhile(lambda one: one is not None, samples) if sample is not None]
        run = list(takewhile(lambda one: len(one.values) == len(run[0].values), run))
        if not run:  # not a sample of ours: pass over it
            self._acked.add(entries[0].seq, entries[0].seq)
            self._gone_count += 1
            return True
        schema = entries[0].context
        if not self._publish_schema(schema):
            return False
        topic = self._topics.backfill(STREAM)
        return self._send(topic, schema_id(schema), entries[0].seq, run, historical=True)

    def _sample_of(self, entry: Entry) -> Sample | None:
        sample = decode_sample(entry.body)
        if sample is None or self._clock is None:
            return sample
        return replace(sample, wall_ms=self._clock.stamp(entry.boot, sample.mono_ms, sample.wall_ms).wall_ms)

    def _send(self, topic: str, schema: str, first: int, samples: list[Sample], *, historical: bool) -> bool:
        assert self.link is not None
        if not self.link.room:
            return False
        payload = encode_batch(Batch(schema, self.log.epoch, first, tuple(samples), historical))
        if self.link.publish(topic, payload, 1) is None:
            return False
        due_mono_ms = self._now_mono_ms + self._patience_ms
        self._unacked.append((first, first + len(samples) - 1, due_mono_ms, historical))
        return True

    # ---- acks

    def _on_ack(self, _: str, payload: bytes) -> None:
        try:
            ack = decode_ack(payload)
        except DataFault:
            self.ack_fault_count += 1
            return
        if ack.stream == STREAM and ack.epoch == self.log.epoch:
            self._take(ack)

    def _take(self, ack: Ack) -> None:
        last = self.log.next_seq - 1
        for first, until in (*ack.ranges, (1, ack.contiguous_seq)):
            if first <= last:
                self._acked.add(max(first, self._known.seq + 1), min(until, last))
        self._advance()
        if self._patience_ms > self._ack_max_ms:  # the ingest is back: do not sit out the long waits
            self._patience_ms = self._ack_max_ms
            due = self._now_mono_ms + self._ack_max_ms
            self._unacked = deque((a, b, min(at, due), lane) for a, b, at, lane in self._unacked)
        self._unacked = deque(one for one in self._unacked if not self._covered(one[0], one[1]))

    def _covered(self, first: int, last: int) -> bool:
        return last <= self._known.seq or self._acked.gap_from(max(first, self._known.seq + 1), last) is None

    def _expire(self) -> None:
        """Overdue ones become backlog again; each time nobody answers the next wait is twice as long."""
        kept = deque(one for one in self._unacked if one[2] > self._now_mono_ms)
        if len(kept) < len(self._unacked):
            self._patience_ms = min(2 * self._patience_ms, ACK_LONGEST_MS)
        self._unacked = kept

    def _advance(self) -> None:
        """Moves the cursor over what is acked, and over what the ring has overwritten."""
        seq = self._known.seq
        oldest = self.log.first_seq
        if seq + 1 < oldest:
            gone = oldest - 1 - seq - self._acked.drop_to(oldest - 1)
            self._gone_count += max(0, gone)
            seq = oldest - 1
        found = self._acked.around(seq + 1)
        if found:
            seq = found[1]
            self._acked.drop_to(seq)
        if seq != self._known.seq:
            self._known = Position(self.log.epoch, seq, self._gone_count)
