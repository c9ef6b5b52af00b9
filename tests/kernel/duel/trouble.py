"""Disturbances: lists of changes of single fields that last for some cycles, most of them at a threshold.

What does not belong here: when they begin, and what a healthy site measures; see weather.py and plant.py.
"""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from tests.kernel.duel.plant import BMS_FLAGS, CURRENT, PCS_FLAGS, POWER, Plant, U
from tests.kernel.duel.sites import EXTREMES, near, points_of_site, points_of_unit, returns_of_unit
from tests.kernel.oracle import records as r
from tests.kernel.oracle import words as w
from tests.kernel.oracle.words import UNKNOWN

S = {name: n for n, name in enumerate(r.Input._fields) if name != "unit"}
MONO, COMMANDS, FLAGS = S["mono_ms"], S["commands"], S["flags"]
UNSIGNED = {PCS_FLAGS, BMS_FLAGS}
LASTS = (1, 1, 2, 3, 5, 8, 12, 15, 20, 40, 70)


class Change(NamedTuple):
    """Of one field; unit -1 is the site; `op` is set, add, xor, minus (the field's own negative), tenth, stuck or frozen."""

    unit: int
    index: int
    op: str
    value: int


def apply(change: Change, row: list[int]) -> None:
    _, index, op, value = change
    if op == "set":
        row[index] = value
    elif op == "xor":
        row[index] ^= value
    elif op in ("add", "minus", "tenth"):  # tenth: a tenth of itself and a little more
        x = row[index]
        new = x + value if op == "add" else -x if op == "minus" else x + abs(x) // 10 + value
        row[index] = w.clamp(new, w.INT32_MIN, w.INT32_MAX)
    if (change.unit < 0 and index in (COMMANDS, FLAGS)) or (change.unit >= 0 and index in UNSIGNED):
        row[index] &= w.U32


class Trouble:
    """Draws disturbances for one configuration and keeps those that are under way."""

    def __init__(self, rng: Random, c: Any, plants: list[Plant]) -> None:
        self.rng, self.c, self.plants, self.units = rng, c, plants, range(len(plants))
        self.unit_points = [points_of_unit(c.unit[n]) for n in self.units]
        self.site_points, self.returns = points_of_site(c), [returns_of_unit(c.unit[n]) for n in self.units]
        self.cycle = 0
        self.changes: list[tuple[Change, int, int]] = []  # each with the cycles between which it holds
        self.ambushes = self.draw_ambushes()
        self.kinds: tuple[Callable[[], list[Change]], ...] = (
            self.at_unit_point, self.at_unit_point, self.at_unit_point, self.at_unit_flag, self.at_unit_flag,
            self.at_site_point, self.at_site_flag, self.at_command, self.at_spread, self.at_current, self.at_voltage,
            self.at_power, self.at_rise, self.at_plant, self.at_flap, self.at_return, self.anything,
        )  # fmt: skip

    def step(self, shown: Any, rate: float) -> list[Change]:
        """The changes of this cycle; `shown` are the units' last outputs, `rate` how likely another one begins."""
        self.cycle += 1
        self.changes = [change for change in self.changes if change[2] > self.cycle]
        if rate and self.rng.random() < rate:
            self.begin_any(self.rng.choice(LASTS))
        if self.ambushes:
            self.spring(shown)
        return [change for change, start, _ in self.changes if start <= self.cycle]

    def begin(self, changes: list[Change], lasts: int, wait: int = 0) -> None:
        start = self.cycle + wait
        self.changes += [(change, start, start + lasts) for change in changes]

    def begin_any(self, lasts: int) -> None:
        self.begin(self.rng.choice(self.kinds)(), lasts)

    def spring(self, shown: Any) -> None:
        """Starts what lay in wait for a unit's mode."""
        for ambush in self.ambushes[:]:
            mode, change, lasts = ambush
            for n in self.units:
                if shown[n].mode == mode and self.cycle > 1:
                    self.begin([change._replace(unit=n if change.unit >= 0 else -1)], lasts)
                    self.ambushes.remove(ambush)
                    break

    def at_unit_point(self) -> list[Change]:
        n = self.rng.choice(self.units)
        name = self.rng.choice(list(self.unit_points[n]))
        value = self.rng.choice(self.unit_points[n][name])
        changes = [Change(n, U[name], "set", value)]
        if name == "pcs_age_ms" and self.rng.random() < 0.5:  # its current flows on
            changes.append(Change(n, CURRENT, "set", self.rng.choice((20, 21, -21, 300, 300))))
        return changes

    def at_unit_flag(self) -> list[Change]:
        n, index = self.rng.choice(self.units), self.rng.choice((PCS_FLAGS, BMS_FLAGS))
        return [Change(n, index, "xor", 1 << self.rng.randint(0, 6))]

    def at_site_point(self) -> list[Change]:
        name = self.rng.choice(list(self.site_points))
        return [Change(-1, S[name], "set", self.rng.choice(self.site_points[name]))]

    def at_site_flag(self) -> list[Change]:
        flags = self.rng.choice((6, 2, 4, *(1 << n for n in range(12)), 16, 32, 256))
        if flags == w.FLAG_AIRCON and self.rng.random() < 0.5:  # it has a minute's delay
            self.begin([Change(-1, FLAGS, "xor", flags)], 60 + self.rng.randint(0, 3))
            return []
        return [Change(-1, FLAGS, "xor", flags)]

    def at_command(self) -> list[Change]:
        return [Change(-1, COMMANDS, "xor", self.rng.choice((1, 2, 4, 4, 16, 32, 32, 8, 12, 1 << 20)))]

    def at_spread(self) -> list[Change]:
        n = self.rng.choice(self.units)
        c, row = self.c.unit[n], self.plants[n].row
        cell = (c.cell_spread_warn_mv, c.cell_spread_derate_mv, c.cell_spread_trip_mv)
        temp = (c.temp_spread_warn_dc, c.temp_spread_derate_dc, c.temp_spread_trip_dc)
        limits, low, high = self.rng.choice((
            (cell, "cell_voltage_min_mv", "cell_voltage_max_mv"), (temp, "cell_temp_min_dc", "cell_temp_max_dc"),
        ))  # fmt: skip
        value = self.rng.choice(near(*limits, *(x - x // 8 for x in limits)))
        part = self.rng.choice((0, value // 2, value))
        changes = (Change(n, U[low], "set", row[U[low]] - part), Change(n, U[high], "set", row[U[low]] - part + value))
        return list(changes)

    def at_current(self) -> list[Change]:
        n = self.rng.choice(self.units)
        limit = self.rng.choice((0, 100, 400, 1_000, self.plants[n].row[U["current_charge_max_da"]]))
        over = self.rng.choice(near(max(limit // 20, 20), max(limit // 10, 40)))
        side = self.rng.choice((("current_charge_max_da", -1), ("current_discharge_max_da", 1)))
        return [Change(n, U[side[0]], "set", limit), Change(n, CURRENT, "set", side[1] * (limit + over))]

    def at_voltage(self) -> list[Change]:
        n = self.rng.choice(self.units)
        pack = self.plants[n].row[U["pack_voltage_dv"]]
        gap = self.rng.choice(near(pack // 20, max(pack // 20, 200))) * self.rng.choice((-1, 1))
        return [Change(n, U["pcs_dc_voltage_dv"], "set", self.rng.choice((pack + gap, UNKNOWN, 0)))]

    def at_power(self) -> list[Change]:
        n = self.rng.choice(self.units)
        if self.rng.random() < 0.5:
            return [Change(n, POWER, "minus", 0)]
        if self.rng.random() < 0.3:
            return [Change(n, POWER, "tenth", self.rng.choice((-1, 0, 1)))]
        gap = self.rng.choice(near(self.c.unit[n].deviation_max_w)) * self.rng.choice((-1, 1))
        return [Change(n, POWER, "add", gap)]

    def at_rise(self) -> list[Change]:
        n = self.rng.choice(self.units)
        hot = self.plants[n].row[U["cell_temp_max_dc"]] + self.rng.choice(near(self.c.unit[n].temp_rise_max_dc_per_min))
        return [Change(n, U["cell_temp_max_dc"], "set", hot)]

    def at_plant(self) -> list[Change]:
        return [Change(self.rng.choice(self.units), 0, self.rng.choice(("stuck", "frozen")), 0)]

    def at_return(self) -> list[Change]:
        """Over a limit for as long as it needs, then about as far back as its hysteresis asks."""
        n = self.rng.choice(self.units)
        name = self.rng.choice(list(self.returns[n]))
        trip, back = self.rng.choice(self.returns[n][name])
        lasts = self.rng.choice((1, 4, 14))
        self.begin([Change(n, U[name], "set", trip)], lasts)
        self.begin([Change(n, U[name], "set", self.rng.choice(near(back)))], 70, lasts)
        return []

    def at_flap(self) -> list[Change]:
        """The same again and again, for what latches at the third time."""
        n = self.rng.choice(self.units)
        side = self.rng.choice((-1, 1))
        limit = U["current_discharge_max_da" if side > 0 else "current_charge_max_da"]
        current = [Change(n, limit, "set", 0), Change(n, CURRENT, "set", side * 500)]
        lost = Change(n, U["pcs_age_ms"], "set", self.c.unit[n].pcs_age_stop_ms + 1)
        changes, lasts, wait = self.rng.choice((
            ([lost], 2, 12), ([Change(n, PCS_FLAGS, "xor", w.PCS_WRITE_FAILED)], 2, 3), (current, 6, 66), (current, 2, 62),
        ))  # fmt: skip
        for again in range(3):
            self.begin(changes, lasts, again * (lasts + wait + self.rng.randint(0, 2)))
        return []

    def draw_ambushes(self) -> list[tuple[int, Change, int]]:
        ambushes = [self.draw_ambush() for _ in range(self.rng.choice((0, 3, 6)))]
        if self.c.safe_grid == w.SAFE_ISLAND and self.rng.random() < 0.5:
            ambushes.append((w.RUN, Change(-1, FLAGS, "xor", w.FLAG_GRID_LOST), 40))
            ambushes.append((w.ISLAND, *self.draw_ambush()[1:]))
        return ambushes

    def draw_ambush(self) -> tuple[int, Change, int]:
        """In this mode, this event: what turns a unit away from its way at each point of it."""
        change = self.rng.choice((
            Change(-1, COMMANDS, "xor", w.CMD_SERVICE), Change(-1, COMMANDS, "xor", w.CMD_RUN),
            Change(-1, COMMANDS, "xor", w.CMD_ESTOP), Change(-1, FLAGS, "xor", w.FLAG_LOCAL),
            Change(-1, FLAGS, "xor", w.FLAG_GRID_LOST), Change(-1, FLAGS, "xor", w.FLAG_GRID_LOST),
            Change(0, PCS_FLAGS, "xor", w.PCS_LOCAL), Change(0, PCS_FLAGS, "xor", w.PCS_FAULT),
            Change(0, PCS_FLAGS, "xor", w.PCS_RUNNING), Change(0, BMS_FLAGS, "xor", w.BMS_CONNECTED),
            Change(0, BMS_FLAGS, "xor", w.BMS_ALARM), Change(0, U["cell_voltage_min_mv"], "set", 0),
            Change(0, BMS_FLAGS, "xor", w.BMS_GUARDED), Change(0, CURRENT, "set", 20), Change(0, CURRENT, "set", -21),
            self.at_voltage()[0],
        ))  # fmt: skip
        return self.rng.randrange(len(w.MODES)), change, self.rng.choice((1, 2, 4, 15, 40))

    def anything(self) -> list[Change]:
        n = self.rng.choice((-1, *self.units))
        index = self.rng.randint(1, len(S) - 1) if n < 0 else self.rng.randint(0, len(U) - 1)
        return [Change(n, index, "set", self.rng.choice((*EXTREMES, self.rng.randint(w.INT32_MIN, w.INT32_MAX))))]
