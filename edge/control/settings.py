"""A site's configuration as the kernel's struct: fields of one name on both sides are copied, the rest is derived here.

Nothing is judged: `tw_init` has the last word on every number.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from edge._kernel import ffi, lib
from edge.config.battery import Unit
from edge.config.functions import Functions
from edge.config.option import POWER_MAX_W, UNTOLD
from edge.config.options import Config
from edge.control.interlocks import Cause
from edge.field.profile import Profile

SAFE = {"zero": lib.TW_SAFE_ZERO, "hold": lib.TW_SAFE_HOLD, "island": lib.TW_SAFE_ISLAND, "warn": lib.TW_SAFE_WARN}
PHASES = 3
RAMP_MIN_W_PER_S = 20  # 1 W in the shortest cycle
IO_AGE_MAX_MS = 2_000  # emergency stop and smoke: as old as BMS data may be
RAMP_PER_S = 10  # the battery's own ramp where the site gives none: its whole rating within one cycle of 100 ms
# Beyond this a loop feeds on itself however well its age is known. Plant of tests.bench.smoothing: no load got worse with
# 800 ms, told right within 20 %; iterations of 2 s grew to 1.7 times at times with 1 000 ms, to 5 times with 1 200 ms.
AVERAGING_FAST_MAX_MS = 800
METER_UNSURE = Cause(
    "meter_unsure",
    "nobody says over how long the POC meter averages",
    "smoothing answers only the slow part of the load, slower than half a minute",
    "`edge check --live --sign-test` measures it, and says which line the site file needs",
)
METER_SLOW = Cause(
    "meter_slow",
    f"the POC meter averages over more than {AVERAGING_FAST_MAX_MS} ms",
    METER_UNSURE.action,
    "set the meter's own averaging shorter, measure it again; or use a quicker meter",
)
NO_PROFILES: Mapping[str, Profile] = MappingProxyType({})


def poc_averaging_ms(config: Config, profiles: Mapping[str, Profile] = NO_PROFILES) -> int | None:
    """Over how long the POC meter averages: the site file's word, else its profile's (by device name). None: nobody says."""
    for device in config.device:
        if device.use == "poc" and device.averaging_ms != UNTOLD:
            return device.averaging_ms
        if device.use == "poc" and device.name in profiles:
            return profiles[device.name].link.averaging_ms
    return None


def smoothing_doubt(config: Config, profiles: Mapping[str, Profile] = NO_PROFILES) -> Cause | None:
    """Why smoothing has no fast part; None where it has one, or is not asked for."""
    averaging_ms = poc_averaging_ms(config, profiles)
    if not (config.limits.ramp_up_max_w_per_s or config.limits.ramp_down_max_w_per_s):
        return None
    if averaging_ms is None:
        return METER_UNSURE
    return METER_SLOW if averaging_ms > AVERAGING_FAST_MAX_MS else None


def config_struct(config: Config, profiles: Mapping[str, Profile] = NO_PROFILES) -> Any:
    """tw_config_t of a site; `profiles` by device name. Without them, what only a profile says is not known."""
    struct = ffi.new("tw_config_t *")
    for source in (config.limits, config.grid, config.sequence):
        _copy(struct[0], source)
    struct.abi, struct.unit_count, struct.cycle_ms = lib.TW_ABI, len(config.unit), config.site.cycle_ms
    fuse_w = PHASES * config.grid.fuse_a * config.grid.voltage_nominal_v
    struct.fuse_max_w = min(fuse_w, POWER_MAX_W) if fuse_w else POWER_MAX_W
    ratings_w = sum(max(unit.power_charge_max_w, unit.power_discharge_max_w) for unit in config.unit)
    ramp_w_per_s = config.limits.setpoint_ramp_w_per_s or RAMP_PER_S * ratings_w
    struct.setpoint_ramp_w_per_s = max(RAMP_MIN_W_PER_S, min(ramp_w_per_s, POWER_MAX_W))
    struct.io_required = int(any(device.use == "io" for device in config.device))
    struct.io_age_max_ms = IO_AGE_MAX_MS
    struct.safe_poc, struct.safe_grid = SAFE[config.safe.poc], SAFE[config.safe.grid]
    struct.safe_door = SAFE[config.safe.door]
    _fill_wish(struct.wish, config)
    if smoothing_doubt(config, profiles) is not None:
        struct.wish.dead_time_ms = lib.TW_METER_UNSURE
    for index, unit in enumerate(config.unit):
        _fill_unit(struct.unit[index], unit)
    return struct


def _copy(struct: Any, source: object) -> None:
    for name, field in ffi.typeof(struct).fields:
        if field.type.kind == "primitive" and hasattr(source, name):
            setattr(struct, name, getattr(source, name))


def _fill_unit(struct: Any, unit: Unit) -> None:
    _copy(struct, unit)
    for end in ("trip_low", "min", "max", "trip_high"):
        cell_mv = getattr(unit, f"cell_voltage_{end}_mv")
        setattr(struct, f"pack_voltage_{end}_dv", cell_mv * unit.cell_count // 100)
    pack_max_v = struct.pack_voltage_max_dv // 10
    struct.insulation_warn_kohm = unit.insulation_warn_ohm_per_v * pack_max_v // 1_000
    struct.insulation_trip_kohm = unit.insulation_trip_ohm_per_v * pack_max_v // 1_000


def _fill_wish(struct: Any, config: Config) -> None:
    functions: Functions = config.functions
    _copy(struct, functions)
    struct.ramp_up_max_w_per_s = config.limits.ramp_up_max_w_per_s
    struct.ramp_down_max_w_per_s = config.limits.ramp_down_max_w_per_s
    struct.frequency_nominal_mhz = config.grid.frequency_nominal_mhz if functions.droop_w_per_hz else 0
    if functions.volt_var:
        struct.voltage_nominal_dv = config.grid.voltage_nominal_v * 10
        struct.var_voltage_permille = functions.var_voltage_permille
        struct.var_permille = functions.var_permille
