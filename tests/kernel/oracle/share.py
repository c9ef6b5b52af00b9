"""Sharing the battery's power among units (section 8)."""

from collections.abc import Sequence
from typing import Any

from tests.kernel.oracle.words import bits, clamp, tdiv


def head_of(c: Any, i: Any, discharge: bool) -> int:
    """What is left in a unit in the battery's direction, in centi-percent of SOC."""
    if discharge:
        return clamp(i.soc_cpct - max(c.soc_min_cpct, c.soc_reserve_cpct), 100, 10_000)
    return clamp(c.soc_max_cpct - i.soc_cpct, 100, 10_000)


class Sharing:
    """The choice of one cycle: which units take part, and how much each."""

    def __init__(self, want: int, band: Sequence[int], head: Sequence[int], efficient: Sequence[int]) -> None:
        self.want, self.band, self.head, self.efficient = want, band, head, efficient
        self.able = [n for n, power in enumerate(band) if power > 0]
        self.chosen: set[int] = set()

    def best_outside(self) -> int | None:
        outside = [n for n in self.able if n not in self.chosen]
        return max(outside, key=lambda n: (self.head[n], -n), default=None)

    def worst(self) -> int:
        return min(self.chosen, key=lambda n: (self.head[n], -n))

    def cap(self) -> int:
        return sum(self.band[n] for n in self.chosen)

    def grow(self) -> None:
        while (best := self.best_outside()) is not None:
            enough = tdiv((len(self.chosen) + 1) * self.efficient[best] * 5, 4)
            if self.cap() >= self.want and self.want < enough:
                return
            self.chosen.add(best)

    def shrink(self) -> bool:
        if len(self.chosen) <= 1:
            return False
        worst = self.worst()
        too_little = self.want < len(self.chosen) * self.efficient[worst]
        if not too_little or self.cap() - self.band[worst] < self.want + tdiv(self.want, 4):
            return False
        self.chosen.remove(worst)
        return True

    def swap(self) -> None:
        best = self.best_outside()
        if best is None or not self.chosen:
            return
        worst = self.worst()
        richer = self.head[best] > self.head[worst] + 500
        if richer and self.cap() - self.band[worst] + self.band[best] >= self.want:
            self.chosen ^= {best, worst}

    def parts(self) -> list[int]:
        order = sorted(self.chosen)
        weight = {n: self.band[n] * tdiv(self.head[n], 100) for n in order}
        part, left, weights = [0] * len(self.band), self.want, sum(weight.values())
        for n in order:
            share = tdiv(left * weight[n], weights) if weights > 0 else 0
            part[n] = clamp(share, 0, min(self.band[n], left))
            left, weights = left - part[n], weights - weight[n]
        for n in order + [n for n in range(len(self.band)) if n not in self.chosen]:
            more = min(left, self.band[n] - part[n])
            part[n], left = part[n] + more, left - more
        return part


def run_sharing(battery: int, sharing: int, units: Any, charge_w: Any, discharge_w: Any) -> tuple[list[int], int]:
    """The setpoints of all units and the set of those that share; `units` are the facts of the units."""
    discharge = battery >= 0
    band = discharge_w if discharge else charge_w
    if battery == 0:
        return [0] * len(band), sharing & sum(1 << n for n, power in enumerate(band) if power > 0)
    head = [head_of(f.c, f.i, discharge) for f in units]
    s = Sharing(abs(battery), band, head, [f.c.power_efficient_min_w for f in units])
    s.chosen = {n for n in bits(sharing & 0xFF) if n in s.able}
    s.grow()
    if not s.shrink():
        s.swap()
    sign = 1 if discharge else -1
    return [sign * part for part in s.parts()], sum(1 << n for n in s.chosen)
