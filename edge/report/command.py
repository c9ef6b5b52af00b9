"""The word `edge report`: a day or a month of a site as one HTML file for people. Reads only.

Exit: 0 written · 2 nothing of that time is kept, or the file cannot be written.
"""

import argparse
import sys
from pathlib import Path

from edge.config.reader import load_config
from edge.errors import DataFault
from edge.report.reading import read_material
from edge.report.sheet.material import Period, day_of, month_of
from edge.report.sheet.page import page
from edge.report.words import rules_of


def add_report_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word on the command line of `edge`."""
    text = "a day or a month on one page: power, charge, carbon, PUE, events, and what the battery did"
    parser = words.add_parser("report", help=text, description=text)
    parser.add_argument("-c", "--config", required=True, metavar="FILE", help="the site file (TOML)")
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument("--day", metavar="DAY", help="such as 2026-01-31")
    when.add_argument("--month", metavar="MONTH", help="such as 2026-01")
    parser.add_argument("--zone", default="UTC", help="whose day it is (UTC); such as America/Chicago")
    parser.add_argument(
        "--annual", default="", metavar="TABLE", help="factor table with the region's official annual factor"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where to (SITE-PERIOD.html here); - for standard output"
    )
    parser.set_defaults(act=write_report)


def write_report(options: argparse.Namespace) -> int:
    """Writes the page. Raises ConfigFault, DataFault."""
    config = load_config(options.config)
    period: Period = day_of(options.day, options.zone) if options.day else month_of(options.month, options.zone)
    text = page(read_material(config, period, rules_of(config, options.annual), _progress))
    _progress("")
    path: Path = options.out or Path(f"{config.site.id}-{period.label}.html")
    if str(path) == "-":
        sys.stdout.write(text)
        return 0
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataFault(f"--out {path}: {error.strerror or error}") from error
    print(f"{path}: {period.kind} {period.label} {period.zone.key}, {len(text.encode()) / 1000:.0f} kB")
    return 0


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{f'reading {text}' if text else '':<24}", end="" if text else "\r", file=sys.stderr, flush=True)
