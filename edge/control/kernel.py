"""The Python face of `native/`: builds the config struct, owns the four structs, steps, and asks the gate.

Nothing is decided here. Fields are written straight into `kernel.input` (a cffi struct); the hot path makes one C call.
"""

import hashlib
from collections.abc import Sequence
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any, TypeVar

from edge.errors import DataFault

try:
    from edge._kernel import ffi, lib
except ImportError as error:  # a checkout whose kernel was never built
    raise ImportError("edge/_kernel is not built: run `make setup`") from error

# In the order of native/kernel_abi.h; a test compares every name and number with the built module. Causes, functions,
# bounds, bands and stages are indices: a set of causes or functions is a mask of 1 << index (`mask`, `members`).
Mode = IntEnum("Mode", "BOOT INIT STANDBY CONNECT START RUN STOPPING FAULT ESTOP LOCAL SERVICE ISLAND", start=0)
Event = IntEnum("Event", "ESTOP SERVICE LOCAL TRIP HALT STOP ISLAND GRID_LOST DONE TIMEOUT GO NONE", start=0)
Order = IntEnum("Order", "NONE CONNECT START STOP OPEN ISLAND", start=0)
Level = IntEnum("Level", "INFO WARN DERATE NO_CHARGE NO_DISCHARGE ZERO STOP OPEN", start=0)
Latch = IntEnum("Latch", "NO YES HOURLY", start=0)
Reset = IntEnum("Reset", "AUTO CONSOLE SERVICE", start=0)
SiteCause = IntEnum(
    "SiteCause",
    "BOOT NOT_ASKED HOLD SERVICE ESTOP SMOKE SMOKE_WARN WATER DOOR AIRCON SURGE IO_STALE POC_STALE POC_FADE CLOCK OVERRUN"
    " CONFIG CHANGED SELF_TEST GRID_LOST GRID_WAIT LOCAL LATCHED NO_UNIT IMPORT_LIMIT FUSE_LIMIT EXPORT_LIMIT RAMP"
    " CHARGE_BOUND DISCHARGE_BOUND WISH_EXPIRED PV_CURTAILED",
    start=0,
)
UnitCause = IntEnum(
    "UnitCause",
    "BMS_STALE BMS_LOST BMS_GONE BMS_FROZEN PCS_STALE PCS_LOST PCS_GONE PCS_FAULT PCS_LOCAL PCS_STOPPED BMS_OPEN"
    " UNGUARDED WRITE_FAILED BMS_ALARM BMS_TRIP CHARGE_FORBIDDEN DISCHARGE_FORBIDDEN VALUE_MISSING SOC_LOW SOC_HIGH RESERVE"
    " CELL_VOLTAGE_LOW CELL_VOLTAGE_HIGH CELL_VOLTAGE_TRIP CELL_DEAD PACK_VOLTAGE_LOW PACK_VOLTAGE_HIGH"
    " PACK_VOLTAGE_TRIP TEMP_LOW_CHARGE TEMP_LOW TEMP_HIGH_CHARGE TEMP_HIGH TEMP_TRIP TEMP_RISE CELL_SPREAD_WARN"
    " CELL_SPREAD CELL_SPREAD_TRIP TEMP_SPREAD_WARN TEMP_SPREAD TEMP_SPREAD_TRIP OVERCURRENT OVERCURRENT_FAST"
    " INSULATION_WARN INSULATION CONNECT_FAILED START_FAILED STOP_FAILED DEVIATION WRONG_SIGN DISAGREE LATCHED COOLDOWN",
    start=0,
)
Bound = IntEnum("Bound", "RATING BMS_CURRENT CELL_VOLTAGE TEMP SOC DERATE FORBIDDEN RISE", start=0)
Band = IntEnum("Band", "UNITS EXPORT IMPORT FUSE", start=0)
Stage = IntEnum(
    "Stage", "ASKED SHAVED CENTRED DROOP SMOOTHED WISH FADE RAMP SITE_BAND UNIT_BAND", start=0
)  # fmt: skip
Function = IntEnum(
    "Function",
    "PLAN MANUAL SELF_CONSUMPTION PEAK_SHAVING RECHARGE DEMAND_WINDOW POC_RAMP CENTRING DROOP FEED_FORWARD PREDICTOR"
    " ANNOUNCED GOVERNED CALIBRATION REACTIVE",
    start=0,
)
WishKind = IntEnum("WishKind", "NONE BATTERY GRID MANUAL", start=0)
Safe = IntEnum("Safe", "ZERO HOLD ISLAND WARN", start=0)
GateKind = IntEnum("GateKind", "VALUE POWER ORDER", start=0)
Signal = IntFlag("Signal", "ISLAND GENSET CALIBRATED")
Command = IntFlag("Command", "RUN HOLD SERVICE RESET ESTOP CALIBRATE")
PcsFlag = IntFlag("PcsFlag", "FAULT RUNNING LOCAL ESTOP GUARDED WRITE_FAILED ISLANDED")
BmsFlag = IntFlag("BmsFlag", "CONNECTED ALARM TRIP CHARGE_FORBIDDEN DISCHARGE_FORBIDDEN GUARDED")
SiteFlag = IntFlag(
    "SiteFlag", "ESTOP SMOKE_1 SMOKE_2 WATER DOOR AIRCON SURGE LOCAL GRID_LOST CHANGED SELF_TEST GENSET_ON"
)
Word = TypeVar("Word", bound=IntEnum)
UNKNOWN = int(lib.TW_UNKNOWN)
NEVER_WRITTEN = -(2**63)
UNITS = int(lib.TW_UNITS)
AGE_NEVER_MS = int(lib.TW_AGE_NEVER)


def mask(*causes: IntEnum) -> int:
    """The set of these causes (functions, modes)."""
    return sum(1 << cause for cause in set(causes))


def members(words: type[Word], mask_of: int) -> list[Word]:
    """What is in the set, lowest first."""
    return [word for word in words if mask_of >> word & 1]


def site_row(cause: SiteCause) -> Any:
    """Level, latch, reset and delays of a cause of the site."""
    return lib.tw_site_row(cause)


def unit_row(cause: UnitCause) -> Any:
    """The same for a cause of a unit."""
    return lib.tw_unit_row(cause)


def crc16(raw: bytes) -> int:
    """CRC-16/MODBUS; on the wire its low byte goes first."""
    return int(lib.tw_crc16(ffi.from_buffer(raw), len(raw)))


def abi_hash() -> str:
    """The hash of kernel_abi.h that the loaded module was built from."""
    return bytes(ffi.string(lib.tw_abi_hash())).decode()


def _check_abi() -> None:
    header = Path(__file__).resolve().parents[2] / "native" / "kernel_abi.h"
    if header.exists() and hashlib.sha256(header.read_bytes()).hexdigest() != abi_hash():
        raise ImportError(f"edge/_kernel was built from another {header.name}: run `make setup`")


_check_abi()


class KernelFault(DataFault):
    """The kernel refused the configuration; the reader should have done so before."""


class Kernel:
    """One kernel with its four structs. `input` is written by others, `output` read by others, `state` by nobody."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.state = ffi.new("tw_state_t *")
        self.input = ffi.new("tw_input_t *")
        self.output = ffi.new("tw_output_t *")
        self._views = tuple(ffi.buffer(part) for part in (self.input, self.state, self.output))
        self._step = lib.tw_step
        status = lib.tw_init(config, self.state)
        if status != lib.TW_OK:
            raise KernelFault(f"tw_init: status {status}: the configuration is outside the kernel's ranges")

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Kernel":
        """A kernel with the config of a trace. Raises DataFault when the size is not that of this ABI."""
        struct = ffi.new("tw_config_t *")
        copy_in(struct, raw, "config")
        return cls(struct)

    def step(self) -> None:
        self._step(self.config, self.state, self.input, self.output)

    def images(self) -> tuple[bytes, bytes, bytes]:
        """Raw input, state and output of this cycle."""
        first, second, third = self._views
        return first[:], second[:], third[:]

    def config_bytes(self) -> bytes:
        return bytes(ffi.buffer(self.config))

    def load(self, tw_input: bytes | None, state: bytes | None) -> None:
        """Puts a recorded input or state in place. Raises DataFault on a wrong size."""
        if tw_input is not None:
            copy_in(self.input, tw_input, "input")
        if state is not None:
            copy_in(self.state, state, "state")


def copy_in(struct: Any, raw: bytes, name: str) -> None:
    """Raw bytes into a struct of the same size, or DataFault."""
    view = ffi.buffer(struct)
    if len(raw) != len(view):
        raise DataFault(
            f"{name}: {len(raw)} bytes, but this kernel's struct has {len(view)}: recorded by another version"
        )
    view[:] = raw


class Gate:
    """The allow-list of all ports, and the question `may this write go out now?`"""

    def __init__(self, rules: Sequence[dict[str, int]], output: Any) -> None:
        self._rules = ffi.new("tw_gate_rule_t[]", list(rules))
        self._written_mono_ms = ffi.new("int64_t[]", [NEVER_WRITTEN] * len(rules))
        self._count = len(rules)
        self._output = output
        self._write = ffi.new("tw_write_t *")
        self.refused_count = 0

    def allowed(
        self, port_index: int, address: int, function: int, reg: int, count: int, value: int, mono_ms: int
    ) -> bool:
        """True if some rule lists exactly this write and its value passes against the last output; then it is stamped."""
        write = self._write
        write.port_index, write.address, write.function = port_index, address, function
        write.reg, write.count, write.value, write.mono_ms = reg, count, value, mono_ms
        row = lib.tw_tx_allowed(self._rules, self._written_mono_ms, self._count, self._output, write)
        self.refused_count += row < 0
        return bool(row >= 0)
