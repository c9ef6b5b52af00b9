"""The invariants, one function each; see the package. What does not belong here: what only holds for a healthy plant."""

from typing import Any

from edge._kernel import ffi, lib
from edge.control.kernel import Band, Bound, Command, Mode, Order, PcsFlag
from hil.invariants.facts import (
    POWER_LIMIT_W,
    SITE_ROW,
    UNIT_ROW,
    clamp,
    elapsed_ms,
    is_old,
    is_plausible,
    site_forbids,
    units_of,
)


def inside_unit_band(config: Any, before: Any, tw_input: Any, after: Any, output: Any) -> list[str]:
    """Every setpoint is within its unit's band, the band within the rating.

    And no bound of the chain above the one before.
    """
    found = []
    for index, (rating, unit) in units_of(config, output):
        if not -unit.charge_max_w <= unit.setpoint_w <= unit.discharge_max_w:
            found.append(
                f"unit {index}: setpoint {unit.setpoint_w} outside [-{unit.charge_max_w}, {unit.discharge_max_w}]"
            )
        for name, most_w, last_w, chain in (
            ("charge", rating.power_charge_max_w, unit.charge_max_w, list(unit.charge_after_w)),
            ("discharge", rating.power_discharge_max_w, unit.discharge_max_w, list(unit.discharge_after_w)),
        ):
            if chain[Bound.RATING] != most_w or chain[Bound.RISE] != last_w or min(chain) < 0:
                found.append(f"unit {index}: {name} chain {chain} from {most_w} to {last_w}")
            if chain != sorted(chain, reverse=True):
                found.append(f"unit {index}: a {name} bound rises: {chain}")
    rest = bytes(ffi.buffer(output.unit))[config.unit_count * ffi.sizeof("tw_unit_output_t") :]
    if any(rest):
        found.append(f"a unit beyond the {config.unit_count} that exist is not zero")
    return found


def site_band(config: Any, output: Any) -> tuple[int, int]:
    most_w = min(config.import_max_w, config.fuse_max_w)
    return output.net_load_w - most_w, output.net_load_w + config.export_max_w


def inside_site_band_or_units_cannot(config: Any, before: Any, tw_input: Any, after: Any, output: Any) -> list[str]:
    """Import, fuse and export are kept, or the units give all they can."""
    low_w, high_w = site_band(config, output)
    battery_w = output.battery_w
    if output.mode != Mode.RUN or site_forbids(config, after):
        return []
    if battery_w < low_w and battery_w != output.band_max_w:
        return [f"battery {battery_w} below the site's {low_w}, though the units may {output.band_max_w}"]
    if battery_w > high_w and battery_w != output.band_min_w:
        return [f"battery {battery_w} above the site's {high_w}, though the units may {output.band_min_w}"]
    return []


def zero_on_stale_or_missing(config: Any, before: Any, tw_input: Any, after: Any, output: Any) -> list[str]:
    """Old or missing data forbids: a unit its band, the site its battery."""
    found = []
    for index, (limits, unit, state, out) in units_of(config, tw_input, after, output):
        reasons = [
            name
            for name, holds in (
                ("BMS old", is_old(unit.bms_age_ms, limits.bms_age_max_ms)),
                ("PCS old", is_old(unit.pcs_age_ms, limits.pcs_age_max_ms)),
                ("BMS frozen", state.heartbeat_ms > limits.heartbeat_max_ms),
                ("not plausible", not is_plausible(unit)),
            )
            if holds
        ]
        if reasons and (out.setpoint_w or out.charge_max_w or out.discharge_max_w):
            found.append(f"unit {index}: {reasons} and yet [-{out.charge_max_w}, {out.discharge_max_w}]")
    io_old = config.io_required and is_old(tw_input.io_age_ms, config.io_age_max_ms)
    poc_old = is_old(tw_input.poc_age_ms, config.poc_age_max_ms)
    told = output.battery_w or any(output.unit[index].setpoint_w for index in range(lib.TW_UNITS))
    if told and (poc_old or io_old or not elapsed_ms(config, before, tw_input)):
        found.append(f"meter, remote I/O or clock not to be believed, and yet {output.battery_w} W")
    return found


def no_charge_above_and_no_discharge_below_stops(
    config: Any, before: Any, tw_input: Any, after: Any, output: Any
) -> list[str]:
    """No charge above and no discharge below the stops; the BMS is obeyed.

    Stops are those of SOC, cell voltage, temperature and current.
    """
    found = []
    for index, (limits, unit, out) in units_of(config, tw_input, output):
        top_cpct = 10_000 if tw_input.commands & Command.CALIBRATE else limits.soc_max_cpct
        most_w = abs(out.setpoint_w) * 100
        if out.setpoint_w < 0 and not (
            unit.soc_cpct < top_cpct
            and unit.cell_voltage_max_mv < limits.cell_voltage_max_mv
            and unit.cell_temp_min_dc > limits.temp_charge_min_dc
            and unit.cell_temp_max_dc < limits.temp_charge_max_dc
            and most_w <= unit.current_charge_max_da * unit.pack_voltage_dv
        ):
            found.append(f"unit {index} charges {out.setpoint_w} past a stop")
        if out.setpoint_w > 0 and not (
            unit.soc_cpct > max(limits.soc_min_cpct, limits.soc_reserve_cpct or -1)
            and unit.cell_voltage_min_mv > limits.cell_voltage_min_mv
            and unit.cell_temp_min_dc > limits.temp_min_dc
            and unit.cell_temp_max_dc < limits.temp_max_dc
            and most_w <= unit.current_discharge_max_da * unit.pack_voltage_dv
        ):
            found.append(f"unit {index} discharges {out.setpoint_w} past a stop")
    return found


def latch_never_clears_by_itself(config: Any, before: Any, tw_input: Any, after: Any, output: Any) -> list[str]:
    """No latch ends by itself, nor while its cause is active.

    A dead cell's only in SERVICE.
    """
    found = []
    asked = bool(tw_input.commands & Command.RESET and not before.commands & Command.RESET)
    pairs = [(-1, before.latched, after.latched, after.active, False, SITE_ROW)]
    for index, (_, old, new) in units_of(config, before, after):
        pairs.append((index, old.latched, new.latched, new.active, old.mode == Mode.SERVICE, UNIT_ROW))
    for index, old, new, active, service, rows in pairs:
        for cause, row in enumerate(rows):
            if row.latch == lib.TW_LATCH_NO:
                continue
            gone = old >> cause & 1 and not new >> cause & 1
            allowed = asked and not active >> cause & 1 and (service or row.reset != lib.TW_RESET_SERVICE)
            if gone and not allowed:
                found.append(f"unit {index}: latch {cause} went by itself")
            if row.latch == lib.TW_LATCH_YES and active >> cause & 1 and not new >> cause & 1:
                found.append(f"unit {index}: {cause} is active and not latched")
    return found


def ramp_kept_unless_forbidden(config: Any, before: Any, tw_input: Any, after: Any, output: Any) -> list[str]:
    """The battery keeps to its ramp, or, while it fades, to the fade.

    From where it was, as far as the bands still allow that.
    """
    if output.mode != Mode.RUN or site_forbids(config, after):
        return []
    was_w = sum(clamp(unit.setpoint_w, -POWER_LIMIT_W, POWER_LIMIT_W) for _, (_, unit) in units_of(config, before))
    home_w = clamp(clamp(was_w, *site_band(config, output)), output.band_min_w, output.band_max_w)
    step_w = config.setpoint_ramp_w_per_s * elapsed_ms(config, before, tw_input) // 1000
    if is_old(tw_input.poc_age_ms, config.poc_age_fade_ms):
        ratings_w = [max(unit.power_charge_max_w, unit.power_discharge_max_w) for _, (unit,) in units_of(config)]
        step_w = sum(ratings_w) // 4 * elapsed_ms(config, before, tw_input) // 1000
    if abs(output.battery_w - home_w) > step_w:
        return [f"battery {output.battery_w} is more than {step_w} from {home_w}"]
    return []


def allocation_sums_exactly(config: Any, before: Any, tw_input: Any, after: Any, output: Any) -> list[str]:
    """Setpoints add up to the battery, bands to the band; both are remembered."""
    units = [output.unit[index] for index in range(config.unit_count)]
    low_w, high_w = -sum(unit.charge_max_w for unit in units), sum(unit.discharge_max_w for unit in units)
    found = []
    if sum(unit.setpoint_w for unit in units) != output.battery_w:
        found.append(f"setpoints {[unit.setpoint_w for unit in units]} are not {output.battery_w}")
    if (output.band_min_w, output.band_max_w) != (low_w, high_w) or output.low_after_w[Band.UNITS] != low_w:
        found.append(f"band [{output.band_min_w}, {output.band_max_w}] is not [{low_w}, {high_w}]")
    if any(state.setpoint_w != out.setpoint_w for _, (_, state, out) in units_of(config, after, output)):
        found.append("the state remembers other setpoints")
    return found


def no_unit_charges_while_another_discharges(
    config: Any, before: Any, tw_input: Any, after: Any, output: Any
) -> list[str]:
    """No unit charges while another discharges."""
    setpoints = [output.unit[index].setpoint_w for index in range(lib.TW_UNITS)]
    return [f"both directions at once: {setpoints}"] if min(setpoints) < 0 < max(setpoints) else []


def power_only_in_run(config: Any, before: Any, tw_input: Any, after: Any, output: Any) -> list[str]:
    """Power, or a band, only in RUN, unlatched, devices up, site not forbidding."""
    found = []
    for index, (_, unit, state, out) in units_of(config, tw_input, after, output):
        power = out.setpoint_w or out.reactive_var
        if (power or out.charge_max_w or out.discharge_max_w) and (out.mode != Mode.RUN or state.latched):
            found.append(f"unit {index}: a band in {Mode(out.mode).name}, latched {state.latched:#x}")
        if out.setpoint_w and (
            not unit.pcs_flags & PcsFlag.RUNNING or unit.pcs_flags & (PcsFlag.FAULT | PcsFlag.LOCAL)
        ):
            found.append(f"unit {index}: power for a PCS with flags {unit.pcs_flags:#x}")
        if (power or out.charge_max_w or out.discharge_max_w) and site_forbids(config, after):
            found.append(f"unit {index}: power or a band while the site forbids, active {after.active:#x}")
    return found


def authority_is_in_order(config: Any, before: Any, tw_input: Any, after: Any, output: Any) -> list[str]:
    """E-stop over service over hold over any wish; none of them leaves a watt.

    And an E-stop is a mode in the same cycle.
    """
    asked = [word for word in (Command.ESTOP, Command.SERVICE, Command.HOLD) if tw_input.commands & word]
    told_w = [output.unit[index].setpoint_w for index in range(config.unit_count)]
    found = []
    if any(told_w) and (asked or not tw_input.commands & Command.RUN):
        names = " ".join(word.name or "" for word in asked) or "nobody asking for RUN"
        found.append(f"{told_w} W with {names}")
    if Command.ESTOP in asked:
        found += [
            f"unit {index} is in {Mode(out.mode).name} under an E-stop"
            for index, (_, was, out) in units_of(config, before, output)
            if out.mode != Mode.ESTOP and was.mode < lib.TW_MODES  # a mode that is none first begins anew
        ]
    return found


def nothing_starts_blind(config: Any, before: Any, tw_input: Any, after: Any, output: Any) -> list[str]:
    """No unit is told to start with old data, with a latch, or unasked."""
    stopped = Command.HOLD | Command.SERVICE | Command.ESTOP
    asked = tw_input.commands & Command.RUN and not tw_input.commands & stopped
    found = []
    for index, (limits, unit, state, out) in units_of(config, tw_input, after, output):
        old = is_old(unit.bms_age_ms, limits.bms_age_max_ms) or is_old(unit.pcs_age_ms, limits.pcs_age_max_ms)
        if out.order in (Order.CONNECT, Order.START) and (old or state.latched or not asked):
            found.append(f"unit {index}: {Order(out.order).name} with ages {unit.bms_age_ms} and {unit.pcs_age_ms} ms")
    return found
