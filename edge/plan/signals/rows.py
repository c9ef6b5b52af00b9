"""Rows of an intensity file: strict, streaming, one row in memory. CSV or CSV.GZ with a time column `utc`.

Every fault is a DataFault that names file and line. An empty cell is a known gap (None), not a fault.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from edge.errors import DataFault
from edge.plan.signals.base import INTENSITY_MAX_G_PER_KWH

TIME_COLUMN = "utc"
_VALUE = re.compile(r"\d{1,6}(\.\d{1,12})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """Valid from `time_ms` (wall, UTC) on, until the next row."""

    time_ms: int
    value_mg_per_kwh: int | None
    line: int


def parse_time_ms(text: str) -> int:
    """ISO 8601 to wall milliseconds; without an offset it is UTC, as the column's name says.

    Raises: ValueError with what was expected.
    """
    try:
        stamp = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time; expected such as 2021-07-01T00:00:00Z") from None
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    since = stamp - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def parse_value_mg(text: str) -> int | None:
    """Plain decimal g/kWh to mg/kWh; None for an empty cell. Raises: ValueError."""
    text = text.strip()
    if not text:
        return None
    if not _VALUE.fullmatch(text) or (value := Decimal(text)) > INTENSITY_MAX_G_PER_KWH:
        raise ValueError(f"{text[:40]!r} is no intensity; expected a number 0..{INTENSITY_MAX_G_PER_KWH} g/kWh")
    return int((value * 1000).to_integral_value())


def read_rows(path: Path, column: str) -> Iterator[Row]:
    """All rows in order of time. Raises: DataFault at the first row that cannot be trusted."""
    try:
        with open_text(path) as text:
            yield from _parse_rows(text, column, str(path))
    except (OSError, EOFError, zlib.error) as fault:
        raise DataFault(f"{path}: cannot be read: {fault}; expected CSV, or gzip where the name ends in .gz") from None
    except UnicodeDecodeError:
        raise DataFault(f"{path}: is not UTF-8 text; a compressed file must end in .gz") from None


def open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _parse_rows(text: TextIO, column: str, path: str) -> Iterator[Row]:
    reader = csv.reader(text, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if TIME_COLUMN not in header or column not in header:
            missing = TIME_COLUMN if TIME_COLUMN not in header else column
            shown = ", ".join(header)[:200] or "nothing"
            raise DataFault(f"{path}:1: no column {missing!r}; the header has {shown}")
        time_index, value_index = header.index(TIME_COLUMN), header.index(column)
        before_ms: int | None = None
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise DataFault(f"{path}:{reader.line_num}: {len(cells)} cells; the header has {len(header)}")
            try:
                row = Row(parse_time_ms(cells[time_index]), parse_value_mg(cells[value_index]), reader.line_num)
            except ValueError as fault:
                raise DataFault(f"{path}:{reader.line_num}: {fault}") from None
            if before_ms is not None and row.time_ms <= before_ms:
                raise DataFault(f"{path}:{reader.line_num}: time does not increase; sort the file and drop doubles")
            before_ms = row.time_ms
            yield row
    except csv.Error as fault:
        raise DataFault(f"{path}:{reader.line_num}: not CSV: {fault}") from None
