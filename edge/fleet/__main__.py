"""`edge-fleet`: the words of the operator's side. Thin; each word is its own module.

0 done · 1 the answer is no (each word says of what) · 2 a file, an option or the database cannot be used
"""

import argparse
import sqlite3
import sys
from collections.abc import Sequence

from edge.errors import EdgeError
from edge.fleet import gaps, request, roster
from edge.fleet.simulate import words as simulate
from edge.fleet.taking import words as ingest

EXIT_BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `edge-fleet`."""
    options = _parser().parse_args(argv)
    try:
        return int(options.act(options))
    except (OSError, sqlite3.Error, EdgeError) as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-fleet", description="Tidewatt Edge, the operator's side")
    words = parser.add_subparsers(required=True, metavar="WORD")
    for word in (ingest, roster, gaps, request, simulate):
        word.add_word(words)
    return parser


if __name__ == "__main__":
    sys.exit(main())
