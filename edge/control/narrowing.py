"""Why the setpoint is what it is, in numbers: each rule that narrowed, with the value before and after it.

Read from the kernel's output; nothing is decided or recomputed here.
"""

from dataclasses import dataclass
from typing import Any

from edge.control.kernel import Band, Bound, Function, Stage

STAGE_TEXT = {
    Stage.ASKED: "asked for",
    Stage.SHAVED: "peak shaving and demand window",
    Stage.CENTRED: "state of charge brought back to its target",
    Stage.DROOP: "frequency support",
    Stage.SMOOTHED: "smoothing of the grid power",
    Stage.WISH: "all site functions together",
    Stage.FADE: "the site forbids, or its POC meter is late: fading out",
    Stage.RAMP: "the battery's own ramp",
    Stage.SITE_BAND: "import, fuse and export limits",
    Stage.UNIT_BAND: "what the units may do now",
}
BAND_TEXT = {Band.EXPORT: "export limit", Band.IMPORT: "import limit", Band.FUSE: "fuse"}
BOUND_TEXT = {
    Bound.BMS_CURRENT: "current the BMS allows",
    Bound.CELL_VOLTAGE: "cell voltage",
    Bound.TEMP: "cell temperature",
    Bound.SOC: "state of charge",
    Bound.DERATE: "half power",
    Bound.FORBIDDEN: "forbidden (see the reasons)",
    Bound.RISE: "limit rising slowly",
}


@dataclass(frozen=True, slots=True)
class Narrowing:
    """One rule and what it made of one number. unit None: the site."""

    what: str  # battery, battery at least, battery at most, charge, discharge
    rule: str
    before_w: int
    after_w: int
    unit: int | None = None


def site_narrowings(tw_output: Any) -> list[Narrowing]:
    """The way of the battery power from what was asked to the setpoint, then the site's band."""
    found = _changes("battery", tw_output.stage_w, STAGE_TEXT)
    found += _changes("battery at least", tw_output.low_after_w, BAND_TEXT)
    return found + _changes("battery at most", tw_output.high_after_w, BAND_TEXT)


def unit_narrowings(tw_output: Any, index: int) -> list[Narrowing]:
    """What took away from one unit's rating, in each direction."""
    unit = tw_output.unit[index]
    found = _changes("charge", unit.charge_after_w, BOUND_TEXT, index)
    return found + _changes("discharge", unit.discharge_after_w, BOUND_TEXT, index)


def _changes(what: str, after_w: Any, texts: dict[Any, str], unit: int | None = None) -> list[Narrowing]:
    values = list(after_w)
    return [
        Narrowing(what, texts[rule], values[rule - 1], values[rule], unit)
        for rule in texts
        if rule > 0 and values[rule] != values[rule - 1]
    ]


def functions_text(functions: int) -> str:
    """The site functions that shape the wish now."""
    return ", ".join(f.name.lower().replace("_", " ") for f in Function if functions >> f & 1)
