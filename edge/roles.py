"""What a device's value *means*: the role names that profiles use and the rest of the program understands.

A role has one canonical integer unit (its last word), so that a value has the same form from the decoder to the kernel,
the store and the ledger. Flags of a device are bits whose numbers are those of `native/kernel_abi.h` (a test compares).
Facts only; no logic.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["pcs", "bms", "pv", "meter", "io"]
KINDS: tuple[Kind, ...] = ("pcs", "bms", "pv", "meter", "io")
Sign = Literal["signed", "positive"]


@dataclass(frozen=True, slots=True)
class Role:
    """One meaning: canonical unit and whether a device of `kind` is useless without it."""

    name: str
    kind: Kind
    unit: str  # W Wh dV dA mV cpct dC mHz kOhm count: a key of units.CANONICAL
    mandatory: bool = False


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role("pcs.power", "pcs", "W", mandatory=True),  # + discharge
        Role("pcs.power_set", "pcs", "W"),  # read-back of the setpoint
        Role("pcs.dc_voltage", "pcs", "dV"),
        Role("pcs.energy_charge", "pcs", "Wh"),
        Role("pcs.energy_discharge", "pcs", "Wh"),
        Role("pcs.heatsink_temp", "pcs", "dC"),
        Role("pcs.heartbeat", "pcs", "count"),  # as that of a BMS
        Role("bms.pack_voltage", "bms", "dV", mandatory=True),
        Role("bms.pack_current", "bms", "dA", mandatory=True),  # + discharge
        Role("bms.soc", "bms", "cpct", mandatory=True),
        Role("bms.soh", "bms", "cpct"),
        Role("bms.cell_voltage_min", "bms", "mV", mandatory=True),
        Role("bms.cell_voltage_max", "bms", "mV", mandatory=True),
        Role("bms.cell_temp_min", "bms", "dC", mandatory=True),
        Role("bms.cell_temp_max", "bms", "dC", mandatory=True),
        Role("bms.current_charge_max", "bms", "dA", mandatory=True),
        Role("bms.current_discharge_max", "bms", "dA", mandatory=True),
        Role("bms.insulation", "bms", "kOhm"),
        Role("bms.heartbeat", "bms", "count"),  # a counter; a BMS that stands still is not fresh, whatever it answers
        Role("pv.power", "pv", "W", mandatory=True),
        Role("pv.energy", "pv", "Wh"),
        Role("pv.temp", "pv", "dC"),
        Role("meter.power", "meter", "W", mandatory=True),  # + import, consumption of a load, generation of a genset
        Role("meter.energy_import", "meter", "Wh"),
        Role("meter.energy_export", "meter", "Wh"),
        Role("meter.frequency", "meter", "mHz"),
        Role("meter.voltage_l1", "meter", "dV"),
        Role("meter.heartbeat", "meter", "count"),
    )
}

# Canonical flags per kind: name -> bit. A profile maps vendor bits and values to these names.
FLAGS: dict[str, dict[str, int]] = {
    "pcs": {"fault": 1, "running": 2, "local": 4, "estop": 8},
    "bms": {"connected": 1, "alarm": 2, "trip": 4, "charge_forbidden": 8, "discharge_forbidden": 16},
    "pv": {"fault": 1, "running": 2},
    "meter": {},
    "io": {
        "estop": 1, "smoke_1": 2, "smoke_2": 4, "water": 8, "door": 16, "aircon": 32, "surge": 64, "local": 128,
        "grid_lost": 256, "genset_on": 2048,
    },
}  # fmt: skip

# Flags without which a device of this kind cannot be judged: some point of the profile must supply each.
FLAGS_MANDATORY: dict[str, tuple[str, ...]] = {
    "pcs": ("fault", "running"),
    "bms": ("connected", "alarm", "trip"),
    "pv": (),
    "meter": (),
    "io": (),
}

# What may be written, per kind: name -> canonical unit. Commands (start, stop ...) are register sequences by name.
WRITES: dict[str, dict[str, str]] = {
    "pcs": {"power_set": "W", "reactive_set": "var"},
    "bms": {},
    "pv": {"power_limit": "W"},
    "meter": {},
    "io": {"lamp": "count", "genset": "count"},  # 0 or 1
}
WRITES_MANDATORY: dict[str, tuple[str, ...]] = {"pcs": ("power_set",), "bms": (), "pv": (), "meter": (), "io": ()}
COMMANDS: dict[str, tuple[str, ...]] = {
    "pcs": ("start", "stop", "clear"),
    "bms": ("connect", "disconnect", "clear"),
    "pv": (),
    "meter": (),
    "io": (),
}
