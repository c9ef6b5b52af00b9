"""The allow-list of a site, derived from the profiles: what may be written where, in which range. Rows for the C gate.

A row is a dict with the fields of `tw_gate_rule_t`. What is in no row does not reach the wire.
"""

from collections.abc import Iterator, Sequence

from edge.config.options import Config
from edge.field.device import BusDevice
from edge.field.profile import REGISTERS, Write
from edge.field.upkeep import COUNT_MAX, signed

GATE_VALUE, GATE_POWER, GATE_ORDER = 0, 1, 2  # tw_gate_kind
ORDER_OF_COMMAND = {"connect": 1, "start": 2}  # tw_order: what only the kernel may begin
MODE_RUN = 1 << 5  # 1 << TW_MODE_RUN
MODES_ALL = (1 << 12) - 1  # TW_MODES
JITTER_PART = 10  # a tenth of an interval may be lost between the bus's clock and the gate's

Rule = dict[str, int]


def gate_rules(config: Config, devices: Sequence[BusDevice]) -> list[Rule]:
    """One row or two per write, command register and watchdog of every device of the site."""
    ports = [port.name for port in config.port]
    units = {name: index for index, unit in enumerate(config.unit) for name in (unit.pcs, unit.bms)}
    rows: list[Rule] = []
    for device in devices:
        base = {
            "port_index": ports.index(device.settings.port),
            "address": device.settings.address,
            "unit_index": units.get(device.name, -1),
            "kind": GATE_VALUE,
            "count": 1,
            "scale_w": 0,
            "modes": MODES_ALL,
            "order": 0,
            "interval_ms": 0,
        }
        rows += [base | row for row in _rows(device)]
    return rows


def _rows(device: BusDevice) -> Iterator[Rule]:
    for write in device.profile.writes:
        yield from _write_rows(write)
    for command in device.profile.commands:
        order = ORDER_OF_COMMAND.get(command.name)
        kind: Rule = {} if order is None else {"kind": GATE_ORDER, "order": order}
        for addr, value in command.writes:
            yield {"function": command.fc, "reg": addr, "value_min": value, "value_max": value} | kind
    heartbeat = device.profile.heartbeat
    if heartbeat is not None:
        yield {"function": heartbeat.fc, "reg": heartbeat.addr, "value_min": 0, "value_max": COUNT_MAX} | {
            "count": REGISTERS[heartbeat.type]
        }
    found = device.watchdog()
    if found is not None:
        watchdog, value = found
        for addr, registers in watchdog.first:
            raw = signed(registers)
            yield {"function": 16, "reg": addr, "value_min": raw, "value_max": raw, "count": len(registers)}
        yield {"function": watchdog.fc, "reg": watchdog.addr, "value_min": 1, "value_max": value} | {
            "count": REGISTERS[watchdog.type]
        }


def _write_rows(write: Write) -> Iterator[Rule]:
    """A setpoint: inside its range, and power inside the unit's band; what is not zero only while its unit runs."""
    per_count = 1 / write.factor
    bounds = sorted(int(limit * write.sign * per_count) for limit in (write.min, write.max))
    row = {
        "function": write.fc,
        "reg": write.addr,
        "value_min": bounds[0],
        "value_max": bounds[1],
        "count": write.count,
        "interval_ms": write.min_interval_ms - write.min_interval_ms // JITTER_PART,
    }
    if write.name == "power_set":
        scale_w = -(-write.factor.numerator // write.factor.denominator) * write.sign  # rounded up: never too much
        yield row | {"kind": GATE_POWER, "scale_w": scale_w, "modes": MODE_RUN}
    elif write.name == "reactive_set":
        yield row | {"value_min": 0, "value_max": 0}
        yield row | {"modes": MODE_RUN}
    else:  # a limit, such as that of a PV inverter, may be written at any time
        yield row
