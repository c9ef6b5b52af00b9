"""What one unit's causes are judged by (section 3.1): freshness, plausibility, heartbeat, the minute of temperature.

f.i is the unit's input, f.c its configuration, f.s its state before this cycle's transition, f.site the site's
configuration. What does not belong here: a row of the table.
"""

from typing import Any

from tests.kernel.oracle import words as w
from tests.kernel.oracle.words import UNKNOWN, later, old, tdiv


class Facts:
    """What a unit's rows look at; made anew each cycle by `see_unit`."""

    __slots__ = (
        "age", "bms_fresh", "bms_old", "c", "ceiling", "dc_off", "gap", "hp", "i", "known", "mode", "over", "over_limit",
        "pcs_fresh", "plausible", "power", "s", "seen_bms", "seen_pcs", "setpoint", "site", "soc_top", "spread",
        "temp_spread",
    )  # fmt: skip


def is_plausible(i: Any) -> bool:
    return (
        0 <= i.soc_cpct <= 10_000
        and 0 < i.pack_voltage_dv <= 20_000
        and 0 <= i.current_charge_max_da <= 100_000
        and 0 <= i.current_discharge_max_da <= 100_000
        and -100_000 <= i.pack_current_da <= 100_000
        and 0 <= i.cell_voltage_min_mv <= i.cell_voltage_max_mv <= 5_000
        and -600 <= i.cell_temp_min_dc <= i.cell_temp_max_dc <= 1_500
        and (i.insulation_kohm == UNKNOWN or i.insulation_kohm >= 0)
    )


def note_heartbeat(i: Any, s: Any, dt: int) -> None:
    same = i.bms_heartbeat != UNKNOWN and i.bms_heartbeat == s.heartbeat
    s.heartbeat_ms = later(s.heartbeat_ms, dt) if same else 0
    s.heartbeat = i.bms_heartbeat


def note_seen(i: Any, s: Any) -> None:
    s.seen &= 3
    for bit, age in ((1, i.bms_age_ms), (2, i.pcs_age_ms)):
        if 0 <= age != w.NEVER:
            s.seen |= bit


def see_unit(site: Any, c: Any, i: Any, s: Any, calibrate: bool, dt: int) -> Facts:
    """The facts of a unit; also advances its heartbeat, `seen`, and the minute of its temperature."""
    f = Facts()
    f.site, f.c, f.i, f.s, f.mode = site, c, i, s, s.mode
    note_heartbeat(i, s, dt)
    note_seen(i, s)
    f.age = i.bms_age_ms
    if s.heartbeat_ms > c.heartbeat_max_ms and f.age >= 0:
        f.age = max(f.age, s.heartbeat_ms)
    f.bms_fresh = not old(f.age, c.bms_age_max_ms)
    f.pcs_fresh = not old(i.pcs_age_ms, c.pcs_age_max_ms)
    f.seen_bms, f.seen_pcs = s.seen & 1 != 0, s.seen & 2 != 0
    f.plausible = f.bms_fresh and is_plausible(i)
    f.soc_top = 10_000 if calibrate else c.soc_max_cpct
    f.hp = tdiv(c.pack_voltage_max_dv - c.pack_voltage_min_dv, 6)
    f.setpoint = w.clamp(s.setpoint_w, -w.LIMIT, w.LIMIT)
    f.power = w.clamp(i.power_w, -w.LIMIT, w.LIMIT)
    f.gap = abs(f.power - f.setpoint)
    f.spread = i.cell_voltage_max_mv - i.cell_voltage_min_mv
    f.temp_spread = i.cell_temp_max_dc - i.cell_temp_min_dc
    f.over_limit = i.current_discharge_max_da if i.pack_current_da > 0 else i.current_charge_max_da
    f.over = abs(i.pack_current_da) - f.over_limit
    f.known = i.insulation_kohm != UNKNOWN
    f.dc_off = i.pcs_dc_voltage_dv != UNKNOWN and (
        abs(i.pcs_dc_voltage_dv - i.pack_voltage_dv) * 20 > i.pack_voltage_dv
    )
    return f


def note_temperature_before(f: Facts, dt: int) -> None:
    s = f.s
    if not f.plausible:
        s.temp_then_ms = -1
    elif s.temp_then_ms < 0:
        s.temp_then_dc, s.temp_then_ms = f.i.cell_temp_max_dc, 0
    else:
        s.temp_then_ms = later(s.temp_then_ms, dt)


def note_temperature_after(f: Facts) -> None:
    if f.plausible and f.s.temp_then_ms >= 60_000:
        f.s.temp_then_dc, f.s.temp_then_ms = f.i.cell_temp_max_dc, 0
