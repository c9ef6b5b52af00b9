"""What `edge ledger export|verify|show|status` do; loaded only when one of them is asked for. Reads only.

The service may run beside it.

Exit: 0 right · 1 wrong, or with --strict something is missing · 2 cannot be read or was asked wrongly.
"""

import argparse
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.carbon.desk.inbox import FOLDER, correction_of
from edge.carbon.evidence.chain import Report
from edge.carbon.evidence.figures import kg, kwh
from edge.carbon.evidence.package import Period, Writer, select, write
from edge.carbon.evidence.verify import verify
from edge.carbon.ledger.entry import Body, Entry, inflate, parse_line, sha256, trusted_line, utc_text
from edge.config.options import Config
from edge.config.reader import load_config
from edge.errors import DataFault

ReadRows = Callable[[Path], Iterator[bytes]]
ReadAnswer = Callable[[Path, str], bytes | None]  # store, SHA-256: a raw answer of a grid's source, if it is kept
NUMBER = re.compile(rb'"kind":"([a-z_]+)","no":([0-9]+),"previous":"[0-9a-f]{64}","site":"[^"]*","v":1}$')
EXIT_WRONG = 1
SHOWN_MAX = 96


# ---- export


def export_package(options: argparse.Namespace, read_rows: ReadRows, read_answer: ReadAnswer) -> int:
    """Writes a package. Raises ConfigFault, DataFault."""
    config = load_config(options.config)
    store, period = _store(config), period_of(options.first, options.last, options.zone)
    folder: Path = options.folder
    if folder.exists() and any(folder.iterdir()):
        raise DataFault(f"{folder}: is not empty: a package has a folder of its own")

    def entries() -> Iterator[Entry]:
        return _entries(read_rows, store)

    first_no, last_no = select(entries, period)

    def chosen() -> Iterator[Entry]:
        for count, entry in enumerate(entry for entry in entries() if first_no <= entry.no <= last_no):
            if count % 1000 == 0:
                _progress(f"{count} of {last_no - first_no + 1} entries")
            yield entry

    account = write(chosen, period, lambda digest: read_answer(store, digest), lambda name: create_file(folder, name))
    _progress("")
    limited = "; LIMITED: more than 5 % of a month substituted" if account.limited else ""
    print(f"{folder}: {account.interval_count} intervals, entries {first_no} to {last_no}{limited}")
    print(f"import {kwh(account.import_mj)} kWh, location-based {kg(account.location_ug)} kg, ", end="")
    print(f"market-based {kg(account.market_ug)} kg CO2")
    return 0


def period_of(first: str, last: str, zone: str) -> Period:
    """From the beginning of one local day to the end of another. Raises DataFault."""
    try:
        where = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DataFault(f"--zone {zone}: no such zone is known here; such as America/Chicago") from None
    try:
        start, end = (datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=where) for text in (first, last))
    except ValueError:
        raise DataFault(f"--from {first} --to {last}: days such as 2026-01-31") from None
    if end < start:
        raise DataFault(f"--to {last}: is before --from {first}")
    return Period(*(int(day.astimezone(UTC).timestamp()) * 1000 for day in (start, end + timedelta(days=1))))


def _store(config: Config) -> Path:
    if not config.store.path:
        raise DataFault(f"{config.file}: store.path is empty: this site keeps nothing on disk")
    return Path(config.store.path)


def _entries(read_rows: ReadRows, store: Path) -> Iterator[Entry]:
    """The newest chain that is whole: after a loss of rows it began again."""
    begin, expected = _begin(read_rows, store), 0
    for row in itertools.islice(read_rows(store), begin, None):
        line = inflate(row)
        entry = trusted_line(line)
        if expected and entry.no != expected:
            raise DataFault(f"entry {expected} is not in the ledger of {store}: after {expected - 1} comes {entry.no}")
        expected = entry.no + 1
        yield replace(entry, digest=sha256(line))


def _begin(read_rows: ReadRows, store: Path) -> int:
    """Rows before the newest whole chain: it begins with an opening, or after the first root behind a hole."""
    begin, before, broken = 0, 0, False
    for count, row in enumerate(read_rows(store)):
        try:
            found = NUMBER.search(inflate(row))
        except DataFault:
            found = None
        kind, no = (found[1], int(found[2])) if found else (b"", 0)
        if kind == b"opening" and no == 1:
            begin, broken = count, False
        elif no != before + 1:
            broken = True
        elif broken and kind == b"day_root":
            begin, broken = count + 1, False
        before = no
    if broken:
        raise DataFault(f"{store}: rows of the ledger are missing, and no day has ended since: wait for its root")
    return begin


def create_file(folder: Path, name: str) -> Writer:
    """A new file of a package. Raises OSError, too when it is there already."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<40}", end="" if text else "\r", file=sys.stderr, flush=True)


# ---- correct


def correct_entry(options: argparse.Namespace, read_rows: ReadRows) -> int:
    """Leaves a correction for the controller to take. Raises ConfigFault, DataFault."""
    store = _store(load_config(options.config))
    entry = next((one for one in _entries(read_rows, store) if one.no == options.entry), None)
    if entry is None or entry.kind != "interval":
        raise DataFault(f"--entry {options.entry}: is no interval of this ledger: edge ledger show --kind interval")
    try:
        told = json.loads(options.file.read_bytes())
    except (OSError, ValueError) as error:
        raise DataFault(f"{options.file}: {error}") from error
    body = told.get("body", told) if isinstance(told, dict) else told
    if not isinstance(body, dict):
        raise DataFault(
            f"{options.file}: the body of an interval, or the whole entry as `edge ledger show --json` prints it"
        )
    raw = correction_of(entry.no, entry.digest, entry.body, body, options.who, options.why)
    folder = store / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{entry.no:09d}-{sha256(raw)[:16]}.json"
    path.with_suffix(".new").write_bytes(raw)
    path.with_suffix(".new").replace(path)
    print(f"{path}: the running controller takes it within ten seconds; entry {entry.no} stays as it is")
    return 0


# ---- verify


class FolderSource:
    """A package on a disk. A link or a device in it is no file of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not folder.is_dir():
            raise DataFault(f"{folder}: no such folder")
        found = sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
        odd = next((path for path in found if path.is_symlink() or not path.is_file()), None)
        if odd is not None:
            raise DataFault(f"{odd}: is no plain file")
        self._names = [path.relative_to(folder).as_posix() for path in found]

    def names(self) -> list[str]:
        return self._names

    def open(self, name: str) -> BinaryIO:
        return (self._folder / name).open("rb")


def verify_package(options: argparse.Namespace) -> int:
    """Prints what was found. Raises DataFault for what is no package."""
    report = verify(FolderSource(options.folder), lambda count: _progress(f"{count} entries"))
    _progress("")
    wrong = str(report.finding) if report.finding is not None else ""
    key = options.key.lower()
    if not wrong and key and report.keys != [key]:
        wrong = f"entries.jsonl: signatures: expected all by {key}, found {', '.join(report.keys) or 'none'}"
    if options.json:
        print(json.dumps(_told(report, wrong)))
    else:
        _print_report(options.folder, report, wrong)
    return EXIT_WRONG if wrong or (options.strict and report.missing) else 0


def _told(report: Report, wrong: str) -> Body:
    finding = report.finding
    return {
        "entries": report.entry_count,
        "finding": {name: getattr(finding, name) for name in finding.__slots__} if finding is not None else None,
        "keys": report.keys,
        "missing": report.missing,
        "right": not wrong,
        "roots": report.root_count,
        "signed": report.signed_count,
        "wrong": wrong,
    }


def _print_report(folder: Path, report: Report, wrong: str) -> None:
    account = report.account
    if wrong:
        print(f"WRONG  {wrong}")
    elif account is not None:
        print(
            f"right  {folder}: {report.entry_count} entries, {account.interval_count} intervals; all else follows from them"
        )
        print(f"       {utc_text(account.first_ms)} to {utc_text(account.stop_ms)}")
        print(f"       import           {kwh(account.import_mj):>16} kWh")
        print(f"       location-based   {kg(account.location_ug):>16} kg CO2")
        print(f"       market-based     {kg(account.market_ug):>16} kg CO2")
        print(f"       signed roots     {report.signed_count:>16} of {report.root_count}")
        for key in report.keys:
            print(f"       by the key       {key}: compare it with what the operator gave you")
        if account.limited:
            print("       limited: more than 5 % of a month was substituted")
    for text in report.missing:
        print(f"missing  {text}")


# ---- show, status


def show_entries(options: argparse.Namespace, read_rows: ReadRows) -> int:
    """Prints entries. Raises ConfigFault, DataFault."""
    store = _store(load_config(options.config))
    found = [entry for entry in _entries(read_rows, store) if options.kind in ("", entry.kind)][-max(1, options.last) :]
    if options.json:
        for entry in found:
            print(entry.line.decode())
        return 0
    print(f"{'no':>8}  {'written (UTC)':<20}  {'kind':<18}  what")
    for entry in found:
        print(f"{entry.no:>8}  {utc_text(entry.at_ms):<20}  {entry.kind:<18}  {_said(entry)}")
    return 0


def _said(entry: Entry) -> str:
    """One entry in a few words, printable ASCII only."""
    body = entry.body
    match entry.kind:
        case "interval":
            imported = sum(flow["mj"] for flow in body["flows"] if flow["from"] == "grid")
            text = f"{utc_text(body['start_ms'])} {body['quality']}, {kwh(imported)} kWh, {kg(body['location_ug'])} kg"
        case "day_root":
            text = f"{body['day']}: {body['count']} entries, {body['root'][:16]}..."
        case "plan" | "opening":
            text = f"{len(body['plan']['meters'])} meters, {len(body['plan']['contracts'])} contracts"
        case _:
            text = ", ".join(f"{key} {value}" for key, value in body.items() if not isinstance(value, dict | list))
    safe = "".join(mark if " " <= mark <= "~" else "?" for mark in text)
    return safe if len(safe) <= SHOWN_MAX else safe[: SHOWN_MAX - 1] + "~"


def show_status(options: argparse.Namespace, read_rows: ReadRows) -> int:
    """Prints the state of the chain. Raises ConfigFault, DataFault."""
    config = load_config(options.config)
    kinds: dict[str, int] = {}
    head, fault, row_bytes = None, "", 0
    for number, row in enumerate(read_rows(_store(config)), 1):
        row_bytes += len(row)
        try:
            entry = parse_line(inflate(row))
        except DataFault as found:
            fault = fault or f"row {number}: {found}"
            continue
        if head is not None and not fault and (entry.previous != head.digest or entry.no != head.no + 1):
            fault = f"entry {entry.no} does not follow entry {head.no}"
        head = entry
        kinds[entry.kind] = kinds.get(entry.kind, 0) + 1
    told = {
        "bytes": row_bytes, "fault": fault, "head": head.digest if head else "", "kinds": kinds,
        "last_utc": utc_text(head.at_ms) if head else "", "no": head.no if head else 0,
    }  # fmt: skip
    if options.json:
        print(json.dumps(told))
        return EXIT_WRONG if fault else 0
    print(f"entries     {told['no']}, newest {told['last_utc'] or '-'}, {row_bytes / 1e6:.1f} MB kept")
    print(f"head        {told['head'] or '-'}")
    print(
        f"roots       {kinds.get('day_root', 0)}, signed {kinds.get('signature', 0)}, stamped {kinds.get('time_stamp', 0)}"
    )
    print(f"kinds       {', '.join(f'{name} {count}' for name, count in sorted(kinds.items())) or '-'}")
    print(f"chain       {'WRONG: ' + fault if fault else 'whole'}")
    return EXIT_WRONG if fault else 0
