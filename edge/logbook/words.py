"""`edge events` and `edge store status`: what is kept of a site, as a table or as JSON. Reads only; the service may run."""

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from edge.cloud.codec import decode_sample
from edge.config.options import Config
from edge.config.reader import load_config
from edge.console.screens import clean, utc
from edge.errors import DataFault
from edge.store.clockmap import ClockMap
from edge.store.cursor import CursorFile
from edge.store.db.journal import FILE
from edge.store.db.view import load_clock, read_events, view_journal
from edge.store.rollup import decode_quarter
from edge.store.survey import Found, RingView, view_ring
from edge.store.trace import unpack_first

LEVELS = {"info": ("info", "warning", "alarm"), "warning": ("warning", "alarm"), "alarm": ("alarm",)}
RINGS: dict[str, Literal["telemetry_max_bytes", "trace_max_bytes", "rollup_max_bytes"]] = {
    "telemetry": "telemetry_max_bytes", "rollup": "rollup_max_bytes", "trace": "trace_max_bytes",
}  # fmt: skip
MB = 1e6


def add_words(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The two words on the command line of `edge`."""
    text = "what happened on the site: modes, interlocks, refused writes, store, cloud"
    events = words.add_parser("events", help=text, description=text)
    events.add_argument("-c", "--config", required=True, metavar="FILE", help="the site file (TOML)")
    events.add_argument("--last", type=_count, default=50, metavar="N", help="the newest N (50)")
    events.add_argument("--level", choices=LEVELS, default="info", help="this and worse (info)")
    events.add_argument("--name", default="", metavar="TEXT", help="only those whose name begins so")
    events.add_argument("--json", action="store_true", help="for machines")
    events.set_defaults(act=show_events)
    text = "what is stored, how much room it takes, what is damaged or was given up; exit 1 when something is wrong"
    store = words.add_parser("store", help=text, description=text)
    store.add_argument("what", choices=["status"])
    store.add_argument("-c", "--config", required=True, metavar="FILE", help="the site file (TOML)")
    store.add_argument("--json", action="store_true", help="for machines")
    store.set_defaults(act=show_store)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{text!r}: 1..1000000")
    return int(text)


def _folder(config: Config) -> Path:
    if not config.store.path:
        raise DataFault(f"{config.file}: store.path is empty: this site keeps nothing on disk")
    return Path(config.store.path)


def show_events(options: argparse.Namespace) -> int:
    """Prints the newest events. Raises ConfigFault, DataFault."""
    path = _folder(load_config(options.config)) / FILE
    found = read_events(path, options.last, LEVELS[options.level], options.name)
    if options.json:
        rows = [{"seq": one.seq, "sure": one.sure, **dataclasses.asdict(one.event)} for one in found]
        print(json.dumps(rows))
        return 0
    width = max([len(one.event.name) for one in found], default=5)
    print(f"{'number':>8}  {'time (UTC)':<20} {'level':<8} {'event':<{width}}  what")
    for one in found:
        event = one.event
        time = utc(event.wall_ms) + ("" if one.sure else "?")
        print(
            f"{one.seq:>8}  {time:<20} {event.level:<8} {clean(event.name, width):<{width}}  {clean(event.text, 400)}"
        )
    if not all(one.sure for one in found):
        print("? the clock of the gateway was not synchronised then, nor since in that boot")
    return 0


def show_store(options: argparse.Namespace) -> int:
    """Prints the state of every part of the store. Raises ConfigFault, DataFault."""
    config = load_config(options.config)
    folder = _folder(config)
    faults: list[str] = []
    try:
        clock, journal = load_clock(folder / FILE), view_journal(folder / FILE)
    except DataFault as fault:
        clock, journal = ClockMap(b""), None
        faults.append(str(fault))
    rings = [view_ring(folder / name) for name in RINGS]
    faults += [f"{ring.name}/{fault}" for ring in rings for fault in ring.faults]
    rows = [_ring_row(ring, getattr(config.store, RINGS[ring.name]), clock) for ring in rings]
    position = CursorFile(folder / "telemetry.cursor").position
    if options.json:
        told = dataclasses.asdict(journal) if journal is not None else None
        print(json.dumps({"rings": rows, "journal": told, "cursor": dataclasses.asdict(position), "faults": faults}))
        return 1 if faults else 0
    print(f"{'ring':<11}{'used MB':>9}{'of MB':>8}{'first':>11}{'last':>11}  {'from (UTC)':<20}{'to (UTC)':<20}aside")
    for row in rows:
        print(
            f"{row['ring']:<11}{row['bytes_used'] / MB:>9.1f}{row['bytes_max'] / MB:>8.0f}{row['first_seq']:>11}"
            f"{row['last_seq']:>11}  {_time(row['first_wall_ms']):<20}{_time(row['last_wall_ms']):<20}{row['bad_count']:>5}"
        )
    print(f"\nacknowledged by the fleet: up to {position.seq} of telemetry, {position.gone_count} of those never sent")
    if journal is not None:
        counts = ", ".join(f"{name} {count}" for name, count in journal.row_counts.items())
        limit = config.store.journal_max_bytes / MB
        print(f"journal: version {journal.version}, {journal.bytes_used / MB:.1f} of {limit:.0f} MB; rows: {counts}")
        for stream, count, reason in journal.dropped:
            print(f"given up: {count} of {stream}: {reason}")
    for text in faults:
        print(f"WRONG: {clean(text, 300)}")
    return 1 if faults else 0


def _time(wall_ms: int | None) -> str:
    return "-" if wall_ms is None else utc(wall_ms)


def _ring_row(ring: RingView, max_bytes: int, clock: ClockMap) -> dict[str, Any]:
    return {
        "ring": ring.name,
        "stream": ring.stream,
        "segments": ring.segments_count,
        "bytes_used": ring.bytes_used,
        "bytes_max": max_bytes,
        "epoch": str(ring.epoch),
        "first_seq": ring.first.seq if ring.first else 0,
        "last_seq": ring.last.seq if ring.last else 0,
        "first_wall_ms": _stamp(ring.name, ring.first, clock),
        "last_wall_ms": _stamp(ring.name, ring.last, clock),
        "bad_count": ring.bad_count,
    }


def _stamp(ring: str, found: Found | None, clock: ClockMap) -> int | None:
    """When a record was taken: (boot, mono, wall) as its kind keeps them, and what the clock map makes of it."""
    times = _TIMES[ring](found) if found is not None else None
    return None if times is None else clock.stamp(*times).wall_ms


_Times = tuple[bytes, int, int]


def _sample_times(found: Found) -> _Times | None:
    sample = decode_sample(found.body)
    return (found.boot, sample.mono_ms, sample.wall_ms) if sample is not None else None


def _quarter_times(found: Found) -> _Times | None:
    quarter = decode_quarter(found.body)
    return (quarter.boot, quarter.first_mono_ms, quarter.first_wall_ms) if quarter is not None else None


def _chunk_times(found: Found) -> _Times | None:
    times = unpack_first(found.body)
    return (found.boot, *times) if times is not None else None


_TIMES: dict[str, Callable[[Found], _Times | None]] = {
    "telemetry": _sample_times, "rollup": _quarter_times, "trace": _chunk_times,
}  # fmt: skip
