"""What crosses the door in the duel with the hostile clever half: wishes at the edges of the bands, and any bits."""

from random import Random
from typing import Any

from tests.kernel.duel.sites import EXTREMES, near
from tests.kernel.oracle import words as w

SIZE = 8 + len(w.STAGES)


class Door:
    """A wish that is kept for some cycles."""

    def __init__(self, rng: Random, c: Any) -> None:
        self.rng, self.row = rng, [0] * SIZE
        self.rating = sum(max(u.power_charge_max_w, u.power_discharge_max_w) for u in c.unit[: c.unit_count])
        # where sharing takes one more unit, or one fewer: multiples of the least that is worth it, and a quarter more
        least = [u.power_efficient_min_w for u in c.unit[: c.unit_count]]
        self.steps = [n * power * q // 4 for power in least for n in range(1, c.unit_count + 1) for q in (4, 5)]
        self.next_cycle = rng.choice((0.05, 0.3, 0.9))

    def step(self, last: Any) -> list[int]:
        """The row of tw_wish_t; `last` is the output of the cycle before, or None."""
        if self.rng.random() < self.next_cycle:
            self.row[0] = self.battery(last)
            self.row[1] = self.rng.choice((0, 500, -1, *near(1_000, -1_000), *EXTREMES))
        if self.rng.random() < 0.03:
            index = self.rng.randrange(2, SIZE)
            signed = index not in (3, 4)
            value = self.rng.randint(w.INT32_MIN, w.INT32_MAX)
            self.row[index] = value if signed else value & w.U32
        return self.row

    def battery(self, last: Any) -> int:
        rng, most = self.rng, 8 * w.LIMIT
        if last is None or rng.random() < 0.4:
            power = int(self.rating * 1.2)
            return rng.choice((0, rng.randint(-power, power), rng.randint(-power, power) // 50, *EXTREMES))
        if rng.random() < 0.3:
            return rng.choice((-1, 1)) * rng.choice(near(rng.choice(self.steps)))
        edges = (last.band_min_w, last.band_max_w, last.low_after_w[3], last.high_after_w[1], last.battery_w, 0, most)
        return rng.choice(near(rng.choice(edges)))
