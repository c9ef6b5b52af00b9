"""Readers of recorded traces: CSV, plain or gzip, to rows of (time, value). No numpy, no pandas.

A file that cannot be used is a DataFault with file, line and what was expected.
"""

import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from edge.errors import DataFault

T = TypeVar("T", int, float)
Row = tuple[float, float]
Rows = tuple[Row, ...]


def read_load_kw(path: Path, column: str = "total_kw") -> Rows:
    """(t_s, kW) of a load trace."""
    return _rising(
        path,
        [
            (line, _number(path, line, "t_s", t_s), _number(path, line, column, value))
            for line, t_s, value in _columns(path, "t_s", column)
        ],
    )


def read_irradiance_w_per_m2(path: Path, column: str = "mean50_wm2") -> Rows:
    """(t_s since the first row, W/m2) of a file with a `utc` column."""
    rows = read_utc(path, column)
    return tuple(((wall_ms - rows[0][0]) / 1000, value) for wall_ms, value in rows)


def read_utc(path: Path, column: str) -> tuple[tuple[int, float], ...]:
    """(wall_ms, value) of a file with a `utc` column; without an offset the stamp is taken as UTC."""
    rows = [
        (line, _stamp_ms(path, line, stamp), _number(path, line, column, value))
        for line, stamp, value in _columns(path, "utc", column)
    ]
    return _rising(path, rows)


def read_intensity(path: Path, column: str = "ci_lifecycle_g") -> tuple[tuple[int, float], ...]:
    """(wall_ms, g/kWh) of an hourly intensity file."""
    return read_utc(path, column)


def _columns(path: Path, first: str, second: str) -> Iterator[tuple[int, str, str]]:
    """(line number, first, second) of every row."""
    count = 0
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
            reader = csv.reader(file)
            head = next(reader, [])
            for name in (first, second):
                if name not in head:
                    raise DataFault(f"{path}:1: no column {name!r}; there are: {', '.join(head[:12]) or 'none'}")
            a, b = head.index(first), head.index(second)
            for row in reader:
                if len(row) <= max(a, b):
                    raise DataFault(f"{path}:{reader.line_num}: {len(row)} columns, expected at least {max(a, b) + 1}")
                count += 1
                yield reader.line_num, row[a], row[b]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise DataFault(f"{path}: cannot be read: {error}") from error
    if count < 2:
        raise DataFault(f"{path}: {count} rows, expected at least 2")


def _rising(path: Path, rows: list[tuple[int, T, float]]) -> tuple[tuple[T, float], ...]:
    """Without the line numbers; a time that does not increase is refused."""
    for (_, last, _), (line, this, _) in pairwise(rows):
        if this <= last:
            raise DataFault(f"{path}:{line}: time {this} after {last}, expected it to increase")
    return tuple((time, value) for _, time, value in rows)


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataFault(f"{path}:{line}: {column} = {text!r}, expected a number")
    return value


def _stamp_ms(path: Path, line: int, text: str) -> int:
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataFault(f"{path}:{line}: utc = {text!r}, expected a time such as 2021-01-01T00:00:00Z") from error
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    return round(stamp.timestamp() * 1000)
