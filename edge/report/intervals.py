"""The closed intervals of a site as they count: read from its ledger, with every later correction applied.

The service may run beside it; nothing is written. Memory holds the amendments, not the intervals.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.carbon.evidence.account import Amendments, Row, rows_of
from edge.carbon.interval import ClockState, FactorUse, Flow, Interval, RegisterSpan
from edge.carbon.ledger.entry import Entry, inflate, parse_line
from edge.store.db.journal import FILE
from edge.store.db.view import read_ledger

EVER_MS = 1 << 62


def read_intervals(store: Path, first_ms: int = 0, stop_ms: int = EVER_MS) -> Iterator[Interval]:
    """Those that begin in [first_ms, stop_ms), in the order of the ledger. Raises DataFault: no ledger, or damaged."""
    amendments = Amendments()
    for entry in _entries(store):
        amendments.note(entry)
    for row in rows_of(_entries(store), amendments, first_ms, stop_ms):
        yield _interval(row)


def _entries(store: Path) -> Iterator[Entry]:
    """The newest chain: after a loss of rows it began again at number 1."""
    begin = 0
    for count, row in enumerate(read_ledger(store / FILE)):
        if b'"kind":"opening","no":1,' in inflate(row):
            begin = count
    for row in itertools.islice(read_ledger(store / FILE), begin, None):
        yield parse_line(inflate(row))


def _interval(row: Row) -> Interval:
    body: dict[str, Any] = row.body
    factor, pool, clock = body["factor"], body["pool"], body["clock"]
    return Interval(
        start_wall_ms=row.start_ms,
        stop_wall_ms=row.stop_ms,
        method=body["method"],
        flows=tuple(Flow(one["from"], one["to"], one["mj"], one["ug"]) for one in body["flows"]),
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
    )  # fmt: skip
