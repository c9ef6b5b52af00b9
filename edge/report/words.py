"""The word `edge kpi`: PUE, CUE, REF and CFE of a site's periods, as a table or as JSON. Reads only.

Exit: 0 told · 2 the store has no ledger yet, or something asked for cannot be read.
"""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from edge.carbon.factors.table import load_table
from edge.config.options import Config
from edge.config.reader import load_config
from edge.errors import DataFault
from edge.report.intervals import read_intervals
from edge.report.kpi import IT_CATEGORIES, Kpi, KpiRules, kpis

KWH_MJ = 3_600_000_000
HEADINGS = (
    ("period", 17), ("known", 6), ("IT kWh", 12), ("site kWh", 12), ("PUE", 7),
    ("CUE g/kWh", 10), ("annual", 8), ("REF", 6), ("CFE", 7),
)  # fmt: skip


def add_kpi_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "PUE, CUE, REF and carbon-free energy by hour, day, month or year, from the ledger"
    parser = words.add_parser("kpi", help=text, description=text)
    parser.add_argument("-c", "--config", required=True, metavar="FILE", help="the site file (TOML)")
    parser.add_argument("--by", choices=("hour", "day", "month", "year"), default="day", help="(%(default)s)")
    parser.add_argument("--last", type=int, default=31, metavar="N", help="only the newest N periods (%(default)s)")
    parser.add_argument(
        "--annual", default="", metavar="TABLE", help="factor table with the official annual factor of the region"
    )
    parser.add_argument("--json", action="store_true", help="for machines: permille, mJ, mg/kWh")
    parser.set_defaults(act=_kpi)


def rules_of(config: Config, annual: str = "") -> KpiRules:
    """What the figures of a site rest on. Raises ConfigFault: no such table; DataFault: it has no annual factor."""
    folder = Path(config.file).parent / "factors"
    value = None
    if annual:
        factor = load_table(annual, folder).annual
        value = factor.direct_mg_per_kwh
        if value is None:
            raise DataFault(f"--annual {annual}: this table has no annual factor; `edge factors list` shows which have")
    return KpiRules(
        it_category=config.evidence.it_category,
        pv_certificates_sold=config.evidence.pv_certificates_sold,
        annual_mg_per_kwh=value,
        contract_cfe_permille=min(
            1000,
            sum(one.share_permille for one in config.contract if one.intensity_mg_per_kwh == 0 and one.kind == "ppa"),
        ),
    )


def _kpi(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    if not config.store.path:
        raise DataFault(f"{config.file}: store.path is empty: this site keeps nothing on disk")
    rules = rules_of(config, options.annual)
    found = kpis(read_intervals(Path(config.store.path)), options.by, rules)[-max(1, options.last) :]
    if options.json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=2))
    else:
        print("\n".join(table(found, rules)))
    return 0


def table(found: Sequence[Kpi], rules: KpiRules) -> list[str]:
    """The lines of the table; what is not known is `...`."""
    if not found:
        return ["no closed interval is in the ledger yet; the first is there after a quarter of an hour"]
    lines = ["".join(name.rjust(width) if index else name.ljust(width) for index, (name, width) in enumerate(HEADINGS))]
    for one in found:
        cells = (
            f"{one.covered_permille / 10:.0f} %", f"{one.it_mj / KWH_MJ:.1f}", f"{one.facility_mj / KWH_MJ:.1f}",
            _scaled(one.pue_permille, 1000, ".3f"), _scaled(one.cue_mg_per_kwh, 1000, ".1f"),
            _scaled(one.cue_annual_mg_per_kwh, 1000, ".1f"), _scaled(one.ref_permille, 1000, ".3f"),
            _scaled(one.cfe_permille, 10, ".1f") + (" %" if one.cfe_permille is not None else ""),
        )  # fmt: skip
        line = one.label.ljust(HEADINGS[0][1])
        lines.append(line + "".join(cell.rjust(width) for cell, (_, width) in zip(cells, HEADINGS[1:], strict=True)))
    lines += [
        "",
        f"IT meter: category {rules.it_category}, {IT_CATEGORIES[rules.it_category]}. Periods are UTC.",
        "CUE: each interval at the factor it was booked at; annual: at that of --annual.",
    ]
    if any(one.interim for one in found):
        lines.append("Interim values: the standards ask for twelve whole months.")
    return lines


def _scaled(value: int | None, by: int, form: str) -> str:
    return "..." if value is None else format(value / by, form)
