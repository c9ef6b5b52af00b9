"""Each kind of book as a fixture, with a look into it through the database's own client."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from edge.fleet.books.book import Book
from edge.fleet.books.postgres import PostgresBook
from edge.fleet.books.sqlite import SqliteBook
from tests.fleet.cluster import Cluster

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
