"""The entries of a package, one after another: form, chain, roots, signatures, balances. Also what a Finding is.

Holds the line in hand and the one before; of the rest only numbers and hashes. A wrong entry breaks the
hash that the next one holds; which of the two was touched shows in the one after.
"""

import base64
import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import BinaryIO, Protocol

from edge.carbon.evidence import tables
from edge.carbon.evidence.account import Account, Amendments, row_of
from edge.carbon.evidence.package import ENTRIES
from edge.carbon.ledger.balance import interval_fault, rolled_delta_wh
from edge.carbon.ledger.body import Fault, import_mj, other_fault
from edge.carbon.ledger.ed25519 import is_signed
from edge.carbon.ledger.entry import Body, Entry, leaf_of, merkle_root, parse_line
from edge.carbon.ledger.market import ug_of
from edge.carbon.ledger.seal import signed_message
from edge.errors import DataFault

SHOWN_MAX = 200  # characters of a value that is told


class Source(Protocol):
    """The files of a package, wherever they are."""

    def names(self) -> list[str]: ...

    def open(self, name: str) -> BinaryIO: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and where: `line` counts from 1; 0 is the file as a whole."""

    file: str
    line: int
    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.field}: expected {self.expected}, found {self.found}"


class Found(Exception):
    """Carries the first Finding out of whatever was being read."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding


@dataclass(slots=True)
class Report:
    """The result. `finding` None: everything follows from the entries, and they from each other."""

    finding: Finding | None = None
    missing: list[str] = field(default_factory=list)
    entry_count: int = 0
    root_count: int = 0
    signed_count: int = 0
    keys: list[str] = field(default_factory=list)
    account: Account | None = None


def shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def wrong(file: str, line: int, what: str, expected: object, found: object) -> Found:
    return Found(Finding(file, line, what, shown(expected), shown(found)))


class Chain:
    """One pass over entries.jsonl. Raises Found at the first thing wrong."""

    def __init__(self, source: Source, manifest: Body, report: Report) -> None:
        self._source, self._manifest, self._report = source, manifest, report
        self._plan: Body | None = None
        self._before: Entry | None = None
        self._pool: tuple[int, int] | None = None
        self._leaves: list[bytes] = []
        self._segment_no = 0
        self._digests: dict[int, str] = {}
        self._times: dict[int, tuple[int, int]] = {}
        self._booked: dict[int, tuple[int, int]] = {}  # import and location-based carbon of each interval

    def run(self, progress: Callable[[int], None]) -> None:
        if ENTRIES not in self._source.names():
            raise wrong(ENTRIES, 0, "file", "in the package", "not there")
        with self._source.open(ENTRIES) as file:
            number = 0
            for number, raw in enumerate(file, 1):
                self._take(number, raw)
                if number % 1000 == 0:
                    progress(number)
        if self._before is None:
            raise wrong(ENTRIES, 0, "line", "an entry", "nothing")
        if self._before.digest != self._manifest.get("head"):
            raise self._at(number, "hash", self._manifest.get("head"), self._before.digest, self._before)
        self._report.entry_count = number
        _note_open(self._report, self._leaves)

    def _at(self, line: int, what: str, expected: object, found: object, entry: Entry | None = None) -> Found:
        """A finding; for an interval with what the tables say of the field that was touched."""
        hint = _hint(self._source, entry, self._plan or {}) if entry is not None and entry.kind == "interval" else None
        return wrong(ENTRIES, line, *(hint or (what, expected, found)))

    def _take(self, number: int, raw: bytes) -> None:
        if not raw.endswith(b"\n"):
            raise wrong(ENTRIES, number, "end of line", "a line feed", "the end of the file")
        try:
            entry = parse_line(raw[:-1])
        except DataFault as fault:
            raise wrong(ENTRIES, number, "line", "an entry", str(fault)) from None
        self._link(number, entry)
        self._judge(number, entry)
        self._digests[entry.no] = entry.digest
        self._before = entry

    def _link(self, number: int, entry: Entry) -> None:
        before = self._before
        if before is None:
            self._segment_no = entry.no
            return
        if entry.previous != before.digest:
            if self._is_touched(number, entry):
                raise wrong(ENTRIES, number, "previous", before.digest, entry.previous)
            raise self._at(number - 1, "hash", entry.previous, before.digest, before)
        for name, expected, found in (("no", before.no + 1, entry.no), ("site", before.site, entry.site)):
            if found != expected:
                raise wrong(ENTRIES, number, name, expected, found)

    def _is_touched(self, number: int, entry: Entry) -> bool:
        """Whether this line, not the one before, is the one that its follower (or the manifest) does not know."""
        with self._source.open(ENTRIES) as file:
            follower = next((raw for count, raw in enumerate(file, 1) if count == number + 1), None)
        if follower is None:
            return bool(entry.digest != self._manifest.get("head"))
        try:
            return parse_line(follower.rstrip(b"\n")).previous != entry.digest
        except DataFault:
            return False

    def _judge(self, number: int, entry: Entry) -> None:
        if entry.kind == "day_root":
            self._root(number, entry)
            return
        fault = other_fault(entry.kind, entry.body) if entry.kind != "interval" else None
        if fault is None:
            fault = self._judged(entry)
        if fault is not None:
            raise self._at(number, fault.field, fault.expected, fault.found, entry)
        self._leaves.append(leaf_of(entry.line))

    def _judged(self, entry: Entry) -> Fault | None:
        body = entry.body
        match entry.kind:
            case "opening" | "plan":
                self._plan = body["plan"]
            case "interval":
                return self._interval(entry)
            case "pool_step":
                if self._pool is not None and (body["from_uj"], body["from_ug"]) != self._pool:
                    return Fault("from_ug", self._pool[1], body["from_ug"])
                self._pool = (body["to_uj"], body["to_ug"])
            case "signature":
                return self._signature(body)
            case "correction" | "factor_revised" | "time_stamp":
                return self._later(entry)
            case "rollover":
                return self._rollover(body)
        return None

    def _interval(self, entry: Entry) -> Fault | None:
        if self._plan is None:
            return Fault("kind", "a plan before the first interval", entry.kind)
        fault = interval_fault(entry.body, self._plan)
        if fault is not None:
            return fault
        pool = entry.body["pool"]
        if self._pool is not None and (pool["open_uj"], pool["open_ug"]) != self._pool:
            name = "open_ug" if pool["open_ug"] != self._pool[1] else "open_uj"
            return Fault(f"pool.{name}", self._pool[1] if name == "open_ug" else self._pool[0], pool[name])
        self._pool = (pool["close_uj"], pool["close_ug"])
        self._times[entry.no] = (entry.body["start_ms"], entry.body["stop_ms"])
        self._booked[entry.no] = (import_mj(entry.body), entry.body["location_ug"])
        return None

    def _root(self, number: int, entry: Entry) -> None:
        body = entry.body
        fault = other_fault("day_root", body)
        if fault is not None:
            raise wrong(ENTRIES, number, fault.field, fault.expected, fault.found)
        made = {
            "count": len(self._leaves), "first_no": self._segment_no, "last_no": entry.no - 1,
            "root": merkle_root(self._leaves),
        }  # fmt: skip
        for name, expected in made.items():
            if body[name] != expected:
                raise wrong(ENTRIES, number, name, expected, body[name])
        self._leaves, self._segment_no = [], entry.no + 1
        self._report.root_count += 1

    def _named(self, body: Body) -> Fault | None:
        """Whether the entry that is named is the one whose hash is given; one before this package cannot be asked."""
        known = self._digests.get(body["entry"])
        if known is not None and body["digest"] != known:
            return Fault("digest", known, body["digest"])
        return None

    def _signature(self, body: Body) -> Fault | None:
        try:
            key, signature = bytes.fromhex(body["key"]), bytes.fromhex(body["signature"])
        except ValueError:
            return Fault("signature", "hex", body["signature"])
        if not is_signed(key, signed_message(body["digest"]), signature):
            return Fault("signature", f"one by the key {body['key']}", body["signature"])
        if body["entry"] in self._digests:
            self._report.signed_count += 1
        if body["key"] not in self._report.keys:
            self._report.keys.append(body["key"])
        return self._named(body)

    def _later(self, entry: Entry) -> Fault | None:
        body = entry.body
        if entry.kind == "correction":
            fault = _corrected_fault(body["interval"], self._plan or {}, self._times.get(body["entry"]))
            if fault is not None:
                return fault
        booked = self._booked.get(body["entry"]) if entry.kind == "factor_revised" else None
        if booked is not None:
            difference_ug = ug_of(booked[0], body["factor"]["mg_per_kwh"]) - booked[1]
            if body["difference_ug"] != difference_ug:
                return Fault("difference_ug", difference_ug, body["difference_ug"])
        if entry.kind == "time_stamp" and not _is_stamp(body):
            return Fault("token", "one of the root that is named", body["token"])
        return self._named(body)

    def _rollover(self, body: Body) -> Fault | None:
        meters = {meter["device"]: meter for meter in (self._plan or {}).get("meters", ())}
        meter = meters.get(body["meter"])
        if meter is None or not meter["register_max_wh"] or None in (body["start_wh"], body["stop_wh"]):
            return None
        expected = rolled_delta_wh(body["start_wh"], body["stop_wh"], meter)
        return None if body["delta_wh"] == expected else Fault("delta_wh", expected, body["delta_wh"])


def _is_stamp(body: Body) -> bool:
    """Whether the token speaks of this root's text; who made it, `openssl ts -verify` says (handbook)."""
    try:
        token = base64.b64decode(body["token"], validate=True)
    except ValueError:
        return False
    return hashlib.sha256(signed_message(body["digest"])).digest() in token


def _corrected_fault(body: object, plan: Body, times: tuple[int, int] | None) -> Fault | None:
    if not isinstance(body, dict) or body.get("quality") != "corrected":
        return Fault("interval.quality", "corrected", body.get("quality") if isinstance(body, dict) else body)
    spans = body.get("registers")
    as_metered = {**body, "quality": "corrected" if spans else "measured"}
    fault = interval_fault(as_metered, plan)
    if fault is None and times not in (None, (body["start_ms"], body["stop_ms"])):
        return Fault("interval.start_ms", times, (body["start_ms"], body["stop_ms"]))
    if fault is not None and fault.field == "quality":
        return None  # its one word says that it was corrected, whatever else it is
    return fault


def _note_open(report: Report, leaves: list[bytes]) -> None:
    if leaves:
        report.missing.append(f"a root over the last {len(leaves)} entries: their day had not ended")


def _hint(source: Source, entry: Entry, plan: Body) -> tuple[str, str, str] | None:
    """(field, expected, found) where the tables of the package say something else of this interval than its line."""
    try:
        row = row_of(entry, plan, Amendments())
        made = {"intervals.csv": [tables.interval_line(row)], "registers.csv": list(tables.register_lines(row))}
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    for name, lines in made.items():
        if name not in source.names():
            continue
        start = f"{entry.no},".encode()
        with source.open(name) as file:
            kept = [raw for raw in file if raw.startswith(start)]
        for good, bad in zip(kept, lines, strict=False):
            column = column_of(name, good, bad)
            if column is not None and column[0] not in ("corrected_by", "moved_ms", "revised_ug"):
                return (f"{column[0]} (against {name})", column[1], column[2])
    return None


def column_of(name: str, good: bytes, bad: bytes) -> tuple[str, str, str] | None:
    """The first column in which two lines of a table differ."""
    heads = {
        "intervals.csv": tables.INTERVALS, "registers.csv": tables.REGISTERS, "changes.csv": tables.CHANGES,
        "roots.csv": tables.ROOTS, "payloads.csv": tables.PAYLOADS,
    }.get(name)  # fmt: skip
    if heads is None:
        return None
    try:
        wanted, found = (next(csv.reader([text.decode()])) for text in (good, bad))
    except (StopIteration, UnicodeDecodeError, csv.Error):
        return None
    pairs = zip_longest(heads, wanted, found, fillvalue="")
    return next(((head, one, two) for head, one, two in pairs if one != two), None)
