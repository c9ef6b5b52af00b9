"""What a source said of one interval, in one form for all sources: a fuel mix, an average intensity, or a marginal rate.

Three types that cannot be taken for each other: only the first two can become the intensity of an inventory. A marginal
rate says what one kWh more would cause; it belongs to estimates of avoided emissions, in a book of its own.
"""

from dataclasses import dataclass
from typing import Literal

SampleQuality = Literal["measured", "estimated_by_source"]
AverageKind = Literal["average_generation", "average_consumption"]

# storage: batteries and pumped hydro, + discharging, - charging or pumping; imports: + into the region.
FUELS = (
    "biomass", "coal", "gas", "geothermal", "hydro", "nuclear", "oil", "solar", "wind", "unknown", "storage", "imports",
)  # fmt: skip
LB_PER_MWH_TO_MG_PER_KWH = 45_359_237, 100_000  # 1 lb = 0.45359237 kg exactly: mg/kWh = lb/MWh * 453.59237


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """The interval and the answer it came in. `updated_wall_ms`: when the source says it wrote it, None if it does not."""

    source: str
    region: str
    start_wall_ms: int
    interval_s: int
    received_wall_ms: int
    updated_wall_ms: int | None
    raw_sha256: str
    schema_id: str
    quality: SampleQuality

    @property
    def end_wall_ms(self) -> int:
        return self.start_wall_ms + self.interval_s * 1000

    @property
    def as_of_wall_ms(self) -> int:
        """Up to when this says anything: a fresh answer that was written long ago is old."""
        return self.end_wall_ms if self.updated_wall_ms is None else min(self.end_wall_ms, self.updated_wall_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixSample(Arrival):
    """Generation by fuel in kW. Never negative but for storage and imports."""

    power_kw: tuple[tuple[str, int], ...]
    unknown: tuple[str, ...] = ()  # names of the source that nobody here knows; counted under "unknown"
    note: str = ""  # what is hidden in it, e.g. units that burn gas or oil


@dataclass(frozen=True, slots=True, kw_only=True)
class IntensitySample(Arrival):
    """An average intensity that the source has computed."""

    value_mg_per_kwh: int
    kind: AverageKind
    method: str  # of the source: its factors and what it includes
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalSample(Arrival):
    """What one kWh more would emit. Not an average, and nothing here turns it into one."""

    marginal_mg_per_kwh: int
    model: str
    note: str = ""


AverageSample = MixSample | IntensitySample
Sample = AverageSample | MarginalSample
