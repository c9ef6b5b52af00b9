"""The closed intervals of a site as they count: read from its ledger, with every later correction applied.

The service may run beside it; nothing is written. Memory holds the amendments, not the intervals.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edge.carbon.evidence.account import Amendments, Row, rows_of
from edge.carbon.interval import ClockState, FactorUse, Flow, Interval, RegisterSpan
from edge.carbon.ledger.entry import Entry, inflate, trusted_line
from edge.errors import DataFault
from edge.store.db.journal import FILE
from edge.store.db.view import read_ledger

EVER_MS = 1 << 62
OPENING, INTERVAL = b'"kind":"opening","no":1,', b'"kind":"interval","no":'
START = re.compile(rb'"start_ms":(\d+),"stop_ms"')


def read_intervals(store: Path, first_ms: int = 0, stop_ms: int = EVER_MS) -> Iterator[Interval]:
    """Those that begin in [first_ms, stop_ms), in the order of the ledger. Raises DataFault: no ledger, or damaged."""
    return map(interval_of, read_rows(store, first_ms, stop_ms))


def read_rows(store: Path, first_ms: int = 0, stop_ms: int = EVER_MS) -> Iterator[Row]:
    """As `read_intervals`, as rows of the account."""
    amendments, begin = Amendments(), 0
    for count, line in enumerate(_lines(store)):
        if OPENING in line:  # after a loss of rows the chain began again
            amendments, begin = Amendments(), count
        if INTERVAL not in line:
            amendments.note(trusted_line(line))
    entries = _entries(store, begin, lambda start_ms: bool(amendments.offset_ms) or first_ms <= start_ms < stop_ms)
    for row in rows_of(entries, amendments, first_ms, stop_ms):
        if not row.plan:
            raise DataFault(f"{store}: the beginning of the ledger is not there: an interval stands before any plan")
        yield row


def _lines(store: Path) -> Iterator[bytes]:
    return (inflate(kept) for kept in read_ledger(store / FILE))


def _entries(store: Path, begin: int, wanted: Callable[[int], bool]) -> Iterator[Entry]:
    """From `begin` on; of intervals only those whose start, as it was stamped, is wanted: to parse is what takes time."""
    for line in itertools.islice(_lines(store), begin, None):
        start = START.search(line)
        if INTERVAL not in line or start is None or wanted(int(start[1])):
            yield trusted_line(line)


def interval_of(row: Row) -> Interval:
    """The interval as it was booked; what a factor that came late changed is at the import of the load."""
    body: dict[str, Any] = row.body
    factor, pool, clock = body["factor"], body["pool"], body["clock"]
    flows = [Flow(one["from"], one["to"], one["mj"], one["ug"]) for one in body["flows"]]
    if row.revised_ug:
        flows.append(Flow("grid", "load", 0, row.revised_ug))
    return Interval(
        start_wall_ms=row.start_ms,
        stop_wall_ms=row.stop_ms,
        method=body["method"],
        flows=tuple(flows),
        registers=tuple(RegisterSpan(**span) for span in body["registers"]),
        factor=FactorUse(
            factor["id"], factor["kind"], factor["mg_per_kwh"], factor["source"], factor["version"],
            factor["published_ms"], factor["payload_sha256"], factor["quality"],
        ),
        it_mj=body["it_mj"],
        facility_mj=body["facility_mj"],
        stored_open_uj=pool["open_uj"],
        carbon_open_ug=pool["open_ug"],
        stored_close_uj=pool["close_uj"],
        carbon_close_ug=pool["close_ug"],
        storage_loss_ug=pool["loss_ug"],
        missing_ms=body["missing_ms"],
        clock=ClockState(clock["source"], clock["offset_ms"], clock["synced"]),
        true_up_uj=pool["true_up_uj"],
    )  # fmt: skip
