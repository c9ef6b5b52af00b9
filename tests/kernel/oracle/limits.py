"""What one unit may do (section 5): a chain of bounds for each direction, each reported, none above the one before."""

from typing import Any

from tests.kernel.oracle import words as w
from tests.kernel.oracle.unit_rows import UNIT
from tests.kernel.oracle.words import clamp, tdiv

STOPS = UNIT.level[w.L_ZERO] | UNIT.level[w.L_STOP] | UNIT.level[w.L_OPEN]
NO_CHARGE = STOPS | UNIT.level[w.L_NO_CHARGE]
NO_DISCHARGE = STOPS | UNIT.level[w.L_NO_DISCHARGE]
DERATE = UNIT.level[w.L_DERATE]


def taper_high(power: int, x: int, full: int, zero: int) -> int:
    if x >= zero:
        return 0
    return power if x <= full else tdiv(power * (zero - x), zero - full)


def taper_low(power: int, x: int, full: int, zero: int) -> int:
    if x <= zero:
        return 0
    return power if x >= full else tdiv(power * (x - zero), full - zero)


def current_bound(power: int, current: int, voltage: int) -> int:
    return min(power, tdiv(current * voltage, 100))


def charge_chain(f: Any, derate: bool, forbidden: bool) -> list[int]:
    """RATING to FORBIDDEN of charging."""
    c, i = f.c, f.i
    chain = [c.power_charge_max_w]
    if not f.plausible:
        return chain + [0] * 6
    power = current_bound(chain[0], i.current_charge_max_da, i.pack_voltage_dv)
    chain.append(power)
    power = taper_high(power, i.cell_voltage_max_mv, c.cell_voltage_derate_high_mv, c.cell_voltage_max_mv)
    chain.append(power)
    power = taper_low(power, i.cell_temp_min_dc, c.temp_charge_derate_low_dc, c.temp_charge_min_dc)
    power = taper_high(power, i.cell_temp_max_dc, c.temp_charge_derate_high_dc, c.temp_charge_max_dc)
    chain.append(power)
    power = taper_high(power, i.soc_cpct, f.soc_top - c.soc_taper_cpct, f.soc_top)
    return end_chain(chain, power, derate, forbidden)


def discharge_chain(f: Any, derate: bool, forbidden: bool) -> list[int]:
    """RATING to FORBIDDEN of discharging; the reserve is kept but on an island."""
    c, i = f.c, f.i
    chain = [c.power_discharge_max_w]
    if not f.plausible:
        return chain + [0] * 6
    power = current_bound(chain[0], i.current_discharge_max_da, i.pack_voltage_dv)
    chain.append(power)
    power = taper_low(power, i.cell_voltage_min_mv, c.cell_voltage_derate_low_mv, c.cell_voltage_min_mv)
    chain.append(power)
    power = taper_high(power, i.cell_temp_max_dc, c.temp_derate_high_dc, c.temp_max_dc)
    chain.append(power)
    floor = c.soc_min_cpct if f.s.mode == w.ISLAND else max(c.soc_min_cpct, c.soc_reserve_cpct)
    power = taper_low(power, i.soc_cpct, floor + c.soc_taper_cpct, floor)
    return end_chain(chain, power, derate, forbidden)


def end_chain(chain: list[int], power: int, derate: bool, forbidden: bool) -> list[int]:
    derated = tdiv(power, 2) if derate else power
    return [*chain, power, derated, 0 if forbidden else derated]


def rise(bound: int, limit_mw: int, rise_w_per_s: int, dt: int) -> int:
    """The new slewed limit in mW: falls at once, rises slowly. mW per ms is W per s."""
    return min(bound * 1000, clamp(limit_mw, 0, w.LIMIT * 1000) + rise_w_per_s * dt)


def run_limits(v: Any, f: Any, s: Any, dt: int, usable: bool) -> tuple[list[int], list[int]]:
    """Both chains of a unit after its transition; its band is their last value: none while the battery is not usable."""
    derate = s.active & DERATE != 0 or v.state.active & v.table.level[w.L_DERATE] != 0
    dead = s.mode != w.RUN or s.latched != 0
    charge = charge_chain(f, derate, dead or s.active & NO_CHARGE != 0)
    discharge = discharge_chain(f, derate, dead or s.active & NO_DISCHARGE != 0)
    s.charge_limit_mw = rise(charge[-1], s.charge_limit_mw, f.c.limit_rise_w_per_s, dt)
    s.discharge_limit_mw = rise(discharge[-1], s.discharge_limit_mw, f.c.limit_rise_w_per_s, dt)
    charge.append(tdiv(s.charge_limit_mw, 1000))
    discharge.append(tdiv(s.discharge_limit_mw, 1000))
    if not usable:
        charge[-2:] = discharge[-2:] = [0, 0]
    return charge, discharge
