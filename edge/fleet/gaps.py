"""The word `edge-fleet gaps`: which numbers the database has not, per gateway, stream and epoch."""

import argparse
import json

from edge.fleet.books.open import add_book
from edge.fleet.books.reading import Shelf, open_reader

EXIT_GAPS = 1
_TEXT = """\
Which numbers between 1 and the newest stored one are missing, per gateway, stream and epoch (a store made anew counts
from 1 again). Ask for them with edge-fleet replay. A number may be missing for ever: overwritten in a long outage before
it was sent, or never used (a gateway skips some after a power cut). Exit 1 when there is a gap.
"""


def add_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word and its options."""
    parser = words.add_parser("gaps", help="which samples are missing in the database", description=_TEXT)
    parser.set_defaults(act=gaps)
    parser.add_argument("gateway", nargs="?", default="", metavar="GW", help="only this gateway; default: all")
    parser.add_argument("--tenant", default="", help="only this tenant")
    parser.add_argument("--json", action="store_true", help="for machines")
    add_book(parser)


def gaps(options: argparse.Namespace) -> int:
    """Prints them. Raises DataFault when the database cannot be read."""
    shelves = open_reader(options).shelves(options.tenant, options.gateway)
    if options.json:
        print(json.dumps([_row(shelf) for shelf in shelves]))
    else:
        _print(shelves)
    return EXIT_GAPS if any(shelf.gaps() for shelf in shelves) else 0


def _row(shelf: Shelf) -> dict[str, object]:
    tenant, gateway, stream, epoch = shelf.series
    key = {"tenant": tenant, "gateway": gateway, "stream": stream, "epoch": str(epoch)}
    return {**key, "stored_count": shelf.held.count(), "gaps": shelf.gaps()}


def _print(shelves: list[Shelf]) -> None:
    names = [f"{one.series.tenant}/{one.series.gateway}" for one in shelves]
    width = max([len(name) for name in names], default=7)
    print(f"{'gateway':<{width}}  {'stream':<8} {'epoch':>19} {'stored':>11} {'from':>11} {'to':>11} {'missing':>9}")
    for name, shelf in zip(names, shelves, strict=True):
        head = f"{name:<{width}}  {shelf.series.stream:<8} {shelf.series.epoch:>19} {shelf.held.count():>11}"
        for first, last in shelf.gaps():
            print(f"{head} {first:>11} {last:>11} {last - first + 1:>9}")
        if not shelf.gaps():
            print(f"{head} {'-':>11} {'-':>11} {0:>9}")
