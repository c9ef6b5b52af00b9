"""Whether the weather reaches what it should: a test of the test. Counted in undisturbed runs only: no state is poked."""

from typing import Any

from tests.kernel.oracle import modes
from tests.kernel.oracle import words as w
from tests.kernel.oracle.site_rows import DOOR_WARNS
from tests.kernel.oracle.unit_rows import UNIT

# What no input can bring about: ISLAND is asked only in RUN; a stop has no time-out but STOP_FAILED.
NEVER_TAKEN = {("CONNECT", "ISLAND"), ("START", "ISLAND"), ("STOPPING", "TIMEOUT")}
PV_ETC = w.SITE_CAUSES[w.SITE_CAUSES.index("NO_UNIT") :]
SET_SITE = w.site("BOOT", "LATCHED", *PV_ETC)


class Coverage:
    """Sets of what happened at least once; two can be joined."""

    def __init__(self) -> None:
        self.site = {"rose": 0, "cleared": 0, "latched": 0, "reset": 0}
        self.unit = {"rose": 0, "cleared": 0, "latched": 0, "reset": 0}
        self.taken: set[tuple[int, int, int]] = set()
        self.orders: set[int] = set()
        self.why = 0
        self.narrowed: set[str] = set()

    def join(self, other: "Coverage") -> None:
        for ours, theirs in ((self.site, other.site), (self.unit, other.unit)):
            for key, mask in theirs.items():
                ours[key] |= mask
        self.taken |= other.taken
        self.orders |= other.orders
        self.narrowed |= other.narrowed
        self.why |= other.why

    def note(self, before: Any, state: Any, output: Any) -> None:
        """`before`: (active, latched, mode) of the site and then of each unit, before the step."""
        note_masks(self.site, before[0], state)
        self.why |= output.why
        for was, unit, shown in zip(before[1:], state.unit, output.unit, strict=False):
            note_masks(self.unit, was, unit)
            self.taken.add((was[2], shown.event, shown.mode))
            self.orders.add(shown.order)
            self.narrow("charge", w.BOUNDS, shown.charge_after_w)
            self.narrow("discharge", w.BOUNDS, shown.discharge_after_w)
        self.narrow("low", w.BANDS, output.low_after_w)
        self.narrow("high", w.BANDS, output.high_after_w)
        self.narrow("stage", w.STAGES[w.STAGE_WISH :], output.stage_w[w.STAGE_WISH :])

    def narrow(self, chain: str, names: list[str], values: list[int]) -> None:
        if values[0] == values[-1] and len(set(values)) == 1:
            return
        for at in range(1, len(values)):
            if values[at] != values[at - 1]:
                self.narrowed.add(f"{chain} {names[at]}")

    def missing(self) -> list[str]:
        """Everything that should have happened and did not, by name."""
        gaps = self._missing_causes() + self._missing_transitions()
        wanted = {f"{chain} {name}" for chain in ("charge", "discharge") for name in w.BOUNDS[1:]}
        wanted |= {"high EXPORT", "low IMPORT", "low FUSE"} | {f"stage {name}" for name in w.STAGES[w.STAGE_WISH + 1 :]}
        gaps += sorted(wanted - self.narrowed)
        gaps += [f"order {name}" for n, name in enumerate(w.ORDERS) if n not in self.orders]
        return gaps + absent("site why", SET_SITE, self.why, w.SITE_CAUSES)

    def _missing_causes(self) -> list[str]:
        gaps: list[str] = []
        for word, table, seen in (("site", DOOR_WARNS, self.site), ("unit", UNIT, self.unit)):
            names = [row.name for row in table.rows]
            for what, wanted in zip(seen, [table.judged] * 2 + [table.can_latch] * 2, strict=True):
                gaps += absent(f"{word} {what}", wanted, seen[what], names)
        return gaps

    def _missing_transitions(self) -> list[str]:
        gaps = []
        for mode, row in enumerate(modes.NEXT):
            for event, after in enumerate(row):
                names = (w.MODES[mode], w.EVENTS[event])
                if after != mode and names not in NEVER_TAKEN and (mode, event, after) not in self.taken:
                    gaps.append(" x ".join(names))
        return gaps


def note_masks(seen: dict[str, int], was: tuple[int, int, int], state: Any) -> None:
    active, latched, _ = was
    seen["rose"] |= state.active & ~active
    seen["cleared"] |= active & ~state.active
    seen["latched"] |= state.latched & ~latched
    seen["reset"] |= latched & ~state.latched


def absent(what: str, wanted: int, seen: int, names: list[str]) -> list[str]:
    return [f"{what} {names[n]}" for n in w.bits(wanted & ~seen)]
