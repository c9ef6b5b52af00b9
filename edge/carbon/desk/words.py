"""The word `edge ledger`. What it does is loaded only when it is asked for: the controller never does."""

import argparse
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ReadRows = Callable[[Path], Iterator[bytes]]
ReadAnswer = Callable[[Path, str], bytes | None]


def add_words(
    words: "argparse._SubParsersAction[argparse.ArgumentParser]", read_rows: ReadRows, read_answer: ReadAnswer
) -> None:
    """The word `ledger` of `edge`; the two read the kept rows, and a kept answer of a grid's source, of a store's folder."""
    text = "the carbon ledger: what is in it, an evidence package of it, the check of one"
    ledger = words.add_parser("ledger", help=text, description=text).add_subparsers(required=True, metavar="WHAT")
    export = _word(ledger, "export", "write the evidence package of a period into a new folder", config=True)
    export.add_argument("folder", type=Path, metavar="DIR")
    export.add_argument("--from", required=True, dest="first", metavar="DAY", help="first day, 2026-01-31")
    export.add_argument("--to", required=True, dest="last", metavar="DAY", help="last day")
    export.add_argument("--zone", default="UTC", help="whose days they are (UTC); such as America/Chicago")
    export.set_defaults(act=_act("export_package", read_rows, read_answer))
    check = _word(ledger, "verify", "recompute a package; name the first thing wrong, and what is missing")
    check.add_argument("folder", type=Path, metavar="DIR")
    check.add_argument("--key", default="", metavar="HEX", help="the public key that must have signed")
    check.add_argument("--strict", action="store_true", help="exit 1 when something is missing, too")
    check.add_argument("--json", action="store_true", help="for machines")
    check.set_defaults(act=_act("verify_package"))
    show = _word(ledger, "show", "print the newest entries", config=True)
    show.add_argument("--last", type=int, default=20, metavar="N", help="the newest N (20)")
    show.add_argument("--kind", default="", help="only of this kind, such as interval or day_root")
    show.add_argument("--json", action="store_true", help="for machines: the lines as they are")
    show.set_defaults(act=_act("show_entries", read_rows))
    correct = _word(ledger, "correct", "say what an entry should have said; both stay, and both are shown", config=True)
    correct.add_argument(
        "file", type=Path, metavar="FILE", help="what counts instead, as `edge ledger show --json` prints it"
    )
    correct.add_argument("--entry", type=int, required=True, metavar="N", help="the interval that is meant")
    correct.add_argument("--who", required=True, help="who says so")
    correct.add_argument("--why", required=True, help="and why")
    correct.set_defaults(act=_act("correct_entry", read_rows))
    status = _word(ledger, "status", "length, head, signed roots, and whether the chain is whole", config=True)
    status.add_argument("--json", action="store_true", help="for machines")
    status.set_defaults(act=_act("show_status", read_rows))


def _word(
    words: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str, *, config: bool = False
) -> argparse.ArgumentParser:
    parser = words.add_parser(name, help=text, description=text)
    if config:
        parser.add_argument("-c", "--config", required=True, metavar="FILE", help="the site file (TOML)")
    return parser


def _act(name: str, *more: Any) -> Callable[[argparse.Namespace], int]:
    def act(options: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module("edge.carbon.desk.acts"), name)(options, *more))

    return act
