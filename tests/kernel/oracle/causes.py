"""What every cause has in common (section 3): the row, the engine of delays, the latches, the first out.

A row's `trip` and `clear` are functions of the facts of a cycle. Which rows there are: unit_rows.py, site_rows.py.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tests.kernel.oracle.words import (
    HOUR_MS,
    HOURLY,
    LATCH_HOURLY,
    LATCH_NO,
    LATCH_YES,
    RESET_AUTO,
    RESET_CONSOLE,
    RESET_SERVICE,
    bits,
    later,
)

Fact = Callable[[Any], bool]


class Row(NamedTuple):
    """One cause; `clear` None: gone when not tripping; `gate` "": judged always."""

    name: str
    gate: str
    trip: Fact | None
    clear: Fact | None
    level: int
    latch: int = LATCH_NO
    reset: int = RESET_AUTO
    on_ms: int = 0
    off_ms: int = 0
    hourly: int = 0


class Table:
    """Rows in the order of their causes, and the sets that follow from them."""

    def __init__(self, names: list[str], rows: Sequence[Row]) -> None:
        assert [row.name for row in rows] == names
        self.rows = tuple(rows)
        self.judged = self.where(lambda row: row.trip is not None)
        self.yes = self.where(lambda row: row.latch == LATCH_YES)
        self.hourly = tuple(self.where(lambda r, h=h: r.latch == LATCH_HOURLY and r.hourly == h) for h in range(HOURLY))
        self.hourly_any = self.where(lambda row: row.latch == LATCH_HOURLY)
        self.can_latch = self.yes | self.hourly_any
        self.console = self.where(lambda row: row.latch != LATCH_NO and row.reset == RESET_CONSOLE)
        self.service = self.where(lambda row: row.latch != LATCH_NO and row.reset == RESET_SERVICE)
        self.on_now = self.where(lambda row: row.on_ms == 0)
        self.off_now = self.where(lambda row: row.off_ms == 0)
        self.level = tuple(self.where(lambda row, n=n: row.level == n) for n in range(8))
        self.gates = {gate: self._gated(gate) for gate in sorted({row.gate for row in rows})}

    def where(self, wanted: Callable[[Row], bool]) -> int:
        return sum(1 << index for index, row in enumerate(self.rows) if wanted(row))

    def _gated(self, gate: str) -> tuple[tuple[int, Fact, Fact | None], ...]:
        rows = enumerate(self.rows)
        return tuple((1 << n, row.trip, row.clear) for n, row in rows if row.gate == gate and row.trip is not None)

    def judge(self, facts: Any, open_gates: Sequence[str]) -> tuple[int, int]:
        """The causes that trip, and those that clear; a closed gate judges neither."""
        trip = clear = 0
        for gate in open_gates:
            for bit, tripping, clearing in self.gates[gate]:
                if tripping(facts):
                    trip |= bit
                elif clearing is None or clearing(facts):
                    clear |= bit
        return trip, clear


def run_engine(table: Table, state: Any, trip: int, clear: int, dt: int, hasty: int = 0) -> int:
    """Moves `active` by the delays of the rows and returns what rose. `hasty`: rows whose off-delay is 0 now."""
    active = state.active & table.judged
    on, off = trip & ~active, clear & active
    rose, fell = on & table.on_now, off & (table.off_now | hasty)
    slow = (on | off) & ~(rose | fell)
    timer = state.timer_ms
    for index in bits(state.busy & ~slow):
        timer[index] = 0
    state.busy = 0
    for index in bits(slow):
        bit = 1 << index
        ms = later(timer[index], dt)
        row = table.rows[index]
        if ms < (row.on_ms if on & bit else row.off_ms):
            timer[index] = ms
            state.busy |= bit if ms else 0
            continue
        timer[index] = 0
        rose, fell = rose | (on & bit), fell | (off & bit)
    state.active = (active | rose) & ~fell
    return rose


def note_hour(recent: list[int], at: int, dt: int, rose: bool) -> bool:
    """Two ages of rises grow by dt; whether this rise is the third within an hour."""
    recent[at], recent[at + 1] = later(recent[at], dt), later(recent[at + 1], dt)
    if not rose:
        return False
    third = recent[at + 1] < HOUR_MS
    recent[at], recent[at + 1] = 0, recent[at]
    return third


def note_hours(table: Table, state: Any, rose: int, dt: int) -> int:
    """The HOURLY causes that latch in this cycle."""
    latching = 0
    for index, mask in enumerate(table.hourly):
        if note_hour(state.recent_ms, 2 * index, dt, rose & mask != 0):
            latching |= rose & mask
    return latching


class Reset(NamedTuple):
    """What a reset means in this cycle: the edge of the command, how long causes must be gone."""

    edge: bool
    hold_ms: int


def run_latches(table: Table, state: Any, latching: int, reset: Reset, dt: int, service: bool) -> tuple[int, bool]:
    """clear_ms, reset, then new latches; returns the new ones, and whether a reset left nothing latched."""
    latched = state.latched & table.can_latch
    causing = state.active & (table.yes | latched)
    state.clear_ms = 0 if causing else later(state.clear_ms, dt)
    released = False
    if reset.edge and state.clear_ms >= reset.hold_ms:
        gone = latched & (table.console | (table.service if service else 0))
        released = latched != 0 and gone == latched
        latched &= ~gone
    new = ((state.active & table.yes) | latching) & ~latched
    state.latched = latched | new
    return new, released


def note_first_out(state: Any, new_site: int, new_units: Sequence[int], site_count: int, unit_count: int) -> None:
    """Keeps the first cause that latched when nothing was latched, until nothing is latched any more."""
    where = state.first_out_unit
    count = site_count if where == -1 else unit_count if 0 <= where < len(new_units) else 0
    if not 0 <= state.first_out < count:
        state.first_out, state.first_out_unit, state.first_out_mono_ms = -1, -1, 0
    if state.first_out == -1:
        for at, new in zip(range(-1, len(new_units)), (new_site, *new_units), strict=True):
            if new:
                index = next(bits(new))
                state.first_out, state.first_out_unit, state.first_out_mono_ms = index, at, state.mono_ms
                break
    if not state.latched and not any(unit.latched for unit in state.unit[: len(new_units)]):
        state.first_out, state.first_out_unit, state.first_out_mono_ms = -1, -1, 0
