"""What a battery step did to a meter, with its uncertainty: the arithmetic of the sign test. Pure functions.

Steps come in the order + - - +, so that a load that drifts steadily cancels; each pair of neighbours gives one
difference. Gain: how far the meter moved, as a part of how far it should have; +1 right, -1 turned, 0 not at all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Word = Literal["right", "reversed", "none", "noise"]
PAIRS_MIN, PAIRS_MAX = 4, 12
CLEAR = 0.3  # of the full effect: what is surely above it is an effect, what is surely within it is none
SCALE_SLACK = 0.25  # a gain of 1 within this: meters of a class, losses, a load that answers to voltage
# Student's t, two-sided 99 %, for 3..11 degrees of freedom: strict, because the test looks after every pair.
T99 = {3: 5.84, 4: 4.60, 5: 4.03, 6: 3.71, 7: 3.50, 8: 3.36, 9: 3.25, 10: 3.17, 11: 3.11}


@dataclass(frozen=True, slots=True)
class Level:
    """Means over one step. None: not measured."""

    asked_w: int
    pcs_w: float
    poc_w: float
    rest_w: float | None = None  # POC less what the load and PV meters explain
    current_da: float | None = None  # of all packs, + discharge


@dataclass(frozen=True, slots=True)
class Gain:
    """Mean of the pairs and half its 99 % interval."""

    mean: float
    half: float

    @property
    def word(self) -> Word:
        if self.mean - self.half > CLEAR:
            return "right"
        if self.mean + self.half < -CLEAR:
            return "reversed"
        return "none" if abs(self.mean) + self.half < CLEAR else "noise"


@dataclass(frozen=True, slots=True)
class Effect:
    """The whole result. `follows`: the PCS's own meter against what it was told; `poc`: against what the PCS did."""

    pairs_count: int
    swing_w: float  # from - to +, as the PCS measures it
    follows: Gain
    poc: Gain
    with_load: bool  # the other meters were used to take the load's noise away
    pack: Gain | None  # sign only: the packs' current against what was told


def swing_order(index: int) -> int:
    """Sign of the step of this index: + - - + + - - + ..."""
    return 1 if index % 4 in (0, 3) else -1


def effect_of(levels: Sequence[Level]) -> Effect | None:
    """None before there are enough pairs to say anything."""
    pairs = [_ordered(levels[at], levels[at + 1]) for at in range(0, len(levels) - 1, 2)]
    if len(pairs) < PAIRS_MIN:
        return None
    asked_w = pairs[0][0].asked_w - pairs[0][1].asked_w
    pcs_w = [up.pcs_w - down.pcs_w for up, down in pairs]
    follows = _gain([w / asked_w for w in pcs_w])
    swing_w = sum(pcs_w) / len(pcs_w)
    moved_w = swing_w if abs(follows.mean) > CLEAR else float(asked_w)
    raw = _gain([(down.poc_w - up.poc_w) / moved_w for up, down in pairs])
    rest = [
        (down.rest_w - up.rest_w) / moved_w for up, down in pairs if up.rest_w is not None and down.rest_w is not None
    ]
    helped = _gain(rest) if len(rest) == len(pairs) else raw
    return Effect(
        len(pairs), swing_w, follows, min(raw, helped, key=lambda gain: gain.half), helped.half < raw.half, _pack(pairs)
    )


def is_decided(effect: Effect | None) -> bool:
    return effect is not None and effect.poc.word != "noise" and effect.follows.word != "noise"


def _ordered(first: Level, second: Level) -> tuple[Level, Level]:
    return (first, second) if first.asked_w > second.asked_w else (second, first)


def _pack(pairs: Sequence[tuple[Level, Level]]) -> Gain | None:
    """The current's differences, in parts of the largest: only their sign means anything."""
    moved = [
        up.current_da - down.current_da
        for up, down in pairs
        if up.current_da is not None and down.current_da is not None
    ]
    largest = max((abs(da) for da in moved), default=0.0)
    return _gain([da / largest for da in moved]) if largest and len(moved) >= PAIRS_MIN else None


def _gain(values: Sequence[float]) -> Gain:
    count = len(values)
    mean = sum(values) / count
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    return Gain(mean, T99[min(max(count - 1, 3), 11)] * deviation / math.sqrt(count))
