"""The parts of the page below its pictures: figures, who fed whom, the battery, events, how good the data are."""

from html import escape

from edge.carbon.evidence.account import Account
from edge.carbon.evidence.figures import fixed
from edge.report.kpi import IT_CATEGORIES, Kpi
from edge.report.sheet.battery import Without
from edge.report.sheet.material import Happening, Material
from edge.report.sheet.texts import NONE, carbon, energy, grams, intensity, listing, percent, ratio, table

HAPPENINGS_MAX_COUNT = 60
UNSEEN_MIN_MJ = 360_000_000  # 0.1 kWh: less is what rounding leaves


def kpi_section(material: Material, whole: Kpi) -> list[str]:
    rules = material.rules
    where = IT_CATEGORIES[rules.it_category]
    word = "" if not whole.interim else "interim "
    rows = [
        (f"{word}PUE", ratio(whole.pue_permille, 3), f"category {rules.it_category}: IT energy at {where}"),
        (f"{word}CUE, interval by interval", grams(whole.cue_mg_per_kwh), "carbon of the ledger per kWh of IT"),
        (f"{word}CUE, annual factor", grams(whole.cue_annual_mg_per_kwh), _annual(rules.annual_mg_per_kwh)),
        (f"{word}REF", ratio(whole.ref_permille), _ref(rules.pv_certificates_sold)),
        (f"{word}CFE score", percent(whole.cfe_permille), _cfe(rules.contract_cfe_permille, rules.grid_cfe_permille)),
    ]  # fmt: skip
    said = (
        f'<p class="s">Both meters were known for {percent(whole.covered_permille)} of the {material.period.kind}.</p>'
    )
    return ["<h2>Data-centre figures</h2>", *table(("", "", "of what"), rows, (1,)), said]


def _ref(sold: bool) -> str:
    return "certificates of the PV are sold: it does not count" if sold else "PV used on site"


def _annual(annual_mg_per_kwh: int | None) -> str:
    if annual_mg_per_kwh is None:
        return "no annual factor of the region is configured"
    return f"import at the official {fixed(annual_mg_per_kwh, 1000, 0)} g/kWh of the region"


def _cfe(contract_permille: int, grid_permille: int | None) -> str:
    grid = (
        "the grid's share is not known and counts as 0" if grid_permille is None else f"grid {percent(grid_permille)}"
    )
    contract = f"and contracts ({percent(contract_permille)} of the import) " if contract_permille else ""
    return f"PV {contract}up to the load of each interval; {grid}"


def matrix_section(account: Account) -> list[str]:
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
    return ["<h2>Who fed whom</h2>", *table(heads, [*rows, ("all", *sums)], (1, 2, 3, 4)), said]


def battery_section(account: Account, found: Without) -> list[str]:
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
    lines = ["<h2>What the battery did</h2>", *table(("", "energy", "carbon", "intensity"), rows, (1, 2, 3))]
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
    lines = table(("", "as it was", "without the battery", "difference"), rows, (1, 2, 3))
    lines.append(
        f"<p>In this period the battery {word}, as an effect on the inventory. It holds {carbon(abs(kept_ug))} {more}"
        " than at the start, which is booked when it is used. Same load, same sun, same factors of the grid,"
        " interval by interval; this is no estimate of what was saved or caused elsewhere.</p>"
    )
    if found.skipped_count:
        lines.append(f'<p class="s">{found.skipped_count} intervals without any factor are left out.</p>')
    return lines


def happenings_section(material: Material) -> list[str]:
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


def quality_section(material: Material, account: Account) -> list[str]:
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
    return listing("How good the data are", texts)
