"""A look into a book, whichever database: which numbers of which gateway it holds. Reads only; the ingest may run."""

import argparse
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.cloud.ranges import RangeSet
from edge.errors import DataFault
from edge.fleet.books.book import Series
from edge.fleet.books.open import NO_DRIVER

Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A series and the numbers that are stored of it."""

    number: int
    series: Series
    held: RangeSet

    def gaps(self) -> list[tuple[int, int]]:
        """The ranges that are missing between 1 and the last that is stored."""
        last = max((until for _, until in self.held), default=0)
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


class Reader:
    """`ask` runs one query; `first_value` is how that database says it."""

    def __init__(self, ask: Ask, first_value: str) -> None:
        self._ask, self._first_value = ask, first_value

    def shelves(self, tenant: str = "", gateway: str = "") -> list[Shelf]:
        """Every series, or those of a tenant or a gateway; sorted."""
        rows = self._ask("SELECT tenant, gateway, stream, epoch, id FROM series ORDER BY 1, 2, 3, 4")
        held: dict[int, RangeSet] = {}
        for number, first, last in self._ask("SELECT series, first, last FROM held"):
            held.setdefault(number, RangeSet()).add(first, last)
        found = [Shelf(number, Series(*key), held.get(number, RangeSet())) for *key, number in rows]
        return [one for one in found if tenant in ("", one.series.tenant) and gateway in ("", one.series.gateway)]

    def tally(self, shelf: Shelf) -> Tally:
        """Counts the rows themselves; slow, for tests and simulations."""
        wrong = f"sum(CASE WHEN {self._first_value} = seq THEN 0 ELSE 1 END)"
        query = f"SELECT count(*), count(DISTINCT seq), {wrong} FROM sample WHERE series = {shelf.number:d}"
        rows, distinct, wrong_count = self._ask(query)[0]
        return Tally(int(rows), int(distinct), int(wrong_count or 0))


def open_reader(options: argparse.Namespace) -> Reader:
    """The book of --sqlite or --postgres. Raises DataFault when there is none."""
    return _open_sqlite(options.sqlite) if options.sqlite else _open_postgres(options.postgres)


def _open_sqlite(path: Path) -> Reader:
    if not path.is_file():
        raise DataFault(f"{path}: no such file; edge-fleet ingest --sqlite makes it")
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)

    def ask(query: str) -> list[tuple[Any, ...]]:
        try:
            return db.execute(query).fetchall()
        except sqlite3.Error as error:
            raise DataFault(f"{path}: {error}") from error

    return Reader(ask, "json_extract(data, '$[0]')")


def _open_postgres(dsn: str) -> Reader:
    try:
        import psycopg  # noqa: PLC0415  the driver is an extra
    except ImportError as error:
        raise DataFault(NO_DRIVER) from error

    def ask(query: str) -> list[tuple[Any, ...]]:
        try:
            with psycopg.connect(dsn, connect_timeout=10) as db:
                db.read_only = True
                return db.execute(query.encode()).fetchall()
        except psycopg.Error as error:
            raise DataFault(f"postgres: {' '.join(str(error).split())}") from error

    return Reader(ask, "v[1]")
