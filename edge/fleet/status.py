"""The word `edge-fleet status`: what the database has of each gateway, how old the newest is, and what is missing."""

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass

from edge.clock import SystemClock
from edge.cloud.link import Link
from edge.cloud.topics import Topics
from edge.fleet.books.open import add_book
from edge.fleet.books.reading import Reader, Shelf, StoredEvent, StoredSample, is_events, open_reader
from edge.fleet.broker import add_broker, settings_of
from edge.fleet.roster import collect, plain

EXIT_STALE = 1
_TEXT = """\
What the database has of each gateway: its newest sample and how old that is, how many samples are stored and how many
numbers are missing before it (edge-fleet gaps lists them), its events and the newest of them. Of a gateway whose store was
made anew only the newest epoch is told. "age" counts from the time of the sample; ? when no synchronised clock stands
behind it. With --host the broker is asked as well: online or not, and how many samples each gateway still has to send
("behind"). Exit 1: there is no gateway, or one of them has no sample within --stale-s.
"""
_RED, _PLAIN = "\x1b[31m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Line:
    """A gateway's stream as the database has it; `state` and `behind_count` are the broker's word, "" and None without."""

    gateway: str
    stream: str
    epoch: str
    last_seq: int
    last_wall_ms: int
    age_s: int | None
    is_stale: bool
    stored_count: int
    missing_count: int
    gap_count: int
    event_count: int
    last_event: str
    state: str = ""
    behind_count: int | None = None


def add_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word and its options."""
    parser = words.add_parser(
        "status", help="what the database has of each gateway, and how old it is", description=_TEXT
    )
    parser.set_defaults(act=status)
    parser.add_argument("gateway", nargs="?", default="", metavar="GW", help="only this gateway; default: all")
    parser.add_argument("--tenant", default="", help="only this tenant")
    parser.add_argument("--stale-s", type=int, default=60, metavar="S", help="older is stale (%(default)s)")
    parser.add_argument("--wait-s", type=float, default=5.0, help="longest wait for the broker (%(default)s)")
    parser.add_argument("--json", action="store_true", help="for machines")
    add_book(parser)
    add_broker(parser)
    parser.set_defaults(host="")


def status(options: argparse.Namespace) -> int:
    """Prints it. Raises DataFault when database or broker cannot be read."""
    reader, said = open_reader(options), dict[str, dict[str, object]]()
    shelves = reader.shelves(options.tenant, options.gateway)
    if options.host:
        topics = Topics(options.tenant or "+", options.gateway or "+")
        said = dict(collect(Link(settings_of(options)), topics.status, options.wait_s))
    lines = _lines(reader, shelves, options, said)
    if options.json:
        print(json.dumps([asdict(line) for line in lines]))
    else:
        _print(lines, with_broker=bool(options.host))
    return EXIT_STALE if not lines or any(line.is_stale for line in lines) else 0


def _lines(
    reader: Reader, shelves: list[Shelf], options: argparse.Namespace, said: dict[str, dict[str, object]]
) -> list[Line]:
    samples, events = reader.last_samples(), reader.last_events()
    newest: dict[tuple[str, str], tuple[StoredSample, Shelf]] = {}
    told: dict[str, list[Shelf]] = {}
    for shelf in shelves:
        name, last = f"{shelf.series.tenant}/{shelf.series.gateway}", samples.get(shelf.number)
        if is_events(shelf):
            told.setdefault(name, []).append(shelf)
        elif last is not None:
            before = newest.get((name, shelf.series.stream))
            if before is None or before[0].wall_ms <= last.wall_ms:
                newest[name, shelf.series.stream] = (last, shelf)
    now_ms = SystemClock().wall_ms()
    lines = []
    for (name, _), (last, shelf) in sorted(newest.items(), key=lambda item: item[0]):
        age_s = None if last.unsynced else max(0, now_ms - last.wall_ms) // 1_000
        is_stale = age_s is None or age_s > options.stale_s
        happened = [events[one.number] for one in told.get(name, []) if one.number in events]
        counts = _counts(shelf, told.get(name, []))
        state = _state(said.get(name, {})) if options.host else ("", None)
        head = (name, shelf.series.stream, str(shelf.series.epoch), last.seq, last.wall_ms, age_s, is_stale)
        lines.append(Line(*head, *counts, _last_event(happened), *state))
    return lines


def _counts(shelf: Shelf, events: list[Shelf]) -> tuple[int, int, int, int]:
    """Samples, missing numbers, gaps, events."""
    gaps = shelf.gaps()
    missing_count = sum(until - first + 1 for first, until in gaps)
    return shelf.held.count(), missing_count, len(gaps), sum(one.held.count() for one in events)


def _state(said: dict[str, object]) -> tuple[str, int | None]:
    behind = said.get("pending_count")
    return "online" if said.get("online") is True else "offline", behind if type(behind) is int else None


def _last_event(events: list[StoredEvent]) -> str:
    """Level and name of the newest, of all epochs."""
    newest = max(events, key=lambda event: event.wall_ms, default=None)
    return f"{newest.level} {newest.name}" if newest is not None else ""


def _print(lines: list[Line], *, with_broker: bool) -> None:
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    heads = ["gateway", "stream", "newest", "age", "stored", "missing", "gaps", "events", "last event", "epoch"]
    more = ["state", "behind"] if with_broker else []
    rows = [heads[:4] + more + heads[4:]]
    for line in lines:
        broker = [line.state, "-" if line.behind_count is None else str(line.behind_count)] if with_broker else []
        counts = [line.stored_count, line.missing_count, line.gap_count, line.event_count]
        tail = [plain(line.last_event, 40) or "-", line.epoch]
        rows.append(
            [line.gateway, line.stream, str(line.last_seq), _age(line.age_s), *broker, *map(str, counts), *tail]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = {"gateway", "stream", "state", "last event"}
    for index, row in enumerate(rows):
        cells = [
            cell.ljust(width) if head in texts else cell.rjust(width)
            for cell, width, head in zip(row, widths, rows[0], strict=True)
        ]
        if colour and index and lines[index - 1].is_stale:
            cells[3] = f"{_RED}{cells[3]}{_PLAIN}"
        print("  ".join(cells).rstrip())


def _age(age_s: int | None) -> str:
    """Short: 12 s, 4 min, 7 h, 3 d."""
    if age_s is None:
        return "?"
    for unit, size_s in (("d", 172_800), ("h", 7_200), ("min", 120)):
        if age_s >= size_s:
            return f"{age_s // (size_s // 2)} {unit}"
    return f"{age_s} s"
