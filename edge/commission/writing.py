"""One write by hand, inside a running controller in SERVICE: checked against the profile, then sent past the gate.

The gate decides; here is only said which of its rules it was. Values are those of people: a number and its unit.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from edge.control.kernel import Mode
from edge.field.device import BusDevice
from edge.field.profile import Write
from edge.field.rules import GATE_ORDER, GATE_POWER, Rule
from edge.roles import WRITES
from edge.units import CANONICAL, show


def find_write(device: BusDevice, name: str) -> Write | str:
    """The write of this name, or why there is none."""
    found = next((write for write in device.profile.writes if write.name == name), None)
    if found is not None:
        return found
    names = [write.name for write in device.profile.writes]
    known = f"there are: {', '.join(names)}" if names else "its profile lists none"
    return f"{device.name} has no write '{name[:40]}'; {known}"


def parse_value(device: BusDevice, write: Write, number: str, unit: str) -> int | str:
    """The canonical value of a number with its unit, or what is wrong with it."""
    wanted = WRITES[device.profile.kind][write.name]
    units = [name for name, (canonical, _) in CANONICAL.items() if canonical == wanted]
    if unit not in units:
        return f"{write.name}: unit '{unit[:10]}' must be one of {', '.join(units)}"
    try:
        value = Fraction(number[:20]) * CANONICAL[unit][1]
    except (ValueError, ZeroDivisionError):
        return f"{write.name}: '{number[:20]}' is no number"
    if not write.min <= value <= write.max:
        allowed = f"{show(write.min, wanted)} .. {show(write.max, wanted)}"
        return f"{write.name} = {number} {unit} is outside the range of profile {device.profile.id}: {allowed}"
    return round(value)


def why_refused(rules: Sequence[Rule], port_index: int, asked: tuple[int, int, int, int, int], out: Any) -> str:
    """Which of the gate's rules stood in the way of (address, function, register, count, value).

    The same questions in the same order as native/gate.c.
    """
    address, function, reg, count, value = asked
    place = {"port_index": port_index, "address": address, "function": function, "reg": reg, "count": count}
    rows = [rule for rule in rules if all(rule[key] == wanted for key, wanted in place.items())]
    if not rows:
        return "the gate's list has no row for this register"
    ranged = [rule for rule in rows if rule["value_min"] <= value <= rule["value_max"]]
    if not ranged:
        ranges = ", ".join(f"{rule['value_min']}..{rule['value_max']}" for rule in rows)
        return f"the gate lets the numbers {ranges} pass, and this is {value}"
    return "; or: ".join(dict.fromkeys(_row_text(rule, value, out) for rule in ranged))


def _row_text(rule: Rule, raw: int, out: Any) -> str:
    unit = out.unit[rule["unit_index"]] if rule["unit_index"] >= 0 else out
    mode = Mode(unit.mode)
    if not rule["modes"] >> mode & 1:
        modes = ", ".join(known.name for known in Mode if rule["modes"] >> known & 1)
        zero = ", and 0 always" if rule["kind"] == GATE_POWER else ""
        return f"the gate lets it pass in {modes} only{zero}; it is {mode.name}"
    if rule["kind"] == GATE_POWER:
        asked, low, high = raw * rule["scale_w"], -unit.charge_max_w, unit.discharge_max_w
        if not low <= asked <= high:
            return f"{show(asked, 'W')} is outside the unit's band {show(low, 'W')} .. {show(high, 'W')}"
    if rule["kind"] == GATE_ORDER and unit.order != rule["order"]:
        return "only the kernel's own order may begin this"
    return f"it was written less than {rule['interval_ms']} ms ago: again in a moment"
