"""What must hold in every cycle of every scenario, whatever goes wrong. Written from what is promised, not from the kernel.

Each function looks at one cycle (and the one before it, None at a start) and says what is broken, or "". Its docstring is
the promise as it is shown. Nothing here may be switched off by a scenario.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from edge.config.battery import Unit
from edge.config.options import Config
from hil.scenario.model import Finding, Look, Played, UnitLook

ZERO_W = 100.0  # one count of the PCS's setpoint register
Invariant = Callable[[Config, Look | None, Look], str]


def setpoints_stay_inside_the_band(config: Config, before: Look | None, look: Look) -> str:
    """no setpoint outside the unit's band, no band outside its rating"""
    for index, (unit, seen) in enumerate(_units(config, look)):
        if not -seen.charge_max_w <= seen.setpoint_w <= seen.discharge_max_w:
            return f"unit {index}: {seen.setpoint_w} W outside {-seen.charge_max_w}..{seen.discharge_max_w} W"
        if seen.charge_max_w > unit.power_charge_max_w or seen.discharge_max_w > unit.power_discharge_max_w:
            return f"unit {index}: a band of {-seen.charge_max_w}..{seen.discharge_max_w} W"
    if look.setpoint_w != sum(seen.setpoint_w for seen in look.units):
        return f"the units do not add up to {look.setpoint_w} W"
    return ""


def power_only_in_run(config: Config, before: Look | None, look: Look) -> str:
    """no power but in RUN, and none while held, in service or stopped by a person"""
    forbidding = look.commands & {"HOLD", "SERVICE", "ESTOP"}
    if _asks(look) and (look.mode != "RUN" or forbidding):
        return f"{look.setpoint_w} W in {look.mode} {' '.join(sorted(forbidding))}".rstrip()
    return ""


def no_power_on_old_data(config: Config, before: Look | None, look: Look) -> str:
    """no power while safety data is old or missing"""
    if _asks(look) and not 0 <= look.poc_age_ms <= config.limits.poc_age_max_ms:
        return f"{look.setpoint_w} W with a POC meter {look.poc_age_ms} ms old"
    for index, (unit, seen) in enumerate(_units(config, look)):
        ages = (("BMS", seen.bms_age_ms, unit.bms_age_max_ms), ("PCS", seen.pcs_age_ms, unit.pcs_age_max_ms))
        for name, age_ms, most_ms in ages:
            if seen.setpoint_w and not 0 <= age_ms <= most_ms:
                return f"unit {index}: {seen.setpoint_w} W with a {name} {age_ms} ms old"
        if seen.setpoint_w and not (0 <= seen.soc_cpct <= 10_000 and seen.cell_voltage_min_mv > 0):
            return f"unit {index}: {seen.setpoint_w} W with SOC {seen.soc_cpct}, cell {seen.cell_voltage_min_mv} mV"
    return ""


def no_charge_beyond_the_stops(config: Config, before: Look | None, look: Look) -> str:
    """no charge above the stops of SOC, cell voltage and temperature"""
    for index, (unit, seen) in enumerate(_units(config, look)):
        stops = (
            seen.soc_cpct >= unit.soc_max_cpct,
            seen.cell_voltage_max_mv >= unit.cell_voltage_max_mv,
            seen.cell_temp_max_dc >= unit.temp_charge_max_dc,
            seen.cell_temp_min_dc <= unit.temp_charge_min_dc,
            bool(seen.bms_flags & {"CHARGE_FORBIDDEN", "ALARM", "TRIP"}),
        )
        if seen.setpoint_w < 0 and any(stops):
            return f"unit {index}: {seen.setpoint_w} W {_state(seen)}"
    return ""


def no_discharge_beyond_the_stops(config: Config, before: Look | None, look: Look) -> str:
    """no discharge below the stops of SOC, cell voltage and temperature"""
    for index, (unit, seen) in enumerate(_units(config, look)):
        stops = (
            seen.soc_cpct <= unit.soc_min_cpct,
            seen.cell_voltage_min_mv <= unit.cell_voltage_min_mv,
            seen.cell_temp_max_dc >= unit.temp_max_dc,
            seen.cell_temp_min_dc <= unit.temp_min_dc,
            bool(seen.bms_flags & {"DISCHARGE_FORBIDDEN", "ALARM", "TRIP"}),
        )
        if seen.setpoint_w > 0 and any(stops):
            return f"unit {index}: {seen.setpoint_w} W {_state(seen)}"
    return ""


def latches_wait_for_a_person(config: Config, before: Look | None, look: Look) -> str:
    """a latched trip never clears by itself, and carries no power"""
    if before is not None and "RESET" not in look.commands and (gone := before.latched - look.latched):
        return f"cleared without a reset: {', '.join(sorted(gone))}"
    for index, seen in enumerate(look.units):
        if seen.latched and seen.setpoint_w:
            return f"unit {index}: {seen.setpoint_w} W with a latch"
    return ""


def nothing_starts_blind(config: Config, before: Look | None, look: Look) -> str:
    """no start without fresh devices, with a latch, or unasked"""
    for index, (unit, seen) in enumerate(_units(config, look)):
        fresh = 0 <= seen.bms_age_ms <= unit.bms_age_max_ms and 0 <= seen.pcs_age_ms <= unit.pcs_age_max_ms
        asked = "RUN" in look.commands and not look.commands & {"HOLD", "SERVICE", "ESTOP"}
        if seen.order in ("CONNECT", "START") and (not fresh or seen.latched or not asked):
            return f"unit {index} is told to start in {look.mode}"
    return ""


INVARIANTS: tuple[Invariant, ...] = (
    setpoints_stay_inside_the_band,
    power_only_in_run,
    no_power_on_old_data,
    no_charge_beyond_the_stops,
    no_discharge_beyond_the_stops,
    latches_wait_for_a_person,
    nothing_starts_blind,
)
AT_THE_END = "the plant ends at 0 kW"


def check(played: Played) -> tuple[Finding, ...]:
    """Every invariant over every cycle, and the end of the plant."""
    found = [_over_all(invariant, played.scenario.config, played.looks) for invariant in INVARIANTS]
    return (*found, _end(played))


def _over_all(invariant: Invariant, config: Config, looks: Sequence[Look]) -> Finding:
    broken_count, first = 0, ""
    for before, look in pairwise((None, *looks)):
        assert look is not None
        if before is not None and look.seq <= before.seq:
            before = None  # a controller that was started anew
        fault = invariant(config, before, look)
        broken_count += bool(fault)
        first = first or (f"at {look.at_s:.1f} s: {fault}" if fault else "")
    text = str(invariant.__doc__)
    if not looks:
        return Finding(text, False, "no cycle was seen")
    return Finding(text, not broken_count, f"{broken_count} cycles, first {first}" if first else f"{len(looks)} cycles")


def _end(played: Played) -> Finding:
    if not played.samples:
        return Finding(AT_THE_END, False, "nothing was seen")
    last = played.samples[-1]
    word = {None: "by its own timer", True: "told so and echoed", False: "NOT echoed by every device"}
    at_zero = all(abs(unit.power_w) < ZERO_W for unit in last.units)
    return Finding(AT_THE_END, at_zero and played.ended_safe is not False,
                   f"{last.battery_w / 1e3:.1f} kW, {word[played.ended_safe]}")  # fmt: skip


def _units(config: Config, look: Look) -> Iterator[tuple[Unit, UnitLook]]:
    return zip(config.unit, look.units, strict=True)


def _asks(look: Look) -> bool:
    return any(unit.setpoint_w for unit in look.units)


def _state(seen: UnitLook) -> str:
    return (
        f"at SOC {seen.soc_cpct / 100:.1f} %, cells {seen.cell_voltage_min_mv}..{seen.cell_voltage_max_mv} mV, "
        f"{seen.cell_temp_min_dc / 10:.1f}..{seen.cell_temp_max_dc / 10:.1f} C {' '.join(sorted(seen.bms_flags))}"
    )
