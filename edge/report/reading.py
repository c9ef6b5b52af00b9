"""From the store of a site to what a page is made of: ledger, quarters of telemetry, events. Reads only.

The service may run beside it. A part that cannot be read is a note on the page, not the end of it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from edge.config.options import Config
from edge.errors import DataFault
from edge.report.intervals import read_rows
from edge.report.kpi import KpiRules
from edge.report.sheet.material import FIELDS, Happening, Material, Period, Range, Stretch
from edge.store.clockmap import ClockMap
from edge.store.db.journal import FILE
from edge.store.db.view import load_clock, read_events
from edge.store.rollup import NAMES, Quarter, decode_quarter
from edge.store.survey import read_ring

SECOND_MS = 1_000
EVENTS_MAX_COUNT = 1_000_000  # the journal holds fewer
LEVELS = ("info", "warning", "alarm")
Progress = Callable[[str], None]


def read_material(config: Config, period: Period, rules: KpiRules, progress: Progress = lambda text: None) -> Material:
    """Everything of a period. Raises DataFault when neither telemetry nor ledger has anything of it."""
    if not config.store.path:
        raise DataFault(f"{config.file}: store.path is empty: this site keeps nothing on disk")
    store, notes = Path(config.store.path), list[str]()
    progress("ledger")
    try:
        rows = sorted(read_rows(store, period.first_ms, period.stop_ms), key=lambda row: row.start_ms)
    except DataFault as fault:
        rows = []
        notes.append(f"The ledger cannot be read ({fault}): no energy, carbon or figures.")
    progress("telemetry")
    try:
        clock = load_clock(store / FILE)
    except DataFault:
        clock = ClockMap(b"")
    stretches = [
        one for one in _stretches(store, clock) if one.stop_ms > period.first_ms and one.start_ms < period.stop_ms
    ]
    if not rows and not stretches:
        raise DataFault(f"{store}: has nothing of {period.label}: no telemetry and no interval of the ledger")
    progress("events")
    return Material(
        site=config.site.id, place=config.evidence.place, period=period,
        capacity_wh=sum(unit.capacity_wh for unit in config.unit), stretches=stretches, rows=rows,
        happenings=_happenings(store, period, notes), rules=rules, notes=notes,
    )  # fmt: skip


def _stretches(store: Path, clock: ClockMap) -> list[Stretch]:
    """One for each kept quarter of an hour, oldest first; where two have the same first number the later counts."""
    found: dict[tuple[int, int], Stretch] = {}
    for one in read_ring(store / "rollup"):
        quarter = decode_quarter(one.body)
        if quarter is not None and quarter.count:
            start_ms = clock.stamp(quarter.boot, quarter.first_mono_ms, quarter.first_wall_ms).wall_ms
            found[quarter.epoch, quarter.first_seq] = _stretch(quarter, start_ms)
    return sorted(found.values(), key=lambda one: one.start_ms)


def _stretch(quarter: Quarter, start_ms: int) -> Stretch:
    """A sample stands for the second before it."""
    stop_ms = start_ms + quarter.last_mono_ms - quarter.first_mono_ms
    return Stretch(start_ms - SECOND_MS, stop_ms, tuple(_range(quarter, name) for name in FIELDS))


def _range(quarter: Quarter, name: str) -> Range | None:
    """None when the field was known for less than half of the quarter."""
    index = NAMES.index(name)
    column = quarter.columns[index] if index < len(quarter.columns) else None
    if column is None or column.count * 2 < quarter.count:
        return None
    return Range(column.value / column.count, column.low, column.high)


def _happenings(store: Path, period: Period, notes: list[str]) -> Sequence[Happening]:
    try:
        kept = read_events(store / FILE, EVENTS_MAX_COUNT, LEVELS)
    except DataFault as fault:
        notes.append(f"The events cannot be read: {fault}.")
        return []
    found = [
        Happening(one.event.wall_ms, one.event.level, one.event.name, one.event.text, one.sure)
        for one in kept
        if period.first_ms <= one.event.wall_ms < period.stop_ms
    ]
    return sorted(found, key=lambda one: one.wall_ms)
