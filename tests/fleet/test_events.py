"""Events through worker and books: each stored once, acknowledged after the commit, missing ones told."""

import itertools
import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.cloud.codec import decode_ack
from edge.cloud.notices import decode_events
from edge.cloud.ranges import RangeSet
from edge.cloud.topics import Topics
from edge.errors import DataFault
from edge.fleet.books import layout
from edge.fleet.books.book import Series
from edge.fleet.books.postgres import PostgresBook
from edge.fleet.books.sqlite import SqliteBook
from edge.fleet.taking.occurrences import decode_told
from edge.fleet.taking.worker import RETRY_MAX_MS
from tests.cloud.test_access import edge
from tests.fleet.cluster import Cluster
from tests.fleet.kept import Kept
from tests.fleet.made import FIRST_WALL_MS, batch, events_payload, payload, series, told
from tests.fleet.test_worker import Bench

TOPICS = Topics("acme", "gw-1")
EVENTS = series()._replace(stream="ev")


# ---- books


def test_an_event_that_comes_again_is_stored_once_with_what_it_said(kept: Kept) -> None:
    first = kept.book.commit([], {}, [told(1, 2, 5), told(2, 5, 6)])
    assert first.new_event_count == 4 and list(first.held[EVENTS]) == [(1, 2), (5, 6)] and first.new_count == 0
    again = kept.book.commit([batch(1, 3)], {}, [told(1, 2, 3, 4, 5, 6)])
    assert again.new_event_count == 2 and list(again.held[EVENTS]) == [(1, 6)]
    assert list(again.held[series()]) == [(1, 3)], "the numbers of samples and events do not mix"
    query = "SELECT tenant, gateway, epoch, seq, mono_ms, level, name, text FROM events ORDER BY seq"
    rows = [("acme", "gw-1", 7, seq, seq, "alarm", "test.made", f"number {seq}") for seq in range(1, 7)]
    assert kept.ask(query) == rows


def test_an_event_takes_a_better_time_once_and_never_a_worse_one(kept: Kept) -> None:
    kept.book.commit([], {}, [told(1, 2, late_ms=-500, synced=False)])
    kept.book.commit([], {}, [told(1, late_ms=40), told(2, late_ms=70, synced=False), told(3, synced=False), told(3)])
    kept.book.commit([], {}, [told(1, late_ms=90), told(3, late_ms=-500, synced=False)])
    rows = kept.ask(f"SELECT {kept.wall_ms}, unsynced FROM events ORDER BY seq")
    late = [int(str(wall_ms).split(".")[0]) - FIRST_WALL_MS - at * 1_000 for at, (wall_ms, _) in enumerate(rows, 1)]
    assert late == [40, -500, 0] and [bool(mark) for _, mark in rows] == [False, True, False]


def test_workers_that_hold_halves_of_the_events_both_say_what_the_database_holds(kept: Kept) -> None:
    other = kept.open()
    kept.book.commit([], {}, [told(1, 3)])
    assert list(other.commit([], {}, [told(2, 5)]).held[EVENTS]) == [(1, 3), (5, 5)]
    other.close()


FRESH = itertools.count()
PARTS = st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=12), min_size=1, max_size=6)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PARTS)
def test_the_ranges_are_the_events_that_are_stored(kept: Kept, parts: list[list[int]]) -> None:
    whose = series(f"gw-{next(FRESH)}")
    wanted, new_count = RangeSet(), 0
    for seqs in parts:
        done = kept.book.commit([], {}, [told(*seqs, whose=whose)])
        new_count += done.new_event_count
        for seq in seqs:
            wanted.add(seq, seq)
    rows = kept.ask(f"SELECT seq FROM events WHERE gateway = '{whose.gateway}' ORDER BY seq")
    assert [row[0] for row in rows] == sorted({seq for seqs in parts for seq in seqs})
    assert list(done.held[whose._replace(stream="ev")]) == list(wanted) and new_count == len(rows)


def test_a_book_of_the_version_before_is_brought_up_to_date_with_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    with sqlite3.connect(path) as db:
        db.executescript(layout.SQLITE[0] + "PRAGMA user_version=1")
        db.execute("INSERT INTO series VALUES (1, 'acme', 'gw-1', 'site', 7)")
        db.execute("INSERT INTO held VALUES (1, 1, 5)")
    book = SqliteBook(path)
    done = book.commit([batch(6, 2)], {}, [told(1)])
    assert list(done.held[series()]) == [(1, 7)] and done.new_event_count == 1
    book.close()
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (len(layout.SQLITE),)


def test_a_database_of_the_version_before_is_brought_up_to_date(cluster: Cluster) -> None:
    dsn = cluster.dsn()
    book = PostgresBook(dsn)
    book.commit([batch(1, 5)], {})
    db = book._db
    assert db is not None
    db.execute("DROP VIEW events")
    db.execute("DROP TABLE event")
    db.execute("UPDATE fleet_layout SET version = 1")
    db.commit()
    book.close()
    done = PostgresBook(dsn).commit([batch(6, 2)], {}, [told(1)])
    assert list(done.held[series()]) == [(1, 7)] and done.new_event_count == 1


# ---- what is taken


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@given(st.one_of(st.binary(max_size=60), JSON.map(lambda one: json.dumps(one).encode())))
def test_whatever_comes_is_taken_as_the_codec_takes_it_or_refused(message: bytes) -> None:
    try:
        wanted = decode_events(message)
    except DataFault:
        with pytest.raises(DataFault):
            decode_told(message)
    else:
        assert decode_told(message)[0] == wanted.epoch


ODD_TEXT = st.text(st.characters(categories=("L", "N", "S", "Cs", "Cc")), max_size=20)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ODD_TEXT, ODD_TEXT)
@example("\0", "a\0b\ud800c")
def test_any_text_that_json_can_hold_can_be_stored(kept: Kept, name: str, text: str) -> None:
    row = {"seq": 1, "wall_ms": -(1 << 62), "mono_ms": 1 << 62, "synced": True, "level": "info"}
    message = {"version": 1, "epoch": str(next(FRESH) + 1), "events": [row | {"name": name, "text": text}]}
    epoch, events = decode_told(json.dumps(message).encode())
    whose = Series("acme", "odd", "ev", epoch)
    assert kept.book.commit([], {}, [(whose, events)]).new_event_count == 1
    (stored,) = kept.ask(f"SELECT name, text FROM events WHERE gateway = 'odd' AND epoch = {epoch}")
    assert list(stored) == [events[0].event.name, events[0].event.text]
    assert all(kept == odd for kept, odd in zip(str(stored[1]), text, strict=True) if odd.isprintable())


# ---- the worker


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "fleet.db")


def test_events_are_acknowledged_after_the_commit_in_a_stream_of_their_own(bench: Bench) -> None:
    bench.worker.take(TOPICS.events, events_payload(1, 2, 4))
    bench.worker.take(TOPICS.live("site"), payload(1, 5))
    assert not bench.ranges()
    bench.pass_ms(1_100)
    acks = {ack.stream: ack for ack in (decode_ack(message) for _, message in bench.live.published)}
    assert (acks["ev"].epoch, acks["ev"].contiguous_seq, acks["ev"].ranges) == (7, 2, ((1, 2), (4, 4)))
    assert acks["site"].ranges == ((1, 5),)
    bench.worker.take(TOPICS.events, events_payload(2, 3))
    bench.pass_ms(1_100)
    assert decode_ack(bench.live.published[-1][1]).ranges == ((1, 4),)
    assert (bench.worker.counts.events, bench.worker.counts.event_doubles, bench.worker.counts.samples) == (4, 1, 5)


def test_while_the_database_is_away_events_wait_and_are_not_acknowledged(bench: Bench) -> None:
    bench.worker.take(TOPICS.events, events_payload(1))
    bench.pass_ms(1_000)
    bench.books[0].away = "postgres: no route to host"
    bench.worker.take(TOPICS.events, events_payload(2, 3))
    bench.pass_ms(60_000)
    assert len(bench.ranges()) == 1
    bench.books[0].away = ""
    bench.pass_ms(RETRY_MAX_MS + 1_000)
    assert bench.ranges()[1:] == [(3, ((1, 3),))] and bench.worker.close()


def test_no_stream_of_samples_may_pass_for_the_events(bench: Bench) -> None:
    root = TOPICS.events.rsplit("/", 1)[0]
    for topic, message in (
        (TOPICS.live("ev"), payload(1, 5)),
        (TOPICS.backfill("ev"), payload(1, 5)),
        (f"{root}/ev/site", events_payload(1)),
        (TOPICS.events, payload(1, 5)),
        (TOPICS.events, b"{}"),
    ):
        bench.worker.take(topic, message)
    bench.pass_ms(1_100)
    assert bench.worker.counts.rejected == 5 and not bench.live.published


def test_gaps_tells_the_events_that_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    book = SqliteBook(path)
    book.commit([batch(1, 5)], {}, [told(2, 3, 6)])
    book.close()
    done = edge("gaps", "--json", "--sqlite", str(path), module="edge.fleet")
    assert done.returncode == 1
    assert {row["stream"]: row["gaps"] for row in json.loads(done.stdout)} == {"ev": [[1, 1], [4, 5]], "site": []}
