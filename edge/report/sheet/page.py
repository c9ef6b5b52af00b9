"""The page: one HTML file that needs nothing else. What it says of carbon is inventory; see LIMITS."""

from html import escape
from itertools import pairwise

from edge.carbon.evidence.account import Account
from edge.report.intervals import interval_of
from edge.report.kpi import Kpi, kpi_between
from edge.report.sheet.battery import without_battery
from edge.report.sheet.material import Material
from edge.report.sheet.plots import intensity_figure, kpi_figures, power_figure, soc_figure
from edge.report.sheet.sections import battery_section, happenings_section, kpi_section, matrix_section, quality_section
from edge.report.sheet.style import HATCH, STYLE
from edge.report.sheet.texts import carbon, energy, grams, intensity, listing, percent, ratio

COVERED_MIN_PERMILLE = 995  # below it is said at the top
LIMITS = (
    "Carbon here is the average inventory with direct emissions: what was emitted in making panels, battery and plants is"
    " not in it, and neither are losses of the grid before the meter.",
    "On one bus all sources mix. Which electron went where is not known; every use has the same share of each source.",
    "What the battery did is a difference of the inventory. What power stations did because of it is a question of marginal"
    " emissions and is not answered here: where gas follows the load in most hours, moving load between two such hours"
    " changes the inventory and hardly the system.",
    "Without a battery, surplus of the sun is taken to have been exported. Where an export limit would have cut it, the"
    " export without the battery is shown too high; the import and its carbon are not touched by that.",
    "PUE, CUE and REF are defined over twelve months. Over less they are interim values.",
    "Power and charge are telemetry of the devices; energy and carbon are of the ledger, which others can recompute"
    " (edge ledger export).",
)


def page(material: Material) -> str:
    """The whole file."""
    account = _account(material)
    intervals = [interval_of(row) for row in material.rows]
    bounds = material.period.bounds()
    whole = kpi_between(intervals, bounds[0], bounds[-1], material.rules)
    pieces = [kpi_between(intervals, a, b, material.rules) for a, b in pairwise(bounds)]
    title = f"Energy and carbon, {material.site}, {material.period.label}"
    parts = [
        *_head(material, account), *_tiles(account, whole), power_figure(material), soc_figure(material),
        intensity_figure(material), kpi_figures(material, pieces), *kpi_section(material, whole),
        *matrix_section(account), *battery_section(account, without_battery(material.rows)), *happenings_section(material),
        *quality_section(material, account), *listing("What this page cannot say", LIMITS),
    ]  # fmt: skip
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    head = f'<!doctype html>\n<html lang="en"><head>{meta}<title>{escape(title)}</title>\n<style>{STYLE}</style></head>'
    return "\n".join([head, "<body>", HATCH, *parts, "</body></html>"]) + "\n"


def _account(material: Material) -> Account:
    account = Account(material.period.first_ms, material.period.stop_ms)
    for row in material.rows:
        account.add(row)
    return account.end()


def _head(material: Material, account: Account) -> list[str]:
    period = material.period
    times = [f"{period.local(at):%Y-%m-%d %H:%M}" for at in (period.first_ms, period.stop_ms)]
    zone = period.zone.key
    covered = _covered_permille(account)
    where = f", {material.place}" if material.place else ""
    lines = [
        f"<h1>{escape(material.site)}: {period.kind} {period.label}</h1>",
        f'<p class="s">{times[0]} to {times[1]} {escape(zone)}{escape(where)}. Energy and carbon from'
        f" {account.interval_count} intervals of the ledger, {percent(covered)} of the {period.kind}.</p>",
    ]
    flags = [*material.notes]
    if covered < COVERED_MIN_PERMILLE:
        flags.append("Sums below are of what was recorded, not of the whole period; hatched times have no data.")
    if account.limited:
        flags.append("Limited: more than 5 % of the time is substituted or absent.")
    return [*lines, *(f'<p class="flag">{escape(text)}</p>' for text in flags)]


def _covered_permille(account: Account) -> int:
    absent_ms = sum(stop - start for start, stop in account.absent)
    whole_ms = account.stop_ms - account.first_ms
    return max(0, whole_ms - absent_ms) * 1000 // whole_ms


def _tiles(account: Account, whole: Kpi) -> list[str]:
    load_mj, load_ug = account.energy(None, "load"), account.carbon(None, "load")
    pv_mj = account.energy("pv")
    found = [
        ("site load", energy(load_mj)),
        ("grid import", energy(account.import_mj)),
        ("PV", energy(pv_mj)),
        ("export", energy(account.energy(None, "export"))),
        ("carbon of consumption", carbon(load_ug)),
        ("its mean intensity", intensity(load_ug, load_mj)),
        ("interim PUE", ratio(whole.pue_permille)),
        ("interim CUE, ledger", grams(whole.cue_mg_per_kwh)),
    ]
    return [
        '<div class="tiles">',
        *(f'<div class="tile"><span class="s">{name}</span><b>{escape(text)}</b></div>' for name, text in found),
        "</div>",
    ]
