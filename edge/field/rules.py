"""The allow-list of a site, derived from the profiles: what may be written where, in which range. Rows for the C gate.

A row is a dict with the fields of `tw_gate_rule_t`. What is in no row does not reach the wire.
"""

from collections.abc import Iterator, Sequence

from edge.config.options import Config
from edge.field.device import BusDevice
from edge.field.profile import Write

GATE_VALUE, GATE_POWER, GATE_START = 1, 2, 3  # tw_gate_kind
STARTING = ("start", "connect")

Rule = dict[str, int]


def gate_rules(config: Config, devices: Sequence[BusDevice]) -> list[Rule]:
    """One row per write, command register and watchdog of every device of the site."""
    ports = [port.name for port in config.port]
    units = {name: index for index, unit in enumerate(config.unit) for name in (unit.pcs, unit.bms)}
    rows: list[Rule] = []
    for device in devices:
        base = {
            "port_index": ports.index(device.settings.port),
            "address": device.settings.address,
            "unit_index": units.get(device.name, -1),
            "count": 1,
            "scale_w": 0,
        }
        rows += [base | row for row in _rows(device)]
    return rows


def _rows(device: BusDevice) -> Iterator[Rule]:
    for write in device.profile.writes:
        yield _power_row(write)
    for command in device.profile.commands:
        kind = GATE_START if command.name in STARTING else GATE_VALUE
        for addr, value in command.writes:
            yield {"function": 6, "reg": addr, "kind": kind, "value_min": value, "value_max": value}
    found = device.watchdog()
    if found is not None:
        watchdog, value = found
        yield {
            "function": watchdog.fc,
            "reg": watchdog.addr,
            "kind": GATE_VALUE,
            "value_min": 1,
            "value_max": value,
        }


def _power_row(write: Write) -> Rule:
    """Every write of a PCS is power: inside its range, and inside the unit's band of the last output."""
    per_count_w = 1 / write.factor
    bounds = sorted(int(limit * write.sign * per_count_w) for limit in (write.min, write.max))
    return {
        "function": write.fc,
        "reg": write.addr,
        "kind": GATE_POWER,
        "value_min": bounds[0],
        "value_max": bounds[1],
        "scale_w": -(-write.factor.numerator // write.factor.denominator) * write.sign,  # rounded up: never too much
        "count": 1 if write.type in ("u16", "s16") else 2,
    }
