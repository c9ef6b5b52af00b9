"""The figures of a statement, once, for its JSON and its page: whole numbers from the account, and how people read them.

Every figure is [value, unit], a text already rounded; the exact integers stand beside under `exact`. A band is two
standard uncertainties of the meters (class / sqrt 3, combined by share of energy); the factor's own is not in it.
"""

from collections.abc import Sequence
from math import isqrt

from edge.carbon.evidence.account import SINKS, SOURCES, Account, Month
from edge.carbon.ledger.entry import Body, utc_text
from edge.carbon.ledger.market import MJ_MG_PER_UG_KWH
from edge.config.evidence import CLASSES

MJ_PER_KWH = 3_600_000_000
UG_PER_KG = 1_000_000_000
UNSTATED_PERMILLE = 50  # a meter whose class nobody states is taken for the telemetry of an inverter: 5 %
CLAIM = (
    "CBAM-ready electricity and indirect-emission evidence: interval-metered, source-resolved, tamper-evident, recomputable;"
    " maps to SOE01-03 / D.4.x fields. Supports Scope 2 location- and market-based reporting. Designed to be verified."
)


def fixed(value: int, unit: int, places: int) -> str:
    """`value` / `unit` with so many decimals, rounded half up, thousands apart: fixed(12345678, 1000, 1) is 12 345.7."""
    scaled = (abs(value) * 10**places * 2 + unit) // (2 * unit)
    whole, rest = divmod(scaled, 10**places)
    text = f"{whole:,}".replace(",", " ") + (f".{rest:0{places}d}" if places else "")
    return f"-{text}" if value < 0 and scaled else text


def kwh(energy_mj: int) -> str:
    return fixed(energy_mj, MJ_PER_KWH, 0)


def kg(ug: int) -> str:
    return fixed(ug, UG_PER_KG, 1)


def intensity(ug: int, energy_mj: int) -> str:
    """g/kWh; "" where no energy was."""
    return fixed(ug * MJ_MG_PER_UG_KWH, energy_mj * 1000, 0) if energy_mj else ""


def tonnes_per_mwh(ug: int, energy_mj: int) -> str:
    return fixed(ug * MJ_MG_PER_UG_KWH, energy_mj * 1_000_000, 3) if energy_mj else ""


def class_permille(plan: Body, use: str) -> int:
    """Of the meter with that use; several: the worst."""
    found = [CLASSES.get(meter["accuracy_class"], UNSTATED_PERMILLE) for meter in plan["meters"] if meter["use"] == use]
    return max(found, default=UNSTATED_PERMILLE)


def band_ppm(parts: Sequence[tuple[int, int]]) -> int:
    """Two standard uncertainties in ppm of the sum of (energy, class in permille): independent, each class / sqrt 3."""
    whole = sum(energy for energy, _ in parts)
    if whole <= 0:
        return 0
    squares = sum((energy * permille) ** 2 for energy, permille in parts)
    return isqrt(squares * 4_000_000 // (3 * whole * whole))


def figures(account: Account, head: Body) -> Body:
    """Everything that a statement says in numbers. `head`: site, chain and its roots, see package.py."""
    plan, months = account.plan, account.months
    load_mj, load_ug = account.energy(None, "load"), account.carbon(None, "load")
    poc = class_permille(plan, "poc")
    import_band = band_ppm([(account.import_mj, poc)])
    load_band = band_ppm([(account.energy(source, "load"), class_permille(plan, use)) for source, use in METERED])
    return {
        **head,
        "band": {"import_ppm": import_band, "load_ppm": load_band, "unstated_classes": unstated(plan)},
        "battery": _battery(account),
        "carbon_kg": {f"{a}_{b}": kg(account.carbon(a, b)) for a in SOURCES for b in SINKS if a != b},
        "claim": CLAIM,
        "data": _data(account),
        "energy_kwh": {f"{a}_{b}": kwh(account.energy(a, b)) for a in SOURCES for b in SINKS if a != b},
        "exact": _exact(account),
        "factors": _factors(account),
        "kpi": _kpi(account),
        "limited": account.limited,
        "months": [_month(name, month) for name, month in sorted(months.items())],
        "period": {"from": utc_text(account.first_ms), "to": utc_text(account.stop_ms)},
        "result": {
            "export_kwh": kwh(account.energy(None, "export")),
            "import_kwh": kwh(account.import_mj),
            "load_g_per_kwh": intensity(load_ug, load_mj),
            "load_high_kg": kg(load_ug * (1_000_000 + load_band) // 1_000_000),
            "load_kg": kg(load_ug),
            "load_kwh": kwh(load_mj),
            "load_low_kg": kg(load_ug * (1_000_000 - load_band) // 1_000_000),
            "location_g_per_kwh": intensity(account.location_ug, account.import_mj),
            "location_high_kg": kg(account.location_ug * (1_000_000 + import_band) // 1_000_000),
            "location_kg": kg(account.location_ug),
            "location_low_kg": kg(account.location_ug * (1_000_000 - import_band) // 1_000_000),
            "market_g_per_kwh": intensity(account.market_ug, account.import_mj),
            "market_kg": kg(account.market_ug),
        },
    }


METERED = (("grid", "poc"), ("pv", "pv"), ("battery", "pcs"), ("genset", "genset"))


def unstated(plan: Body) -> list[str]:
    return [meter["device"] for meter in plan["meters"] if not meter["accuracy_class"]]


def _battery(account: Account) -> Body:
    opening = account.pool_open or (0, 0)
    charged_mj, delivered_mj = account.energy(None, "battery"), account.energy("battery", "load")
    delivered_mj += account.energy("battery", "export")
    delivered_ug = account.carbon("battery", "load") + account.carbon("battery", "export")
    return {
        "charged_g_per_kwh": intensity(account.carbon(None, "battery"), charged_mj),
        "charged_kg": kg(account.carbon(None, "battery")),
        "charged_kwh": kwh(charged_mj),
        "close_kg": kg(account.pool_close[1]),
        "close_kwh": kwh(account.pool_close[0] // 1000),
        "delivered_g_per_kwh": intensity(delivered_ug, delivered_mj),
        "delivered_kg": kg(delivered_ug),
        "delivered_kwh": kwh(delivered_mj),
        "loss_kg": kg(account.loss_ug),
        "open_kg": kg(opening[1]),
        "open_kwh": kwh(opening[0] // 1000),
        "residual_ug": account.residual_ug,
        "step_kg": kg(account.pool_step_ug),
    }


def _data(account: Account) -> Body:
    absent_ms = sum(stop - start for start, stop in account.absent)
    expected_ms = account.stop_ms - account.first_ms
    return {
        "absent_minutes": absent_ms // 60_000,
        "absent_spans": [f"{utc_text(start)} .. {utc_text(stop)}" for start, stop in account.absent[:20]],
        "corrected_count": account.corrected_count,
        "covered_percent": fixed(max(0, expected_ms - absent_ms) * 100, max(1, expected_ms), 1),
        "doubt_count": account.doubt_count,
        "doubts": account.doubts,
        "gap_kwh": kwh(account.gap_mj),
        "interval_count": account.interval_count,
        "methods": sorted(account.methods),
        "moved_count": account.moved_count,
        "overlap_count": account.overlap_count,
        "qualities": dict(sorted(account.qualities.items())),
        "revised_kg": kg(account.revised_ug),
        "unsynced_count": account.unsynced_count,
    }


def _exact(account: Account) -> Body:
    matrix = [(a, b) for a in SOURCES for b in SINKS if a != b]
    return {
        "carbon_ug": {f"{a}_{b}": account.carbon(a, b) for a, b in matrix},
        "energy_mj": {f"{a}_{b}": account.energy(a, b) for a, b in matrix},
        "facility_mj": account.facility_mj,
        "import_mj": account.import_mj,
        "it_mj": account.it_mj,
        "location_ug": account.location_ug,
        "market": {name: {"mj": mj, "ug": ug} for name, (mj, ug) in sorted(account.market.items())},
        "market_ug": account.market_ug,
        "registers_wh": {f"{meter} {register}": wh for (meter, register), wh in sorted(account.registers_wh.items())},
    }


def _factors(account: Account) -> list[Body]:
    rows: list[Body] = []
    for (name, kind, source, version), share in sorted(account.factors.items()):
        mean = fixed(share.weighted, share.energy_mj * 1000, 0) if share.energy_mj else ""
        low, high = fixed(share.low_mg_per_kwh, 1000, 0), fixed(share.high_mg_per_kwh, 1000, 0)
        energy = {
            "energy_kwh": kwh(share.energy_mj),
            "high_g_per_kwh": high,
            "low_g_per_kwh": low,
            "mean_g_per_kwh": mean,
        }
        rows.append({**energy, "id": name, "kind": kind, "source": source, "version": version})
    return rows


def _kpi(account: Account) -> Body:
    """Interim: a PUE is one of twelve months. "" where a meter did not cover the same time."""
    same = account.it_ms == account.facility_ms > 0 and account.it_mj > 0
    it_mj, facility_mj = account.it_mj, account.facility_mj
    return {
        "cue_interim_kg_per_kwh": fixed(account.carbon(None, "load") * 3_600, it_mj * 1000, 3) if same else "",
        "facility_kwh": kwh(facility_mj) if account.facility_ms else "",
        "it_kwh": kwh(it_mj) if account.it_ms else "",
        "pue_interim": fixed(facility_mj, it_mj, 2) if same else "",
    }


def _month(name: str, month: Month) -> Body:
    return {
        "estimated_percent": fixed(month.estimated_ms * 100, max(1, month.expected_ms), 1),
        "import_kwh": kwh(month.import_mj),
        "limited": month.limited,
        "location_kg": kg(month.location_ug),
        "market_kg": kg(month.market_ug),
        "month": name,
        "substituted_percent": fixed(month.substituted_permille, 10, 1),
    }
