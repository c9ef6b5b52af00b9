"""A table of factors at one basis, ready to weigh a fuel mix: average of the generation, storage and imports left out.

What a battery discharges was generated before and is booked then; counting it as 0 g makes a grid cleaner than it is.
A fuel that the table does not know counts as "unknown", at its conservative factor, and is told; it is never dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.carbon.factors.table import BASES, FactorTable, load_table
from edge.carbon.flow import UNKNOWN_MG_PER_KWH
from edge.errors import ConfigFault, Problem

NOT_GENERATED = frozenset({"storage", "imports"})


@dataclass(frozen=True, slots=True)
class Weights:
    """Factors in mg/kWh. `annual_mg_per_kwh` is what stands in when nothing better is known."""

    factor_id: str  # table/basis
    version: str
    source: str
    annual_mg_per_kwh: int
    mg_per_kwh: Mapping[str, int]

    def weigh(self, power_kw: Mapping[str, int]) -> tuple[int, int] | None:
        """(mg/kWh, permille of the generation without a factor of its own) of powers in kW; None when nothing runs."""
        total_kw = unknown_kw = carbon = 0
        for fuel, kw in power_kw.items():
            if fuel in NOT_GENERATED or kw <= 0:  # below zero: what a plant that stands still draws
                continue
            known = fuel in self.mg_per_kwh and fuel != "unknown"
            total_kw += kw
            unknown_kw += 0 if known else kw
            carbon += kw * self.mg_per_kwh[fuel if known else "unknown"]
        if total_kw == 0:
            return None
        return (2 * carbon + total_kw) // (2 * total_kw), 1000 * unknown_kw // total_kw


def weights_of(table: FactorTable, basis: str) -> Weights:
    """Raises ConfigFault when the table has no values of this basis.

    Without a regional average of the year the annual factor is that of unknown electricity: not knowing never flatters.
    """
    fuels = {name: value for name, factor in table.fuels if (value := factor.value(basis)) is not None}
    annual = table.annual.value(basis)
    if not fuels and annual is None:
        has = [
            name for name in BASES if table.annual.value(name) is not None or any(f.value(name) for _, f in table.fuels)
        ]
        raise ConfigFault([Problem("factors", table.id, None, f"has no {basis} values", "it has " + ", ".join(has))])
    return Weights(
        f"{table.id}/{basis}",
        table.version,
        table.source,
        UNKNOWN_MG_PER_KWH if annual is None else annual,
        fuels or {"unknown": UNKNOWN_MG_PER_KWH},
    )


def load_weights(table_id: str, basis: str, folder: Path | None = None) -> Weights:
    """Raises ConfigFault: no such table, a bad one, or one without this basis."""
    return weights_of(load_table(table_id, folder), basis)
