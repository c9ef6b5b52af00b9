"""What the figures are called where they are reported: CBAM fields, EU 2024/1364, GHG Protocol Scope 2. A mapping, no law.

A code is printed where the source of it could be read; what is from summaries of the acts says so in its note.
"""

from collections.abc import Iterator

from edge.carbon.evidence.account import Account
from edge.carbon.evidence.figures import MJ_PER_KWH, fixed, kwh, tonnes_per_mwh
from edge.carbon.ledger.entry import Body

Line = tuple[str, str, str, str]  # field, value, unit, note
NO_ACTUAL = "a certificate alone does not justify an actual factor under CBAM"
DRAFT = "name from summaries of the act: check against the reporting scheme"


def mwh(energy_mj: int) -> str:
    return fixed(energy_mj, MJ_PER_KWH * 1000, 3)


def sources(account: Account) -> list[Body]:
    """Each source of electricity with its code: `sourceOfElectricity` and the method of the communication template."""
    plan = account.plan
    kinds = {contract["name"]: contract["kind"] for contract in plan.get("contracts", ())}
    pv_mj, genset_mj = account.energy("pv"), account.energy("genset")
    rows = []
    if pv_mj:
        note = "direct emissions; D.4.3.1 where another installation owns it"
        rows.append(_source("on-site PV", pv_mj, 0, "SOE01", "D.4.1", note))
    if genset_mj:
        rows.append(_source("genset", genset_mj, account.carbon("genset"), "SOE01", "D.4.1", "own generation, no CHP"))
    for name, (energy_mj, ug) in account.market.items():
        if name in kinds and kinds[name] == "ppa":
            rows.append(_source(name, energy_mj, ug, "SOE02", "D.4.3.2", "bilateral contract; see the document named"))
        elif name in kinds:
            rows.append(_source(name, energy_mj, ug, "SOE03", "grid", NO_ACTUAL))
    covered_mj = sum(energy for name, (energy, _) in account.market.items() if kinds.get(name) == "ppa")
    grid_mj = account.import_mj - covered_mj
    grid_ug = account.location_ug * grid_mj // account.import_mj if account.import_mj else 0
    rows.append(
        _source(
            "grid", grid_mj, grid_ug, "SOE03", "grid", "location-based average; a declarant may have to use a default"
        )
    )
    return rows


def _source(name: str, energy_mj: int, ug: int, soe: str, method: str, note: str) -> Body:
    return {
        "emissionFactorTonnesCo2PerMwh": tonnes_per_mwh(ug, energy_mj),
        "energy_mwh": mwh(energy_mj),
        "method": method,
        "name": name,
        "note": note,
        "sourceOfElectricity": soe,
    }


def cbam_lines(account: Account) -> Iterator[Line]:
    """Sheet D of the communication template."""
    load_mj, load_ug = account.energy(None, "load"), account.carbon(None, "load")
    export_mj, export_ug = account.energy(None, "export"), account.carbon(None, "export")
    yield "D j) electricity consumed", mwh(load_mj), "MWh", "within the boundary of the diagram"
    yield "D j) weighted average emission factor", tonnes_per_mwh(load_ug, load_mj), "t CO2/MWh", "method Mix"
    yield "D k) electricity exported", mwh(export_mj), "MWh", ""
    yield "D k) its emission factor", tonnes_per_mwh(export_ug, export_mj), "t CO2/MWh", ""
    yield "sourceOfEmissionFactor", "Other", "", "grid factors of this ledger; the Commission's default is not used"
    yield "specificEmbeddedEmissionsIndirect", "", "", "needs the goods: MWh per tonne is the producer's"


def scope2_lines(account: Account) -> Iterator[Line]:
    """GHG Protocol, Scope 2 Guidance (2015): both methods, gross of exports."""
    yield (
        "location-based",
        fixed(account.location_ug, 10**12, 3),
        "t CO2",
        "import at the grid's average; exports not netted",
    )
    yield "market-based", fixed(account.market_ug, 10**12, 3), "t CO2", "contracts first, the rest at the residual mix"
    for name, (energy_mj, ug) in sorted(account.market.items()):
        yield f"market-based: {name}", fixed(ug, 10**12, 3), "t CO2", f"{kwh(energy_mj)} kWh; {_basis(account, name)}"


def _basis(account: Account, name: str) -> str:
    contract = next((one for one in account.plan.get("contracts", ()) if one["name"] == name), None)
    if contract is not None:
        return f"{contract['kind']}, document: {contract['document'] or 'NOT STATED'}"
    residual = account.plan.get("residual", {})
    named = residual.get("source") or "NO SOURCE STATED"
    words = {
        "grid": "no residual mix is known: the grid average stands in",
        "residual": f"residual mix: {named}",
        "pv_sold": "own PV whose certificates are sold",
    }
    return words.get(name, "")


def eu_lines(account: Account) -> Iterator[Line]:
    """Delegated Regulation (EU) 2024/1364; for data centres from 500 kW of IT."""
    plan = account.plan
    kinds = {contract["name"]: contract["kind"] for contract in plan.get("contracts", ())}

    def covered(kind: str) -> int:
        return sum(energy for name, (energy, _) in account.market.items() if kinds.get(name) == kind)

    onsite_mj = (
        0 if plan.get("pv_certificates_sold") else account.energy("pv", "load") + account.energy("pv", "battery")
    )
    known = account.facility_ms > 0
    yield "total energy consumption E_DC", kwh(account.facility_mj) if known else "", "kWh", DRAFT
    yield "energy consumption of IT E_IT", kwh(account.it_mj) if account.it_ms else "", "kWh", DRAFT
    total_mj = onsite_mj + covered("ppa") + covered("certificate")
    yield "renewable energy, total", kwh(total_mj), "kWh", "counts only with the right to the attribute"
    yield "renewable energy, guarantees of origin", kwh(covered("certificate")), "kWh", DRAFT
    yield "renewable energy, PPA", kwh(covered("ppa")), "kWh", DRAFT
    yield "renewable energy, on-site", kwh(onsite_mj), "kWh", "used on the site, battery included"
    yield (
        "battery capacity",
        kwh(plan.get("capacity_wh", 0) * 3_600_000),
        "kWh",
        "what is offered to the grid is not in this ledger",
    )
