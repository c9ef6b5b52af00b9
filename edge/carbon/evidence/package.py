"""The evidence package: everything in it follows from its entries, so that it can be made a second time and compared.

`write` makes the files, one after another, through whatever `open_file` gives: files on a disk, or bytes in memory, or
what compares with a package that is there. The same entries and period give the same bytes. No clock, no name of a
machine, no version of the program is in them; FORMAT counts up whenever the bytes of a file would change.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from edge.carbon.evidence import tables
from edge.carbon.evidence.account import CONCERNING, Account, Amendments, row_of
from edge.carbon.evidence.diagram import diagram
from edge.carbon.evidence.fields import cbam_lines, eu_lines, scope2_lines, sources
from edge.carbon.evidence.figures import figures
from edge.carbon.evidence.statement import statement
from edge.carbon.ledger.entry import Body, Entry, canonical, sha256
from edge.errors import DataFault

FORMAT = 1
MANIFEST, ENTRIES = "manifest.json", "entries.jsonl"
PAYLOADS, STAMPS = "payloads", "stamps"  # folders


class Writer(Protocol):
    """One file, line by line."""

    def write(self, data: bytes, /) -> object: ...

    def close(self) -> None: ...


OpenFile = Callable[[str], Writer]


@dataclass(frozen=True, slots=True)
class Period:
    """From the first millisecond to the one that is no more in it, UTC."""

    first_ms: int
    stop_ms: int


@dataclass(slots=True)
class Files:
    """Opens files by name, and keeps the length and hash of each."""

    open_file: OpenFile
    sums: dict[str, Body] = field(default_factory=dict)

    def start(self, name: str) -> "_Summed":
        return _Summed(name, self.open_file(name), self.sums)

    def put(self, name: str, lines: Iterable[bytes]) -> None:
        out = self.start(name)
        for one in lines:
            out.write(one)
        out.close()


class _Summed:
    def __init__(self, name: str, inner: Writer, sums: dict[str, Body]) -> None:
        self._name, self._inner, self._sums = name, inner, sums
        self._hash, self._bytes = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        self._inner.write(data)
        self._hash.update(data)
        self._bytes += len(data)

    def close(self) -> None:
        self._inner.close()
        self._sums[self._name] = {"bytes": self._bytes, "sha256": self._hash.hexdigest()}


def select(entries: Callable[[], Iterator[Entry]], period: Period) -> tuple[int, int]:
    """First and last number of the entries that a period needs: whole days, and all that later entries say of them.

    Raises DataFault when no interval of it is in the ledger.
    """
    amendments = Amendments()
    for entry in entries():
        amendments.note(entry)
    segment, first_no, last_no, end_no, roots = 1, 0, 0, 0, set()
    for entry in entries():
        if entry.kind == "day_root":
            if first_no and end_no < last_no:
                end_no = entry.no
            if first_no:
                roots.add(entry.no)
            segment = entry.no + 1
        elif entry.kind == "interval":
            row = row_of(entry, {}, amendments)
            if period.first_ms <= row.start_ms < period.stop_ms:
                first_no, last_no = first_no or segment, entry.no
        elif first_no and entry.kind in CONCERNING and first_no <= entry.body["entry"] <= last_no:
            last_no = entry.no
    if not first_no:
        raise DataFault("no interval of this period is in the ledger")
    last_no = max(last_no, end_no)
    sealed = {**amendments.signatures, **amendments.stamps}
    wanted = [no for no in sealed if first_no <= no <= last_no]
    return first_no, max([last_no, *_seals(entries, set(wanted))])


def _seals(entries: Callable[[], Iterator[Entry]], roots: set[int]) -> Iterator[int]:
    """Numbers of the signatures and time stamps of these roots."""
    for entry in entries():
        if entry.kind in ("signature", "time_stamp") and entry.body["entry"] in roots:
            yield entry.no


def write(
    entries: Callable[[], Iterator[Entry]], period: Period, payloads: Callable[[str], bytes | None], open_file: OpenFile
) -> Account:
    """All files of a package. `entries` gives those that `select` chose, each time anew; `payloads` a body by its hash."""
    files, amendments = Files(open_file), Amendments()
    first: Entry | None = None
    last: Entry | None = None
    roots: list[int] = []
    for entry in entries():
        amendments.note(entry)
        first, last = first or entry, entry
        if entry.kind == "day_root":
            roots.append(entry.no)
    if first is None or last is None:
        raise DataFault("an empty ledger")
    account = _write_tables(files, entries, period, amendments)
    kept = _write_bodies(files, account, amendments, payloads)
    files.put("payloads.csv", [tables.line(tables.PAYLOADS), *tables.payload_lines(account, kept)])
    head: Body = {"chain": _chain(first, last, roots, amendments), "site": first.site}
    told = figures(account, head)
    files.put("statement.json", pretty({**told, "fields": _fields(account)}))
    files.put("statement.html", _split(statement(account, told)))
    files.put("diagram.svg", _split(diagram(account.plan)))
    files.put("monitoring_plan.json", pretty(account.plan))
    manifest = {
        "files": files.sums, "first_no": first.no, "format": FORMAT, "head": last.digest, "last_no": last.no,
        "period": {"first_ms": period.first_ms, "stop_ms": period.stop_ms}, "previous": first.previous, "site": first.site,
    }  # fmt: skip
    Files(open_file).put(MANIFEST, pretty({**manifest, "self": self_hash(manifest)}))
    return account


def self_hash(manifest: Body) -> str:
    """SHA-256 of the manifest without its key `self`, in the canonical form of an entry."""
    return sha256(canonical({key: value for key, value in manifest.items() if key != "self"}))


def _write_tables(
    files: Files, entries: Callable[[], Iterator[Entry]], period: Period, amendments: Amendments
) -> Account:
    """The entries and the four tables that follow them, in one pass."""
    account = Account(period.first_ms, period.stop_ms)
    names = ("intervals", "registers", "changes", "roots")
    chain, (intervals, registers, changes, roots) = files.start(ENTRIES), [files.start(f"{name}.csv") for name in names]
    for out, heads in (
        (intervals, tables.INTERVALS),
        (registers, tables.REGISTERS),
        (changes, tables.CHANGES),
        (roots, tables.ROOTS),
    ):
        out.write(tables.line(heads))
    plan: Body = {}
    for entry in entries():
        chain.write(entry.line + b"\n")
        if entry.kind in ("opening", "plan"):
            plan = entry.body["plan"]
        elif entry.kind == "day_root":
            roots.write(tables.root_line(entry, amendments))
        elif entry.kind in tables.CHANGE_KINDS:
            changes.write(tables.change_line(entry))
        elif entry.kind == "interval":
            row = row_of(entry, plan, amendments)
            if period.first_ms <= row.start_ms < period.stop_ms:
                account.add(row)
                intervals.write(tables.interval_line(row))
                for one in tables.register_lines(row):
                    registers.write(one)
    for out in (chain, intervals, registers, changes, roots):
        out.close()
    return account.end()


def _write_bodies(
    files: Files, account: Account, amendments: Amendments, payloads: Callable[[str], bytes | None]
) -> set[str]:
    """Raw answers of the grid's sources where they are kept, and the tokens of the authorities."""
    kept = set()
    for digest in sorted(account.payloads):
        body = payloads(digest)
        if body is not None:
            files.put(f"{PAYLOADS}/{digest}", [body])
            kept.add(digest)
    for no, stamp in sorted(amendments.stamps.items()):
        files.put(f"{STAMPS}/{no}.tsr", [base64.b64decode(stamp["token"])])
    return kept


def _chain(first: Entry, last: Entry, roots: list[int], amendments: Amendments) -> Body:
    signed = [amendments.signatures[no] for no in roots if no in amendments.signatures]
    return {
        "first_no": first.no,
        "head": last.digest,
        "keys": sorted({one["key"] for one in signed}),
        "last_no": last.no,
        "previous": first.previous,
        "root_count": len(roots),
        "signed_count": len(signed),
        "stamped_count": sum(no in amendments.stamps for no in roots),
    }


def _fields(account: Account) -> Body:
    named = {"cbam": cbam_lines, "eu_2024_1364": eu_lines, "ghg_scope_2": scope2_lines}
    found: Body = {"sources": sources(account)}
    for name, lines in named.items():
        found[name] = [{"field": a, "note": d, "unit": c, "value": b} for a, b, c, d in lines(account)]
    return found


def pretty(value: Body) -> list[bytes]:
    """Lines of a JSON file for people: a value a line, keys in order."""
    return _split(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _split(text: str) -> list[bytes]:
    """Lines with their ends. Only LF ends one."""
    return [one + b"\n" for one in text.encode().split(b"\n")[:-1]]
