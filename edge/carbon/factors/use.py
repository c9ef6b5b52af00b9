"""From a reading of a grid signal, or a table of the year, to what the ledger writes down of the factor it books at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.carbon.factors.table import load_table
from edge.carbon.flow import UNKNOWN_MG_PER_KWH
from edge.carbon.interval import FactorKind, FactorUse
from edge.config.evidence import Evidence

# What stands in where nothing at all is known of the grid; see flow.py for the number.
UNKNOWN_ANNUAL = FactorUse(
    factor_id="unknown", kind="annual", value_mg_per_kwh=UNKNOWN_MG_PER_KWH, source="default of unknown electricity",
    version="1", published_wall_ms=None, payload_sha256="", quality="default",
)  # fmt: skip


def annual_use(table_id: str, basis: str, folder: Path | None = None) -> FactorUse:
    """The region's factor of the year from a table; that of unknown electricity where it has none. Raises ConfigFault."""
    if not table_id:
        return UNKNOWN_ANNUAL
    table = load_table(table_id, folder)
    value = table.annual.value(basis)
    source = table.source
    if value is None:
        value, source = UNKNOWN_MG_PER_KWH, f"{UNKNOWN_ANNUAL.source}: the table gives no annual factor"
    return FactorUse(f"{table.id}/{basis}", "annual", value, source, table.version, None, "", "default")


@dataclass(frozen=True, slots=True)
class FuelFactor:
    """What a kWh of the site's own genset emits, and where the number is from."""

    fuel: str
    mg_per_kwh: int
    source: str


def genset_factor(evidence: Evidence, table_id: str, basis: str, folder: Path | None = None) -> FuelFactor:
    """The site's own number, else its table's factor of the fuel, else that of unknown electricity. Raises ConfigFault."""
    fuel = evidence.genset_fuel
    if evidence.genset_mg_per_kwh:
        return FuelFactor(fuel, evidence.genset_mg_per_kwh, "site file")
    table = load_table(table_id, folder) if table_id else None
    value = dict(table.fuels)[fuel].value(basis) if table is not None and fuel in dict(table.fuels) else None
    if table is None or value is None:
        return FuelFactor(fuel, UNKNOWN_MG_PER_KWH, UNKNOWN_ANNUAL.source)
    return FuelFactor(fuel, value, f"{table.id}/{basis} {table.version}: power stations of this fuel")


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
