"""What each device of the site shows and accepts, by role and flag name: the plant's side of a simulated device.

A face knows the canonical units of edge/roles.py (the last word of each role), and nothing of registers. Values are read
at every new `version`; several faces may look at one plant.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from edge.roles import WRITES
from hil.plant.site import Contacts, Site, Unit

Value = Callable[[], float] | float
BEATS_MAX = 30_000  # then a device's heartbeat begins again; fits any register
NO_FLAGS: frozenset[str] = frozenset()


def _no_flags() -> frozenset[str]:
    return NO_FLAGS


def _nothing() -> None:
    return None


@dataclass(slots=True)
class Face:
    """`values`: role -> canonical number; `writes`: name -> what a written canonical number does."""

    values: Mapping[str, Value]
    version: Callable[[], int]
    flags: Callable[[], frozenset[str]] = _no_flags
    details: Callable[[], frozenset[str]] = (
        _no_flags  # what vendors name beyond the flags; a profile may know the words
    )
    writes: Mapping[str, Callable[[float], None]] = field(default_factory=dict)
    commands: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    watchdog_s: Callable[[], float] | None = None
    set_watchdog_s: Callable[[float], None] | None = None
    hear: Callable[[], None] = _nothing  # any valid request to this device


def pcs_face(site: Site, unit: Unit) -> Face:
    pcs = unit.pcs

    def flags() -> frozenset[str]:
        if pcs.state == "running" and not pcs.local:
            return _RUNNING
        named = (("fault", pcs.state == "fault"), ("running", pcs.state == "running"))
        return frozenset(n for n, is_set in (*named, ("local", pcs.local), ("estop", pcs.estop)) if is_set)

    def details() -> frozenset[str]:
        if pcs.state == "running" and not pcs.comm_lost:
            return _GRID_MODE
        named = (
            ("grid mode", pcs.state == "running"),
            ("standby", pcs.state == "standby"),
            ("DC voltage low", "dc_under_voltage" in pcs.fault_names),
            ("EMS communication lost", pcs.comm_lost),
        )
        return frozenset([name for name, is_set in named if is_set])

    return Face(
        values={
            "pcs.power": lambda: pcs.power_w,
            "pcs.power_set": lambda: pcs.set_w,
            "pcs.dc_voltage": lambda: pcs.dc_voltage_v * 10,
            "pcs.energy_charge": lambda: unit.charge_wh,
            "pcs.energy_discharge": lambda: unit.discharge_wh,
            "pcs.heatsink_temp": lambda: pcs.heatsink_c * 10,
            "pcs.heartbeat": lambda: site.version % BEATS_MAX,
        },
        version=lambda: site.version,
        flags=flags,
        details=details,
        writes={"power_set": pcs.set_power_w, "reactive_set": pcs.set_reactive_var},
        commands={"start": pcs.start, "stop": pcs.stop, "clear": pcs.clear},
        watchdog_s=lambda: pcs.comm_timeout_s,
        set_watchdog_s=pcs.set_comm_timeout_s,
    )


_RUNNING = frozenset({"running"})
_GRID_MODE = frozenset({"grid mode"})
_CONTACTOR = {"open": frozenset({"off"}), "precharge": frozenset({"precharging"}), "closed": NO_FLAGS}


def bms_face(site: Site, unit: Unit) -> Face:
    bms, pack = unit.bms, unit.pack
    names = ("connected", "alarm", "trip", "charge_forbidden", "discharge_forbidden")
    known: dict[tuple[bool, ...], frozenset[str]] = {}

    def flags() -> frozenset[str]:
        key = (bms.contactor == "closed", bool(bms.alarm_names), bool(bms.trip_names), bms.full, bms.empty)
        found = known.get(key)
        if found is None:
            found = known[key] = frozenset(name for name, is_set in zip(names, key, strict=True) if is_set)
        return found

    return Face(
        values={
            "bms.pack_voltage": lambda: pack.voltage_v * 10,
            "bms.pack_current": lambda: pack.current_a * 10,
            "bms.soc": lambda: min(max(pack.soc, 0.0), 1.0) * 10_000,
            "bms.soh": pack.spec.soh_pct * 100,
            "bms.cell_voltage_min": lambda: pack.cell_voltage_min_v * 1000,
            "bms.cell_voltage_max": lambda: pack.cell_voltage_max_v * 1000,
            "bms.cell_temp_min": lambda: pack.cell_temp_min_c * 10,
            "bms.cell_temp_max": lambda: pack.cell_temp_max_c * 10,
            "bms.current_charge_max": lambda: bms.charge_limit_a * 10,
            "bms.current_discharge_max": lambda: bms.discharge_limit_a * 10,
            "bms.insulation": lambda: pack.insulation_kohm,
            "bms.heartbeat": lambda: site.version % BEATS_MAX,
        },
        version=lambda: site.version,
        flags=flags,
        details=lambda: _CONTACTOR[bms.contactor],
        commands={"connect": bms.connect, "disconnect": bms.disconnect, "clear": bms.clear},
        watchdog_s=lambda: bms.comm_timeout_s,
        set_watchdog_s=bms.set_comm_timeout_s,
        hear=bms.hear,
    )


def pv_face(site: Site) -> Face:
    pv = site.pv
    fault, running = frozenset({"fault"}), frozenset({"running"})
    return Face(
        values={
            "pv.power": lambda: pv.power_w,
            "pv.energy": lambda: site.pv_wh,
            "pv.temp": lambda: pv.inverter_c * 10,
        },
        version=lambda: site.version,
        flags=lambda: fault if pv.fault else running if pv.running else NO_FLAGS,
        writes={"power_limit": pv.set_limit_w},
    )


def io_face(site: Site) -> Face:
    """The remote I/O of the site."""
    contacts = site.contacts
    return Face(
        values={},
        version=lambda: site.version,
        flags=lambda: frozenset(contacts.said),
        writes={name: partial(_switch, contacts, name) for name in WRITES["io"]},
    )


def _switch(contacts: Contacts, output: str, value: float) -> None:
    contacts.switch(output, value > 0)


def poc_meter_face(site: Site) -> Face:
    """The grid meter: + import, averaged as long as the meter does."""
    return _meter(site, lambda: site.poc_shown_w, lambda: site.grid_import_wh, lambda: site.grid_export_wh)


def it_meter_face(site: Site) -> Face:
    """The meter of the IT load only, without the building's overhead: + consumption."""
    return _meter(site, lambda: site.it_power_w, lambda: site.it_wh, 0.0)


def genset_meter_face(site: Site) -> Face:
    """The meter of the genset: + generation, counted as import."""
    return _meter(site, lambda: site.genset_power_w, lambda: site.genset_wh, 0.0)


def _meter(site: Site, power_w: Value, import_wh: Value, export_wh: Value) -> Face:
    return Face(
        values={
            "meter.power": power_w,
            "meter.energy_import": import_wh,
            "meter.energy_export": export_wh,
            "meter.frequency": lambda: site.frequency_hz * 1000,
            "meter.voltage_l1": lambda: site.voltage_v * 10,
        },
        version=lambda: site.version,
    )
