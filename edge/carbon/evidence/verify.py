"""The check of an evidence package, with nothing but the package: the first thing wrong, and what is missing.

Order: the manifest's own hash; every entry (form, chain, roots, signatures, balances); then every other file is made
anew from the entries and compared line by line. The first Finding ends it: after a forged line nothing else is worth
reading. A wrong entry breaks the hash that the next one holds; which of the two was touched shows in the one after.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import zip_longest

from edge.carbon.evidence.account import Account
from edge.carbon.evidence.chain import SHOWN_MAX, Chain, Finding, Found, Report, Source, column_of, shown, wrong
from edge.carbon.evidence.package import ENTRIES, FORMAT, MANIFEST, PAYLOADS, STAMPS, Period, self_hash, write
from edge.carbon.ledger.entry import Body, Entry, sha256, trusted_line, utc_text
from edge.errors import DataFault


def verify(source: Source, progress: Callable[[int], None] = lambda count: None) -> Report:
    """Everything. Raises DataFault when this is no package of a format that is known."""
    report = Report()
    manifest = _manifest(source)
    try:
        if manifest.get("self") != self_hash(manifest):
            raise Found(_manifest_finding(source, manifest))
        chain = Chain(source, manifest, report)
        chain.run(progress)
        _compare(source, manifest, report)
    except Found as found:
        report.finding = found.finding
    return report


# ---- the manifest


def _manifest(source: Source) -> Body:
    """Read, not judged. Raises DataFault when it is none."""
    if MANIFEST not in source.names():
        raise DataFault(f"no {MANIFEST} in it: this is no evidence package")
    with source.open(MANIFEST) as file:
        raw = file.read(1 << 24)
    try:
        manifest = json.loads(raw)
        found = manifest["format"] if isinstance(manifest, dict) else None
    except (ValueError, KeyError, RecursionError):
        found, manifest = None, {}
    if type(found) is int and found > FORMAT and manifest.get("self") == self_hash(manifest):
        raise DataFault(
            f"format {found}: this program knows up to {FORMAT}; verify with the one that wrote it, or a newer"
        )
    return manifest if isinstance(manifest, dict) else {}


def _manifest_finding(source: Source, manifest: Body) -> Finding:
    """Which line of the manifest is not what the entries make of it; 0 when that cannot be told."""
    whole = Finding(MANIFEST, 0, "self", "the hash of the rest of it", shown(manifest.get("self", "none, or not JSON")))
    with source.open(MANIFEST) as file:
        found = file.read().splitlines(keepends=True)
    for period in (_period(manifest), _stated_period(source)):
        made = _made_manifest(source, period) if period is not None else []
        pairs = enumerate(zip_longest(made, found, fillvalue=b""), 1)
        differ = [(number, good, bad) for number, (good, bad) in pairs if good != bad]
        if len(differ) == 1:
            number, good, bad = differ[0]
            texts = [part.decode(errors="backslashreplace").strip() for part in (good, bad)]
            return Finding(MANIFEST, number, "line", *map(shown, texts))
    return whole


def _made_manifest(source: Source, period: Period) -> list[bytes]:
    """The manifest that the entries make; [] when they make none."""
    made: list[bytes] = []
    try:
        write(lambda: _entries(source), period, lambda digest: _body(source, digest), lambda name: _Keep(made, name))
    except (DataFault, ValueError, KeyError, TypeError, OSError, Found):
        return []
    return made


def _period(manifest: Body) -> Period | None:
    period = manifest.get("period")
    if not isinstance(period, dict) or [type(period.get(key)) for key in ("first_ms", "stop_ms")] != [int, int]:
        return None
    return Period(period["first_ms"], period["stop_ms"])


def _stated_period(source: Source) -> Period | None:
    """As the statement says it, to the second."""
    try:
        with source.open("statement.json") as file:
            said = json.loads(file.read())["period"]
        first_ms, stop_ms = (int(datetime.fromisoformat(said[key]).timestamp()) * 1000 for key in ("from", "to"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Period(first_ms, stop_ms)


class _Keep:
    """Lines of the manifest; of all other files nothing."""

    def __init__(self, lines: list[bytes], name: str) -> None:
        self._lines = lines if name == MANIFEST else []

    def write(self, data: bytes) -> None:
        self._lines.append(data)

    def close(self) -> None:
        pass


def _entries(source: Source) -> Iterator[Entry]:
    with source.open(ENTRIES) as file:
        for line in file:
            entry = trusted_line(line.rstrip(b"\n"))
            yield Entry(
                entry.no,
                entry.kind,
                entry.at_ms,
                entry.site,
                entry.previous,
                entry.body,
                entry.line,
                sha256(entry.line),
            )


def _body(source: Source, digest: str) -> bytes | None:
    """A kept body; only one that has this hash."""
    name = f"{PAYLOADS}/{digest}"
    if name not in source.names():
        return None
    with source.open(name) as file:
        body = file.read()
    found = hashlib.sha256(body).hexdigest()
    if found != digest:
        raise wrong(name, 0, "sha256", digest, found)
    return body


# ---- everything else


class _Compared:
    """A file of the package, read beside what it should be."""

    def __init__(self, source: Source, name: str) -> None:
        if name not in source.names():
            raise wrong(name, 0, "file", "in the package", "not there")
        self._name, self._file, self._line = name, source.open(name), 0

    def write(self, data: bytes) -> None:
        self._line += 1
        text = not self._name.startswith((f"{PAYLOADS}/", f"{STAMPS}/"))
        found = self._file.readline() if text else self._file.read()
        if found == data:
            return
        column = column_of(self._name, data, found)
        if column is not None:
            raise wrong(self._name, self._line, *column)
        good, bad = (part.decode(errors="replace").rstrip("\n").strip() for part in (data, found))
        raise wrong(self._name, self._line, "line", good, bad if bad != good else f"{found!r}")

    def close(self) -> None:
        rest = self._file.read(SHOWN_MAX)
        self._file.close()
        if rest:
            raise wrong(self._name, self._line + 1, "line", "the end of the file", rest.decode(errors="replace"))


def _compare(source: Source, manifest: Body, report: Report) -> None:
    period = _period(manifest)
    if period is None:
        raise wrong(MANIFEST, 0, "period", "first_ms and stop_ms", manifest.get("period"))
    made: list[str] = []

    def open_file(name: str) -> _Compared:
        made.append(name)
        return _Compared(source, name)

    listed = set(manifest["files"]) | {MANIFEST}
    gone = sorted(listed - set(source.names()))
    if gone:
        raise wrong(gone[0], 0, "file", "in the package", "not there")
    account = write(lambda: _entries(source), period, lambda digest: _body(source, digest), open_file)
    extra = sorted(set(source.names()) - set(made))
    if extra:
        raise wrong(extra[0], 0, "file", "no such file", "one that the package does not list")
    report.account = account
    report.missing += _missing(account, report)


def _missing(account: Account, report: Report) -> Iterator[str]:
    """What a verifier would ask for, and is not in the package."""
    unsigned = report.root_count - report.signed_count
    if unsigned:
        yield f"the signature of {unsigned} of {report.root_count} daily roots"
    for start_ms, stop_ms in account.absent[:10]:
        yield f"intervals: {(stop_ms - start_ms) // 60_000} min from {utc_text(start_ms)}"
    for meter in account.plan["meters"]:
        blank = [key for key in ("accuracy_class", "serial", "calibrated", "calibration_due", "seal") if not meter[key]]
        if blank:
            yield f"of the meter {meter['device']}: {', '.join(blank)}"
        due = meter["calibration_due"]
        if due and due < utc_text(account.stop_ms - 1)[:10]:
            yield f"a calibration of the meter {meter['device']}: it was due on {due}"
    for contract in account.plan["contracts"]:
        if not contract["document"]:
            yield f"the document of the contract {contract['name']}"
    blank = [key for key in ("operator", "place", "region") if not account.plan[key]]
    if blank:
        yield f"of the site: {', '.join(blank)}"
