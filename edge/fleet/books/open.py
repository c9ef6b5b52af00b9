"""The book on the command line of `edge-fleet`: which one, and whether it can be had, before anything is opened."""

import argparse
from collections.abc import Callable
from pathlib import Path

from edge.errors import DataFault
from edge.fleet.books.book import Book, BookFault
from edge.fleet.books.sqlite import SqliteBook

NO_DRIVER = "--postgres needs psycopg: pip install 'tidewatt-edge[fleet]'"


def add_book(parser: argparse.ArgumentParser) -> None:
    """The options; one of them must be given."""
    group = parser.add_argument_group("database").add_mutually_exclusive_group(required=True)
    group.add_argument("--sqlite", type=Path, metavar="FILE", help="a SQLite file")
    group.add_argument("--postgres", default="", metavar="DSN", help="a URL or words such as 'host=db dbname=fleet'")


def book_opener(options: argparse.Namespace) -> Callable[[], Book]:
    """What opens the book, in the thread that will use it. Raises DataFault when that can never work."""
    if options.sqlite:
        path: Path = options.sqlite
        if not path.parent.is_dir():
            raise DataFault(f"{path.parent}: no such folder")
        _try(lambda: SqliteBook(path))
        return lambda: SqliteBook(path)
    try:
        from edge.fleet.books.postgres import PostgresBook  # noqa: PLC0415  the driver is an extra
    except ImportError as error:
        raise DataFault(NO_DRIVER) from error
    _try(lambda: PostgresBook(options.postgres))  # connects later: a database that is away now may come
    return lambda: PostgresBook(options.postgres)


def _try(open_book: Callable[[], Book]) -> None:
    try:
        open_book().close()
    except BookFault as fault:
        raise DataFault(str(fault)) from fault
