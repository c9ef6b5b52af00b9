"""The statement as a page: one self-contained HTML file that prints on A4, made of the figures and nothing else.

What it may claim and what not is in figures.CLAIM and in the section on limits; no other file words a claim.
"""

from collections.abc import Iterable, Sequence
from html import escape

from edge.carbon.evidence.account import SINKS, SOURCES, Account
from edge.carbon.evidence.diagram import diagram
from edge.carbon.evidence.fields import Line, cbam_lines, eu_lines, scope2_lines, sources
from edge.carbon.evidence.figures import fixed
from edge.carbon.ledger.entry import Body

STYLE = """
body{font:14px/1.45 sans-serif;color:#111;margin:0 auto;max-width:60rem;padding:1.5rem}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:1.6rem 0 .4rem;border-bottom:1px solid #999}
table{border-collapse:collapse;width:100%;margin:.4rem 0}th,td{padding:.2rem .5rem}
th,td{border-bottom:1px solid #ddd;vertical-align:top}
th{text-align:left;background:#f2f2f2}
td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
th.n{text-align:right}.big{font-size:1.25rem;font-weight:600}.s{color:#555;font-size:.85rem}
.flag{border:2px solid #b00;padding:.4rem .7rem;margin:.7rem 0}code{font-size:.78rem;overflow-wrap:anywhere}
svg{max-width:100%;height:auto}td.w{overflow-wrap:anywhere}
@media print{body{padding:0;font-size:11px;max-width:none}h2{break-after:avoid}tr,svg{break-inside:avoid}}
@page{size:A4;margin:14mm}
""".strip()
LIMITS = (
    "This statement is made by the operator's own controller. It is designed to be verified; whether it holds is for an"
    " accredited verifier to say, who must also see the meters, the seals and the contracts.",
    "A data centre that sells computing has no obligation under CBAM. The figures may serve a producer on the same private"
    " grid, Scope 2 and customers' Scope 3 reports, and Regulation (EU) 2024/1364.",
    "The intensity is that of the average inventory. What a change of consumption would have avoided elsewhere is another"
    " question, of marginal emissions, and cannot be answered from these figures.",
    "Location-based and market-based are two answers for the same energy. They are never added.",
    "On-site PV and the battery are counted with direct emissions only; what was emitted in making them is not in here.",
    "On one bus all sources mix: every use has the same share of each (proportional sharing). Losses of the battery"
    " concentrate the carbon in what it gives back.",
    "The band is of the meters only. The uncertainty of the grid's factor is larger as a rule, and its publishers do not"
    " state it.",
    "Losses of the grid before the point of connection are not in here (they are Scope 3).",
    "Values called substituted were made by rule; values called estimated rest on something that was not metered throughout."
    " Neither is called measured.",
    "Without a signature and a time stamp the chain shows that a copy was not changed in part; it does not show that its"
    " maker did not make it anew.",
)


def statement(account: Account, told: Body) -> str:
    """The page. `told`: figures.figures."""
    parts = [
        *_top(account, told), *_result(told), *_matrix(told), *_months(told), *_reported(account), *_battery(told),
        *_site(account), *_quality(told), *_factors(told), *_integrity(told), *_limits(),
    ]  # fmt: skip
    title = f"Electricity and carbon statement, {escape(told['site'])}, {told['period']['from'][:10]}"
    meta = f'<meta charset="utf-8"><title>{title}</title>'
    head = f'<!doctype html>\n<html lang="en"><head>{meta}\n<style>{STYLE}</style></head><body>'
    return "\n".join([head, *parts, "</body></html>"]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> list[str]:
    """Lines of a table; `numbers`: the columns that stand to the right."""
    marks = ["n" if index in numbers else "w" for index in range(len(heads))]
    first = "".join(f'<th class="{mark}">{escape(text)}</th>' for mark, text in zip(marks, heads, strict=True))
    lines = [f"<table><tr>{first}</tr>" if any(heads) else "<table>"]
    for row in rows:
        cells = "".join(f'<td class="{mark}">{escape(str(text))}</td>' for mark, text in zip(marks, row, strict=True))
        lines.append(f"<tr>{cells}</tr>")
    return [*lines, "</table>"]


def _percent(ppm: int) -> str:
    return f"± {fixed(ppm, 10_000, 1)} %"


def _top(account: Account, told: Body) -> list[str]:
    plan, period = account.plan, told["period"]
    lines = [
        "<h1>Electricity and carbon statement</h1>",
        f'<p class="s">{escape(told["claim"])}</p>',
    ]
    rows = [
        ("site", f"{told['site']}, {plan['place'] or 'place not stated'}"),
        ("operator", plan["operator"] or "not stated"),
        ("grid", plan["region"] or "not stated"),
        ("period (UTC)", f"{period['from']} to {period['to']}"),
        ("data", f"{told['data']['interval_count']} intervals, {told['data']['covered_percent']} % of the period"),
        ("method", ", ".join(told["data"]["methods"])),
    ]
    lines += table(("", ""), rows)
    if told["limited"]:
        months = ", ".join(month["month"] for month in told["months"] if month["limited"])
        lines.append(f'<p class="flag"><b>Limited.</b> More than 5 % substituted or absent in: {months}.</p>')
    return lines


def _result(told: Body) -> list[str]:
    found, band = told["result"], told["band"]
    rows = [
        ("import, location-based", found["import_kwh"], found["location_g_per_kwh"], found["location_kg"],
         f"{found['location_low_kg']} .. {found['location_high_kg']} ({_percent(band['import_ppm'])})"),
        ("import, market-based", found["import_kwh"], found["market_g_per_kwh"], found["market_kg"],
         "its meters as above; its factors as contracted"),
        ("consumption of the site", found["load_kwh"], found["load_g_per_kwh"], found["load_kg"],
         f"{found['load_low_kg']} .. {found['load_high_kg']} ({_percent(band['load_ppm'])})"),
    ]  # fmt: skip
    lines = ["<h2>Result</h2>"]
    lines += table(("", "kWh", "g CO₂/kWh", "kg CO₂", "band of the meters, kg (95 %)"), rows, (1, 2, 3))
    if band["unstated_classes"]:
        names = escape(", ".join(band["unstated_classes"]))
        lines.append(f'<p class="s">Class not stated, 5 % taken instead: {names}.</p>')
    kpi = told["kpi"]
    if kpi["pue_interim"]:
        lines.append(
            f"<p>Interim PUE {kpi['pue_interim']}, interim CUE {kpi['cue_interim_kg_per_kwh']} kg/kWh: of this period only;"
            " the standards ask for twelve months.</p>"
        )
    return lines


def _matrix(told: Body) -> list[str]:
    used = [source for source in SOURCES if any(told["exact"]["energy_mj"].get(f"{source}_{sink}") for sink in SINKS)]
    rows = [
        (source, *(f"{told['energy_kwh'].get(f'{source}_{sink}', '')}" for sink in SINKS),
         *(f"{told['carbon_kg'].get(f'{source}_{sink}', '')}" for sink in SINKS))
        for source in used
    ]  # fmt: skip
    heads = ("from", *(f"to {sink}, kWh" for sink in SINKS), *(f"to {sink}, kg" for sink in SINKS))
    return ["<h2>Energy and carbon by source and use</h2>", *table(heads, rows, range(1, 9))]


def _months(told: Body) -> list[str]:
    keys = ("month", "import_kwh", "location_kg", "market_kg", "substituted_percent", "estimated_percent")
    rows = [(*(month[key] for key in keys), "limited" if month["limited"] else "") for month in told["months"]]
    heads = ("month", "import kWh", "location kg", "market kg", "substituted %", "estimated %", "")
    note = '<p class="s">Substituted: share of the time, absent intervals included. More than 5 %: limited.</p>'
    return ["<h2>Months</h2>", *table(heads, rows, range(1, 6)), note]


def _lines(title: str, lines: Iterable[Line]) -> list[str]:
    return [f"<h2>{escape(title)}</h2>", *table(("field", "value", "unit", "note"), lines, (1,))]


def _reported(account: Account) -> list[str]:
    keys = ("name", "energy_mwh", "emissionFactorTonnesCo2PerMwh", "sourceOfElectricity", "method", "note")
    rows = [[source[key] for key in keys] for source in sources(account)]
    heads = ("source", "MWh", "t CO₂/MWh", "sourceOfElectricity", "method", "note")
    return [
        "<h2>Sources of electricity (SOE01-03, D.4.x)</h2>",
        *table(heads, rows, (1, 2)),
        *_lines("CBAM communication template, sheet D", cbam_lines(account)),
        *_lines("GHG Protocol, Scope 2", scope2_lines(account)),
        *_lines("Regulation (EU) 2024/1364", eu_lines(account)),
    ]


def _battery(told: Body) -> list[str]:
    found = told["battery"]
    rows = [
        ("content at the beginning", found["open_kwh"], found["open_kg"], ""),
        ("charged", found["charged_kwh"], found["charged_kg"], found["charged_g_per_kwh"]),
        ("delivered", found["delivered_kwh"], found["delivered_kg"], found["delivered_g_per_kwh"]),
        ("written off when empty", "", found["loss_kg"], ""),
        ("found anew after a restart", "", found["step_kg"], ""),
        ("content at the end", found["close_kwh"], found["close_kg"], ""),
    ]
    note = f'<p class="s">What goes in less what comes out, lost or left: {found["residual_ug"]} µg.</p>'
    return ["<h2>Battery</h2>", *table(("", "kWh", "kg CO₂", "g CO₂/kWh"), rows, (1, 2, 3)), note]


def _site(account: Account) -> list[str]:
    keys = (
        "device",
        "use",
        "accuracy_class",
        "serial",
        "calibrated",
        "calibration_due",
        "certificate",
        "seal",
        "owner",
    )
    rows = [[*(meter[key] or "not stated" for key in keys), _ratio(meter)] for meter in account.plan["meters"]]
    heads = ("meter", "use", "class", "serial", "calibrated", "due", "certificate", "seal", "owner", "CT, PT")
    return ["<h2>Site and meters</h2>", diagram(account.plan).rstrip("\n"), *table(heads, rows)]


def _ratio(meter: Body) -> str:
    (ct, ct_to), (pt, pt_to) = meter["ct"], meter["pt"]
    if ct == ct_to and pt == pt_to:
        return "direct"
    return f"{ct}/{ct_to}, {pt}/{pt_to}, registers {meter['registers']}"


def _quality(told: Body) -> list[str]:
    data = told["data"]
    counts = ", ".join(f"{count} {word}" for word, count in data["qualities"].items())
    rows = [
        ("intervals", counts),
        (
            "absent",
            f"{data['absent_minutes']} min: {'; '.join(data['absent_spans'])}" if data["absent_spans"] else "none",
        ),
        ("from register differences", f"{data['gap_kwh']} kWh"),
        ("late factors changed", f"{data['revised_kg']} kg"),
        ("corrected by hand", f"{data['corrected_count']} intervals: changes.csv says who and why"),
        ("moved by a clock correction", f"{data['moved_count']} intervals"),
        ("clock not synchronised", f"{data['unsynced_count']} intervals"),
        ("overlapping", f"{data['overlap_count']} intervals"),
    ]
    lines = ["<h2>Data quality</h2>", *table(("", ""), rows)]
    if data["doubts"]:
        items = "".join(f"<li>{escape(text)}</li>\n" for text in data["doubts"])
        lines += [f"<p>{data['doubt_count']} doubts, where meters and powers disagree:</p>", f"<ul>\n{items}</ul>"]
    return lines


def _factors(told: Body) -> list[str]:
    keys = ("id", "kind", "source", "version", "energy_kwh", "low_g_per_kwh", "mean_g_per_kwh", "high_g_per_kwh")
    rows = [[factor[key] for key in keys] for factor in told["factors"]]
    heads = ("factor", "kind", "source", "version", "kWh", "lowest g/kWh", "mean", "highest")
    return ["<h2>Grid factors used</h2>", *table(heads, rows, (4, 5, 6, 7))]


def _integrity(told: Body) -> list[str]:
    chain = told["chain"]
    keys = ", ".join(chain["keys"]) or "none: the roots are not signed"
    rows = [
        ("entries", f"{chain['first_no']} to {chain['last_no']}"),
        ("hash before the first", chain["previous"]),
        ("hash of the last", chain["head"]),
        ("days with a root", str(chain["root_count"])),
        ("roots signed", f"{chain['signed_count']} (Ed25519)"),
        ("roots with a time stamp", f"{chain['stamped_count']} (RFC 3161)"),
        ("public key", keys),
    ]
    note = (
        "<p>Whoever has this folder can recompute every number of it: <code>edge ledger verify FOLDER</code>, or a program"
        " of one's own from the description of the format in the handbook (ledger.md).</p>"
    )
    return ["<h2>Integrity</h2>", *table(("", ""), rows), note]


def _limits() -> list[str]:
    return ["<h2>Limits and doubts</h2>", "<ul>", *(f"<li>{escape(text)}</li>" for text in LIMITS), "</ul>"]
