"""The word `edge report`. What it does is loaded only when it is asked for: the controller never does."""

import argparse
import importlib
from pathlib import Path


def add_report_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word on the command line of `edge`."""
    text = "a day or a month on one page: power, charge, carbon, PUE, events, and what the battery did"
    parser = words.add_parser("report", help=text, description=text)
    parser.add_argument("-c", "--config", required=True, metavar="FILE", help="the site file (TOML)")
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument("--day", default="", metavar="DAY", help="such as 2026-01-31")
    when.add_argument("--month", default="", metavar="MONTH", help="such as 2026-01")
    parser.add_argument("--zone", default="UTC", help="whose day it is (UTC); such as America/Chicago")
    parser.add_argument(
        "--annual", default="", metavar="TABLE", help="factor table with the region's official annual factor"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where to (SITE-PERIOD.html here); - for standard output"
    )
    parser.set_defaults(act=_act)


def _act(options: argparse.Namespace) -> int:
    return int(importlib.import_module("edge.report.writing").write_report(options))
