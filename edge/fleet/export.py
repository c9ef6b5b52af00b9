"""The word `edge-fleet export`: samples or events of gateways out of the database, as CSV or JSON lines, row by row."""

import argparse
import contextlib
import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

from edge.clock import SystemClock
from edge.errors import DataFault
from edge.fleet.books.open import add_book
from edge.fleet.books.reading import Reader, Shelf, Span, StoredEvent, StoredSample, is_events, open_reader

EXIT_NOTHING = 1
PROGRESS_MS = 1_000
LOOK_COUNT = 1_000  # rows between two looks at the clock
HEAD = ("tenant", "gateway", "stream", "epoch", "seq", "time", "mono_ms", "unsynced")
EVENT_TAIL = ("level", "name", "text")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT = """\
Writes the samples of gateways, oldest number first, one gateway after the other: CSV with a header, or JSON lines (--json).
Values are the counted integers; the name of a column says the unit (_w, _cpct: hundredths of a percent). A value that was
not known is empty (JSON: null). unsynced: no synchronised clock stands behind the time. --events: the events instead.
Times are ISO 8601, such as 2026-11-01 or 2026-11-01T06:00Z; without a zone they are UTC. --to is not included.
Exit 1: there is nothing of that time.
"""
_EPILOG = """\
examples:
  edge-fleet export --sqlite fleet.db gw-1 --from 2026-11-01 --to 2026-11-02 --out day.csv
  edge-fleet export --postgres dbname=fleet --events --json | grep alarm
"""

Select = Callable[[Shelf], Iterator[dict[str, Any]]]


def add_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word and its options."""
    parser = words.add_parser(
        "export",
        help="samples or events of a time as CSV or JSON lines",
        description=_TEXT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(act=export)
    parser.add_argument("gateway", nargs="*", metavar="GW", help="GW or TENANT/GW; default: all")
    parser.add_argument("--tenant", default="", help="only this tenant")
    parser.add_argument("--from", dest="first", default="", metavar="TIME", help="default: from the first")
    parser.add_argument("--to", dest="stop", default="", metavar="TIME", help="default: to the last")
    parser.add_argument("--events", action="store_true", help="events instead of samples")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a new file; default: standard output")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of CSV")
    add_book(parser)


def export(options: argparse.Namespace) -> int:
    """Writes them. Raises DataFault for a time, a gateway, a file or a database that cannot be used."""
    span = _span(options.first, options.stop)
    reader = open_reader(options)
    shelves = [one for one in _chosen(reader, options) if is_events(one) == options.events]
    try:
        count = _copy(reader, shelves, span, options)
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    what = "events" if options.events else "samples"
    print(f"{count} {what} of {len(shelves)} series" if count else f"no {what} of that time", file=sys.stderr)
    return 0 if count else EXIT_NOTHING


def _copy(reader: Reader, shelves: list[Shelf], span: Span, options: argparse.Namespace) -> int:
    """How many rows."""
    with _sink(options.out) as sink:
        if options.events:
            return _write(
                sink, options, shelves, (*HEAD, *EVENT_TAIL), lambda one: map(_event, reader.events(one, span))
            )
        names = reader.columns(shelves, span)
        every = dict.fromkeys(name for some in names.values() for name in some)
        return _write(
            sink,
            options,
            shelves,
            (*HEAD, *every),
            lambda one: (_sample(row, names) for row in reader.samples(one, span)),
        )


def _span(first: str, stop: str) -> Span:
    span = Span(_wall_ms("--from", first), _wall_ms("--to", stop))
    if span.first_ms is not None and span.stop_ms is not None and span.first_ms >= span.stop_ms:
        raise DataFault(f"--from {first} --to {stop}: the first must be before the second")
    return span


def _wall_ms(option: str, text: str) -> int | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataFault(f"{option} {text!r}: must be a time such as 2026-11-01 or 2026-11-01T06:00Z") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _chosen(reader: Reader, options: argparse.Namespace) -> list[Shelf]:
    shelves = reader.shelves(options.tenant)
    if not options.gateway:
        return shelves
    known = {name for one in shelves for name in _names(one)}
    for name in options.gateway:
        if name not in known:
            listed = ", ".join(sorted({_names(one)[1] for one in shelves})[:10]) or "no gateway at all"
            raise DataFault(f"{name}: not in this database; it has {listed}")
    return [one for one in shelves if set(_names(one)) & set(options.gateway)]


def _names(shelf: Shelf) -> tuple[str, str]:
    return shelf.series.gateway, f"{shelf.series.tenant}/{shelf.series.gateway}"


@contextlib.contextmanager
def _sink(path: Path | None) -> Iterator[IO[str]]:
    """Standard output, or a file that has its name only once it is whole."""
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    if path.exists():
        raise DataFault(f"--out {path}: exists already; name a new file, or remove it")
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", newline="") as sink:
            yield sink
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def _put_json(sink: IO[str], row: Mapping[str, Any]) -> None:
    sink.write(json.dumps(row, separators=(",", ":")) + "\n")


def _write(
    sink: IO[str], options: argparse.Namespace, shelves: list[Shelf], columns: tuple[str, ...], select: Select
) -> int:
    """How many rows were written."""
    table = csv.DictWriter(sink, columns, lineterminator="\n")
    put: Callable[[Mapping[str, Any]], object] = partial(_put_json, sink) if options.json else table.writerow
    if shelves and not options.json:
        table.writeheader()
    clock, count = SystemClock(), 0
    due_mono_ms = clock.mono_ms() + 2 * PROGRESS_MS
    for shelf in shelves:
        head = {"tenant": shelf.series.tenant, "gateway": shelf.series.gateway, "stream": shelf.series.stream}
        head["epoch"] = str(shelf.series.epoch)
        for row in select(shelf):
            put(head | row)
            count += 1
            if count % LOOK_COUNT == 0 and sys.stderr.isatty() and clock.mono_ms() >= due_mono_ms:
                due_mono_ms = clock.mono_ms() + PROGRESS_MS
                print(f"\r{count} rows, at {row['time']} of {shelf.series.gateway:.40}\x1b[K", end="", file=sys.stderr)
    return count


def _sample(row: StoredSample, names: Mapping[int, list[str]]) -> dict[str, Any]:
    return _head(row) | dict(zip(names[row.schema], row.values, strict=False))


def _event(row: StoredEvent) -> dict[str, Any]:
    return _head(row) | {"level": row.level, "name": row.name, "text": row.text}


def _head(row: StoredSample | StoredEvent) -> dict[str, Any]:
    return {"seq": row.seq, "time": _time(row.wall_ms), "mono_ms": row.mono_ms, "unsynced": int(row.unsynced)}


def _time(wall_ms: int) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=wall_ms)
    except OverflowError:
        return ""  # SQLite keeps what a broken clock said
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
