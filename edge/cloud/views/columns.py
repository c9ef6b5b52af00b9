"""The columns of a sample as people and their tools want them: engineering units, and the unit still last in the name.

`soc_cpct` = 5512 becomes `soc_pct` = 55.12. What is counted in whole units already keeps name and value. A column that
this file does not know is shown as it is, so that a new one needs no change here. Views only; the native stream stays
in integers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge.cloud.codec import UNITS
from edge.control.kernel import Mode, SiteCause, members
from edge.model import SAMPLE_FIELDS, Sample

# how the name of a column ends in each unit that codec.UNITS shows
_ENDINGS = {
    "%": "pct",
    "V": "v",
    "A": "a",
    "degC": "c",
    "Hz": "hz",
    "s": "s",
    "Wh": "wh",
    "g": "g",
    "g/kWh": "g_per_kwh",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One value of a sample: where it is, and how it is shown."""

    index: int
    name: str
    unit: str  # as written in a tool; "" for a number without one
    divisor: int = 1

    def shown(self, sample: Sample) -> int | float | None:
        """The value in `unit`; None when it was not known at that second."""
        value = sample.values[self.index] if self.index < len(sample.values) else None
        return value if value is None or self.divisor == 1 else value / self.divisor


def columns_of(fields: Sequence[tuple[str, str]] = SAMPLE_FIELDS) -> tuple[Column, ...]:
    """One per field, in the same order. `fields`: (name, unit) as in SAMPLE_FIELDS."""
    return tuple(_column(index, name, unit) for index, (name, unit) in enumerate(fields))


def _column(index: int, name: str, counted: str) -> Column:
    unit, scale = UNITS.get(counted, (counted, 0))
    ending = f"_{counted.lower().replace('/', '_per_')}"
    if scale >= 0 or unit not in _ENDINGS or not name.endswith(ending):
        return Column(index, name, counted)
    return Column(index, f"{name.removesuffix(ending)}_{_ENDINGS[unit]}", unit, 10**-scale)


TEXTS = ("mode_text", "why_text")
_INDEX = {name: index for index, (name, _) in enumerate(SAMPLE_FIELDS)}


def texts_of(sample: Sample) -> tuple[str | None, str | None]:
    """Mode and reasons in words, in the order of TEXTS: ("RUN", "ramp, charge_bound")."""
    mode, why = sample.values[_INDEX["mode"]], sample.values[_INDEX["why"]]
    known = mode is not None and mode in Mode.__members__.values()
    causes = None if why is None else ", ".join(cause.name.lower() for cause in members(SiteCause, why))
    return Mode(mode).name if mode is not None and known else None, causes


def named(columns: Sequence[Column], sample: Sample) -> Iterator[tuple[str, int | float | str]]:
    """What is known of this second, by name."""
    for column in columns:
        value = column.shown(sample)
        if value is not None:
            yield column.name, value
    for name, text in zip(TEXTS, texts_of(sample), strict=True):
        if text is not None:
            yield name, text
