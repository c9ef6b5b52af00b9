"""What a page is made of: stretches of telemetry, intervals of the ledger, events. Read elsewhere, drawn elsewhere.

Periods are days or months of a zone, so that a day may have 23 or 25 hours. What was not known is absent, never 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.carbon.evidence.account import Row
from edge.errors import DataFault
from edge.model import EventLevel
from edge.report.kpi import KpiRules

HOUR_MS = 3_600_000
FIELDS = ("poc_power_w", "pv_power_w", "battery_power_w", "load_power_w", "soc_cpct")  # of telemetry


@dataclass(frozen=True, slots=True)
class Range:
    """Mean, least and most over a stretch."""

    mean: float
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some minutes of telemetry: one Range or None for each of FIELDS."""

    start_ms: int
    stop_ms: int
    ranges: tuple[Range | None, ...]


@dataclass(frozen=True, slots=True)
class Happening:
    """An event; `sure`: a synchronised clock stands behind its time."""

    wall_ms: int
    level: EventLevel
    name: str
    text: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Period:
    """`first_ms` to `stop_ms`, which is no more in it; `label` is 2026-01-31 or 2026-01, in `zone`."""

    kind: Literal["day", "month"]
    label: str
    zone: ZoneInfo
    first_ms: int
    stop_ms: int

    def local(self, wall_ms: float) -> datetime:
        return datetime.fromtimestamp(wall_ms / 1000, self.zone)

    def bounds(self) -> list[int]:
        """Its hours if it is a day, its days if it is a month: where each begins, and the end."""
        if self.kind == "day":
            return list(range(self.first_ms, self.stop_ms + 1, HOUR_MS))
        day, found = self.local(self.first_ms).replace(tzinfo=None), []
        while (at_ms := _wall_ms(day, self.zone)) < self.stop_ms:
            found.append(at_ms)
            day += timedelta(days=1)
        return [*found, self.stop_ms]


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that one page shows. `rows`: the intervals of the ledger that count, in order of time."""

    site: str
    place: str
    period: Period
    capacity_wh: int
    stretches: Sequence[Stretch] = ()
    rows: Sequence[Row] = ()
    happenings: Sequence[Happening] = ()
    rules: KpiRules = field(default_factory=KpiRules)
    notes: Sequence[str] = ()  # what could not be read, in words


def day_of(text: str, zone: str) -> Period:
    """Raises DataFault for what is no day or no zone."""
    return _period("day", text, "%Y-%m-%d", zone)


def month_of(text: str, zone: str) -> Period:
    """Raises DataFault for what is no month or no zone."""
    return _period("month", text, "%Y-%m", zone)


def _period(kind: Literal["day", "month"], text: str, form: str, zone_name: str) -> Period:
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DataFault(f"--zone {zone_name}: no such zone is known here; such as America/Chicago") from None
    try:
        first = datetime.strptime(text, form)
        stop = first + timedelta(days=1) if kind == "day" else (first + timedelta(days=31)).replace(day=1)
        return Period(kind, first.strftime(form), zone, _wall_ms(first, zone), _wall_ms(stop, zone))
    except (ValueError, OverflowError):
        like = "2026-01-31" if kind == "day" else "2026-01"
        raise DataFault(f"--{kind} {text}: must be a {kind} such as {like}") from None


def _wall_ms(local: datetime, zone: ZoneInfo) -> int:
    return int(local.replace(tzinfo=zone).timestamp()) * 1000


def merged(stretches: Iterable[Stretch], bounds: Sequence[int]) -> Iterator[Stretch]:
    """One stretch for each piece between two bounds; a field is known where it was for half of the piece."""
    waiting, at = sorted(stretches, key=lambda one: one.start_ms), 0
    for start_ms, stop_ms in pairwise(bounds):
        while at < len(waiting) and waiting[at].stop_ms <= start_ms:
            at += 1
        mine = []
        for one in islice(waiting, at, None):
            if one.start_ms >= stop_ms:
                break
            mine.append(one)
        ranges = [_mean([(one, one.ranges[index]) for one in mine], start_ms, stop_ms) for index in range(len(FIELDS))]
        if any(ranges):
            yield Stretch(start_ms, stop_ms, tuple(ranges))


def _mean(parts: Sequence[tuple[Stretch, Range | None]], start_ms: int, stop_ms: int) -> Range | None:
    known = [
        (min(one.stop_ms, stop_ms) - max(one.start_ms, start_ms), found) for one, found in parts if found is not None
    ]
    time_ms = sum(weight for weight, _ in known)
    if time_ms * 2 < stop_ms - start_ms:
        return None
    mean = sum(weight * found.mean for weight, found in known) / time_ms
    return Range(mean, min(found.low for _, found in known), max(found.high for _, found in known))
