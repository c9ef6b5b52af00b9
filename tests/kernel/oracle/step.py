"""One cycle of the guard, in the order of section 1, on the oracle's own data; and the state it begins with.

`step` changes the state it is given and returns it with the output. What the clever half answered is taken as it is.
"""

from collections.abc import Sequence
from typing import Any

from tests.kernel.oracle import limits, modes
from tests.kernel.oracle import words as w
from tests.kernel.oracle.band import FADING, Band, find_band, int32, pv_limit, shape
from tests.kernel.oracle.causes import Reset, Table, note_first_out, note_hours, run_engine, run_latches
from tests.kernel.oracle.records import Output, State, UnitOutput, Wish
from tests.kernel.oracle.share import run_sharing
from tests.kernel.oracle.site_rows import run_site, see_site, table_of
from tests.kernel.oracle.unit_facts import note_temperature_after, note_temperature_before, see_unit
from tests.kernel.oracle.unit_rows import HASTY_IN_BOOT, UNIT, judge_unit
from tests.kernel.oracle.words import LIMIT, clamp, site, tdiv, unit

U_LATCHED, U_COOLDOWN = unit("LATCHED"), unit("COOLDOWN")
BOOT, LATCHED, NO_UNIT, EXPIRED = site("BOOT"), site("LATCHED"), site("NO_UNIT"), site("WISH_EXPIRED")
REFUSED = site("CONFIG", "BOOT")
EMERGENCY = site("ESTOP", "SMOKE")
NO_UNIT_OUTPUT = UnitOutput(*[0] * 10, [0] * len(w.BOUNDS), [0] * len(w.BOUNDS))
NO_WISH = Wish(*[0] * 8, (0,) * len(w.STAGES))


class View:
    """What all units see of the site in this cycle."""

    __slots__ = ("c", "forbids", "i", "poc_fresh", "run", "state", "table")

    def __init__(self, c: Any, i: Any, state: Any, table: Table, poc_fresh: bool) -> None:
        self.c, self.i, self.state, self.table, self.poc_fresh = c, i, state, table, poc_fresh
        self.run = i.commands & w.CMD_RUN != 0
        self.forbids = table.level[w.L_ZERO] | table.level[w.L_STOP] | table.level[w.L_OPEN]


def initial(c: Any, accepted: bool = True) -> State:
    """What tw_init leaves (section 12)."""
    state = State(w.UNITS)
    state.overrun_recent_ms = [w.NEVER, w.NEVER]
    state.grid_good_ms = w.NEVER
    state.first_out = state.first_out_unit = -1
    state.pv_limit_w = c.pv_rated_w if accepted else 0
    for s in state.unit:
        s.recent_ms = [w.NEVER] * len(s.recent_ms)
        s.temp_then_ms = -1
    return state


def note_time(c: Any, i: Any, state: Any) -> tuple[int, bool]:
    """dt of this cycle, and whether the clock is not to be believed."""
    gap = (i.mono_ms - state.mono_ms) & w.U64
    first, sane = state.started == 0, 0 < gap <= 2 * c.cycle_ms
    state.mono_ms, state.started = i.mono_ms, 1
    if first:
        return c.cycle_ms, False
    return (gap, False) if sane else (0, True)


def run_unit_causes(f: Any, s: Any, reset: Reset, dt: int) -> int:
    """Engine and latches of one unit; returns what newly latched."""
    note_temperature_before(f, dt)
    trip, clear = judge_unit(f)
    note_temperature_after(f)
    rose = run_engine(UNIT, s, trip, clear, dt, HASTY_IN_BOOT if s.mode == w.BOOT else 0)
    latching = note_hours(UNIT, s, rose, dt)
    new, released = run_latches(UNIT, s, latching, reset, dt, s.mode == w.SERVICE)
    if released:
        s.tries = 0
    return new


def is_usable(v: View, units: Sequence[Any]) -> bool:
    running = any(s.mode == w.RUN for s in units)
    return running and not v.state.active & v.forbids and not v.state.latched


def unit_output(v: View, s: Any, event: int, chains: Any, reactive: int) -> UnitOutput:
    why = s.active | (U_LATCHED if s.latched else 0) | (U_COOLDOWN if s.cooldown_ms > 0 else 0)
    charge, discharge = chains
    order = modes.order_of(v, s)
    return UnitOutput(
        why, s.latched, s.setpoint_w, charge[-1], discharge[-1], reactive, order, s.mode, event, 0, charge, discharge
    )


def refused_output(i: Any, state: State) -> Output:
    zeros = [0] * len(w.BANDS)
    head = (i.mono_ms, 0, state.cycle_count, w.BOOT, REFUSED, *[0] * 15, -1, -1)
    return Output(*head, zeros, zeros, [0] * len(w.STAGES), [NO_UNIT_OUTPUT] * w.UNITS)


def step(c: Any, state: State, i: Any, wish: Any = NO_WISH, accepted: bool = True) -> tuple[State, Output]:
    """One cycle. `accepted`: what tw_init says of the configuration."""
    if not accepted:
        return state, refused_output(i, state)
    units = state.unit[: c.unit_count]
    dt, clock = note_time(c, i, state)
    reset = Reset(bool(i.commands & ~state.commands & w.CMD_RESET), c.reset_hold_ms)
    calibrate = i.commands & w.CMD_CALIBRATE != 0
    facts = [see_unit(c, c.unit[n], i.unit[n], s, calibrate, dt) for n, s in enumerate(units)]
    table, seen = table_of(c), see_site(c, i, clock, facts)
    run_site(table, seen, state, reset, dt)
    emergency = state.latched & EMERGENCY
    new_site, _ = run_latches(table, state, 0, reset, dt, False)
    if emergency & ~state.latched:
        state.held = 1
    new = [run_unit_causes(f, s, reset, dt) for f, s in zip(facts, units, strict=True)]
    note_first_out(state, new_site, new, len(w.SITE_CAUSES), len(w.UNIT_CAUSES))
    v = View(c, i, state, table, seen.poc_fresh)
    events = [modes.run_mode(v, f, s, dt) for f, s in zip(facts, units, strict=True)]
    usable = is_usable(v, units)
    chains = [limits.run_limits(v, f, s, dt, usable) for f, s in zip(facts, units, strict=True)]
    output = finish(v, facts, wish, dt, events, chains, usable)
    state.commands = i.commands
    return state, output


def run_power(v: View, facts: Any, wish_w: int, band: Band, usable: bool, dt: int) -> tuple[list[int], int]:
    """The four last stages and their causes."""
    if not usable:
        return [0] * 4, 0
    before = sum(f.setpoint for f in facts)
    return shape(v.c, band, wish_w, clamp(before, -8 * LIMIT, 8 * LIMIT), v.state.active & FADING != 0, dt)


def site_why(v: View, units: Any, band: Band) -> int:
    state, i = v.state, v.i
    why = state.active | (BOOT if state.mode == w.BOOT else 0)
    why |= LATCHED if state.latched or all(s.latched for s in units) else 0
    why |= NO_UNIT if band.units_low_w == 0 and band.units_high_w == 0 else 0
    expired = (i.wish_kind != 0 or i.wish_w != 0) and i.wish_left_ms <= 0
    return why | (EXPIRED if expired else 0)


def finish(v: View, facts: Any, wish: Any, dt: int, events: Any, chains: Any, usable: bool) -> Output:
    """From the units' bands to the whole of the output."""
    c, i, state = v.c, v.i, v.state
    units = state.unit[: c.unit_count]
    charge_w, discharge_w = [chain[0][-1] for chain in chains], [chain[1][-1] for chain in chains]
    band = find_band(c, i, facts, charge_w, discharge_w)
    wish_w = clamp(wish.battery_w, -8 * LIMIT, 8 * LIMIT)
    stages, why = run_power(v, facts, wish_w, band, usable, dt)
    battery = stages[-1]
    setpoints, state.sharing = run_sharing(battery, state.sharing, facts, charge_w, discharge_w)
    for s, setpoint in zip(units, setpoints, strict=True):
        s.setpoint_w = setpoint
    state.mode = modes.site_mode(units)
    state.cycle_count = (state.cycle_count + 1) & w.U32
    state.pv_limit_w, curtailed = pv_limit(c, i, state, battery, band.net_load_w, dt)
    permille = clamp(wish.reactive_permille, -1000, 1000) if usable else 0
    reactive = [tdiv(f.c.reactive_max_var * permille, 1000) if f.s.mode == w.RUN else 0 for f in facts]
    parts = [unit_output(v, s, *rest) for s, *rest in zip(units, events, chains, reactive, strict=True)]
    return Output(
        state.mono_ms, state.first_out_mono_ms, state.cycle_count, state.mode,
        why | curtailed | site_why(v, units, band), state.latched, wish.functions, wish.signals, battery,
        int32(band.units_low_w), int32(band.units_high_w), wish_w, int32(band.net_load_w), wish.reference_w,
        state.pv_limit_w, permille, 0, wish.dead_time_ms, wish.period_ms, wish.gain_permille, state.first_out,
        state.first_out_unit, band.low_after_w, band.high_after_w, [*wish.stage_w[: w.STAGE_WISH], wish_w, *stages],
        parts + [NO_UNIT_OUTPUT] * (w.UNITS - len(parts)),
    )  # fmt: skip
