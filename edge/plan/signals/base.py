"""What a grid signal is: something that is asked for the carbon intensity of now and answers at once, with its quality.

A signal never guesses without saying so: only what is measured, or estimated by its source and young, may steer; what
stands in for a value that is missing is never below the regional average, so that not knowing never flatters.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

# measured, estimated_by_source: young; stale: old, but the last that is known; substituted: our own forecast or the mean
# of the same hour; default: the annual factor of the region; none: no value at all
SignalQuality = Literal["measured", "estimated_by_source", "stale", "substituted", "default", "none"]
OriginKind = Literal["average_generation", "average_consumption", "annual"]
STEERING: frozenset[SignalQuality] = frozenset({"measured", "estimated_by_source"})

INTENSITY_MAX_G_PER_KWH = 5_000  # four times the dirtiest plant: more is a unit error (lb/MWh, mg) or nonsense


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from, for the evidence. `payload_sha256`: of the raw answer, "" for a table."""

    factor_id: str
    kind: OriginKind
    version: str
    published_wall_ms: int | None
    payload_sha256: str


@dataclass(frozen=True, slots=True)
class IntensityReading:
    """The intensity of now, as it may be booked. With quality "none" the value and the age are None."""

    value_mg_per_kwh: int | None
    age_ms: int | None
    quality: SignalQuality
    source: str
    valid_from_wall_ms: int | None = None
    origin: Origin | None = None  # None: a file or a message, the number is all there is
    fault: str = ""  # why there is nothing better; "" while all is well


class IntensitySignal(Protocol):
    def poll(self, mono_ms: int, wall_ms: int) -> IntensityReading:
        """Never waits for a network."""
        ...


def rate_reading(
    value_mg_per_kwh: int | None, age_ms: int, age_max_ms: int, source: str, valid_from_wall_ms: int | None
) -> IntensityReading:
    """A reading with the quality its age earns."""
    if value_mg_per_kwh is None:
        return IntensityReading(None, None, "none", source)
    quality: SignalQuality = "measured" if age_ms <= age_max_ms else "stale"
    return IntensityReading(value_mg_per_kwh, age_ms, quality, source, valid_from_wall_ms)


class NoSignal:
    """The site has no grid signal: the intensity is unknown, always."""

    def poll(self, mono_ms: int, wall_ms: int) -> IntensityReading:
        return IntensityReading(None, None, "none", "no signal configured")
