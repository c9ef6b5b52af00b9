"""The causes of the site (section 3.2), transcribed row by row from the handbook, and the facts they are judged by.

Safe actions change the level of DOOR, so there are two tables. HOLD is judged after all others, because they may set it.
"""

from collections.abc import Sequence
from typing import Any

from tests.kernel.oracle import words as w
from tests.kernel.oracle.causes import Reset, Row, Table, note_hour, run_engine
from tests.kernel.oracle.words import LATCH_NO, RESET_AUTO, UNKNOWN, later, old
from tests.kernel.oracle.words import LATCH_YES as YES
from tests.kernel.oracle.words import RESET_CONSOLE as CONSOLE


class SiteFacts:
    """What the site's rows look at in this cycle."""

    __slots__ = ("all_boot", "c", "clock", "estop", "grid_good_ms", "held", "i", "io", "overrun", "poc_fresh", "smoke")


def outside(value: int, low: int, high: int) -> bool:
    return high > 0 and value != UNKNOWN and not low <= value <= high


def see_site(c: Any, i: Any, clock: bool, units: Sequence[Any]) -> SiteFacts:
    """The facts of the site; `units` are the facts of the units."""
    f = SiteFacts()
    f.c, f.i, f.clock, f.held, f.overrun = c, i, clock, False, False
    f.grid_good_ms = 0
    f.poc_fresh = not old(i.poc_age_ms, c.poc_age_max_ms)
    f.io = c.io_required == 0 or not old(i.io_age_ms, c.io_age_max_ms)
    f.smoke = (i.flags & w.FLAG_SMOKE_1 != 0) + (i.flags & w.FLAG_SMOKE_2 != 0)
    f.all_boot = all(unit.mode == w.BOOT for unit in units)
    f.estop = any(unit.pcs_fresh and unit.i.pcs_flags & w.PCS_ESTOP for unit in units)
    return f


def estop(f: SiteFacts) -> bool:
    return f.i.commands & w.CMD_ESTOP != 0 or (f.io and f.i.flags & w.FLAG_ESTOP != 0) or f.estop


def grid_lost(f: SiteFacts) -> bool:
    if f.io and f.i.flags & w.FLAG_GRID_LOST:
        return True
    return f.poc_fresh and (
        outside(f.i.poc_voltage_dv, f.c.voltage_min_dv, f.c.voltage_max_dv)
        or outside(f.i.poc_frequency_mhz, f.c.frequency_min_mhz, f.c.frequency_max_mhz)
    )


def flag(mask: int) -> Any:
    return lambda f: f.i.flags & mask != 0


def command(mask: int) -> Any:
    return lambda f: f.i.commands & mask != 0


def row(name: str, gate: str, trip: Any, clear: Any, level: str, latch: int = LATCH_NO, **more: int) -> Row:
    reset = RESET_AUTO if latch == LATCH_NO else CONSOLE
    return Row(name, gate, trip, clear, w.LEVELS.index(level), latch, reset, **more)


# fmt: off
def rows_of(door: str) -> tuple[Row, ...]:
    """The table; gates: I while the remote I/O speaks, then those that wait for others: OVERRUN, GRID_WAIT, HOLD."""
    return (
        row("BOOT", "", None, None, "INFO"),
        row("NOT_ASKED", "", lambda f: not f.i.commands & w.CMD_RUN, None, "INFO"),
        row("HOLD", "HOLD", lambda f: f.i.commands & w.CMD_HOLD != 0 or f.held, None, "INFO"),
        row("SERVICE", "", command(w.CMD_SERVICE), None, "INFO"),
        row("ESTOP", "", estop, lambda f: f.io, "OPEN", YES),
        row("SMOKE", "I", lambda f: f.smoke == 2, None, "OPEN", YES),
        row("SMOKE_WARN", "I", lambda f: f.smoke > 0, None, "WARN"),
        row("WATER", "I", flag(w.FLAG_WATER), None, "STOP", YES, on_ms=1_000),
        row("DOOR", "I", flag(w.FLAG_DOOR), None, door, on_ms=1_000, off_ms=1_000),
        row("AIRCON", "I", flag(w.FLAG_AIRCON), None, "DERATE", on_ms=60_000, off_ms=60_000),
        row("SURGE", "I", flag(w.FLAG_SURGE), None, "WARN", on_ms=1_000, off_ms=1_000),
        row("IO_STALE", "", lambda f: not f.io, None, "ZERO", off_ms=1_000),
        row("POC_STALE", "", lambda f: not f.poc_fresh, None, "ZERO", off_ms=2_000),
        row("POC_FADE", "", lambda f: old(f.i.poc_age_ms, f.c.poc_age_fade_ms), None, "INFO"),
        row("CLOCK", "", lambda f: f.clock, None, "ZERO"),
        row("OVERRUN", "OVERRUN", lambda f: f.overrun, None, "STOP", YES),
        row("CONFIG", "", None, None, "ZERO"),
        row("CHANGED", "", flag(w.FLAG_CHANGED), None, "ZERO"),
        row("SELF_TEST", "", flag(w.FLAG_SELF_TEST), None, "STOP", YES),
        row("GRID_LOST", "", grid_lost, lambda f: f.io and f.poc_fresh, "ZERO"),
        row("GRID_WAIT", "GRID_WAIT", lambda f: f.grid_good_ms < f.c.grid_return_ms, None, "ZERO"),
        row("LOCAL", "I", flag(w.FLAG_LOCAL), None, "ZERO"),
        row("LATCHED", "", None, None, "ZERO"),
        *(row(name, "", None, None, "INFO") for name in w.SITE_CAUSES[w.SITE_CAUSES.index("NO_UNIT"):]),
    )
# fmt: on


DOOR_WARNS, DOOR_STOPS = (Table(w.SITE_CAUSES, rows_of(door)) for door in ("WARN", "ZERO"))
CLOCK, POC_STALE, GRID_LOST, DOOR = (w.site(name) for name in ("CLOCK", "POC_STALE", "GRID_LOST", "DOOR"))


def table_of(c: Any) -> Table:
    return DOOR_STOPS if c.safe_door in (w.SAFE_ZERO, w.SAFE_HOLD) else DOOR_WARNS


def judge_late(table: Table, f: SiteFacts, state: Any) -> None:
    """The rows that look at what the others have just become: without delays, gone when not tripping."""
    for gate in ("OVERRUN", "GRID_WAIT", "HOLD"):
        trip, clear = table.judge(f, (gate,))
        state.active = (state.active | trip) & ~clear


def note_held(c: Any, f: SiteFacts, state: Any, rose: int, reset: Reset) -> None:
    """Safe action HOLD: set by a rise, ended by a reset while none of the three causes is active."""
    if reset.edge and not state.active & (POC_STALE | GRID_LOST | DOOR):
        state.held = 0
    hold_poc = c.safe_poc == w.SAFE_HOLD and not f.all_boot
    asks = (
        (POC_STALE if hold_poc else 0)
        | (GRID_LOST if c.safe_grid == w.SAFE_HOLD else 0)
        | (DOOR if c.safe_door == w.SAFE_HOLD else 0)
    )
    if rose & asks:
        state.held = 1
    state.held = int(state.held != 0)  # any other number counts as held
    f.held = state.held == 1


def run_site(table: Table, f: SiteFacts, state: Any, reset: Reset, dt: int) -> None:
    """All causes of the site in this cycle."""
    trip, clear = table.judge(f, ("", "I") if f.io else ("",))
    rose = run_engine(table, state, trip, clear, dt, POC_STALE if f.all_boot else 0)
    f.overrun = note_hour(state.overrun_recent_ms, 0, dt, rose & CLOCK != 0)
    state.grid_good_ms = 0 if state.active & GRID_LOST else later(state.grid_good_ms, dt)
    f.grid_good_ms = state.grid_good_ms
    note_held(f.c, f, state, rose, reset)
    judge_late(table, f, state)
