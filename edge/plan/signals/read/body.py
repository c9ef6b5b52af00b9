"""Strict reading of somebody else's answer: JSON, CSV, numbers in MW, stamps. Whatever comes is a value or a DataFault.

Every text of a fault says which part of the answer, what was there (shortened) and what was expected.
"""

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from edge.errors import DataFault

POWER_MAX_MW = 2_000_000  # twice the whole United States: more is a unit error
SHOWN_MAX = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def refuse(where: str, found: object, expected: str) -> NoReturn:
    raise DataFault(f"{plain(where)}: {plain(found) or 'nothing'}; expected {expected}")


def plain(found: object, most: int = SHOWN_MAX) -> str:
    """Something of theirs for a text of ours: short, printable; what contains others by its kind alone."""
    text = f"a {type(found).__name__}" if isinstance(found, dict | list) else str(found)[:most]
    return "".join(c if c.isprintable() else "?" for c in text)


def read_text(body: bytes, where: str) -> str:
    """UTF-8 text, with or without a mark at its begin."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse(where, repr(body[:20]), "UTF-8 text")
    if text[:200].lstrip().lower().startswith(("<!doctype html", "<html")):
        refuse(where, "a web page", "data; the source is down, has moved or does not serve this place")
    return text


def read_json(body: bytes, where: str) -> Any:
    """JSON with exact numbers."""
    text = read_text(body, where)
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, InvalidOperation, RecursionError):
        refuse(where, text[:SHOWN_MAX], "JSON")


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def table_of(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        refuse(where, value, "a JSON object")
    return value


def list_of(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        refuse(where, value, "a JSON list")
    return value


def text_of(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        refuse(where, value, "a text")
    return value


def number_of(value: Any, where: str) -> Decimal:
    """An exact number from a JSON number or a plain text such as "1,234.5"."""
    if isinstance(value, str):
        try:
            value = Decimal(value.strip().replace(",", ""))
        except InvalidOperation:
            refuse(where, value, "a number")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        refuse(where, value, "a number")
    number = Decimal(value)
    if not number.is_finite():
        refuse(where, value, "a finite number")
    return number


def kw_of(value: Any, where: str) -> int | None:
    """MW as they are written to whole kW; None for a known gap (null, or an empty cell)."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = number_of(value, where)
    if abs(number) > POWER_MAX_MW:
        refuse(where, str(number), f"MW, at most {POWER_MAX_MW}")
    return int((number * 1000).to_integral_value())


def grams_to_mg(value: Any, where: str, most_g_per_kwh: int) -> int:
    """g/kWh to mg/kWh."""
    number = number_of(value, where)
    if not 0 <= number <= most_g_per_kwh:
        refuse(where, str(number), f"g/kWh, 0..{most_g_per_kwh}")
    return int((number * 1000).to_integral_value())


def wall_ms_of(stamp: datetime, where: str) -> int:
    """An aware time in milliseconds since 1970."""
    try:
        since = stamp - _EPOCH
    except OverflowError:
        refuse(where, str(stamp), "a time of these years")
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def stamp_ms(value: Any, where: str, naive: tzinfo | None = None) -> int:
    """ISO 8601, such as 2026-07-01 00:04:57-0500; without an offset it is `naive`, or a fault."""
    try:
        stamp = datetime.fromisoformat(text_of(value, where))
    except ValueError:
        refuse(where, value, "a time such as 2026-07-01T00:00:00Z")
    if stamp.tzinfo is None:
        if naive is None:
            refuse(where, value, "a time with its offset from UTC")
        stamp = stamp.replace(tzinfo=naive)
    return wall_ms_of(stamp, where)


def offset(hours: int) -> tzinfo:
    return timezone(timedelta(hours=hours))


def csv_rows(body: bytes, where: str, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows under the names of the header, lower case; short rows are a fault."""
    text = read_text(body, where)
    rows: list[dict[str, str]] = []
    try:
        reader = csv.reader(io.StringIO(text), strict=True)
        header = [cell.strip().lower() for cell in next(reader, [])]
        missing = [name for name in needed if name not in header]
        if missing:
            refuse(f"{where}:1", ",".join(header), f"a column {missing[0]!r}")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                refuse(f"{where}:{reader.line_num}", f"{len(cells)} cells", f"{len(header)} as in the header")
            rows.append(dict(zip(header, cells, strict=True)))
    except csv.Error as fault:
        raise DataFault(f"{where}: not CSV: {fault}") from None
    return rows
