"""Modes, events, orders (section 4): the table as text, the events as a chain of questions, the first true one wins."""

from typing import Any

from tests.kernel.oracle import words as w
from tests.kernel.oracle.unit_rows import UNIT
from tests.kernel.oracle.words import clamp, later, site, tdiv, unit

TABLE = """
BOOT     ESTOP SERVICE LOCAL FAULT . . . . INIT . . .
INIT     ESTOP SERVICE LOCAL FAULT . . . . STANDBY . . .
STANDBY  ESTOP SERVICE LOCAL FAULT . . . . . . CONNECT .
CONNECT  ESTOP SERVICE LOCAL FAULT STOPPING STOPPING STOPPING STOPPING START STOPPING . .
START    ESTOP SERVICE LOCAL FAULT STOPPING STOPPING STOPPING STOPPING RUN STOPPING . .
RUN      ESTOP SERVICE LOCAL FAULT STOPPING STOPPING ISLAND STOPPING . . . .
STOPPING ESTOP SERVICE LOCAL FAULT . . . . STANDBY FAULT . .
FAULT    ESTOP SERVICE LOCAL . . . . . STANDBY . . .
ESTOP    . SERVICE LOCAL FAULT . . . . STANDBY . . .
LOCAL    ESTOP SERVICE . FAULT . . . . STANDBY . . .
SERVICE  ESTOP . LOCAL FAULT . . . . STANDBY . . .
ISLAND   ESTOP SERVICE LOCAL FAULT STOPPING STOPPING . . STOPPING . . .
"""
NEXT = tuple(
    tuple(index if name == "." else w.MODES.index(name) for name in line.split()[1:])
    for index, line in enumerate(TABLE.strip().splitlines())
)
(E_ESTOP, E_SERVICE, E_LOCAL, E_TRIP, E_HALT, E_STOP, E_ISLAND, E_GRID_LOST, E_DONE, E_TIMEOUT, E_GO, E_NONE) = range(
    12
)
SITE_ORDER = [
    w.MODES.index(name)
    for name in w.named("ESTOP SERVICE ISLAND RUN START CONNECT STOPPING LOCAL STANDBY INIT BOOT FAULT")
]
UNDER_WAY = 1 << w.CONNECT | 1 << w.START | 1 << w.RUN | 1 << w.ISLAND
GRID_TIED = 1 << w.CONNECT | 1 << w.START | 1 << w.RUN
STOP_OPEN = UNIT.level[w.L_STOP] | UNIT.level[w.L_OPEN]
NOT_READY = unit("PCS_STOPPED", "BMS_OPEN")
NO_GO = (UNIT.level[w.L_ZERO] | STOP_OPEN) & ~NOT_READY
C_LOCAL, C_PCS_STOPPED, C_BMS_OPEN = unit("PCS_LOCAL"), unit("PCS_STOPPED"), unit("BMS_OPEN")
C_NOT_INITIAL = unit("UNGUARDED", "VALUE_MISSING")
S_EMERGENCY, S_LOCAL, S_REFUSED = site("ESTOP", "SMOKE"), site("LOCAL"), site("HOLD", "CHANGED")
S_GRID, S_GRID_LOST, S_HOLD = site("GRID_LOST", "GRID_WAIT"), site("GRID_LOST"), site("HOLD")


def next_mode(mode: int, event: int) -> int:
    if not 0 <= mode < len(w.MODES):
        return w.BOOT
    return NEXT[mode][event] if 0 <= event < len(w.EVENTS) else mode


def is_halt(s: Any) -> bool:
    if not 1 << s.mode & UNDER_WAY:
        return False
    if s.active & STOP_OPEN:
        return True
    if s.mode in (w.RUN, w.ISLAND):
        return s.active & NOT_READY != 0
    return s.mode == w.START and s.active & C_BMS_OPEN != 0


def is_stop(v: Any, s: Any) -> bool:
    return 1 << s.mode & UNDER_WAY != 0 and (not v.run or v.state.active & S_REFUSED != 0)


def voltages_meet(f: Any) -> bool:
    dc, pack = f.i.pcs_dc_voltage_dv, f.i.pack_voltage_dv
    return dc == w.UNKNOWN or (f.pcs_fresh and abs(dc - pack) <= max(tdiv(pack, 20), 200))


def is_still(f: Any) -> bool:
    stopped = f.pcs_fresh and not f.i.pcs_flags & w.PCS_RUNNING
    return stopped and f.plausible and abs(f.i.pack_current_da) <= 20


def is_done(v: Any, f: Any, s: Any) -> bool:
    match s.mode:
        case w.BOOT:
            return s.fresh_ms >= v.c.boot_settle_ms and f.bms_fresh and f.pcs_fresh and v.poc_fresh
        case w.INIT:
            return not s.active & C_NOT_INITIAL and s.seen == 3
        case w.CONNECT:
            return not s.active & C_BMS_OPEN and f.bms_fresh and voltages_meet(f)
        case w.START:
            return not s.active & C_PCS_STOPPED and f.pcs_fresh
        case w.STOPPING:
            return is_still(f)
        case w.FAULT:
            return not s.latched and not v.state.latched
        case w.ISLAND:
            return not v.state.active & S_GRID
    return s.mode in (w.ESTOP, w.LOCAL, w.SERVICE)  # ESTOP: asked only when its event is false


def is_timeout(v: Any, s: Any) -> bool:
    limits = {w.CONNECT: v.c.connect_max_ms, w.START: v.c.start_max_ms}
    return s.mode in limits and s.mode_ms >= limits[s.mode]


def is_go(v: Any, s: Any) -> bool:
    ready = s.mode == w.STANDBY and v.run and s.cooldown_ms == 0
    return ready and not v.state.active & (S_REFUSED | v.forbids) and not s.active & NO_GO


def event_of(v: Any, f: Any, s: Any) -> int:
    """The first event that is true; `v` is what the site shows (see step.py)."""
    if v.state.latched & S_EMERGENCY:
        return E_ESTOP
    if v.i.commands & w.CMD_SERVICE:
        return E_SERVICE
    if v.state.active & S_LOCAL or s.active & C_LOCAL:
        return E_LOCAL
    if s.latched or v.state.latched:
        return E_TRIP
    return event_by_mode(v, f, s)


def event_by_mode(v: Any, f: Any, s: Any) -> int:
    lost = v.state.active & S_GRID_LOST != 0
    if not 0 <= s.mode < len(w.MODES):
        return E_NONE
    if is_halt(s):
        return E_HALT
    if is_stop(v, s):
        return E_STOP
    if s.mode == w.RUN and lost and v.c.safe_grid == w.SAFE_ISLAND:
        return E_ISLAND
    if 1 << s.mode & GRID_TIED and lost:
        return E_GRID_LOST
    if is_done(v, f, s):
        return E_DONE
    if is_timeout(v, s):
        return E_TIMEOUT
    return E_GO if is_go(v, s) else E_NONE


def run_mode(v: Any, f: Any, s: Any, dt: int) -> int:
    """Moves the mode of a unit by one event, with its times and tries; returns the event."""
    s.fresh_ms = later(s.fresh_ms, dt) if f.bms_fresh and f.pcs_fresh and v.poc_fresh else 0
    s.cooldown_ms = max(s.cooldown_ms - dt, 0)
    event = event_of(v, f, s)
    before, s.mode = s.mode, next_mode(s.mode, event)
    if s.mode == before:
        s.mode_ms = later(s.mode_ms, dt)
        return event
    s.mode_ms = 0
    if s.mode == w.STOPPING and event == E_TIMEOUT:
        s.tries = clamp(s.tries + 1, 0, 100)
        s.cooldown_ms = v.c.cooldown_ms
    elif s.mode == w.STOPPING and event == E_HALT and before in (w.RUN, w.ISLAND):
        s.cooldown_ms = v.c.cooldown_ms
    elif s.mode == w.RUN:
        s.tries = 0
    return event


def order_of(v: Any, s: Any) -> int:
    match s.mode:
        case w.CONNECT:
            return w.ORDER_CONNECT
        case w.START:
            return w.ORDER_START
        case w.STOPPING:
            return w.ORDER_STOP
        case w.ISLAND:
            return w.ORDER_ISLAND
        case w.ESTOP:
            return w.ORDER_OPEN
        case w.FAULT:
            opens = s.latched & UNIT.level[w.L_OPEN] or v.state.latched & v.table.level[w.L_OPEN]
            return w.ORDER_OPEN if opens else w.ORDER_STOP
        case w.STANDBY:
            return w.ORDER_NONE if v.run and not v.state.active & S_HOLD else w.ORDER_STOP
    return w.ORDER_NONE


def site_mode(units: Any) -> int:
    modes = {s.mode for s in units}
    return next(mode for mode in SITE_ORDER if mode in modes)
