"""The monitoring plan as the ledger keeps it: first entry of every day, so that a day can be judged by itself.

Made from the site file; what the site file does not say is "" or 0 and is named as missing by the evidence package.
"""

from typing import Any

from edge.carbon.ledger.entry import Body, Kind
from edge.config.evidence import Contract, Meter
from edge.config.options import Config, Device

USES = ("poc", "load", "pv", "pcs")  # those that count energy
EXCHANGE_KEYS = ("serial",)
CALIBRATION_KEYS = ("accuracy_class", "calibrated", "calibration_due", "certificate", "seal", "ct", "pt", "registers")


def plan_of(config: Config) -> Body:
    """What a verifier must know of the site beside its numbers."""
    told = {meter.device: meter for meter in config.meter}
    evidence = config.evidence
    return {
        "capacity_wh": sum(unit.capacity_wh for unit in config.unit),
        "contracts": [_contract(one) for one in config.contract],
        "it_category": evidence.it_category,
        "meters": [_meter(one, told.get(one.name)) for one in config.device if one.use in USES],
        "operator": evidence.operator,
        "place": evidence.place,
        "pv_certificates_sold": evidence.pv_certificates_sold,
        "region": evidence.region,
        "residual": {"mg_per_kwh": evidence.residual_mg_per_kwh, "source": evidence.residual_source},
        "tenant": config.site.tenant,
        "units": [{"bms": one.bms, "capacity_wh": one.capacity_wh, "pcs": one.pcs} for one in config.unit],
    }


def _meter(device: Device, meter: Meter | None) -> Body:
    told = meter or Meter(device=device.name)
    return {
        "accuracy_class": told.accuracy_class,
        "calibrated": told.calibrated,
        "calibration_due": told.calibration_due,
        "certificate": told.certificate,
        "ct": [told.ct_primary_a, told.ct_secondary_a],
        "device": device.name,
        "owner": told.owner,
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
        "first": contract.first,
        "kind": contract.kind,
        "last": contract.last,
        "mg_per_kwh": contract.intensity_mg_per_kwh,
        "name": contract.name,
        "share_permille": contract.share_permille,
    }


def changes_of(before: Body, now: Body) -> list[tuple[Kind, Body]]:
    """What is to be noted of the meters when the plan is another than it was: exchanges and calibrations, one entry each."""
    old = {meter["device"]: meter for meter in before["meters"]}
    found: list[tuple[Kind, Body]] = []
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
