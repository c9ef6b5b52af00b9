"""Bus arithmetic before anything is opened: can each port keep the ages it promises? If not, refused with the sums.

A read of n registers costs (8 + 5 + 2n) characters, a write of one 16, plus the turnaround and the gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.config.options import Config, Port
from edge.errors import Problem
from edge.field.device import BusDevice

LOAD_MAX_PERMILLE = 900  # above this a single retry makes everything late
SETPOINT_BYTES = 16


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One repeated transaction: how long it occupies the wire, how often."""

    port: str
    device: str
    what: str
    wire_us: int
    period_ms: int

    @property
    def load_permille(self) -> int:
        return self.wire_us // max(1, self.period_ms)


def budget(config: Config, devices: Sequence[BusDevice]) -> list[BudgetRow]:
    """Every repeated transaction of the site, port by port."""
    rows = []
    for port in config.port:
        mine = [device for device in devices if device.settings.port == port.name]
        gap_us = 1000 * (port.gap_ms or max((d.profile.link.min_gap_ms for d in mine), default=20))
        for device in mine:
            idle_us = gap_us + 1000 * device.profile.link.turnaround_ms
            for block in device.profile.blocks:
                wire_us = _chars_us(port, 13 + 2 * block.count) + idle_us
                period_ms = max(block.period_ms, config.site.cycle_ms)
                rows.append(BudgetRow(port.name, device.name, f"read {block.name}", wire_us, period_ms))
            for write in device.profile.writes:
                period_ms = max(config.site.cycle_ms, write.min_interval_ms)
                wire_us = _chars_us(port, SETPOINT_BYTES) + idle_us
                rows.append(BudgetRow(port.name, device.name, f"write {write.name}", wire_us, period_ms))
    return rows


def check_budget(config: Config, devices: Sequence[BusDevice]) -> list[Problem]:
    """A Problem for each port that cannot keep up, with the arithmetic."""
    rows = budget(config, devices)
    problems = []
    for index, port in enumerate(config.port):
        mine = [row for row in rows if row.port == port.name]
        load = sum(row.load_permille for row in mine)
        if load > LOAD_MAX_PERMILLE:
            sums = ", ".join(
                f"{row.device} {row.what} {row.wire_us / 1000:.1f} ms per {row.period_ms} ms"
                for row in sorted(mine, key=lambda row: -row.load_permille)[:4]
            )
            hint = f"{sums}; a faster baud, a second port, a smaller gap_ms or a longer site.cycle_ms"
            allowed = f"is busy {load / 10:.0f} % of the time; at most {LOAD_MAX_PERMILLE // 10} %"
            problems.append(Problem(config.file, f"port[{index}].baud", port.baud, allowed, hint))
    return problems


def _chars_us(port: Port, count: int) -> int:
    bits = 10 + (port.parity != "N") + (port.stopbits == 2)
    return count * bits * 1_000_000 // port.baud
