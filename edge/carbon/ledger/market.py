"""Location-based and market-based: two figures for the same energy, side by side, never added, never mixed with a third.

Location-based is the import at the grid's average intensity as it was booked. Market-based is the import at the factors
of the contracts, and what no contract covers at the residual mix. Both are of the average inventory: a marginal figure
is not a FactorKind and cannot be given here. GHG Protocol, Scope 2 Guidance (2015), both methods.
"""

from typing import Any, NewType

from edge.carbon.ledger.entry import Body

LocationUg = NewType("LocationUg", int)
MarketUg = NewType("MarketUg", int)
MJ_MG_PER_UG_KWH = 3_600_000  # mJ * mg/kWh to ug


def ug_of(energy_mj: int, intensity_mg_per_kwh: int) -> int:
    """Carbon of an energy, rounded down: less than a microgram an interval."""
    return energy_mj * intensity_mg_per_kwh // MJ_MG_PER_UG_KWH


def market_of(
    plan: Body, day: str, import_mj: int, pv_used_mj: int, location: LocationUg
) -> tuple[MarketUg, list[Body]]:
    """The market-based figure of an interval of the UTC day `day` (YYYY-MM-DD), and its parts in the order of the plan."""
    parts: list[Body] = []
    rest_mj = import_mj
    for contract in plan["contracts"]:
        if (contract["first"] and day < contract["first"]) or (contract["last"] and day > contract["last"]):
            continue
        energy_mj = min(rest_mj, import_mj * contract["share_permille"] // 1000)
        rest_mj -= energy_mj
        parts.append(_part(contract["name"], energy_mj, contract["mg_per_kwh"]))
    residual_mg_per_kwh = plan["residual"]["mg_per_kwh"]
    if residual_mg_per_kwh:
        parts.append(_part("residual", rest_mj, residual_mg_per_kwh))
    else:  # no residual mix is known: the grid average stands in, as the guidance allows, and its name says so
        ug = location * rest_mj // import_mj if import_mj else location
        parts.append({"mg_per_kwh": None, "mj": rest_mj, "name": "grid", "ug": ug})
    if plan["pv_certificates_sold"]:
        parts.append(_part("pv_sold", pv_used_mj, residual_mg_per_kwh or grid_mg_per_kwh(location, import_mj)))
    return MarketUg(sum(part["ug"] for part in parts)), parts


def grid_mg_per_kwh(location: LocationUg, import_mj: int) -> int:
    """Mean intensity of an import; 700 g/kWh, the unknown's, where nothing was imported."""
    return -(-location * MJ_MG_PER_UG_KWH // import_mj) if import_mj else 700_000


def _part(name: str, energy_mj: int, intensity_mg_per_kwh: int) -> dict[str, Any]:
    return {
        "mg_per_kwh": intensity_mg_per_kwh,
        "mj": energy_mj,
        "name": name,
        "ug": ug_of(energy_mj, intensity_mg_per_kwh),
    }
