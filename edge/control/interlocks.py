"""A text, an action and a way out for every reason bit of the kernel. Facts only; a test fails for a bit without an entry.

Written for a technician at two in the morning: what is seen, what the controller did, what to do.
"""

from dataclasses import dataclass
from functools import lru_cache

from edge.control.kernel import UnitWhy, Why


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason: what is seen, what it does, what to do, and whether a reset is needed."""

    name: str
    text: str
    action: str
    hint: str
    latched: bool = False


def _table(kind: str, rows: str) -> dict[str, Cause]:
    causes = {}
    for row in rows.strip().splitlines():
        name, text, action, hint, *latched = (cell.strip() for cell in row.split("|"))
        causes[name] = Cause(f"{kind}{name.lower()}", text, action, hint, latched == ["L"])
    return causes


SITE = _table(
    "",
    """
BOOT            | waiting for the first answers of all devices | 0 kW | `show devices`: one is silent, or not what its profile says
NOT_ASKED       | nobody has asked the site to run | standby | `resume`, or auto_run = true in the site file
HOLD            | held at the console or by the fleet | 0 kW, PCS stopped | `resume` when it is safe to run
SERVICE         | service mode | 0 kW, no start | `resume` ends service mode
ESTOP           | emergency stop | PCS stopped, battery opened | release the button, find out why, then `reset` | L
LATCHED         | a trip is latched | 0 kW | `why` names the first cause; mend it, wait 10 s, then `reset` | L
NO_UNIT         | no battery unit can carry power | 0 kW | the unit's own reasons are listed below
POC_STALE       | the meter at the grid connection does not answer | 0 kW | check its supply, address and wiring: `show bus`
CLOCK           | the controller's clock or cycle jumped | 0 kW for that cycle | if it repeats, the gateway is overloaded
CONFIG          | the kernel does not accept the configuration | 0 kW | `edge check -c FILE`
IMPORT_LIMIT    | import is at its limit | discharges, or charges less | normal; the limit is import_max_w
EXPORT_LIMIT    | export is at its limit | charges, or discharges less | normal; the limit is export_max_w
RAMP            | the battery carries a load change the grid must not see at once | follows at the ramp limit | normal
CHARGE_BOUND    | more charging was wanted than the units allow | charges less | the unit's own reasons are listed below
DISCHARGE_BOUND | more discharging was wanted than the units allow | discharges less | the unit's reasons are listed below
WISH_EXPIRED    | a wish for power was not renewed in time | wish ignored | normal when its sender stopped
""",
)

UNIT = _table(
    "unit ",
    """
BMS_STALE           | no fresh BMS data for 2 s | 0 kW | check the BMS line: `show bus`
BMS_LOST            | no BMS data for 5 s | PCS stopped | restore the BMS line, wait 10 s, `reset` | L
BMS_GONE            | no BMS data for 10 s | PCS stopped, open requested | restore the BMS line, wait 10 s, `reset` | L
PCS_STALE           | no fresh PCS data for 2 s | 0 kW | check the PCS line: `show bus`
PCS_LOST            | no PCS data for 5 s | PCS stopped | its own watchdog has stopped it; restore the line, `reset` | L
PCS_FAULT           | the PCS reports a fault | PCS stopped | read its display, mend the cause, `reset` | L
PCS_LOCAL           | the PCS is in local control | left alone | set its switch to remote
PCS_STOPPED         | the PCS is not running | 0 kW | it is started when the site is asked to run
UNGUARDED           | the device's own comm-loss timer is not armed | 0 kW, no start | `show devices`; it refused the timer write
WRITE_FAILED        | the PCS did not take the setpoint three times | PCS stopped | check remote control is enabled, `reset` | L
BMS_ALARM           | the BMS asks for a stop (level 1) | PCS stopped | read the BMS; starts again when it clears
BMS_TRIP            | the BMS has tripped (level 2) | PCS stopped, open requested | read the BMS, mend, `reset` | L
BMS_OPEN            | the battery contactor is open | 0 kW | it is closed when the site is asked to run
CHARGE_FORBIDDEN    | the BMS forbids charging | no charge | usually full; discharge frees it
DISCHARGE_FORBIDDEN | the BMS forbids discharging | no discharge | usually empty; charge frees it
SOC_LOW             | state of charge at its minimum | no discharge | charge above minimum plus hysteresis
SOC_HIGH            | state of charge at its maximum | no charge | discharge below maximum less hysteresis
CELL_VOLTAGE_LOW    | a cell is at its lower limit | no discharge | rest or charge; check the weakest cell
CELL_VOLTAGE_HIGH   | a cell is at its upper limit | no charge | rest or discharge; check the strongest cell
CELL_VOLTAGE_TRIP   | a cell is outside its safe voltage | PCS stopped, open requested | never charge a cell below 2.0 V; `reset` | L
CELL_TEMP_LOW       | a cell is too cold | no charge; colder still, no discharge either | warm the container
CELL_TEMP_HIGH      | a cell is too warm | 0 kW | check cooling and fans
CELL_TEMP_TRIP      | a cell is dangerously hot | PCS stopped, open requested | keep away, check for gas, call the maker | L
CURRENT_LIMIT       | the BMS allows less current than the PCS could carry | limit follows the BMS | normal near full and empty
SLEW                | the limit is rising again after having been low | limit rises slowly | normal; wait
LATCHED             | a trip of this unit is latched | 0 kW | mend the cause, wait 10 s, `reset` | L
VALUE_MISSING       | a BMS value is not plausible | 0 kW | compare `show devices` with the BMS display
""",
)


@lru_cache(maxsize=256)  # asked each second, and seldom another question
def explain(why: int) -> tuple[Cause, ...]:
    """The causes of a site's reason bits, lowest bit first."""
    return tuple(SITE[str(bit.name)] for bit in Why if why & bit)


@lru_cache(maxsize=256)
def explain_unit(why: int) -> tuple[Cause, ...]:
    """The causes of a unit's reason bits, lowest bit first."""
    return tuple(UNIT[str(bit.name)] for bit in UnitWhy if why & bit)
