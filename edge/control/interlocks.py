"""A text, an action and a way out for every cause of the kernel. Facts only; a test fails for a cause without an entry.

Written for a technician at two in the morning: what is seen, what the controller did, what to do. Level, delay and
latch are the kernel's own rows (`deploy/handbook/kernel.md`). `{name}` stands for a threshold of the site's configuration.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from edge.control.kernel import SiteCause, UnitCause, site_row, unit_row
from edge.units import show


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason: what is seen, what it does, what to do, and whether a reset is needed."""

    name: str
    text: str
    action: str
    hint: str
    latched: bool = False


def _table(kind: str, rows: str, latches: set[str]) -> dict[str, Cause]:
    """Two lines a cause: NAME: what is seen, then what it does | what to do."""
    causes = {}
    lines = rows.strip().splitlines()
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        name, text = first.split(": ", 1)
        action, hint = second.split(" | ", 1)
        causes[name] = Cause(f"{kind}{name.lower()}", text, action.strip(), hint, name in latches)
    return causes


SITE = _table(
    "",
    """
BOOT: waiting for the first answers of all devices
    0 kW | `show devices`: one is silent, or not what its profile says
NOT_ASKED: nobody has asked the site to run
    standby | `resume`, or auto_run = true in the site file
HOLD: held at the console, by the fleet, by a safe action of the site, or since an emergency stop
    0 kW, PCS stopped | `resume`; after a safe action or an emergency stop: `reset`
SERVICE: service mode
    0 kW, no start | `resume` ends service mode
ESTOP: emergency stop
    PCS stopped, battery opened | release it, find out why; `reset` after {reset_hold_ms}, again until `why` is empty
SMOKE: two smoke or gas detectors at once
    PCS stopped, battery opened | keep out, call the fire service; `reset` only when cleared, another lets it start
SMOKE_WARN: a smoke or gas detector
    warning only: a second one stops the site | look, carefully, now
WATER: water in the container
    PCS stopped | find the leak, dry, wait {reset_hold_ms}, then `reset`
DOOR: a door is open
    as safe.door says | close it
AIRCON: the air conditioning has failed for a minute
    half power | repair it; the battery gets warmer
SURGE: a surge arrester is spent
    warning only | replace it before the next storm
IO_STALE: the remote I/O does not answer: emergency stop and smoke cannot be seen
    0 kW | check its supply and wiring: `show bus`
POC_STALE: the meter at the grid connection has not answered for {poc_age_max_ms}
    0 kW | check its supply, address and wiring: `show bus`
POC_FADE: the meter at the grid connection is late
    the battery fades out | if it repeats: `show bus`
CLOCK: the controller's clock or cycle jumped
    0 kW for that cycle | if it repeats, the gateway is overloaded
OVERRUN: the cycle jumped three times within an hour
    PCS stopped | find what loads the gateway, then `reset`
CONFIG: the kernel does not accept the configuration
    0 kW | `edge check -c FILE`
CHANGED: configuration or profiles are not those that were acknowledged
    0 kW, no start | look at what changed, then acknowledge it
SELF_TEST: the start-up test of the kernel failed
    PCS stopped | the memory or the installation is damaged: reinstall
GRID_LOST: the grid is gone or outside its window
    0 kW, or island as safe.grid says | the PCS disconnects by itself; wait
GRID_WAIT: the grid is back, but not yet for {grid_return_ms}
    0 kW | normal; wait
LOCAL: the site's key switch is on local
    left alone | turn it to remote
LATCHED: a trip is latched
    0 kW | `why` names the first cause; mend it, wait {reset_hold_ms}, then `reset`
NO_UNIT: no battery unit can carry power
    0 kW | the site's other reasons and the unit's own say why
IMPORT_LIMIT: import is at its limit
    discharges, or charges less | normal; the limit is import_max_w
FUSE_LIMIT: import is at what the fuse carries
    discharges, or charges less | normal for a moment; the limit is grid.fuse_a
EXPORT_LIMIT: export is at its limit
    charges, or discharges less | normal; the limit is export_max_w
RAMP: the battery's own ramp
    follows at setpoint_ramp_w_per_s | normal
CHARGE_BOUND: more charging was wanted than the units allow
    charges less | `show limits` says which bound
DISCHARGE_BOUND: more discharging was wanted than the units allow
    discharges less | `show limits` says which bound
WISH_EXPIRED: a wish for power was not renewed in time
    wish ignored | normal when its sender stopped
PV_CURTAILED: the PV is curtailed so that export stays within its limit
    PV limit lowered | normal; charge or use the power
""",
    {cause.name for cause in SiteCause if site_row(cause).latch},
)

UNIT = _table(
    "unit ",
    """
BMS_STALE: no fresh BMS data for {bms_age_max_ms}
    0 kW | check the BMS line: `show bus`
BMS_LOST: no BMS data for {bms_age_stop_ms}
    PCS stopped | restore the BMS line, then `reset`
BMS_GONE: no BMS data for {bms_age_open_ms}
    PCS stopped, open requested | restore the BMS line, then `reset`
BMS_FROZEN: the BMS answers, but its counter has stood still for {heartbeat_max_ms}
    0 kW | restart the BMS; its values are old
PCS_STALE: no fresh PCS data for {pcs_age_max_ms}
    0 kW | check the PCS line: `show bus`
PCS_LOST: no PCS data for {pcs_age_stop_ms}
    PCS stopped; latched at the third time in an hour | its own watchdog has stopped it; restore the line
PCS_GONE: no PCS data for {pcs_age_open_ms}, and the battery still carries current
    open requested | look at the PCS itself, then `reset`
PCS_FAULT: the PCS reports a fault
    PCS stopped | read its display, mend it; `reset` clears the PCS, a second one {reset_hold_ms} later the latch
PCS_LOCAL: the PCS is in local control
    left alone | set its switch to remote
PCS_STOPPED: the PCS is not running
    0 kW | it is started when the site is asked to run
BMS_OPEN: the battery contactor is open
    0 kW | it is closed when the site is asked to run
UNGUARDED: the device's own comm-loss timer is not armed
    0 kW, no start | `show devices` says whether it took the timer
WRITE_FAILED: the PCS did not take the setpoint three times
    PCS stopped; latched at the third time in an hour | check that remote control is enabled
BMS_ALARM: the BMS asks for a stop (level 1)
    PCS stopped | read the BMS; starts again when it clears
BMS_TRIP: the BMS has tripped (level 2)
    PCS stopped, open requested | read the BMS, mend, `reset`
CHARGE_FORBIDDEN: the BMS forbids charging
    no charge | usually full; discharge frees it
DISCHARGE_FORBIDDEN: the BMS forbids discharging
    no discharge | usually empty; charge frees it
VALUE_MISSING: a BMS value is not plausible
    0 kW | compare `show devices` with the BMS display
SOC_LOW: state of charge at {soc_min_cpct} or below
    no discharge | charge above it by {soc_hysteresis_cpct}
SOC_HIGH: state of charge at {soc_max_cpct} or above
    no charge | discharge below it by {soc_hysteresis_cpct}
RESERVE: only the reserve of {soc_reserve_cpct} for an outage is left
    no discharge on grid | charge
CELL_VOLTAGE_LOW: a cell at {cell_voltage_min_mv} or below for 10 s
    no discharge | rest or charge; check the weakest cell
CELL_VOLTAGE_HIGH: a cell at {cell_voltage_max_mv} or above for 10 s
    no charge | rest or discharge; check the strongest cell
CELL_VOLTAGE_TRIP: a cell outside {cell_voltage_trip_low_mv} .. {cell_voltage_trip_high_mv}
    PCS stopped, open requested | find the cell, then `reset`
CELL_DEAD: a cell at {cell_voltage_dead_mv} or below
    PCS stopped, open requested | never charge it again by itself: the maker decides; `reset` in SERVICE
PACK_VOLTAGE_LOW: pack voltage at {pack_voltage_min_dv} or below
    no discharge | rest or charge
PACK_VOLTAGE_HIGH: pack voltage at {pack_voltage_max_dv} or above
    no charge | rest or discharge
PACK_VOLTAGE_TRIP: pack voltage outside {pack_voltage_trip_low_dv} .. {pack_voltage_trip_high_dv}
    PCS stopped, open requested | compare with the cells, then `reset`
TEMP_LOW_CHARGE: a cell at {temp_charge_min_dc} or below
    no charge | warm the container
TEMP_LOW: a cell at {temp_min_dc} or below
    0 kW | warm the container
TEMP_HIGH_CHARGE: a cell at {temp_charge_max_dc} or above
    no charge | check cooling and fans
TEMP_HIGH: a cell at {temp_max_dc} or above
    0 kW | check cooling and fans
TEMP_TRIP: a cell at {temp_trip_dc} or above
    PCS stopped, open requested | keep away, check for gas, call the maker
TEMP_RISE: a cell warmed by more than {temp_rise_max_dc_per_min} within a minute
    PCS stopped | keep away, check for gas, call the maker
CELL_SPREAD_WARN: cell voltages differ by {cell_spread_warn_mv}
    warning only | balance: full charge and rest
CELL_SPREAD: cell voltages differ by {cell_spread_derate_mv}
    half power | balance; look for a weak cell
CELL_SPREAD_TRIP: cell voltages differ by {cell_spread_trip_mv}
    PCS stopped | find the weak cell or the loose joint, then `reset`
TEMP_SPREAD_WARN: cell temperatures differ by {temp_spread_warn_dc}
    warning only | check air flow
TEMP_SPREAD: cell temperatures differ by {temp_spread_derate_dc}
    half power | check air flow and fans
TEMP_SPREAD_TRIP: cell temperatures differ by {temp_spread_trip_dc}
    PCS stopped | look for a hot joint, then `reset`
OVERCURRENT: pack current 5 % above what the BMS allows for 5 s
    PCS stopped for a minute; latched at the third time in an hour | check the PCS's own limits
OVERCURRENT_FAST: pack current 10 % above what the BMS allows for 1 s
    PCS stopped for a minute; latched at the third time in an hour | check the PCS's own limits
INSULATION_WARN: insulation below {insulation_warn_kohm}
    warning only | look for moisture
INSULATION: insulation below {insulation_trip_kohm}
    PCS stopped, open requested | do not touch; find the leak, then `reset`
CONNECT_FAILED: the contactor did not close in three tries
    PCS stopped, open requested | read the BMS; let the precharge resistor cool, then `reset`
START_FAILED: the PCS did not start in three tries
    PCS stopped | read its display, then `reset`
STOP_FAILED: the PCS did not stop in time
    open requested | look at the PCS itself, then `reset`
DEVIATION: measured power is not the setpoint, for 5 s
    PCS stopped | who else commands the PCS? is it limited? then `reset`
WRONG_SIGN: the PCS charges where it should discharge, or the reverse
    PCS stopped | check the sign in the profile, then `reset`
DISAGREE: PCS and BMS disagree on the battery's voltage by more than 5 %
    half power | check wiring and scaling of both
LATCHED: a trip of this unit is latched
    0 kW | mend the cause, wait {reset_hold_ms}, `reset`
COOLDOWN: waiting before the next start
    0 kW | normal; wait
""",
    {cause.name for cause in UnitCause if unit_row(cause).latch},
)

_UNITS = {"ms": "ms", "cpct": "cpct", "mv": "mV", "dv": "dV", "dc": "dC", "min": "dC", "kohm": "kOhm"}


def filled(text: str, *structs: Any) -> str:
    """The text with `{threshold}` replaced by the site's own value and unit; structs are asked in order."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        found = next(getattr(struct, name) for struct in structs if hasattr(struct, name))
        unit = _UNITS[name.rsplit("_", 1)[1]]
        return f"{found / 1000:g} s" if unit == "ms" else show(found, unit)

    return re.sub(r"\{(\w+)\}", value, text)


@lru_cache(maxsize=256)  # asked each second, and seldom another question
def explain(why: int) -> tuple[Cause, ...]:
    """The causes of a site's set, lowest first."""
    return tuple(SITE[cause.name] for cause in SiteCause if why >> cause & 1)


@lru_cache(maxsize=256)
def explain_unit(why: int) -> tuple[Cause, ...]:
    """The causes of a unit's set, lowest first."""
    return tuple(UNIT[cause.name] for cause in UnitCause if why >> cause & 1)
