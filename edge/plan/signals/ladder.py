"""What stands for the grid's intensity now: five rungs, from the live value down to the annual factor. Pure.

    1 live         at most two intervals old                  measured, or estimated by the source
    2 last value   at most an hour old                        stale
    3 own forecast of the hours since                         substituted
    4 mean of the same hour in seven days                     substituted
    5 annual factor of the region                             default

On rungs 3 to 5 the higher of the estimate and the annual factor counts: what is not known must not make a site cleaner.
A value is as old as the later end of what it says: a fresh answer that was written long ago is old.
"""

from dataclasses import dataclass
from typing import Protocol

from edge.plan.forecast import HourlyHistory
from edge.plan.signals.base import IntensityReading, Origin
from edge.plan.signals.samples import SampleQuality

LIVE_INTERVALS = 2
LAST_MAX_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Known:
    """The newest value of a source, and when it came."""

    value_mg_per_kwh: int
    quality: SampleQuality
    interval_s: int
    start_wall_ms: int
    as_of_wall_ms: int
    received_wall_ms: int
    received_mono_ms: int
    origin: Origin

    def age_ms(self, mono_ms: int) -> int:
        """At its arrival by the wall clock, from then on by the monotonic one."""
        return max(0, self.received_wall_ms - self.as_of_wall_ms) + max(0, mono_ms - self.received_mono_ms)


class Annual(Protocol):
    """What a table of factors says of a region for a year."""

    @property
    def factor_id(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def annual_mg_per_kwh(self) -> int: ...


def choose_rung(
    known: Known | None,
    history: HourlyHistory,
    annual: Annual,
    source: str,
    mono_ms: int,
    wall_ms: int,
    fault: str = "",
) -> IntensityReading:
    """The reading of now; it always has a value."""
    if known is not None:
        age_ms = known.age_ms(mono_ms)
        live = age_ms <= LIVE_INTERVALS * known.interval_s * 1000
        if live or age_ms <= LAST_MAX_MS:
            quality = known.quality if live else "stale"
            return IntensityReading(
                known.value_mg_per_kwh, age_ms, quality, source, known.start_wall_ms, known.origin, fault
            )
    estimate, method = history.forecast_mg_per_kwh(wall_ms), "forecast-28d"
    if estimate is None:
        estimate, method = history.week_mean_mg_per_kwh(wall_ms), "week-mean"
    if estimate is None or estimate <= annual.annual_mg_per_kwh:
        origin = Origin(annual.factor_id, "annual", annual.version, None, "")
        return IntensityReading(annual.annual_mg_per_kwh, None, "default", source, None, origin, fault)
    kind = known.origin.kind if known is not None else "average_generation"
    origin = Origin(f"{annual.factor_id}/{method}", kind, annual.version, None, "")
    return IntensityReading(estimate, None, "substituted", source, None, origin, fault)
