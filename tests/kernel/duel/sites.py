"""Configurations: most of them ordinary sites, some at the edge of what tw_init accepts; and where their thresholds are.

`points` lists for every input field the numbers at which the guard may change its mind, each with its two neighbours.
"""

from random import Random
from typing import Any

from tests.kernel.oracle import words as w
from tests.kernel.oracle.words import LIMIT, NEVER, UNKNOWN

EXTREMES = (0, -1, 1, w.INT32_MIN, w.INT32_MAX, UNKNOWN, -NEVER + 1)
Points = dict[str, list[int]]


def near(*values: int) -> list[int]:
    return [w.clamp(x + d, w.INT32_MIN, w.INT32_MAX) for x in values for d in (-1, 0, 1)]


def ladder(rng: Random, low: int, high: int, count: int, tight: bool) -> list[int]:
    """Ascending different numbers, `tight`: with neighbours among them."""
    if tight:
        start = rng.choice((low, high - count + 1, rng.randint(low, high - count + 1)))
        return list(range(start, start + count))
    return sorted(rng.sample(range(low, high + 1), count))


def draw_unit(rng: Random, tight: bool) -> dict[str, int]:
    """One unit inside the ranges of tw_init."""
    charge, discharge = (rng.choice((0, 1, 30_000, 100_000, rng.randint(1, LIMIT))) for _ in range(2))
    if not tight:
        charge, discharge = rng.choice((30_000, 125_000)), rng.choice((30_000, 125_000, 60_000))
    soc_min = rng.choice((0, 1_000, rng.randint(0, 4_000)))
    soc_max = rng.choice((10_000, 9_500, rng.randint(soc_min + 500, 10_000)))
    if tight and rng.random() < 0.3:
        soc_max = soc_min + 1
    width = soc_max - soc_min
    unit = {
        "power_charge_max_w": charge,
        "power_discharge_max_w": discharge,
        "power_efficient_min_w": rng.choice((0, max(charge, discharge), max(charge, discharge) // 5)),
        "reactive_max_var": rng.choice((0, 10_000, LIMIT)),
        "deviation_max_w": rng.choice((1, 1_500, 2_000, LIMIT) if tight else (1_500, 3_000)),
        "soc_min_cpct": soc_min,
        "soc_max_cpct": soc_max,
        "soc_reserve_cpct": rng.choice((0, 0, soc_min, min(soc_min + 500, soc_max), soc_max if tight else 0)),
        "soc_taper_cpct": rng.choice((0, min(200, width), width)),
        "soc_hysteresis_cpct": rng.choice((1, min(200, width), width if tight else min(100, width))),
        "limit_rise_w_per_s": rng.choice((1, 1_000, 30_000, LIMIT, LIMIT)),
    }
    return unit | draw_cells(rng, tight) | draw_temperatures(rng, tight) | draw_ages(rng, tight)


def draw_cells(rng: Random, tight: bool) -> dict[str, int]:
    cell = ladder(rng, 1, 5_000, 7, rng.random() < 0.5) if tight else [2_000, 2_500, 2_800, 2_950, 3_450, 3_550, 3_650]
    pack = ladder(rng, 1, 20_000, 4, rng.random() < 0.5) if tight else [6_000, 6_720, 8_520, 8_760]
    spread = sorted(rng.randint(1, 5_000) for _ in range(3)) if tight else [80, 160, 400]
    ohm = sorted(rng.randint(1, 1_000_000) for _ in range(2)) if tight else [100, 500]
    return {
        **dict(zip(("cell_voltage_dead_mv", "cell_voltage_trip_low_mv", "cell_voltage_min_mv",
                    "cell_voltage_derate_low_mv", "cell_voltage_derate_high_mv", "cell_voltage_max_mv",
                    "cell_voltage_trip_high_mv"), cell, strict=True)),
        "cell_voltage_hysteresis_mv": rng.choice((1, min(50, cell[5] - cell[2]), cell[5] - cell[2] if tight else 50)),
        **dict(zip(("pack_voltage_trip_low_dv", "pack_voltage_min_dv", "pack_voltage_max_dv",
                    "pack_voltage_trip_high_dv"), pack, strict=True)),
        **dict(zip(("cell_spread_warn_mv", "cell_spread_derate_mv", "cell_spread_trip_mv"), spread, strict=True)),
        "insulation_trip_kohm": ohm[0], "insulation_warn_kohm": ohm[1],
    }  # fmt: skip


def draw_temperatures(rng: Random, tight: bool) -> dict[str, int]:
    t = ladder(rng, -600, 1_500, 7, rng.random() < 0.5) if tight else [-200, 0, 100, 400, 500, 550, 600]
    spread = sorted(rng.randint(1, 2_100) for _ in range(3)) if tight else [80, 120, 200]
    return {
        "temp_min_dc": t[0], "temp_charge_min_dc": t[1], "temp_charge_derate_low_dc": t[2],
        "temp_charge_derate_high_dc": t[3], "temp_charge_max_dc": t[4], "temp_max_dc": t[5], "temp_trip_dc": t[6],
        "temp_derate_high_dc": rng.randint(t[0] + 1, t[5] - 1) if tight else 450,
        "temp_hysteresis_dc": rng.choice((1, min(20, t[4] - t[1]), t[4] - t[1] if tight else 30)),
        "temp_rise_max_dc_per_min": rng.choice((1, 50, 1_500) if tight else (10, 50)),
        "temp_spread_warn_dc": spread[0], "temp_spread_derate_dc": spread[1], "temp_spread_trip_dc": spread[2],
    }  # fmt: skip


def draw_ages(rng: Random, tight: bool) -> dict[str, int]:
    bms = ladder(rng, 1, 600_000, 3, True) if tight else [2_000, 5_000, 10_000]
    pcs = ladder(rng, 1, 600_000, 3, True) if tight else [1_000, 5_000, 20_000]
    return {
        "bms_age_max_ms": bms[0], "bms_age_stop_ms": bms[1], "bms_age_open_ms": bms[2],
        "pcs_age_max_ms": pcs[0], "pcs_age_stop_ms": pcs[1], "pcs_age_open_ms": pcs[2],
        "heartbeat_max_ms": rng.choice((1, 1_999, 5_000, 20_000)),
    }  # fmt: skip


def draw_site(rng: Random, tight: bool) -> dict[str, int]:
    power = (0, 1, 80_000, 200_000, LIMIT) if tight else (80_000, 100_000, 60_000)
    short = (1, 600_000, 5_000) if tight else (1_000, 3_000, 8_000)
    fade = rng.choice((1, 1_500, 600_000) if tight else (1_500,))
    volts, hertz = (rng.choice(pair) for pair in (((0, 0), (1_950, 2_600)), ((0, 0), (47_500, 51_500))))
    return {
        "abi": 3, "unit_count": rng.choice((1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 8)),
        "cycle_ms": rng.choice((1_000, 1_000, 1_000, 100, 50, rng.randint(50, 1_000))),
        "import_max_w": rng.choice(power), "fuse_max_w": rng.choice(power), "export_max_w": rng.choice((0, *power)),
        "setpoint_ramp_w_per_s": rng.choice((20, LIMIT, 20_000, 1_000_000)),
        "pv_rated_w": rng.choice((0, 50_000, rng.choice(power))),
        "pv_lost_max_w": rng.choice((0, 10_000, rng.choice(power))),
        "poc_age_fade_ms": fade, "poc_age_max_ms": rng.choice((fade, min(3_000 + fade, 600_000))),
        "voltage_min_dv": volts[0], "voltage_max_dv": volts[1],
        "frequency_min_mhz": hertz[0], "frequency_max_mhz": hertz[1],
        "grid_return_ms": rng.choice((1, 5_000, 3_600_000 if tight else 20_000)), "io_required": rng.choice((0, 1, 1)),
        "io_age_max_ms": rng.choice((1, 2_000, 600_000)), "boot_settle_ms": rng.choice(short),
        "reset_hold_ms": rng.choice((1, 3_000, 10_000)), "connect_max_ms": rng.choice(short),
        "start_max_ms": rng.choice(short), "stop_max_ms": rng.choice(short),
        "cooldown_ms": rng.choice((1, 4_000, 3_600_000 if tight else 10_000)), "safe_poc": rng.choice((0, 1)),
        "safe_grid": rng.choice((0, 1, 2)), "safe_door": rng.choice((0, 1, 3)),
    }  # fmt: skip


def points_of_unit(c: Any) -> Points:
    """Thresholds of every field of tw_unit_input_t."""
    h, hv, ht = c.soc_hysteresis_cpct, c.cell_voltage_hysteresis_mv, c.temp_hysteresis_dc
    hp = (c.pack_voltage_max_dv - c.pack_voltage_min_dv) // 16
    floor = max(c.soc_min_cpct, c.soc_reserve_cpct)
    soc = (c.soc_min_cpct, c.soc_min_cpct + h, c.soc_max_cpct, c.soc_max_cpct - h, c.soc_reserve_cpct + h, floor)
    taper = (10_000, 10_000 - h, c.soc_max_cpct - c.soc_taper_cpct, floor + c.soc_taper_cpct, 10_000 - c.soc_taper_cpct)
    low, high = c.cell_voltage_min_mv, c.cell_voltage_max_mv
    cold, hot = (c.temp_charge_min_dc, c.temp_min_dc), (c.temp_charge_max_dc, c.temp_max_dc)
    return {
        "pcs_age_ms": near(c.pcs_age_max_ms, c.pcs_age_stop_ms, c.pcs_age_open_ms, NEVER),
        "bms_age_ms": near(c.bms_age_max_ms, c.bms_age_stop_ms, c.bms_age_open_ms, NEVER),
        "power_w": near(LIMIT, -LIMIT, c.deviation_max_w, -c.deviation_max_w), "power_at_poc_w": near(LIMIT, -LIMIT),
        "pack_voltage_dv": near(c.pack_voltage_trip_low_dv, c.pack_voltage_min_dv, c.pack_voltage_min_dv + hp,
                                c.pack_voltage_max_dv - hp, c.pack_voltage_max_dv, c.pack_voltage_trip_high_dv, 20_000),
        "pack_current_da": near(20, -20, 100_000, -100_000),
        "soc_cpct": near(*soc, *taper, floor + 100, c.soc_max_cpct - 100),
        "current_charge_max_da": near(0, 1, 100_000), "current_discharge_max_da": near(0, 1, 100_000),
        "cell_voltage_min_mv": near(c.cell_voltage_dead_mv, c.cell_voltage_trip_low_mv, low, low + hv,
                                    c.cell_voltage_derate_low_mv),
        "cell_voltage_max_mv": near(c.cell_voltage_derate_high_mv, high, high - hv, c.cell_voltage_trip_high_mv, 5_000),
        "cell_temp_min_dc": near(*cold, *(x + ht for x in cold), c.temp_charge_derate_low_dc, -600),
        "cell_temp_max_dc": near(*hot, *(x - ht for x in hot), c.temp_charge_derate_high_dc, c.temp_derate_high_dc,
                                 c.temp_trip_dc, 1_500),
        "insulation_kohm": near(c.insulation_trip_kohm, c.insulation_warn_kohm, UNKNOWN + 1, 0),
    }  # fmt: skip


def returns_of_unit(c: Any) -> dict[str, list[tuple[int, int]]]:
    """Where a cause with a hysteresis trips, and where it is gone."""
    h, hv, ht = c.soc_hysteresis_cpct, c.cell_voltage_hysteresis_mv, c.temp_hysteresis_dc
    hp = (c.pack_voltage_max_dv - c.pack_voltage_min_dv) // 16
    soc = [(x, x + h) for x in (c.soc_min_cpct, c.soc_reserve_cpct)]
    return {
        "soc_cpct": [*soc, *((x, x - h) for x in (c.soc_max_cpct, 10_000))],
        "cell_voltage_min_mv": [(c.cell_voltage_min_mv, c.cell_voltage_min_mv + hv)],
        "cell_voltage_max_mv": [(c.cell_voltage_max_mv, c.cell_voltage_max_mv - hv)],
        "pack_voltage_dv": [(c.pack_voltage_min_dv, c.pack_voltage_min_dv + hp),
                            (c.pack_voltage_max_dv, c.pack_voltage_max_dv - hp)],
        "cell_temp_min_dc": [(x, x + ht) for x in (c.temp_charge_min_dc, c.temp_min_dc)],
        "cell_temp_max_dc": [(x, x - ht) for x in (c.temp_charge_max_dc, c.temp_max_dc)],
    }  # fmt: skip


def points_of_site(c: Any) -> Points:
    """Thresholds of the fields of tw_input_t that the guard reads."""
    power = (LIMIT, -LIMIT, c.import_max_w, c.fuse_max_w, -c.export_max_w)
    return {
        "io_age_ms": near(c.io_age_max_ms, NEVER), "wish_left_ms": near(0), "wish_w": near(0), "wish_kind": near(1),
        "poc_power_w": near(*power), "poc_age_ms": near(c.poc_age_fade_ms, c.poc_age_max_ms, NEVER),
        "poc_voltage_dv": near(c.voltage_min_dv, c.voltage_max_dv, UNKNOWN + 1),
        "poc_frequency_mhz": near(c.frequency_min_mhz, c.frequency_max_mhz, UNKNOWN + 1),
        "pv_power_w": near(0, c.pv_rated_w), "pv_age_ms": near(c.poc_age_max_ms, NEVER),
    }  # fmt: skip
