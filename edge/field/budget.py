"""Bus arithmetic before anything is opened: can each port keep the ages it promises? If not, refused with the sums.

A read of n registers costs (8 + 5 + 2n) characters, a write of one 16, plus the turnaround and the gap. The worst age of
a block: its period, every other transaction of the port once before it, and its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge.config.options import Config, Port
from edge.errors import Problem
from edge.field.device import BusDevice

LOAD_MAX_PERMILLE = 900  # above this a single retry makes everything late
SETPOINT_BYTES = 16
GAP_DEFAULT_MS = 20  # what a shared bus of mixed makes needs (reference: peers lose answers below it)
TCP_LATENCY_US = (
    2_000  # there and back through a switch or two; a radio link takes longer: measure, see `edge check --live`
)
FAST_SILENCE_US = 1_750  # above 19 200 baud the silence of 3.5 characters is fixed at this


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One repeated transaction: how long it occupies the wire, how often, how old its data gets at worst."""

    port: str
    device: str
    what: str
    wire_us: int
    period_ms: int
    age_max_ms: int = 0  # without a lost answer; 0 for a write

    @property
    def load_permille(self) -> int:
        return self.wire_us // max(1, self.period_ms)


def char_us(port: Port) -> float:
    """Microseconds of one character on a line; none over TCP, whose time is the device's and the network's."""
    return 0.0 if port.kind == "tcp" else char_bits(port) * 1_000_000 / port.baud


def char_bits(port: Port) -> int:
    """Bits of one character: start, 8 data, parity if any, stop."""
    return 9 + (port.parity != "N") + port.stopbits


def gap_us(port: Port, devices: Sequence[BusDevice]) -> int:
    """Silence before each request: the site's word, else the most patient profile's; never below 3.5 characters.

    Over TCP there is nobody else to hear it: none unless the site says so.
    """
    if port.kind == "tcp":
        return 1000 * port.gap_ms
    silence_us = 3_500_000 * char_bits(port) // port.baud if port.baud <= 19_200 else FAST_SILENCE_US
    gap_ms = port.gap_ms or max((device.profile.link.min_gap_ms for device in devices), default=GAP_DEFAULT_MS)
    return max(silence_us, 1000 * gap_ms)


def budget(config: Config, devices: Sequence[BusDevice]) -> list[BudgetRow]:
    """Every repeated transaction of the site, port by port."""
    rows: list[BudgetRow] = []
    for port in config.port:
        mine = [device for device in devices if device.settings.port == port.name]
        plain = [row for device in mine for row in _rows(port, gap_us(port, mine), device, config.site.cycle_ms)]
        once_us = sum(row.wire_us for row in plain)
        for row in plain:
            age_max_ms = row.period_ms + once_us // 1000 if row.what.startswith("read ") else 0
            rows.append(BudgetRow(row.port, row.device, row.what, row.wire_us, row.period_ms, age_max_ms))
    return rows


def _rows(port: Port, port_gap_us: int, device: BusDevice, cycle_ms: int) -> Iterator[BudgetRow]:
    network_us = TCP_LATENCY_US if port.kind == "tcp" else 0
    idle_us = port_gap_us + network_us + 1000 * device.profile.link.turnaround_ms
    for block in device.profile.blocks:
        wire_us = _chars_us(port, 13 + 2 * block.count) + idle_us
        yield BudgetRow(port.name, device.name, f"read {block.name}", wire_us, max(block.period_ms, cycle_ms))
    for write in device.profile.writes:
        wire_us = _chars_us(port, SETPOINT_BYTES) + idle_us
        yield BudgetRow(port.name, device.name, f"write {write.name}", wire_us, max(cycle_ms, write.min_interval_ms))


def check_budget(config: Config, devices: Sequence[BusDevice]) -> list[Problem]:
    """A Problem for each port that cannot keep up and each block that gets too old, with the arithmetic."""
    rows = budget(config, devices)
    problems = []
    for index, port in enumerate(config.port):
        mine = [row for row in rows if row.port == port.name]
        key, value = (f"port[{index}].host", port.host) if port.kind == "tcp" else (f"port[{index}].baud", port.baud)
        load = sum(row.wire_us / row.period_ms for row in mine)
        if load > LOAD_MAX_PERMILLE:
            allowed = f"is busy {load / 10:.0f} % of the time; at most {LOAD_MAX_PERMILLE // 10} %"
            problems.append(Problem(config.file, key, value, allowed, _sums(port, mine)))
        for device, block, allowed_ms in _promises(config, devices, port):
            row = next(row for row in mine if (row.device, row.what) == (device, f"read {block}"))
            if row.age_max_ms > allowed_ms:
                others_ms = row.age_max_ms - row.period_ms
                allowed = (
                    f"{device} {block} can be {row.age_max_ms} ms old = {row.period_ms} ms period + {others_ms} ms for "
                    f"everything on the port once; at most {allowed_ms} ms"
                )
                problems.append(Problem(config.file, key, value, allowed, _sums(port, mine)))
    return problems


def _promises(config: Config, devices: Sequence[BusDevice], port: Port) -> Iterator[tuple[str, str, int]]:
    """(device, block, how old the kernel lets it get) of every block whose age the kernel judges."""
    allowed_ms = {device.name: config.limits.poc_age_max_ms for device in devices if device.settings.use == "poc"}
    for unit in config.unit:
        allowed_ms |= {unit.pcs: unit.pcs_age_max_ms, unit.bms: unit.bms_age_max_ms}
    for device in devices:
        if device.settings.port == port.name and device.name in allowed_ms:
            for block in device.profile.blocks:
                if block.mandatory:
                    yield device.name, block.name, allowed_ms[device.name]


def _sums(port: Port, rows: Sequence[BudgetRow]) -> str:
    heaviest = sorted(rows, key=lambda row: -row.load_permille)[:4]
    sums = ", ".join(f"{r.device} {r.what} {r.wire_us / 1000:.1f} ms per {r.period_ms} ms" for r in heaviest)
    faster = "" if port.kind == "tcp" else "a faster baud, "
    return f"{sums}; {faster}a second port, a smaller gap_ms or a longer site.cycle_ms"


def _chars_us(port: Port, count: int) -> int:
    return int(count * char_us(port))
