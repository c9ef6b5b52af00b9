"""Names, numbers and the arithmetic of the specification; a test compares them with the header that was built.

What does not belong here: any rule of the kernel.
"""

from collections.abc import Iterator


def named(text: str) -> list[str]:
    return text.split()


UNITS = 8
NEVER = 2_147_483_647
LIMIT = 100_000_000
UNKNOWN = -2_147_483_647
HOURLY = 3
HOUR_MS = 3_600_000
INT32_MIN, INT32_MAX, INT64_MIN = -(2**31), 2**31 - 1, -(2**63)
U32, U64 = 2**32 - 1, 2**64 - 1

MODES = named("BOOT INIT STANDBY CONNECT START RUN STOPPING FAULT ESTOP LOCAL SERVICE ISLAND")
BOOT, INIT, STANDBY, CONNECT, START, RUN, STOPPING, FAULT, ESTOP, LOCAL, SERVICE, ISLAND = range(12)
EVENTS = named("ESTOP SERVICE LOCAL TRIP HALT STOP ISLAND GRID_LOST DONE TIMEOUT GO NONE")
ORDERS = named("NONE CONNECT START STOP OPEN ISLAND")
ORDER_NONE, ORDER_CONNECT, ORDER_START, ORDER_STOP, ORDER_OPEN, ORDER_ISLAND = range(6)

CMD_RUN, CMD_HOLD, CMD_SERVICE, CMD_RESET, CMD_ESTOP, CMD_CALIBRATE = 1, 2, 4, 8, 16, 32
PCS_FAULT, PCS_RUNNING, PCS_LOCAL, PCS_ESTOP, PCS_GUARDED, PCS_WRITE_FAILED = 1, 2, 4, 8, 16, 32
BMS_CONNECTED, BMS_ALARM, BMS_TRIP, BMS_NO_CHARGE, BMS_NO_DISCHARGE, BMS_GUARDED = 1, 2, 4, 8, 16, 32
(FLAG_ESTOP, FLAG_SMOKE_1, FLAG_SMOKE_2, FLAG_WATER, FLAG_DOOR, FLAG_AIRCON, FLAG_SURGE, FLAG_LOCAL, FLAG_GRID_LOST,
 FLAG_CHANGED, FLAG_SELF_TEST) = (1 << i for i in range(11))  # fmt: skip

LEVELS = named("INFO WARN DERATE NO_CHARGE NO_DISCHARGE ZERO STOP OPEN")
L_INFO, L_WARN, L_DERATE, L_NO_CHARGE, L_NO_DISCHARGE, L_ZERO, L_STOP, L_OPEN = range(8)
LATCH_NO, LATCH_YES, LATCH_HOURLY = range(3)
RESET_AUTO, RESET_CONSOLE, RESET_SERVICE = range(3)
SAFE_ZERO, SAFE_HOLD, SAFE_ISLAND, SAFE_WARN = range(4)
KIND_VALUE, KIND_POWER, KIND_ORDER = range(3)

SITE_CAUSES = named(
    "BOOT NOT_ASKED HOLD SERVICE ESTOP SMOKE SMOKE_WARN WATER DOOR AIRCON SURGE IO_STALE POC_STALE POC_FADE CLOCK"
    " OVERRUN CONFIG CHANGED SELF_TEST GRID_LOST GRID_WAIT LOCAL LATCHED NO_UNIT IMPORT_LIMIT FUSE_LIMIT EXPORT_LIMIT"
    " RAMP CHARGE_BOUND DISCHARGE_BOUND WISH_EXPIRED PV_CURTAILED"
)
UNIT_CAUSES = named(
    "BMS_STALE BMS_LOST BMS_GONE BMS_FROZEN PCS_STALE PCS_LOST PCS_GONE PCS_FAULT PCS_LOCAL PCS_STOPPED BMS_OPEN"
    " UNGUARDED WRITE_FAILED BMS_ALARM BMS_TRIP CHARGE_FORBIDDEN DISCHARGE_FORBIDDEN VALUE_MISSING SOC_LOW SOC_HIGH"
    " RESERVE CELL_VOLTAGE_LOW CELL_VOLTAGE_HIGH CELL_VOLTAGE_TRIP CELL_DEAD PACK_VOLTAGE_LOW PACK_VOLTAGE_HIGH"
    " PACK_VOLTAGE_TRIP TEMP_LOW_CHARGE TEMP_LOW TEMP_HIGH_CHARGE TEMP_HIGH TEMP_TRIP TEMP_RISE CELL_SPREAD_WARN"
    " CELL_SPREAD CELL_SPREAD_TRIP TEMP_SPREAD_WARN TEMP_SPREAD TEMP_SPREAD_TRIP OVERCURRENT OVERCURRENT_FAST"
    " INSULATION_WARN INSULATION CONNECT_FAILED START_FAILED STOP_FAILED DEVIATION WRONG_SIGN DISAGREE LATCHED"
    " COOLDOWN"
)
BOUNDS = named("RATING BMS_CURRENT CELL_VOLTAGE TEMP SOC DERATE FORBIDDEN RISE")
BANDS = named("UNITS EXPORT IMPORT FUSE")
STAGES = named("ASKED SHAVED CENTRED DROOP SMOOTHED WISH FADE RAMP SITE_BAND UNIT_BAND")
STAGE_WISH = STAGES.index("WISH")


def site(*names: str) -> int:
    """The set of these site causes."""
    return sum(1 << SITE_CAUSES.index(name) for name in names)


def unit(*names: str) -> int:
    """The set of these unit causes."""
    return sum(1 << UNIT_CAUSES.index(name) for name in names)


def clamp(x: int, low: int, high: int) -> int:
    return low if x < low else min(x, high)


def tdiv(a: int, b: int) -> int:
    """Division that truncates towards zero."""
    return a // b if (a >= 0) == (b > 0) else -(-a // b)


def later(ms: int, dt: int) -> int:
    """A duration dt later: negative ones count as 0, and it saturates."""
    ms = dt if ms < 0 else ms + dt
    return min(ms, NEVER)


def old(age_ms: int, limit_ms: int) -> bool:
    return age_ms < 0 or age_ms > limit_ms


def bits(mask: int) -> Iterator[int]:
    """The indices in a set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
