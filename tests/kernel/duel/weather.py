"""What the site sees, cycle by cycle: healthy devices that follow their orders, and a few disturbances at a time.

The last output's orders and setpoints close the loop.
"""

from random import Random
from typing import Any

from tests.kernel.duel.plant import Plant
from tests.kernel.duel.trouble import COMMANDS, MONO, S, Trouble, apply
from tests.kernel.oracle import words as w
from tests.kernel.oracle.words import UNKNOWN


class Weather:
    """Draws the input of every cycle from one random number generator."""

    def __init__(self, rng: Random, c: Any) -> None:
        self.rng, self.c = rng, c
        self.plants = [Plant(rng, c.unit[n]) for n in range(c.unit_count)]
        self.trouble = Trouble(rng, c, self.plants)
        self.rate = rng.choice((0.01, 0.03, 0.03, 0.1))
        self.mono_ms = rng.choice((0, 1_000_000, -5, 2**63 - 60_000))
        self.calm_cycles = rng.choice((0, 20, 30))
        self.base = self.healthy_site()

    def healthy_site(self) -> list[int]:
        rng, c, row = self.rng, self.c, [0] * len(S)
        row[COMMANDS] = w.CMD_RUN
        row[S["poc_power_w"]] = rng.choice((0, c.import_max_w // 2, c.import_max_w, 40_000))
        row[S["poc_age_ms"]] = rng.choice((0, c.poc_age_fade_ms))
        row[S["poc_voltage_dv"]] = rng.choice((UNKNOWN, (c.voltage_min_dv + c.voltage_max_dv) // 2))
        row[S["poc_frequency_mhz"]] = rng.choice((UNKNOWN, (c.frequency_min_mhz + c.frequency_max_mhz) // 2))
        row[S["wish_kind"]], row[S["wish_left_ms"]] = rng.choice((0, 1)), 1_000
        row[S["pv_power_w"]] = c.pv_rated_w // 2
        return row

    def next_ms(self) -> int:
        """Mostly a cycle, sometimes two at once, rarely a clock that is not to be believed."""
        at, cycle = self.rng.random(), self.c.cycle_ms
        if at < 0.75:
            return cycle
        if at < 0.995:
            return self.rng.choice((1, cycle - 1, cycle, cycle + 1, 2 * cycle - 1, 2 * cycle, 2 * cycle))
        return self.rng.choice((0, -1, 2 * cycle + 1, 2 * cycle, -cycle, 2**40, w.INT64_MIN))

    def step(self, shown: Any, latched: bool) -> tuple[list[int], list[list[int]]]:
        """The rows of this cycle, by what the last one ordered: `shown` are the units' last outputs."""
        rng, trouble = self.rng, self.trouble
        changes = trouble.step(shown, self.rate if trouble.cycle >= self.calm_cycles else 0)
        self.mono_ms = (self.mono_ms + self.next_ms() + 2**63) % 2**64 - 2**63
        site = self.base[:]
        site[MONO] = self.mono_ms
        if rng.random() < (0.12 if latched else 0.003):
            site[COMMANDS] |= w.CMD_RESET
        units = self.measure(shown, {(change.unit, change.op) for change in changes})
        for change in changes:
            apply(change, site if change.unit < 0 else units[change.unit])
        return site, units

    def measure(self, shown: Any, held: set[tuple[int, str]]) -> list[list[int]]:
        rows = []
        for n, plant in enumerate(self.plants):
            if (n, "stuck") not in held and self.rng.random() < 0.6:
                plant.follow(shown[n].order)
            if (n, "frozen") not in held:
                plant.beat = (plant.beat + 1) % 1_000
            rows.append(plant.measure(shown[n].setpoint_w))
        return rows
