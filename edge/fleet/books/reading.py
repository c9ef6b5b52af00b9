"""A look into a book, whichever database: which numbers it holds, and its rows one after the other.

Reads only; the ingest may run. Rows come as they are asked for: a year of a fleet needs no more memory than a minute.
"""

import argparse
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edge.cloud.notices import EVENTS_STREAM
from edge.cloud.ranges import RangeSet
from edge.errors import DataFault
from edge.fleet.books import layout
from edge.fleet.books.book import Series
from edge.fleet.books.open import NO_DRIVER

Row = tuple[Any, ...]
Ask = Callable[[str], Iterator[Row]]
_NEWEST = (
    "JOIN (SELECT series AS whose, max(last) AS top FROM held GROUP BY series) AS t ON series = whose AND seq = top"
)
FLOW_COUNT = 2_000  # rows that PostgreSQL sends at a time: about 2 MB


@dataclass(frozen=True, slots=True)
class Shelf:
    """A series and the numbers that are stored of it."""

    number: int
    series: Series
    held: RangeSet

    @property
    def last_seq(self) -> int:
        return max((until for _, until in self.held), default=0)

    def gaps(self) -> list[tuple[int, int]]:
        """The ranges that are missing between 1 and the last that is stored."""
        last = self.last_seq
        found, at = [], 1
        while gap := self.held.gap_from(at, last):
            found.append(gap)
            at = gap[1] + 1
        return found


@dataclass(frozen=True, slots=True)
class Tally:
    """What the rows of a series say, beside what its ranges say."""

    row_count: int
    distinct_count: int
    wrong_count: int  # whose first value is not their number (simulated gateways send it so)


class StoredSample(NamedTuple):
    seq: int
    wall_ms: int
    mono_ms: int
    unsynced: bool
    schema: int  # its row in sample_schema
    values: list[int | None]


class StoredEvent(NamedTuple):
    seq: int
    wall_ms: int
    mono_ms: int
    unsynced: bool
    level: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """Wall times from..to, the second not included; None: no limit."""

    first_ms: int | None = None
    stop_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a database says what the two say differently; `wall_ms` and `moment` are of the column of the time."""

    wall_ms: str
    moment: str  # of {ms} since 1970, to be compared with `time`
    time: str
    values: str
    width: str
    first_value: str
    unpack: Callable[[Any], list[int | None]]


SQLITE = Dialect(
    "wall_ms", "{ms}", "wall_ms", "data", "json_array_length(data)", "json_extract(data, '$[0]')", json.loads
)
POSTGRES = Dialect(
    "(extract(epoch FROM time) * 1000)::bigint",
    "'epoch'::timestamptz + {ms} * interval '1 ms'",
    "time",
    "v",
    "cardinality(v)",
    "v[1]",
    lambda values: values,
)


class Reader:
    """`ask` runs one query."""

    def __init__(self, ask: Ask, dialect: Dialect) -> None:
        self._ask, self._say = ask, dialect

    def shelves(self, tenant: str = "", gateway: str = "") -> list[Shelf]:
        """Every series, or those of a tenant or a gateway; sorted."""
        rows = list(self._ask("SELECT tenant, gateway, stream, epoch, id FROM series ORDER BY 1, 2, 3, 4"))
        held: dict[int, RangeSet] = {}
        for number, first, last in self._ask("SELECT series, first, last FROM held"):
            held.setdefault(number, RangeSet()).add(first, last)
        found = [Shelf(number, Series(*key), held.get(number, RangeSet())) for *key, number in rows]
        return [one for one in found if tenant in ("", one.series.tenant) and gateway in ("", one.series.gateway)]

    def tallies(self) -> dict[int, Tally]:
        """Counts the rows themselves, by the number of the series; slow, for tests and simulations."""
        wrong = f"sum(CASE WHEN {self._say.first_value} = seq THEN 0 ELSE 1 END)"
        query = f"SELECT series, count(*), count(DISTINCT seq), {wrong} FROM sample GROUP BY series"
        return {number: Tally(*map(int, counts)) for number, *counts in self._ask(query)}

    def last_samples(self) -> dict[int, StoredSample]:
        """Of each series the one with the highest number."""
        return dict(self._samples(_NEWEST))

    def last_events(self) -> dict[int, StoredEvent]:
        return dict(self._events(_NEWEST))

    def samples(self, shelf: Shelf, span: Span) -> Iterator[StoredSample]:
        """In the order of their numbers."""
        return (row for _, row in self._samples(f"WHERE {self._within([shelf], span)} ORDER BY seq"))

    def events(self, shelf: Shelf, span: Span) -> Iterator[StoredEvent]:
        """In the order of their numbers."""
        return (row for _, row in self._events(f"WHERE {self._within([shelf], span)} ORDER BY seq"))

    def columns(self, shelves: Iterable[Shelf], span: Span) -> dict[int, list[str]]:
        """The names of the values, for each schema that these samples have; value_<n> where it is not known."""
        known = {number: layout.names(text or "") for number, text in self._ask("SELECT id, json FROM sample_schema")}
        query = (
            f"SELECT DISTINCT schema, {self._say.width} FROM sample WHERE {self._within(shelves, span)} ORDER BY 1, 2"
        )
        found: dict[int, list[str]] = {}
        for number, count in self._ask(query):
            named = known.get(number, [])[:count]
            found[number] = [*named, *(f"value_{at}" for at in range(len(named) + 1, count + 1))]
        return found

    def _samples(self, which: str) -> Iterator[tuple[int, StoredSample]]:
        """With the numbers of their series."""
        what = f"series, seq, {self._say.wall_ms}, mono_ms, unsynced, schema, {self._say.values}"
        for number, seq, wall_ms, mono_ms, unsynced, schema, values in self._ask(f"SELECT {what} FROM sample {which}"):
            yield number, StoredSample(seq, wall_ms, mono_ms, bool(unsynced), schema, self._say.unpack(values))

    def _events(self, which: str) -> Iterator[tuple[int, StoredEvent]]:
        what = f"series, seq, {self._say.wall_ms}, mono_ms, unsynced, level, name, text"
        for number, seq, wall_ms, mono_ms, unsynced, *words in self._ask(f"SELECT {what} FROM event {which}"):
            yield number, StoredEvent(seq, wall_ms, mono_ms, bool(unsynced), *words)

    def _within(self, shelves: Iterable[Shelf], span: Span) -> str:
        parts = [f"series IN ({', '.join(str(int(shelf.number)) for shelf in shelves) or 'NULL'})"]
        for word, limit_ms in ((">=", span.first_ms), ("<", span.stop_ms)):
            if limit_ms is not None:
                parts.append(f"{self._say.time} {word} {self._say.moment.format(ms=int(limit_ms))}")
        return " AND ".join(parts)


def is_events(shelf: Shelf) -> bool:
    return shelf.series.stream == EVENTS_STREAM


def open_reader(options: argparse.Namespace) -> Reader:
    """The book of --sqlite or --postgres. Raises DataFault when there is none, or it is of another version."""
    return _open_sqlite(options.sqlite) if options.sqlite else _open_postgres(options.postgres)


def _check(book: str, version: int, mine: int) -> None:
    if version > mine:
        raise DataFault(f"{book}: version {version}; this program knows up to {mine}: update it")
    if version < mine:
        raise DataFault(f"{book}: version {version}; this program's edge-fleet ingest brings it to {mine}: run it once")


def _open_sqlite(path: Path) -> Reader:
    if not path.is_file():
        raise DataFault(f"{path}: no such file; edge-fleet ingest --sqlite makes it")
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)

    def ask(query: str) -> Iterator[Row]:
        try:
            yield from db.execute(query)
        except sqlite3.Error as error:
            raise DataFault(f"{path}: {error}") from error

    _check(str(path), next(ask("PRAGMA user_version"))[0], len(layout.SQLITE))
    return Reader(ask, SQLITE)


def _open_postgres(dsn: str) -> Reader:
    try:
        import psycopg  # noqa: PLC0415  the driver is an extra
    except ImportError as error:
        raise DataFault(NO_DRIVER) from error

    def ask(query: str) -> Iterator[Row]:
        try:
            with psycopg.connect(dsn, connect_timeout=10) as db:
                db.read_only = True
                with db.cursor("rows") as cursor:  # a name: it stays on the server, and sends as it is read
                    cursor.itersize = FLOW_COUNT
                    yield from cursor.execute(query.encode())
        except psycopg.Error as error:
            raise DataFault(f"postgres: {' '.join(str(error).split())}") from error

    try:
        version = next(ask("SELECT version FROM fleet_layout"), (0,))[0]
    except DataFault as fault:
        missing = '"fleet_layout" does not exist' in str(fault)
        raise DataFault("postgres: no tables; edge-fleet ingest --postgres makes them") if missing else fault from fault
    _check("postgres", version, len(layout.POSTGRES))
    return Reader(ask, POSTGRES)
