"""Every book keeps every sample once, knows which numbers it holds, and says so from the database."""

import itertools
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.cloud.ranges import RangeSet
from edge.fleet.books import layout
from edge.fleet.books.book import Book, BookFault, Columns
from edge.fleet.books.postgres import PostgresBook
from edge.fleet.books.sqlite import SqliteBook
from tests.fleet.cluster import Cluster
from tests.fleet.made import FIRST_WALL_MS, SCHEMA, SCHEMA_ID, batch, series

Ask = Callable[[str], list[tuple[object, ...]]]
NOW = "extract(epoch from time)*1000"


class Kept:
    """A book, how another worker opens it, and a look into it with the database's own client."""

    def __init__(self, open_book: Callable[[], Book], ask: Ask, wall_ms: str) -> None:
        self.open, self.ask, self.wall_ms = open_book, ask, wall_ms
        self.book = open_book()

    def seqs(self) -> list[object]:
        return [row[0] for row in self.ask("SELECT seq FROM samples ORDER BY gateway, seq")]

    def walls(self) -> list[int]:
        return [int(str(row[0]).split(".")[0]) for row in self.ask(f"SELECT {self.wall_ms} FROM samples ORDER BY seq")]


@pytest.fixture(params=["sqlite", "postgres", "postgres, time in the key"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "sqlite":
        path = tmp_path / "fleet.db"
        return Kept(lambda: SqliteBook(path), lambda query: sqlite3.connect(path).execute(query).fetchall(), "wall_ms")
    cluster: Cluster = request.getfixturevalue("cluster")
    dsn = cluster.dsn()

    def ask(query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(dsn) as db:
            return db.execute(query.encode()).fetchall()

    return Kept(lambda: PostgresBook(dsn, timed_key=request.param.endswith("key")), ask, NOW)


def test_a_sample_that_comes_again_is_stored_once_and_counted_once(kept: Kept) -> None:
    first = kept.book.commit([batch(1, 60), batch(31, 60), batch(1, 60)], {})
    assert first.new_count == 90 and list(first.held[series()]) == [(1, 90)]
    again = kept.book.commit([batch(1, 100), batch(200, 5)], {})
    assert again.new_count == 15 and list(again.held[series()]) == [(1, 100), (200, 204)]
    assert kept.seqs() == [*range(1, 101), *range(200, 205)]


def test_series_are_told_apart_by_tenant_gateway_and_epoch(kept: Kept) -> None:
    whose = [series(), series("gw-2"), series(tenant="other"), series(epoch=8)]
    done = kept.book.commit([batch(1, 3, one) for one in whose], {})
    assert done.new_count == 12 and all(list(done.held[one]) == [(1, 3)] for one in whose)


def test_two_workers_that_hold_halves_both_say_what_the_database_holds(kept: Kept) -> None:
    other = kept.open()
    kept.book.commit([batch(1, 10), batch(21, 10)], {})
    assert list(other.commit([batch(11, 5)], {}).held[series()]) == [(1, 15), (21, 30)]
    assert list(kept.book.commit([batch(16, 5)], {}).held[series()]) == [(1, 30)]
    other.close()


def test_values_and_names_are_what_a_dashboard_asks_for(kept: Kept) -> None:
    kept.book.commit([batch(1, 2)], {SCHEMA_ID: SCHEMA.decode()})
    kept.book.commit([batch(3, 1)], {SCHEMA_ID: SCHEMA.decode()})  # it comes with each session
    columns = "gateway, seq, poc_power_w, load_power_w, pv_power_w"
    rows = kept.ask(f"SELECT {columns} FROM samples_{SCHEMA_ID} ORDER BY seq")
    assert rows == [("gw-1", seq, seq, None, -7) for seq in (1, 2, 3)]
    assert kept.walls() == [FIRST_WALL_MS + seq * 1_000 for seq in (1, 2, 3)]


def test_better_times_replace_those_of_a_clock_that_was_not_set_and_only_those(kept: Kept) -> None:
    first = kept.book.commit([batch(1, 2), batch(3, 4, late_ms=-500, unsynced=True), batch(1, 2, unsynced=True)], {})
    assert first.new_count == 6 and list(first.unsynced[series()]) == [(3, 6)]
    done = kept.book.commit([batch(2, 3, late_ms=700, restamped=True), batch(7, 1)], {})
    assert done.new_count == 1 and list(done.unsynced[series()]) == [(5, 6)]
    late = [0, 0, 700, 700, -500, -500, 0]  # 2 was sent with a good clock: it stays
    assert kept.walls() == [FIRST_WALL_MS + seq * 1_000 + late[seq - 1] for seq in range(1, 8)]
    parts = [batch(5, 4, late_ms=-500, unsynced=True), batch(5, 3, late_ms=900, restamped=True)]
    last = kept.book.commit([*parts, batch(3, 3, late_ms=-500, unsynced=True)], {})
    assert last.new_count == 1 and list(last.unsynced[series()]) == [(8, 8)]
    late[4:] = [900, 900, 0, -500]
    assert kept.walls() == [FIRST_WALL_MS + seq * 1_000 + late[seq - 1] for seq in range(1, 9)]


def test_better_times_may_come_before_those_they_replace(kept: Kept) -> None:
    parts = [batch(1, 3, late_ms=-500, unsynced=True), batch(2, 2, restamped=True)]
    done = kept.book.commit(list(reversed(parts)), {})
    assert done.new_count == 3 and list(done.unsynced[series()]) == [(1, 1)]
    assert kept.walls() == [FIRST_WALL_MS + 500, FIRST_WALL_MS + 2_000, FIRST_WALL_MS + 3_000]


def test_times_and_values_at_the_edge_of_what_a_message_can_hold_are_stored(kept: Kept) -> None:
    low, high = -(1 << 63), (1 << 63) - 1
    whole = Columns(SCHEMA_ID, 7, high - 2, [low, high], [high, low], [[low, high], [None, None], [None, 5]])
    assert kept.book.commit([(series(), whole)], {}).new_count == 2
    assert kept.seqs() == [high - 2, high - 1]


FRESH = itertools.count()
PARTS = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 20), st.booleans()), min_size=1, max_size=6)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PARTS)
def test_the_ranges_are_the_numbers_that_are_stored(kept: Kept, parts: list[tuple[int, int, bool]]) -> None:
    whose = series(f"gw-{next(FRESH)}")
    wanted, new_count = RangeSet(), 0
    for seq0, count, restamped in parts:
        wanted.add(seq0, seq0 + count - 1)
        done = kept.book.commit([batch(seq0, count, whose, restamped=restamped)], {})
        new_count += done.new_count
    rows = kept.ask(f"SELECT seq FROM samples WHERE gateway = '{whose.gateway}' ORDER BY seq")
    assert [row[0] for row in rows] == [seq for first, last in wanted for seq in range(first, last + 1)]
    assert list(done.held[whose]) == list(wanted) and new_count == len(rows)


@pytest.mark.hil
def test_workers_that_store_the_same_at_the_same_time_store_it_once(kept: Kept) -> None:
    if kept.wall_ms == "wall_ms":
        pytest.skip("one SQLite file takes one worker")
    everything = [batch(seq0, 20, series(f"gw-{at}")) for at in range(5) for seq0 in range(1, 401, 20)]
    counts: list[int] = []
    faults: list[BookFault] = []

    def work(order: int) -> None:
        book = kept.open()
        mine = everything[::order]
        for at in range(0, len(mine), 7):
            while True:
                try:
                    counts.append(book.commit(mine[at : at + 7], {}).new_count)
                    break
                except BookFault as fault:  # a deadlock is resolved by giving one of them up; it tries again
                    faults.append(fault)
        book.close()

    threads = [threading.Thread(target=work, args=(order,)) for order in (1, -1, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(counts) == 2_000 and len(kept.seqs()) == 2_000
    held = kept.book.commit([batch(1, 1, series(f"gw-{at}")) for at in range(5)], {}).held
    assert all(list(one) == [(1, 400)] for one in held.values())


def test_a_commit_that_fails_leaves_nothing_behind(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.book.commit([batch(1, 5)], {})
    bad = Columns(SCHEMA_ID, 7, 6, [1 << 70], [0], [[0]])  # no decoder lets it through
    with pytest.raises((BookFault, OverflowError, Exception)):
        kept.book.commit([batch(6, 5), (series(), bad)], {})
    assert kept.seqs() == [1, 2, 3, 4, 5]
    assert kept.book.commit([batch(6, 5)], {}).new_count == 5


def test_a_newer_database_is_refused_and_left_alone(kept: Kept) -> None:
    kept.book.commit([batch(1, 1)], {})
    kept.book.close()
    later = f"version {len(layout.SQLITE) + 1}" if kept.wall_ms == "wall_ms" else f"version {len(layout.POSTGRES) + 1}"
    number = later.split()[1]
    if kept.wall_ms == "wall_ms":
        kept.ask(f"PRAGMA user_version = {number}")
    else:
        kept.ask(f"UPDATE fleet_layout SET version = {number} RETURNING 1")
    with pytest.raises(BookFault, match=later):
        kept.open().commit([batch(2, 1)], {})


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE sample (tenant TEXT)")
    with pytest.raises(BookFault, match="name a new file"):
        SqliteBook(path)
    (tmp_path / "text").write_text("not a database at all\n" * 100)
    with pytest.raises(BookFault, match="not a database"):
        SqliteBook(tmp_path / "text")


def test_a_dsn_that_is_none_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(BookFault, match="allowed: a URL"):
        PostgresBook("nonsense here")
    with pytest.raises(BookFault, match="postgres: "):
        PostgresBook("host=/nowhere").commit([batch(1, 1)], {})
