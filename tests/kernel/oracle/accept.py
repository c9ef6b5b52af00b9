"""What tw_init accepts (section 12), but for the clever half's part of the configuration."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.kernel.oracle import words as w
from tests.kernel.oracle.words import LIMIT

ABI = 3
MINUTES_10, HOUR = 600_000, 3_600_000


def rising(*values: int) -> bool:
    return all(a < b for a, b in pairwise(values))


def powers(c: Any) -> Iterator[bool]:
    yield 0 <= c.power_charge_max_w <= LIMIT
    yield 0 <= c.power_discharge_max_w <= LIMIT
    yield 0 <= c.reactive_max_var <= LIMIT
    yield 0 <= c.power_efficient_min_w <= max(c.power_charge_max_w, c.power_discharge_max_w)
    yield 1 <= c.deviation_max_w <= LIMIT
    yield 1 <= c.limit_rise_w_per_s <= LIMIT


def charge_states(c: Any) -> Iterator[bool]:
    width = c.soc_max_cpct - c.soc_min_cpct
    yield 0 <= c.soc_min_cpct < c.soc_max_cpct <= 10_000
    yield 0 <= c.soc_reserve_cpct <= c.soc_max_cpct
    yield 0 <= c.soc_taper_cpct <= width
    yield 1 <= c.soc_hysteresis_cpct <= width


def voltages(c: Any) -> Iterator[bool]:
    low = (c.cell_voltage_dead_mv, c.cell_voltage_trip_low_mv, c.cell_voltage_min_mv, c.cell_voltage_derate_low_mv)
    high = (c.cell_voltage_derate_high_mv, c.cell_voltage_max_mv, c.cell_voltage_trip_high_mv)
    yield rising(0, *low, *high, 5_001)
    yield 1 <= c.cell_voltage_hysteresis_mv <= c.cell_voltage_max_mv - c.cell_voltage_min_mv
    pack = (c.pack_voltage_trip_low_dv, c.pack_voltage_min_dv, c.pack_voltage_max_dv, c.pack_voltage_trip_high_dv)
    yield rising(0, *pack, 20_001)
    yield 1 <= c.cell_spread_warn_mv <= c.cell_spread_derate_mv <= c.cell_spread_trip_mv <= 5_000
    yield 1 <= c.insulation_trip_kohm <= c.insulation_warn_kohm <= 1_000_000


def temperatures(c: Any) -> Iterator[bool]:
    low = (c.temp_min_dc, c.temp_charge_min_dc, c.temp_charge_derate_low_dc)
    yield rising(-601, *low, c.temp_charge_derate_high_dc, c.temp_charge_max_dc)
    yield c.temp_charge_max_dc <= c.temp_max_dc < c.temp_trip_dc <= 1_500
    yield rising(c.temp_min_dc, c.temp_derate_high_dc, c.temp_max_dc)
    yield 1 <= c.temp_hysteresis_dc <= c.temp_charge_max_dc - c.temp_charge_min_dc
    yield 1 <= c.temp_rise_max_dc_per_min <= 1_500
    yield 1 <= c.temp_spread_warn_dc <= c.temp_spread_derate_dc <= c.temp_spread_trip_dc <= 2_100


def ages(c: Any) -> Iterator[bool]:
    yield rising(0, c.bms_age_max_ms, c.bms_age_stop_ms, c.bms_age_open_ms, MINUTES_10 + 1)
    yield rising(0, c.pcs_age_max_ms, c.pcs_age_stop_ms, c.pcs_age_open_ms, MINUTES_10 + 1)
    yield 1 <= c.heartbeat_max_ms <= MINUTES_10


def watched(low: int, high: int) -> bool:
    return (low == 0 and high == 0) or 0 < low < high <= 1_000_000


def of_site(c: Any) -> Iterator[bool]:
    yield 1 <= c.unit_count <= w.UNITS
    yield 50 <= c.cycle_ms <= 1_000
    for power in (c.import_max_w, c.fuse_max_w, c.export_max_w, c.pv_rated_w, c.pv_lost_max_w):
        yield 0 <= power <= LIMIT
    yield 20 <= c.setpoint_ramp_w_per_s <= LIMIT
    yield 1 <= c.io_age_max_ms <= MINUTES_10
    yield 1 <= c.poc_age_fade_ms <= c.poc_age_max_ms <= MINUTES_10
    yield watched(c.voltage_min_dv, c.voltage_max_dv) and watched(c.frequency_min_mhz, c.frequency_max_mhz)
    yield c.io_required in (0, 1)
    for ms in (c.boot_settle_ms, c.connect_max_ms, c.start_max_ms, c.stop_max_ms):
        yield 1 <= ms <= MINUTES_10
    for ms in (c.grid_return_ms, c.reset_hold_ms, c.cooldown_ms):
        yield 1 <= ms <= HOUR
    yield c.safe_poc in (w.SAFE_ZERO, w.SAFE_HOLD)
    yield c.safe_grid in (w.SAFE_ZERO, w.SAFE_HOLD, w.SAFE_ISLAND)
    yield c.safe_door in (w.SAFE_WARN, w.SAFE_ZERO, w.SAFE_HOLD)


def accepts(c: Any) -> int:
    """0: accepted, 1: TW_BAD_CONFIG, 2: TW_BAD_ABI."""
    if c.abi != ABI:
        return 2
    if not all(of_site(c)):
        return 1
    units = c.unit[: c.unit_count]
    good = all(all(part(u)) for u in units for part in (powers, charge_states, voltages, temperatures, ages))
    return 0 if good else 1
