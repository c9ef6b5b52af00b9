"""The monitoring plan as the ledger keeps it: first entry of every day, so that a day can be judged by itself.

Made from the site file; what the site file does not say is "" or 0 and is named as missing by the evidence package.
"""

from dataclasses import asdict
from typing import Any

from edge.carbon.factors.use import UNKNOWN_ANNUAL, FuelFactor
from edge.carbon.interval import FactorUse
from edge.carbon.ledger.entry import Body, Kind
from edge.config.evidence import Contract, Meter
from edge.config.options import Config, Device

UNIT_KEYS = ("bms", "capacity_wh", "efficiency_permille", "pcs")
USES = ("poc", "load", "pv", "pcs", "genset")  # those that count energy
POWER_MARGIN = 2
EXCHANGE_KEYS = ("serial",)
CALIBRATION_KEYS = ("accuracy_class", "calibrated", "calibration_due", "certificate", "seal", "ct", "pt", "registers")


def plan_of(config: Config, annual: FactorUse = UNKNOWN_ANNUAL, genset: FuelFactor | None = None) -> Body:
    """What a verifier must know of the site beside its numbers.

    `annual` is the region's factor of the year, `genset` that of its own fuel, where a genset has a meter.
    """
    told = {meter.device: meter for meter in config.meter}
    evidence = config.evidence
    return {
        "capacity_wh": sum(unit.capacity_wh for unit in config.unit),
        "contracts": [_contract(one) for one in config.contract],
        "factors": _factors(config, annual),
        "genset": asdict(genset) if genset is not None else None,
        "it_category": evidence.it_category,
        "meters": [
            _meter(one, told.get(one.name), power_max_w(config, one)) for one in config.device if one.use in USES
        ],
        "operator": evidence.operator,
        "place": evidence.place,
        "pv_certificates_sold": evidence.pv_certificates_sold,
        "region": evidence.region,
        "residual": {"mg_per_kwh": evidence.residual_mg_per_kwh, "source": evidence.residual_source},
        "tenant": config.site.tenant,
        "units": [{key: getattr(one, key) for key in UNIT_KEYS} for one in config.unit],
    }


def _factors(config: Config, annual: FactorUse) -> Body:
    """What intervals are booked at: the signal and its region, and the table that stands in."""
    signal = config.signal
    return {
        "annual_mg_per_kwh": annual.value_mg_per_kwh,
        "basis": signal.basis,
        "region": signal.region,
        "signal": signal.kind,
        "source": annual.source,
        "table": annual.factor_id,
        "version": annual.version,
    }


def power_max_w(config: Config, device: Device) -> int:
    """More than any register of this device can count: twice what is behind it, for overload and a late reading."""
    limits = config.limits
    if device.use == "pcs":
        mine = [max(u.power_charge_max_w, u.power_discharge_max_w) for u in config.unit if u.pcs == device.name]
        return POWER_MARGIN * sum(mine)
    batteries_w = sum(unit.power_discharge_max_w for unit in config.unit)
    return POWER_MARGIN * (max(limits.import_max_w, limits.export_max_w) + batteries_w + limits.pv_rated_w)


def _meter(device: Device, meter: Meter | None, power_w: int) -> Body:
    told = meter or Meter(device=device.name)
    return {
        "accuracy_class": told.accuracy_class,
        "calibrated": told.calibrated,
        "calibration_due": told.calibration_due,
        "certificate": told.certificate,
        "ct": [told.ct_primary_a, told.ct_secondary_a],
        "device": device.name,
        "owner": told.owner,
        "power_max_w": power_w,
        "profile": device.profile,
        "pt": [told.pt_primary_v, told.pt_secondary_v],
        "register_max_wh": told.register_max_wh,
        "registers": told.registers,
        "seal": told.seal,
        "serial": told.serial,
        "use": device.use,
    }


def _contract(contract: Contract) -> Body:
    return {
        "document": contract.document,
        "energy_wh": contract.energy_wh,
        "first": contract.first,
        "kind": contract.kind,
        "last": contract.last,
        "mg_per_kwh": contract.intensity_mg_per_kwh,
        "name": contract.name,
        "share_permille": contract.share_permille,
    }


def changes_of(before: Body, now: Body) -> list[tuple[Kind, Body]]:
    """What is to be noted when the plan is another than it was: other factors, exchanges, calibrations, one entry each."""
    old = {meter["device"]: meter for meter in before["meters"]}
    found: list[tuple[Kind, Body]] = []
    was_factors = {"grid": before["region"], "genset": before.get("genset"), **before.get("factors", {})}
    factors = {"grid": now["region"], "genset": now["genset"], **now["factors"]}
    changes = {key: [was_factors.get(key), value] for key, value in factors.items() if was_factors.get(key) != value}
    if changes:
        found.append(("factor_change", {"changes": changes, "who": "site file", "why": "the site file says so now"}))
    for meter in now["meters"]:
        was: dict[str, Any] | None = old.get(meter["device"])
        if was is None:
            continue
        exchanged = was["serial"] and was["serial"] != meter["serial"]
        keys = [*EXCHANGE_KEYS, *CALIBRATION_KEYS]
        changes = {key: [was[key], meter[key]] for key in keys if was[key] != meter[key]}
        if changes:
            kind: Kind = "meter_exchange" if exchanged else "calibration_change"
            body = {
                "changes": changes,
                "meter": meter["device"],
                "who": "site file",
                "why": "the site file says so now",
            }
            found.append((kind, body))
    return found
