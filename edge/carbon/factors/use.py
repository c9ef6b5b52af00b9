"""From a reading of a grid signal to what the ledger writes down of the factor it booked at."""

from typing import Protocol

from edge.carbon.flow import UNKNOWN_MG_PER_KWH
from edge.carbon.interval import FactorKind, FactorUse


class Origin(Protocol):
    """Where a value came from."""

    @property
    def factor_id(self) -> str: ...
    @property
    def kind(self) -> FactorKind: ...
    @property
    def version(self) -> str: ...
    @property
    def published_wall_ms(self) -> int | None: ...
    @property
    def payload_sha256(self) -> str: ...


class Reading(Protocol):
    """The grid's intensity of now."""

    @property
    def value_mg_per_kwh(self) -> int | None: ...
    @property
    def quality(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def valid_from_wall_ms(self) -> int | None: ...
    @property
    def origin(self) -> Origin | None: ...


def factor_use(reading: Reading) -> FactorUse:
    """What to book at and why. Without a value: that of unknown electricity, by default."""
    value, origin = reading.value_mg_per_kwh, reading.origin
    if value is None:
        return FactorUse("unknown", "annual", UNKNOWN_MG_PER_KWH, reading.source, "", None, "", "default")
    if origin is None:  # a file or a pushed message: the number is all there is
        stamp = reading.valid_from_wall_ms
        return FactorUse(reading.source, "average_generation", value, reading.source, "", stamp, "", reading.quality)
    return FactorUse(
        origin.factor_id, origin.kind, value, reading.source, origin.version, origin.published_wall_ms,
        origin.payload_sha256, reading.quality,
    )  # fmt: skip
