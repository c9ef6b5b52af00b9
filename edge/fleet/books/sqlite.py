"""The book as one SQLite file: for up to some hundred gateways and one worker. `sqlite3` reads it while it is written.

WAL and synchronous=FULL: a commit that returned survives a power cut.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from edge.cloud.ranges import RangeSet
from edge.fleet.books import layout
from edge.fleet.books.book import (
    UNSYNCED_MAX_COUNT,
    BookFault,
    Column,
    Columns,
    Committed,
    Series,
    Taken,
    spans,
    unknown_count,
    widen,
)

CACHE_KIB = 65_536  # the newest pages of some hundred series; the default of 2 MB costs a tenth of the speed
BUSY_S = 5.0  # somebody else writes into this file: a backup, a hand
_STAMP = "UPDATE sample SET wall_ms = ?, unsynced = 0 WHERE series = ? AND seq = ? AND unsynced"
_UNSYNCED = "SELECT seq FROM sample WHERE series = ? AND unsynced ORDER BY seq LIMIT ?"


class SqliteBook:
    """The file, made when it is not there. Raises BookFault when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._series: dict[Series, int] = {}
        self._schemas: dict[str, int] = {}
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            self._migrate()
        except sqlite3.Error as error:
            raise BookFault(f"{path}: {error}") from error

    def _migrate(self) -> None:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(layout.SQLITE):
            raise BookFault(
                f"{self._path}: version {version}; this program knows up to {len(layout.SQLITE)}: update it"
            )
        if not version and self._db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
            raise BookFault(f"{self._path}: holds tables that are not of this version: name a new file")
        for number, step in enumerate(layout.SQLITE[version:], version + 1):
            self._db.executescript(f"BEGIN IMMEDIATE;{step};PRAGMA user_version={number};COMMIT;")

    def commit(self, taken: Sequence[Taken], schemas: Mapping[str, str]) -> Committed:
        """All of it in one transaction."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._store_schemas(schemas)
            new_count = sum(self._store(series, batch) for series, batch in taken)
            held = {series: self._widen(series, came) for series, came in spans(taken).items()}
            marked = {series: found for series in held if (found := self._unsynced(series))}
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise BookFault(f"{self._path}: {error}") from error
        finally:
            self._undo()
        return Committed(new_count, held, marked)

    def _undo(self) -> None:
        """What was not committed: the rows, and the numbers that were given to names."""
        if self._db.in_transaction:
            self._series.clear()
            self._schemas.clear()
            self._db.execute("ROLLBACK")

    def _store_schemas(self, schemas: Mapping[str, str]) -> None:
        for name, text in schemas.items():
            number = self._schema(name)
            known = "UPDATE sample_schema SET json = ? WHERE id = ? AND json IS NULL"
            statement = layout.view(name, number, text, postgres=False)
            if self._db.execute(known, (text, number)).rowcount and statement:
                self._db.execute(statement)

    def _schema(self, name: str) -> int:
        if name not in self._schemas:
            self._db.execute("INSERT OR IGNORE INTO sample_schema (name) VALUES (?)", (name,))
            self._schemas[name] = self._one("SELECT id FROM sample_schema WHERE name = ?", (name,))
        return self._schemas[name]

    def _id(self, series: Series) -> int:
        if series not in self._series:
            self._db.execute("INSERT OR IGNORE INTO series (tenant, gateway, stream, epoch) VALUES (?,?,?,?)", series)
            where = "tenant = ? AND gateway = ? AND stream = ? AND epoch = ?"
            self._series[series] = self._one(f"SELECT id FROM series WHERE {where}", series)
        return self._series[series]

    def _one(self, query: str, values: tuple[Any, ...]) -> int:
        return int(self._db.execute(query, values).fetchone()[0])

    def _store(self, series: Series, batch: Columns) -> int:
        """How many were new."""
        number, seqs = self._id(series), range(batch.seq0, batch.last_seq + 1)
        if batch.restamped:
            rows = zip(batch.wall_ms, repeat(number), seqs, strict=False)
            self._db.executemany(_STAMP, rows)
        mark = int(batch.unsynced and not batch.restamped)
        schema = self._schema(batch.schema_id)
        before_count = self._db.total_changes
        table = zip(
            repeat(number), seqs, batch.wall_ms, batch.mono_ms, repeat(schema), repeat(mark), _texts(batch.columns)
        )
        self._db.executemany("INSERT OR IGNORE INTO sample VALUES (?,?,?,?,?,?,?)", table)
        return self._db.total_changes - before_count

    def _widen(self, series: Series, came: RangeSet) -> RangeSet:
        number = self._id(series)
        before = self._db.execute("SELECT first, last FROM held WHERE series = ?", (number,)).fetchall()
        whole, gone, new = widen(before, came)
        self._db.executemany("DELETE FROM held WHERE series = ? AND first = ?", [(number, first) for first, _ in gone])
        self._db.executemany("INSERT INTO held VALUES (?,?,?)", [(number, *one) for one in new])
        return whole

    def _unsynced(self, series: Series) -> RangeSet:
        found = RangeSet()
        for (seq,) in self._db.execute(_UNSYNCED, (self._id(series), UNSYNCED_MAX_COUNT)):
            found.add(seq, seq)
        return found

    def close(self) -> None:
        self._db.close()


def _texts(columns: list[Column]) -> Iterator[str]:
    """Each sample's values as JSON. Formatting a whole row at once takes half of the time that an encoder takes."""
    rows = zip(*columns, strict=True)
    if any(map(unknown_count, columns)):
        return (str(list(row)).replace("None", "null") for row in rows)
    return map(("[" + ",".join(["%d"] * len(columns)) + "]").__mod__, rows)
