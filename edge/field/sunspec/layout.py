"""Points of a walked device to blocks: as few reads as may be, what control needs apart from what can wait."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

HOLE_MAX = 7  # registers that cost less to read along than another request
CONSTANT_HOLE_MAX = 12  # more for a constant: then it is looked at in the very reading that rests on it (802: 47..55)
SLOW_MS = 10_000
SLOW_PRIORITY = 5


@dataclass(frozen=True, slots=True)
class Item:
    """One point to be read: its model, first register, registers, whether control needs it, and its profile table."""

    model: int
    addr: int
    size: int
    is_fast: bool
    table: dict[str, Any]


def blocks_of(
    items: Sequence[Item], constants: Collection[int], regs_max: int, fast: tuple[int, int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(block tables, point tables). `fast` is period in ms and priority of what control needs.

    A block takes along the constants that follow closely: they are then looked at with every reading.
    """
    blocks: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    for is_fast in (True, False):
        mine = sorted((item for item in items if item.is_fast == is_fast), key=lambda item: item.addr)
        period_ms, priority = fast if is_fast else (SLOW_MS, SLOW_PRIORITY)
        for run in _runs(mine, regs_max):
            start = run[0].addr
            end = _with_constants(start, run[-1].addr + run[-1].size, constants, regs_max)
            name = f"{run[0].model}-{'fast' if is_fast else 'slow'}-{start}"
            blocks.append(
                {
                    "name": name, "fc": 3, "start": start, "count": end - start,
                    "period_ms": period_ms, "priority": priority,
                }
            )  # fmt: skip
            points += [{"block": name, **item.table} for item in run]
    return blocks, points


def _runs(items: list[Item], regs_max: int) -> list[list[Item]]:
    runs: list[list[Item]] = []
    for item in items:
        run = runs[-1] if runs else None
        is_near = run is not None and item.addr - (run[-1].addr + run[-1].size) <= HOLE_MAX
        if run is not None and is_near and item.addr + item.size - run[0].addr <= regs_max:
            run.append(item)
        else:
            runs.append([item])
    return runs


def _with_constants(start: int, end: int, constants: Collection[int], regs_max: int) -> int:
    for addr in sorted(constants):
        if end <= addr <= end + CONSTANT_HOLE_MAX and addr + 1 - start <= regs_max:
            end = addr + 1
    return end
