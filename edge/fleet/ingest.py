"""The reference ingest: takes tm and bf batches from the broker, upserts into SQLite, acks after the commit.

Doubles fall on (tenant, gateway, stream, epoch, seq). No payload stops it: what cannot be decoded is counted. An ack
tells a gateway the whole ranges around what it just sent, so that one lost ack costs nothing.
"""

import re
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import msgpack

from edge.cloud.codec import RANGES_MAX_COUNT, Ack, Batch, decode_batch, encode_ack, schema_id
from edge.cloud.link import Link
from edge.cloud.ranges import RangeSet
from edge.cloud.topics import LANES, Topics, ingest_filters, parse
from edge.errors import DataFault

COMMIT_MS = 1_000
PENDING_MAX = 5_000  # batches held while the database is busy or the disk is full; more come again by themselves
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

_TABLES = """
CREATE TABLE IF NOT EXISTS sample (
  tenant TEXT NOT NULL, gw TEXT NOT NULL, stream TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL, mono_ms INTEGER NOT NULL, schema TEXT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (gw, stream, epoch, seq, tenant)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS schema (id TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
"""

Key = tuple[str, str, str, int]  # tenant, gateway, stream, epoch


@dataclass(slots=True)
class Counts:
    messages: int = 0
    samples: int = 0  # new rows committed
    doubles: int = 0
    rejected: int = 0
    fault: str = ""
    gateways: set[str] = field(default_factory=set)


class SampleBook:
    """The SQLite file, and in memory which numbers it holds."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_TABLES)
        self._held: dict[Key, RangeSet] = {}

    def held(self, key: Key) -> RangeSet:
        """The numbers committed under `key`."""
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = RangeSet()
            where = "tenant=? AND gw=? AND stream=? AND epoch=?"
            query = (  # runs of consecutive numbers share seq - row number
                f"SELECT MIN(seq), MAX(seq) FROM (SELECT seq, seq - ROW_NUMBER() OVER (ORDER BY seq) AS run"
                f" FROM sample WHERE {where}) GROUP BY run"
            )
            for first, last in self._db.execute(query, key):
                found.add(first, last)
        return found

    def commit(self, batches: list[tuple[Key, Batch]], schemas: dict[str, str]) -> int:
        """All of it in one transaction; returns how many rows were new. Raises sqlite3.Error, nothing changed then."""
        keys = {key: self.held(key) for key, _ in batches}
        before_count = self._db.total_changes
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for (tenant, gateway, stream, epoch), batch in batches:
                head = (tenant, gateway, stream, epoch)
                rows = [
                    (*head, batch.seq0 + index, one.wall_ms, one.mono_ms, batch.schema_id, msgpack.packb(one.values))
                    for index, one in enumerate(batch.samples)
                ]
                self._db.executemany("INSERT OR IGNORE INTO sample VALUES (?,?,?,?,?,?,?,?,?)", rows)
            new_count = self._db.total_changes - before_count
            self._db.executemany("INSERT OR IGNORE INTO schema VALUES (?,?)", schemas.items())
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        for key, batch in batches:
            keys[key].add(batch.seq0, batch.seq0 + len(batch.samples) - 1)
        return new_count

    def close(self) -> None:
        self._db.close()


class Ingest:
    """Link in, book out, acks back. Driven by `step`, like the link."""

    def __init__(self, link: Link, book: SampleBook, tenant: str = "+") -> None:
        self._link, self._book = link, book
        self._batches: list[tuple[Key, Batch]] = []
        self._schemas: dict[str, str] = {}
        self._acks: dict[tuple[str, bytes], None] = {}
        self._due_mono_ms = 0
        self.counts = Counts()
        for topic in ingest_filters(tenant):
            link.subscribe(topic, self.take)

    def take(self, topic: str, payload: bytes) -> None:
        """One message, whatever it holds."""
        self.counts.messages += 1
        address = parse(topic)
        if address is None or not address.name or not all(map(NAME.fullmatch, (address.tenant, address.gateway))):
            self.counts.rejected += 1
        elif address.kind == "sch":
            self._take_schema(address.name, payload)
        elif address.kind in LANES and NAME.fullmatch(address.name) and len(self._batches) < PENDING_MAX:
            try:
                batch = decode_batch(payload)
            except DataFault:
                self.counts.rejected += 1
                return
            self.counts.gateways.add(f"{address.tenant}/{address.gateway}")
            self._batches.append(((address.tenant, address.gateway, address.name, batch.epoch), batch))
        else:
            self.counts.rejected += 1

    def _take_schema(self, name: str, payload: bytes) -> None:
        if len(payload) > 65_536 or schema_id(payload) != name:
            self.counts.rejected += bool(payload)  # an empty one only clears the retained message
            return
        self._schemas[name] = payload.decode(errors="replace")

    def step(self, mono_ms: int) -> None:
        """Network, and once a second the commit with its acks."""
        self._link.step(mono_ms)
        self._link.settled.clear()
        if mono_ms >= self._due_mono_ms:
            self._due_mono_ms = mono_ms + COMMIT_MS
            self.commit()
        self._send_acks()

    def commit(self) -> None:
        """Writes what came; on a database fault keeps it and tries again with the next call."""
        if not self._batches and not self._schemas:
            return
        try:
            new_count = self._book.commit(self._batches, self._schemas)
        except sqlite3.Error as error:
            self.counts.fault = f"database: {error}"
            return
        self.counts.fault = ""
        self.counts.samples += new_count
        self.counts.doubles += sum(len(batch.samples) for _, batch in self._batches) - new_count
        touched: dict[Key, list[int]] = {}
        for key, batch in self._batches:
            touched.setdefault(key, []).append(batch.seq0)
        for key, seqs in touched.items():
            self._acks[Topics(key[0], key[1]).ack, self._ack_of(key, seqs)] = None
        self._batches, self._schemas = [], {}

    def _ack_of(self, key: Key, seqs: list[int]) -> bytes:
        held = self._book.held(key)
        ranges = {found for found in map(held.around, seqs) if found}
        first = held.around(1)
        newest = tuple(sorted(ranges))[-RANGES_MAX_COUNT:]
        return encode_ack(Ack(key[2], key[3], first[1] if first else 0, newest))

    def _send_acks(self) -> None:
        """As the window allows; an ack that is lost is repeated when its batch comes again."""
        while self._acks and self._link.room:
            topic, payload = next(iter(self._acks))
            if self._link.publish(topic, payload, 1) is None:
                return
            del self._acks[topic, payload]

    def close(self) -> None:
        """Commits what is there, sends the acks it can, leaves the broker."""
        self.commit()
        self._send_acks()
        self._link.close()
        self._book.close()
