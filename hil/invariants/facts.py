"""What the invariants know of a cycle, from deploy/handbook/kernel.md: time, age, plausibility, what the site forbids."""

from collections.abc import Iterator
from typing import Any

from edge._kernel import ffi, lib
from edge.control.kernel import Level, Safe, SiteCause, UnitCause

POWER_LIMIT_W = 100_000_000
UNKNOWN = -2_147_483_647
SITE_LEVEL = [Level(lib.tw_site_row(cause).level) for cause in SiteCause]
UNIT_ROW = [lib.tw_unit_row(cause) for cause in UnitCause]
SITE_ROW = [lib.tw_site_row(cause) for cause in SiteCause]


def as_struct(kind: str, part: Any) -> Any:
    """A struct of the kernel from a struct or its raw bytes."""
    return ffi.from_buffer(f"tw_{kind}_t *", part) if isinstance(part, bytes | bytearray | memoryview) else part


def clamp(value: int, low: int, high: int) -> int:
    return low if value < low else high if value > high else value


def elapsed_ms(config: Any, before: Any, tw_input: Any) -> int:
    """Time since the last cycle; 0 when the clock is not to be believed."""
    if before.started == 0:
        return int(config.cycle_ms)
    gap_ms = (tw_input.mono_ms - before.mono_ms) % 2**64
    return gap_ms if 0 < gap_ms <= 2 * config.cycle_ms else 0


def is_old(age_ms: int, limit_ms: int) -> bool:
    return age_ms < 0 or age_ms > limit_ms


def is_plausible(unit: Any) -> bool:
    return bool(
        0 <= unit.soc_cpct <= 10_000
        and 0 < unit.pack_voltage_dv <= 20_000
        and 0 <= unit.current_charge_max_da <= 100_000
        and 0 <= unit.current_discharge_max_da <= 100_000
        and abs(unit.pack_current_da) <= 100_000
        and 0 <= unit.cell_voltage_min_mv <= unit.cell_voltage_max_mv <= 5_000
        and -600 <= unit.cell_temp_min_dc <= unit.cell_temp_max_dc <= 1_500
        and (unit.insulation_kohm == UNKNOWN or unit.insulation_kohm >= 0)
    )


def site_forbids(config: Any, after: Any) -> bool:
    """A site cause of level ZERO, STOP or OPEN is active, or something of the site is latched."""
    for cause in SiteCause:
        if after.active >> cause & 1:
            door = cause == SiteCause.DOOR and config.safe_door != Safe.WARN
            if SITE_LEVEL[cause] >= Level.ZERO or door:
                return True
    return bool(after.latched)


def units_of(config: Any, *parts: Any) -> Iterator[tuple[int, Any]]:
    """(index, the unit's part of each)."""
    for index in range(config.unit_count):
        yield index, tuple(part.unit[index] for part in (config, *parts))
