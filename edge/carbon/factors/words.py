"""`edge factors list` and `edge factors show ID`: which emission factors there are, from where, and their doubts."""

import argparse
import dataclasses
import json
import textwrap
from pathlib import Path

from edge.carbon.factors.table import BASES, Factor, FactorTable, load_table, load_tables

WIDTH = 118


def add_factor_words(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word on the command line of `edge`."""
    text = "the emission factors that a site can be booked at, each with its source"
    factors = words.add_parser("factors", help=text, description=text)
    factors.add_argument("what", choices=["list", "show"])
    factors.add_argument("table", nargs="?", default="", metavar="ID", help="show: the table")
    factors.add_argument("--folder", type=Path, metavar="DIR", help="tables of the site's own beside those that ship")
    factors.add_argument("--json", action="store_true", help="for machines")
    factors.set_defaults(act=show_factors)


def show_factors(options: argparse.Namespace) -> int:
    """Prints the list, or one table. Raises ConfigFault."""
    if options.what == "show" and options.table:
        table = load_table(options.table, options.folder)
        print(json.dumps(_plain(table)) if options.json else "\n".join(table_lines(table)))
        return 0
    tables = load_tables(options.folder)
    print(json.dumps([_plain(table) for table in tables]) if options.json else "\n".join(list_lines(tables)))
    return 0


def list_lines(tables: tuple[FactorTable, ...]) -> list[str]:
    """One line a table; values in g/kWh."""
    lines = [f"{'table':<22}{'region':<24}{'year':>5}{'fuels':>7}  {'basis':<18}{'annual g/kWh':>13}  gases of direct"]
    for table in tables:
        has = [basis for basis in BASES if any(factor.value(basis) is not None for _, factor in table.fuels)]
        annual = _grams(table.annual.direct_mg_per_kwh)
        lines.append(
            f"{table.id:<22}{table.region[:23]:<24}{table.year:>5}{len(table.fuels):>7}  {', '.join(has) or '-':<18}"
            f"{annual:>13}  {table.gases}"
        )
    return [*lines, "", "`edge factors show ID` tells the source, the licence and the doubts of one"]


def table_lines(table: FactorTable) -> list[str]:
    """Everything that is known of one table."""
    losses = "included" if table.losses_included else "not included"
    lines = [
        f"{table.id}: {table.region}, {table.year}, version {table.version}; direct: {table.gases}; losses {losses}"
    ]
    for name, text in (("source", table.source), ("licence", table.licence), ("doubt", table.doubt or "none known")):
        lines += textwrap.wrap(text, WIDTH, initial_indent=f"{name:<9}", subsequent_indent=" " * 9)
    head = f"{'fuel':<12}{'direct g/kWh':>14}{'low .. high':>16}{'lifecycle g/kWh':>17}{'low .. high':>16}"
    rows = [_row(name, factor) for name, factor in (*table.fuels, ("annual", table.annual)) if factor != Factor()]
    return [*lines, "", head, *rows]


def _row(name: str, factor: Factor) -> str:
    return (
        f"{name:<12}{_grams(factor.direct_mg_per_kwh):>14}{_span(factor.direct_range):>16}"
        f"{_grams(factor.lifecycle_mg_per_kwh):>17}{_span(factor.lifecycle_range):>16}"
    )


def _grams(value_mg_per_kwh: int | None) -> str:
    return "-" if value_mg_per_kwh is None else f"{value_mg_per_kwh / 1000:.1f}"


def _span(span: tuple[int, int] | None) -> str:
    return "" if span is None else f"{span[0] / 1000:g} .. {span[1] / 1000:g}"


def _plain(table: FactorTable) -> dict[str, object]:
    plain = dataclasses.asdict(table)
    plain["fuels"] = {name: dataclasses.asdict(factor) for name, factor in table.fuels}
    return plain
