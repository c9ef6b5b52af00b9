"""The page: one HTML file that needs nothing else. What it says of carbon is inventory; see LIMITS."""

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from edge.carbon.evidence.account import Account
from edge.carbon.evidence.figures import fixed
from edge.carbon.ledger.market import MJ_MG_PER_UG_KWH
from edge.report.kpi import IT_CATEGORIES, Kpi, kpi_between
from edge.report.sheet.battery import Without, without_battery
from edge.report.sheet.material import Happening, Material, interval_of
from edge.report.sheet.plots import intensity_figure, kpi_figures, power_figure, soc_figure
from edge.report.sheet.style import HATCH, STYLE

NONE = "–"
HAPPENINGS_MAX_COUNT = 60
UNSEEN_MIN_MJ = 360_000_000  # 0.1 kWh: less is what rounding leaves
COVERED_MIN_PERMILLE = 995  # below it is said at the top
LIMITS = (
    "Carbon here is the average inventory with direct emissions: what was emitted in making panels, battery and plants is"
    " not in it, and neither are losses of the grid before the meter.",
    "On one bus all sources mix. Which electron went where is not known; every use has the same share of each source.",
    "What the battery did is a difference of the inventory. What power stations did because of it is a question of marginal"
    " emissions and is not answered here: where gas follows the load in most hours, moving load between two such hours"
    " changes the inventory and hardly the system.",
    "Without a battery, surplus of the sun is taken to have been exported. Where an export limit would have cut it, the"
    " battery did more than is shown.",
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
        intensity_figure(material), kpi_figures(material, pieces), *_kpi_table(material, whole),
        *_matrix(account), *_battery(account, without_battery(material.rows)), *_happenings(material),
        *_quality(material, account), *_list("What this page cannot say", LIMITS),
    ]  # fmt: skip
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    head = f'<!doctype html>\n<html lang="en"><head>{meta}<title>{escape(title)}</title>\n<style>{STYLE}</style></head>'
    return "\n".join([head, "<body>", HATCH, *parts, "</body></html>"]) + "\n"


def _account(material: Material) -> Account:
    account = Account(material.period.first_ms, material.period.stop_ms)
    for row in material.rows:
        account.add(row)
    return account.end()


# ---- numbers as people read them


def energy(energy_mj: int) -> str:
    """Wh, kWh or MWh, so that three or four digits remain."""
    size = abs(energy_mj)
    if not size:
        return "0 kWh"
    if size >= 36_000_000_000_000:
        return f"{fixed(energy_mj, 3_600_000_000_000, 2)} MWh"
    return f"{fixed(energy_mj, 3_600_000_000, 0 if size >= 3_600_000_000_000 else 1)} kWh"


def carbon(ug: int) -> str:
    """kg or t."""
    if not ug:
        return "0 kg"
    if abs(ug) >= 10**13:
        return f"{fixed(ug, 10**12, 2)} t"
    return f"{fixed(ug, 10**9, 0 if abs(ug) >= 10**12 else 1)} kg"


def intensity(ug: int, energy_mj: int) -> str:
    return f"{fixed(ug * MJ_MG_PER_UG_KWH, energy_mj * 1000, 0)} g/kWh" if energy_mj > 0 else NONE


def _permille(value: int | None, places: int = 2) -> str:
    return NONE if value is None else fixed(value, 1000, places)


def _percent(permille: int | None) -> str:
    return NONE if permille is None else f"{fixed(permille, 10, 1)} %"


def _grams(mg: int | None) -> str:
    return NONE if mg is None else f"{fixed(mg, 1000, 0)} g/kWh"


# ---- sections


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> list[str]:
    marks = [' class="n"' if index in numbers else "" for index in range(len(heads))]
    lines = ['<div class="wide"><table>']
    if any(heads):
        lines.append("<tr>" + "".join(f"<th{m}>{escape(t)}</th>" for m, t in zip(marks, heads, strict=True)) + "</tr>")
    lines += [
        "<tr>" + "".join(f"<td{m}>{escape(t)}</td>" for m, t in zip(marks, row, strict=True)) + "</tr>" for row in rows
    ]
    return [*lines, "</table></div>"]


def _list(title: str, texts: Iterable[str]) -> list[str]:
    return [f"<h2>{escape(title)}</h2>", "<ul>", *(f"<li>{escape(text)}</li>" for text in texts), "</ul>"]


def _head(material: Material, account: Account) -> list[str]:
    period = material.period
    times = [f"{period.local(at):%Y-%m-%d %H:%M}" for at in (period.first_ms, period.stop_ms)]
    zone = period.zone.key
    covered = _covered_permille(account)
    where = f", {material.place}" if material.place else ""
    lines = [
        f"<h1>{escape(material.site)}: {period.kind} {period.label}</h1>",
        f'<p class="s">{times[0]} to {times[1]} {escape(zone)}{escape(where)}. Energy and carbon from'
        f" {account.interval_count} intervals of the ledger, {_percent(covered)} of the {period.kind}.</p>",
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
        ("interim PUE", _permille(whole.pue_permille)),
        ("interim CUE, ledger", _grams(whole.cue_mg_per_kwh)),
    ]
    return [
        '<div class="tiles">',
        *(f'<div class="tile"><span class="s">{name}</span><b>{escape(text)}</b></div>' for name, text in found),
        "</div>",
    ]


def _kpi_table(material: Material, whole: Kpi) -> list[str]:
    rules = material.rules
    where = IT_CATEGORIES[rules.it_category]
    word = "" if not whole.interim else "interim "
    rows = [
        (f"{word}PUE", _permille(whole.pue_permille, 3), f"category {rules.it_category}: IT energy at {where}"),
        (f"{word}CUE, interval by interval", _grams(whole.cue_mg_per_kwh), "carbon of the ledger per kWh of IT"),
        (f"{word}CUE, annual factor", _grams(whole.cue_annual_mg_per_kwh), _annual(rules.annual_mg_per_kwh)),
        (f"{word}REF", _permille(whole.ref_permille), _ref(rules.pv_certificates_sold)),
        (f"{word}CFE score", _percent(whole.cfe_permille), _cfe(rules.contract_cfe_permille, rules.grid_cfe_permille)),
    ]  # fmt: skip
    said = (
        f'<p class="s">Both meters were known for {_percent(whole.covered_permille)} of the {material.period.kind}.</p>'
    )
    return ["<h2>Data-centre figures</h2>", *_table(("", "", "of what"), rows, (1,)), said]


def _ref(sold: bool) -> str:
    return "certificates of the PV are sold: it does not count" if sold else "PV used on site"


def _annual(annual_mg_per_kwh: int | None) -> str:
    if annual_mg_per_kwh is None:
        return "no annual factor of the region is configured"
    return f"import at the official {fixed(annual_mg_per_kwh, 1000, 0)} g/kWh of the region"


def _cfe(contract_permille: int, grid_permille: int | None) -> str:
    grid = (
        "the grid's share is not known and counts as 0" if grid_permille is None else f"grid {_percent(grid_permille)}"
    )
    contract = f"and contracts ({_percent(contract_permille)} of the import) " if contract_permille else ""
    return f"PV {contract}up to the load of each interval; {grid}"


def _matrix(account: Account) -> list[str]:
    names = {"grid": "grid", "pv": "PV", "battery": "battery", "genset": "genset"}
    sinks = ("load", "battery", "export", "losses")
    rows = []
    for source, name in names.items():
        if not account.energy(source):
            continue
        cells = []
        for sink in sinks:
            mj, ug = account.energy(source, sink), account.carbon(source, sink)
            cells.append(f"{energy(mj)}, {carbon(ug)}" if mj or ug else NONE)
        rows.append((name, *cells))
    sums = [f"{energy(account.energy(None, sink))}, {carbon(account.carbon(None, sink))}" for sink in sinks]
    said = '<p class="s">Energy and kg CO₂. Losses are those of the battery; their carbon stays in what it holds.</p>'
    heads = ("from", "to load", "to battery", "to export", "to losses")
    return ["<h2>Who fed whom</h2>", *_table(heads, [*rows, ("all", *sums)], (1, 2, 3, 4)), said]


def _battery(account: Account, found: Without) -> list[str]:
    charged_mj, given_mj = (
        account.energy(None, "battery"),
        account.energy("battery") - account.energy("battery", "losses"),
    )
    if account.pool_open is None or not (charged_mj or given_mj):
        return ["<h2>What the battery did</h2>", "<p>Nothing was charged or discharged.</p>"]
    charged_ug = account.carbon(None, "battery")
    given_ug = account.carbon("battery") - account.carbon("battery", "losses")
    (open_uj, open_ug), (close_uj, close_ug) = account.pool_open, account.pool_close
    rows = [
        ("inside at the start", energy(open_uj // 1000), carbon(open_ug), intensity(open_ug, open_uj // 1000)),
        ("charged from the grid", *_three(account, "grid", "battery")),
        ("charged from PV", *_three(account, "pv", "battery")),
        ("given to the load", *_three(account, "battery", "load")),
        ("given to the grid", *_three(account, "battery", "export")),
        ("lost", energy(account.energy("battery", "losses")), carbon(account.loss_ug), NONE),
        *_unseen(account, charged_mj - given_mj),
        ("inside at the end", energy(close_uj // 1000), carbon(close_ug), intensity(close_ug, close_uj // 1000)),
    ]
    lines = ["<h2>What the battery did</h2>", *_table(("", "energy", "carbon", "intensity"), rows, (1, 2, 3))]
    lines.append(
        f"<p>It took in at {intensity(charged_ug, charged_mj)} and gave out at {intensity(given_ug, given_mj)}.</p>"
    )
    return [*lines, *_difference(found, close_ug - open_ug)]


def _unseen(account: Account, net_mj: int) -> list[tuple[str, str, str, str]]:
    """What the content changed by beside all flows: not recorded, or set to the SOC of the BMS."""
    if account.pool_open is None:
        return []
    changed_mj = (account.pool_close[0] - account.pool_open[0]) // 1000
    rest_mj = changed_mj - net_mj + account.energy("battery", "losses")
    if abs(rest_mj) < UNSEEN_MIN_MJ and not account.pool_step_ug:
        return []
    return [("not recorded, or set to the SOC", energy(rest_mj), carbon(account.pool_step_ug), NONE)]


def _three(account: Account, source: str, sink: str) -> tuple[str, str, str]:
    mj, ug = account.energy(source, sink), account.carbon(source, sink)
    return energy(mj), carbon(ug), intensity(ug, mj)


def _difference(found: Without, kept_ug: int) -> list[str]:
    rows = [
        (name, show(was), show(without), show(was - without))
        for name, show, was, without in (
            ("grid import", energy, found.import_mj, found.without_import_mj),
            ("carbon of the import", carbon, found.import_ug, found.without_import_ug),
            ("export", energy, found.export_mj, found.without_export_mj),
        )
    ]
    if found.difference_ug > 0:
        word = f"raised the carbon of the import by {carbon(found.difference_ug)}"
    elif found.difference_ug < 0:
        word = f"lowered the carbon of the import by {carbon(-found.difference_ug)}"
    else:
        word = "did not change the carbon of the import"
    more = "more" if kept_ug >= 0 else "less"
    lines = _table(("", "as it was", "without the battery", "difference"), rows, (1, 2, 3))
    lines.append(
        f"<p>In this period the battery {word}, as an effect on the inventory. It holds {carbon(abs(kept_ug))} {more}"
        " than at the start, which is booked when it is used. Same load, same sun, same factors of the grid, interval by interval;"
        " this is no estimate of what was saved or caused elsewhere.</p>"
    )
    if found.skipped_count:
        lines.append(f'<p class="s">{found.skipped_count} intervals without any factor are left out.</p>')
    return lines


def _happenings(material: Material) -> list[str]:
    """Alarms and warnings first come first; the rest is counted."""
    found = [one for one in material.happenings if one.level != "info"]
    shown, others = found[:HAPPENINGS_MAX_COUNT], len(material.happenings) - len(found)
    lines = ["<h2>Events</h2>"]
    if shown:
        lines += ['<div class="wide"><table><tr><th>time</th><th>level</th><th>event</th><th>what</th></tr>']
        lines += [_happening(material, one) for one in shown]
        lines.append("</table></div>")
    more = f"{len(found) - len(shown)} more alarms and warnings, " if len(found) > len(shown) else ""
    none = "No alarm and no warning. " if not found else ""
    lines.append(f'<p class="s">{none}{more}{others} of level info not shown: edge events.</p>')
    return lines


def _happening(material: Material, one: Happening) -> str:
    form = "%H:%M:%S" if material.period.kind == "day" else "%m-%d %H:%M"
    time = f"{material.period.local(one.wall_ms):{form}}" + ("" if one.sure else "?")
    cells = f'<td class="t">{time}</td><td class="{one.level}">{one.level}</td><td>{escape(one.name)}</td>'
    return f"<tr>{cells}<td>{escape(one.text)}</td></tr>"


def _quality(material: Material, account: Account) -> list[str]:
    qualities = ", ".join(f"{count} {name}" for name, count in sorted(account.qualities.items()))
    factors = [
        f"{kind.replace('_', ' ')}, {source}{f' {version}' if version else ''}"
        for (_, kind, source, version) in sorted(account.factors)
    ]
    seconds = sum(row.body["missing_ms"] for row in material.rows) // 1000
    texts = [
        f"Intervals: {qualities or 'none'}; {seconds} s within them without powers.",
        f"Factors of the grid: {'; '.join(factors) or 'none'}.",
        f"Import that only the registers saw: {energy(account.gap_mj)}.",
    ]
    if account.unsynced_count:
        texts.append(f"{account.unsynced_count} intervals were stamped by a clock that was not synchronised.")
    if account.corrected_count:
        texts.append(f"{account.corrected_count} intervals count as corrected later.")
    texts += [f"{account.doubt_count} doubts: meters that disagree beyond their class."] if account.doubt_count else []
    return _list("How good the data are", texts)
