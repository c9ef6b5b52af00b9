"""The causes of one unit (section 3.1), transcribed row by row from the handbook.

In a row `f` is Facts: f.i the unit's input, f.c its configuration, f.s its state before this cycle's transition.
"""

from typing import Any

from tests.kernel.oracle import words as w
from tests.kernel.oracle.causes import Row, Table
from tests.kernel.oracle.unit_facts import Facts
from tests.kernel.oracle.words import LATCH_HOURLY as HOURLY
from tests.kernel.oracle.words import LATCH_NO, RESET_AUTO, old, tdiv
from tests.kernel.oracle.words import LATCH_YES as YES
from tests.kernel.oracle.words import RESET_CONSOLE as CONSOLE


def row(name: str, gate: str, trip: Any, clear: Any, level: str, latch: int = LATCH_NO, **more: int) -> Row:
    reset = more.pop("reset", RESET_AUTO if latch == LATCH_NO else CONSOLE)
    return Row(name, gate, trip, clear, w.LEVELS.index(level), latch, reset, **more)


def bms_longer_than(f: Facts, limit_ms: int) -> bool:
    return old(f.age, limit_ms) and f.seen_bms and f.mode != w.SERVICE


def pcs_longer_than(f: Facts, limit_ms: int) -> bool:
    return old(f.i.pcs_age_ms, limit_ms) and f.seen_pcs and f.mode != w.SERVICE


def pcs(flag: int) -> Any:
    return lambda f: f.i.pcs_flags & flag != 0


def bms(flag: int) -> Any:
    return lambda f: f.i.bms_flags & flag != 0


def pcs_gone(f: Facts) -> bool:
    return f.plausible and abs(f.i.pack_current_da) > 20 and pcs_longer_than(f, f.c.pcs_age_open_ms)


def unguarded(f: Facts) -> bool:
    lost_pcs = f.pcs_fresh and not f.i.pcs_flags & w.PCS_GUARDED
    return lost_pcs or (f.bms_fresh and not f.i.bms_flags & w.BMS_GUARDED)


def guarded(f: Facts) -> bool:
    return f.bms_fresh and f.pcs_fresh and bool(f.i.pcs_flags & w.PCS_GUARDED and f.i.bms_flags & w.BMS_GUARDED)


def reserve_low(f: Facts) -> bool:
    reserve = f.c.soc_reserve_cpct
    return reserve > 0 and f.mode != w.ISLAND and f.i.soc_cpct <= reserve


def reserve_left(f: Facts) -> bool:
    reserve = f.c.soc_reserve_cpct
    return reserve == 0 or f.mode == w.ISLAND or f.i.soc_cpct >= reserve + f.c.soc_hysteresis_cpct


def wrong_sign(f: Facts) -> bool:
    least = min(abs(f.power), abs(f.setpoint))
    return f.mode == w.RUN and (f.power < 0) != (f.setpoint < 0) and least > f.c.deviation_max_w and least > 0


def disagree(f: Facts) -> bool:
    return f.pcs_fresh and f.plausible and f.i.bms_flags & w.BMS_CONNECTED != 0 and f.dc_off


# fmt: off
COMMUNICATION = (
    row("BMS_STALE", "", lambda f: not f.bms_fresh, None, "ZERO", off_ms=10_000),
    row("BMS_LOST", "", lambda f: bms_longer_than(f, f.c.bms_age_stop_ms), lambda f: f.bms_fresh, "STOP", YES),
    row("BMS_GONE", "", lambda f: bms_longer_than(f, f.c.bms_age_open_ms), lambda f: f.bms_fresh, "OPEN", YES),
    row("BMS_FROZEN", "", lambda f: f.s.heartbeat_ms > f.c.heartbeat_max_ms, None, "ZERO", off_ms=10_000),
    row("PCS_STALE", "", lambda f: not f.pcs_fresh, None, "ZERO", off_ms=2_000),
    row("PCS_LOST", "", lambda f: pcs_longer_than(f, f.c.pcs_age_stop_ms), lambda f: f.pcs_fresh, "STOP", HOURLY, hourly=0, off_ms=10_000),
    row("PCS_GONE", "", pcs_gone, lambda f: f.pcs_fresh, "OPEN", YES),
    row("PCS_FAULT", "F", pcs(w.PCS_FAULT), None, "STOP", YES),
    row("PCS_LOCAL", "F", pcs(w.PCS_LOCAL), None, "ZERO"),
    row("PCS_STOPPED", "F", lambda f: not f.i.pcs_flags & w.PCS_RUNNING, None, "ZERO"),
    row("BMS_OPEN", "B", lambda f: not f.i.bms_flags & w.BMS_CONNECTED, None, "ZERO"),
    row("UNGUARDED", "", unguarded, guarded, "ZERO"),
    row("WRITE_FAILED", "F", pcs(w.PCS_WRITE_FAILED), None, "STOP", HOURLY, hourly=1, off_ms=1_000),
    row("BMS_ALARM", "B", bms(w.BMS_ALARM), None, "STOP", off_ms=10_000),
    row("BMS_TRIP", "B", bms(w.BMS_TRIP), None, "OPEN", YES),
)
BATTERY = (
    row("CHARGE_FORBIDDEN", "P", lambda f: f.i.bms_flags & w.BMS_NO_CHARGE != 0 or f.i.current_charge_max_da == 0, None, "NO_CHARGE"),
    row("DISCHARGE_FORBIDDEN", "P", lambda f: f.i.bms_flags & w.BMS_NO_DISCHARGE != 0 or f.i.current_discharge_max_da == 0, None, "NO_DISCHARGE"),
    row("VALUE_MISSING", "B", lambda f: not f.plausible, None, "ZERO", off_ms=2_000),
    row("SOC_LOW", "P", lambda f: f.i.soc_cpct <= f.c.soc_min_cpct, lambda f: f.i.soc_cpct >= f.c.soc_min_cpct + f.c.soc_hysteresis_cpct, "NO_DISCHARGE"),
    row("SOC_HIGH", "P", lambda f: f.i.soc_cpct >= f.soc_top, lambda f: f.i.soc_cpct <= f.soc_top - f.c.soc_hysteresis_cpct, "NO_CHARGE"),
    row("RESERVE", "P", reserve_low, reserve_left, "NO_DISCHARGE"),
    row("CELL_VOLTAGE_LOW", "P", lambda f: f.i.cell_voltage_min_mv <= f.c.cell_voltage_min_mv, lambda f: f.i.cell_voltage_min_mv >= f.c.cell_voltage_min_mv + f.c.cell_voltage_hysteresis_mv, "NO_DISCHARGE", on_ms=10_000, off_ms=60_000),
    row("CELL_VOLTAGE_HIGH", "P", lambda f: f.i.cell_voltage_max_mv >= f.c.cell_voltage_max_mv, lambda f: f.i.cell_voltage_max_mv <= f.c.cell_voltage_max_mv - f.c.cell_voltage_hysteresis_mv, "NO_CHARGE", on_ms=10_000, off_ms=60_000),
    row("CELL_VOLTAGE_TRIP", "P", lambda f: f.i.cell_voltage_min_mv <= f.c.cell_voltage_trip_low_mv or f.i.cell_voltage_max_mv >= f.c.cell_voltage_trip_high_mv, None, "OPEN", YES, on_ms=2_000),
    row("CELL_DEAD", "P", lambda f: f.i.cell_voltage_min_mv <= f.c.cell_voltage_dead_mv, None, "OPEN", YES, reset=w.RESET_SERVICE, on_ms=2_000),
    row("PACK_VOLTAGE_LOW", "P", lambda f: f.i.pack_voltage_dv <= f.c.pack_voltage_min_dv, lambda f: f.i.pack_voltage_dv >= f.c.pack_voltage_min_dv + f.hp, "NO_DISCHARGE", on_ms=2_000, off_ms=60_000),
    row("PACK_VOLTAGE_HIGH", "P", lambda f: f.i.pack_voltage_dv >= f.c.pack_voltage_max_dv, lambda f: f.i.pack_voltage_dv <= f.c.pack_voltage_max_dv - f.hp, "NO_CHARGE", on_ms=2_000, off_ms=60_000),
    row("PACK_VOLTAGE_TRIP", "P", lambda f: f.i.pack_voltage_dv <= f.c.pack_voltage_trip_low_dv or f.i.pack_voltage_dv >= f.c.pack_voltage_trip_high_dv, None, "OPEN", YES, on_ms=2_000),
    row("TEMP_LOW_CHARGE", "P", lambda f: f.i.cell_temp_min_dc <= f.c.temp_charge_min_dc, lambda f: f.i.cell_temp_min_dc >= f.c.temp_charge_min_dc + f.c.temp_hysteresis_dc, "NO_CHARGE"),
    row("TEMP_LOW", "P", lambda f: f.i.cell_temp_min_dc <= f.c.temp_min_dc, lambda f: f.i.cell_temp_min_dc >= f.c.temp_min_dc + f.c.temp_hysteresis_dc, "ZERO"),
    row("TEMP_HIGH_CHARGE", "P", lambda f: f.i.cell_temp_max_dc >= f.c.temp_charge_max_dc, lambda f: f.i.cell_temp_max_dc <= f.c.temp_charge_max_dc - f.c.temp_hysteresis_dc, "NO_CHARGE"),
    row("TEMP_HIGH", "P", lambda f: f.i.cell_temp_max_dc >= f.c.temp_max_dc, lambda f: f.i.cell_temp_max_dc <= f.c.temp_max_dc - f.c.temp_hysteresis_dc, "ZERO"),
    row("TEMP_TRIP", "P", lambda f: f.i.cell_temp_max_dc >= f.c.temp_trip_dc, None, "OPEN", YES, on_ms=2_000),
    row("TEMP_RISE", "P", lambda f: f.i.cell_temp_max_dc - f.s.temp_then_dc > f.c.temp_rise_max_dc_per_min, None, "STOP", YES),
    row("CELL_SPREAD_WARN", "P", lambda f: f.spread >= f.c.cell_spread_warn_mv, lambda f: f.spread < f.c.cell_spread_warn_mv - tdiv(f.c.cell_spread_warn_mv, 8), "WARN", on_ms=10_000, off_ms=10_000),
    row("CELL_SPREAD", "P", lambda f: f.spread >= f.c.cell_spread_derate_mv, lambda f: f.spread < f.c.cell_spread_derate_mv - tdiv(f.c.cell_spread_derate_mv, 8), "DERATE", on_ms=10_000, off_ms=10_000),
    row("CELL_SPREAD_TRIP", "P", lambda f: f.spread >= f.c.cell_spread_trip_mv, None, "STOP", YES, on_ms=10_000),
    row("TEMP_SPREAD_WARN", "P", lambda f: f.temp_spread >= f.c.temp_spread_warn_dc, lambda f: f.temp_spread < f.c.temp_spread_warn_dc - tdiv(f.c.temp_spread_warn_dc, 8), "WARN", on_ms=10_000, off_ms=10_000),
    row("TEMP_SPREAD", "P", lambda f: f.temp_spread >= f.c.temp_spread_derate_dc, lambda f: f.temp_spread < f.c.temp_spread_derate_dc - tdiv(f.c.temp_spread_derate_dc, 8), "DERATE", on_ms=10_000, off_ms=10_000),
    row("TEMP_SPREAD_TRIP", "P", lambda f: f.temp_spread >= f.c.temp_spread_trip_dc, None, "STOP", YES, on_ms=10_000),
    row("OVERCURRENT", "P", lambda f: f.over > max(tdiv(f.over_limit, 20), 20), None, "STOP", HOURLY, hourly=2, on_ms=5_000, off_ms=60_000),
    row("OVERCURRENT_FAST", "P", lambda f: f.over > max(tdiv(f.over_limit, 10), 40), None, "STOP", HOURLY, hourly=2, on_ms=1_000, off_ms=60_000),
    row("INSULATION_WARN", "P", lambda f: f.known and f.i.insulation_kohm < f.c.insulation_warn_kohm, None, "WARN", on_ms=10_000, off_ms=10_000),
    row("INSULATION", "P", lambda f: f.known and f.i.insulation_kohm < f.c.insulation_trip_kohm, None, "OPEN", YES, on_ms=5_000),
)
SEQUENCE = (
    row("CONNECT_FAILED", "", lambda f: f.mode == w.CONNECT and f.s.mode_ms >= f.site.connect_max_ms and f.s.tries >= 2, None, "OPEN", YES),
    row("START_FAILED", "", lambda f: f.mode == w.START and f.s.mode_ms >= f.site.start_max_ms and f.s.tries >= 2, None, "STOP", YES),
    row("STOP_FAILED", "", lambda f: f.mode == w.STOPPING and f.s.mode_ms >= f.site.stop_max_ms and f.pcs_fresh and (bool(f.i.pcs_flags & w.PCS_RUNNING) or (f.plausible and abs(f.i.pack_current_da) > 20)), None, "OPEN", YES, on_ms=5_000),
    row("DEVIATION", "F", lambda f: f.mode == w.RUN and f.gap > max(f.c.deviation_max_w, abs(f.setpoint) // 10), None, "STOP", YES, on_ms=5_000),
    row("WRONG_SIGN", "F", wrong_sign, None, "STOP", YES, on_ms=2_000),
    row("DISAGREE", "", disagree, lambda f: f.pcs_fresh and f.plausible, "DERATE", on_ms=10_000, off_ms=10_000),
    row("LATCHED", "", None, None, "ZERO"),
    row("COOLDOWN", "", None, None, "INFO"),
)
# fmt: on
UNIT = Table(w.UNIT_CAUSES, (*COMMUNICATION, *BATTERY, *SEQUENCE))
HASTY_IN_BOOT = w.unit("BMS_STALE", "PCS_STALE", "VALUE_MISSING")


def judge_unit(f: Facts) -> tuple[int, int]:
    """Trip and clear of a unit; P needs plausible, B a fresh BMS, F a fresh PCS."""
    gates = [""]
    if f.bms_fresh:
        gates.append("B")
    if f.pcs_fresh:
        gates.append("F")
    if f.plausible:
        gates.append("P")
    return UNIT.judge(f, gates)
