"""What a grid signal is: something that is asked for the carbon intensity of now and answers at once, with its quality.

One file per source beside this one. A signal never guesses: it says measured, stale (older than allowed) or none.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

SignalQuality = Literal["measured", "stale", "none"]

INTENSITY_MAX_G_PER_KWH = 5_000  # four times the dirtiest plant: more is a unit error (lb/MWh, mg) or nonsense


@dataclass(frozen=True, slots=True)
class IntensityReading:
    """The intensity of now. With quality "none" the value and the age are None; `source` goes into the ledger."""

    value_mg_per_kwh: int | None
    age_ms: int | None
    quality: SignalQuality
    source: str
    valid_from_wall_ms: int | None = None


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
