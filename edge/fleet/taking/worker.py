"""One worker: takes tm and bf batches from the broker, has them written, and acknowledges after the commit.

Rules. No payload stops it: what cannot be decoded is counted. An ack tells a gateway the whole ranges around what it just
sent, as the database holds them, so that one lost ack costs nothing. While the database is away the worker keeps what it
has, up to a bound, and then reads no more from the broker: nothing is dropped here, the gateways keep what was not acked.
Backlog has a connection of its own, read only while there is room, so that it cannot starve what is live.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

from edge.cloud.codec import RANGES_MAX_COUNT, Ack, encode_ack, schema_id
from edge.cloud.dial import Backoff
from edge.cloud.link import Link
from edge.cloud.ranges import RangeSet
from edge.cloud.topics import LANES, Topics, ingest_filters, parse
from edge.errors import DataFault
from edge.fleet.books.book import Book, Committed, Series, Taken
from edge.fleet.taking.columns import decode_columns
from edge.fleet.taking.writer import Job, Writer, Written

COMMIT_MS = 1_000
JOB_MAX_SAMPLES = 10_000  # a commit sooner when so many wait: about 0.2 s of a database's work
PENDING_MAX_SAMPLES = 40_000  # about 100 MB of 60 values each
RETRY_FIRST_MS, RETRY_MAX_MS = 500, 30_000
CLOSE_MAX_S = 10.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
SCHEMA_MAX_BYTES = 65_536


@dataclass(slots=True)
class Counts:
    messages: int = 0
    samples: int = 0  # new rows committed
    doubles: int = 0
    rejected: int = 0
    commits: int = 0
    fault: str = ""
    gateways: set[str] = field(default_factory=set)


class Ingest:
    """Links in, book out, acks back. Driven by `step`, like the links."""

    def __init__(
        self, live: Link, backlog: Link, open_book: Callable[[], Book], *, tenant: str = "+", group: str = ""
    ) -> None:
        """`group`: workers with the same one share the work (shared subscriptions); empty: this one takes everything."""
        self._live, self._backlog, self._writer = live, backlog, Writer(open_book)
        self._pending: list[Taken] = []
        self._pending_count = 0  # samples, those under way too
        self._schemas: dict[str, str] = {}
        self._known_schemas: set[str] = set()
        self._acks: dict[tuple[str, bytes], None] = {}
        self._due_mono_ms = self._now_mono_ms = 0
        self._retry = Backoff(RETRY_FIRST_MS, RETRY_MAX_MS, 1)
        self.counts = Counts()
        tm, bf, sch = ingest_filters(tenant)
        live.subscribe(f"$share/{group}/{tm}" if group else tm, self.take)
        backlog.subscribe(f"$share/{group}-backlog/{bf}" if group else bf, self.take)
        live.subscribe(sch, self.take)  # retained, and a shared subscription gets no retained messages

    # ---- taking

    def take(self, topic: str, payload: bytes) -> None:
        """One message, whatever it holds."""
        self.counts.messages += 1
        address = parse(topic)
        named = address is not None and all(map(NAME.fullmatch, (address.tenant, address.gateway, address.name)))
        try:
            if address is None or not named or address.kind not in (*LANES, "sch"):
                raise DataFault(f"{topic:.200}: not a topic of a gateway")
            if address.kind == "sch":
                self._take_schema(address.name, payload)
            else:
                batch = decode_columns(payload)
                self.counts.gateways.add(f"{address.tenant}/{address.gateway}")
                self._pending.append((Series(address.tenant, address.gateway, address.name, batch.epoch), batch))
                self._pending_count += batch.count
        except DataFault:
            self.counts.rejected += 1

    def _take_schema(self, name: str, payload: bytes) -> None:
        if not payload or name in self._known_schemas:
            return  # an empty one only clears the retained message
        try:
            text = payload.decode()
            json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataFault(f"schema {name}: {error}") from error
        if len(payload) > SCHEMA_MAX_BYTES or schema_id(payload) != name:
            raise DataFault(f"schema {name}: too long, or another one")
        self._schemas[name] = text

    # ---- driving

    def step(self, mono_ms: int) -> None:
        """Network, and once a second a commit with its acks. Never waits for the database."""
        self._now_mono_ms = mono_ms
        if self._pending_count < PENDING_MAX_SAMPLES:
            self._drive(self._live)
            if self._pending_count < PENDING_MAX_SAMPLES // 2:
                self._drive(self._backlog)
        self._settle(self._writer.poll())
        ready = self._pending_count >= JOB_MAX_SAMPLES and not self.counts.fault
        if self._writer.idle and (mono_ms >= self._due_mono_ms or ready):
            self._give()
        self._send_acks()

    @property
    def reading(self) -> bool:
        """False while so much waits for the database that nothing more is read."""
        return self._pending_count < PENDING_MAX_SAMPLES

    def _drive(self, link: Link) -> None:
        link.step(self._now_mono_ms)
        link.settled.clear()

    def _give(self) -> None:
        if not self._pending and not self._schemas:
            return
        self._due_mono_ms = self._now_mono_ms + COMMIT_MS
        self._writer.give(Job(self._pending, self._schemas))
        self._pending, self._schemas = [], {}

    def _settle(self, written: Written | None) -> None:
        if written is None:
            return
        if written.committed is None:
            self._pending = [*written.job.taken, *self._pending]
            self._schemas = {**written.job.schemas, **self._schemas}
            self.counts.fault = written.fault
            self._due_mono_ms = self._now_mono_ms + RETRY_FIRST_MS + self._retry.wait_ms()
            return
        self.counts.fault = ""
        self._retry = Backoff(RETRY_FIRST_MS, RETRY_MAX_MS, 1)
        self._known_schemas |= written.job.schemas.keys()
        self._pending_count -= written.job.sample_count
        self.counts.commits += 1
        self.counts.samples += written.committed.new_count
        self.counts.doubles += written.job.sample_count - written.committed.new_count
        self._note_acks(written.job, written.committed)

    # ---- acks

    def _note_acks(self, job: Job, committed: Committed) -> None:
        seqs: dict[Series, list[int]] = {}
        for series, batch in job.taken:
            seqs.setdefault(series, []).append(batch.seq0)
        for series, held in committed.held.items():
            ack = _ack(series, held, seqs[series], committed.unsynced.get(series, ()))
            self._acks[Topics(series.tenant, series.gateway).ack, ack] = None

    def _send_acks(self) -> None:
        """As the window allows; an ack that is lost is repeated when its batch comes again."""
        while self._acks and self._live.room:
            topic, payload = next(iter(self._acks))
            if self._live.publish(topic, payload, 1) is None:
                return
            del self._acks[topic, payload]

    def close(self) -> bool:
        """Writes what is there, sends the acks it can, leaves broker and database. False: the database did not take it."""
        self._settle(self._writer.poll(CLOSE_MAX_S))
        if self._writer.idle:
            self._give()
            self._settle(self._writer.poll(CLOSE_MAX_S))
        self._send_acks()
        self._live.close()
        self._backlog.close()
        self._writer.close(1.0)
        return not self._pending_count


def _ack(series: Series, held: RangeSet, seqs: list[int], unsynced: Iterable[tuple[int, int]]) -> bytes:
    ranges = sorted({found for found in map(held.around, seqs) if found})
    first = held.around(1)
    newest = tuple(ranges[-RANGES_MAX_COUNT:])
    oldest = tuple(islice(unsynced, RANGES_MAX_COUNT))
    return encode_ack(Ack(series.stream, series.epoch, first[1] if first else 0, newest, oldest))
