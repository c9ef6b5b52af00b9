"""A worker by itself: what it takes and refuses, when it acknowledges, and what it does while the database is away."""

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest

from edge.cloud.codec import decode_ack, schema_id
from edge.cloud.link import Link
from edge.cloud.topics import Topics
from edge.fleet.books.book import BookFault, Committed, Taken
from edge.fleet.books.sqlite import SqliteBook
from edge.fleet.taking.worker import PENDING_MAX_SAMPLES, RETRY_MAX_MS, Ingest
from tests.cloud.broker import wait_until
from tests.fleet.made import SCHEMA, SCHEMA_ID, payload

TOPICS = Topics("acme", "gw-1")


class Wire:
    """Stands in for a link: hands over one message a step, takes what is published."""

    def __init__(self, messages: Sequence[tuple[str, bytes]] = ()) -> None:
        self.waiting, self.published = deque(messages), list[tuple[str, bytes]]()
        self.filters: list[str] = []
        self.settled: deque[object] = deque()
        self.room, self.fault, self.connected = 16, "", True

    def subscribe(self, topic: str, callback: Callable[[str, bytes], None]) -> None:
        self.filters.append(topic)
        self._callback = callback

    def step(self, _mono_ms: int) -> None:
        if self.waiting:
            self._callback(*self.waiting.popleft())

    def publish(self, topic: str, payload: bytes, _qos: int = 1, _retain: bool = False) -> int:
        self.published.append((topic, payload))
        return 1

    def close(self) -> None: ...


class Sick:
    """A SQLite book that is away while `away` says so."""

    def __init__(self, path: Path) -> None:
        self.inner, self.away, self.tries = SqliteBook(path), "", 0

    def commit(self, taken: Sequence[Taken], schemas: Mapping[str, str]) -> Committed:
        self.tries += 1
        if self.away:
            raise BookFault(self.away)
        return self.inner.commit(taken, schemas)

    def close(self) -> None:
        self.inner.close()


class Bench:
    """A worker on two wires and one book, in virtual time."""

    def __init__(self, path: Path, messages: Sequence[tuple[str, bytes]] = (), group: str = "") -> None:
        self.live, self.backlog = Wire(), Wire(messages)
        self.books: list[Sick] = []
        self._path, self.mono_ms = path, 0
        self.worker = Ingest(cast(Link, self.live), cast(Link, self.backlog), self._open, group=group)

    def _open(self) -> Sick:
        self.books.append(Sick(self._path))
        return self.books[-1]

    def pass_ms(self, count_ms: int, step_ms: int = 100) -> None:
        """Time goes by; a commit that was begun is over at the end of its step, as the database is fast."""
        for _ in range(0, count_ms, step_ms):
            self.mono_ms += step_ms
            self.worker.step(self.mono_ms)
            self.worker._settle(self.worker._writer.poll(5.0))
            self.worker._send_acks()

    def ranges(self) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
        """The acks so far: contiguous number and ranges."""
        acks = [decode_ack(payload) for topic, payload in self.live.published if topic == TOPICS.ack]
        return [(ack.contiguous_seq, ack.ranges) for ack in acks]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "fleet.db")


def test_garbage_on_every_topic_is_counted_and_survived(bench: Bench) -> None:
    root = TOPICS.live("site").split("/")[0]
    tails = ("a/b/tm/site", "a/b/bf/site", "a/b/sch/x", "a/ b/tm/x", "a/b/st/site", "a/b/tm/" + "s" * 99, "a/b/tm", "x")
    for topic in [*(f"{root}/{tail}" for tail in tails), "x"]:
        for message in (b"\x78\x9c", b"\x98" + b"\xc0" * 8, os.urandom(99), b"\xff" * 2_000):
            bench.worker.take(topic, message)
    for text in (b"\xff", b"{", b"[" * 100_000, b"x" * 70_000):
        bench.worker.take(TOPICS.schema(schema_id(text)), text)
    bench.worker.take(TOPICS.schema("0" * 16), SCHEMA)
    assert bench.worker.counts.rejected == 9 * 4 + 5
    bench.pass_ms(3_000)
    assert not bench.books and bench.worker.counts.samples == 0


def test_an_ack_comes_after_the_commit_and_says_what_the_database_holds(bench: Bench) -> None:
    bench.worker.take(TOPICS.schema(SCHEMA_ID), SCHEMA)
    bench.pass_ms(1_000)
    bench.worker.take(TOPICS.live("site"), payload(1, 5))
    bench.worker.take(TOPICS.live("site"), payload(11, 5))
    assert not bench.ranges()
    bench.pass_ms(1_100)
    assert bench.ranges() == [(5, ((1, 5), (11, 15)))]
    bench.worker.take(TOPICS.backfill("site"), payload(6, 5))
    bench.pass_ms(1_100)
    assert bench.ranges()[1:] == [(15, ((1, 15),))]
    assert (bench.worker.counts.samples, bench.worker.counts.commits) == (15, 3)


def test_an_ack_names_what_waits_for_better_times_until_they_come(bench: Bench) -> None:
    topic = TOPICS.live("site")
    bench.worker.take(topic, payload(1, 5, marks=(False, True, False)))
    bench.pass_ms(1_100)
    bench.worker.take(topic, payload(2, 3, marks=(True, False, True)))
    bench.pass_ms(1_100)
    bench.worker.take(topic, payload(1, 6, marks=(True, False, True)))
    bench.pass_ms(1_100)
    acks = [decode_ack(message) for _, message in bench.live.published]
    assert [ack.unsynced for ack in acks] == [((1, 5),), ((1, 1), (5, 5)), ()]


def test_while_the_database_is_away_nothing_is_acknowledged_or_dropped_and_it_is_told(bench: Bench) -> None:
    bench.worker.take(TOPICS.live("site"), payload(1, 5))
    bench.pass_ms(1_000)
    bench.books[0].away = "postgres: no route to host"
    bench.worker.take(TOPICS.live("site"), payload(6, 5))
    bench.pass_ms(600_000)
    assert bench.worker.counts.fault == "postgres: no route to host"
    assert len(bench.ranges()) == 1 and 600_000 / RETRY_MAX_MS < bench.books[0].tries < 90, "it backs off"
    bench.books[0].away = ""
    bench.pass_ms(RETRY_MAX_MS + 1_000)
    assert bench.ranges()[1:] == [(10, ((1, 10),))] and bench.worker.counts.fault == ""


def test_a_full_worker_reads_no_more_and_goes_on_when_the_database_is_back(tmp_path: Path) -> None:
    messages = [(TOPICS.backfill("site"), payload(seq0, 1_000)) for seq0 in range(1, 90_000, 1_000)]
    bench = Bench(tmp_path / "fleet.db", messages)
    bench.live.waiting = deque([(TOPICS.live("site"), payload(seq0, 1_000)) for seq0 in range(200_001, 290_000, 1_000)])
    bench.live._callback = bench.worker.take
    bench.worker.take(TOPICS.live("site"), payload(999_999, 1))
    bench.pass_ms(100)
    bench.books[0].away = "postgres: away"
    bench.pass_ms(60_000)
    held = bench.worker._pending_count
    assert PENDING_MAX_SAMPLES <= held <= PENDING_MAX_SAMPLES + 1_000 and not bench.worker.reading
    assert len(bench.backlog.waiting) > len(bench.live.waiting) > 0, "backlog makes room for what is live"
    bench.books[0].away = ""
    bench.pass_ms(80_000)
    assert bench.worker.reading and not bench.live.waiting and not bench.backlog.waiting
    assert bench.worker.counts.samples == 180_001 and bench.worker.counts.rejected == 0


def test_a_worker_of_a_group_shares_live_and_backlog_apart_and_sees_every_schema(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "fleet.db", group="ingest")
    root = TOPICS.live("site").split("/")[0]
    assert bench.live.filters == [f"$share/ingest/{root}/+/+/tm/#", f"{root}/+/+/sch/#"]
    assert bench.backlog.filters == [f"$share/ingest-backlog/{root}/+/+/bf/#"]


def test_closing_stores_what_is_there_and_says_when_it_could_not(tmp_path: Path, bench: Bench) -> None:
    bench.worker.take(TOPICS.live("site"), payload(1, 5))
    assert bench.worker.close() and bench.ranges() == [(5, ((1, 5),))]
    again = Bench(tmp_path / "fleet.db")
    again.worker.take(TOPICS.live("site"), payload(6, 1))
    again.pass_ms(1_000)
    again.books[0].away = "away"
    again.worker.take(TOPICS.live("site"), payload(7, 1))
    assert not again.worker.close()


def test_a_book_that_hangs_stops_neither_the_network_nor_the_end(tmp_path: Path) -> None:
    class Hung:
        def commit(self, _taken: object, _schemas: object) -> Committed:
            time.sleep(60)
            raise BookFault("too late")

        def close(self) -> None: ...

    wire = Wire()
    worker = Ingest(cast(Link, wire), cast(Link, Wire()), Hung)
    worker.take(TOPICS.live("site"), payload(1, 5))
    assert wait_until(lambda: not worker._writer.idle, 2, lambda: worker.step(5_000))
    started_s = time.monotonic()
    for mono_ms in range(5_000, 15_000, 10):
        worker.step(mono_ms)
    assert time.monotonic() - started_s < 2 and not wire.published
