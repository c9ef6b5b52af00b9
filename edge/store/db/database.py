"""One SQLite file: WAL, every commit synced, never larger than its quota. No fault of the disk leaves it as an exception.

A damaged file is put aside as `.bad`, what is readable of it is taken over, and that is noted. A file of a newer version
is not touched. After a fault the connection is opened anew at the next call: what a failed sync left in the cache is not
trusted. The file carries no rules: which rows, and what may be deleted, is journal.py.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edge.store.db.migrations import LOGS, MIGRATIONS

PAGE_BYTES = 4_096
WAL_PAGES = 100  # a checkpoint each 400 kB: the log beside the file stays small
BUSY_S = 0.2  # a reader of another process holds nothing longer
FULL_BYTES = 1 << 17  # less than log and its index want for a beginning: then these faults, too, mean a full disk
NO_ROOM_TOO = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
PRAGMAS = (
    "journal_mode=WAL", "synchronous=FULL", f"wal_autocheckpoint={WAL_PAGES}", "journal_size_limit=400000",
)  # fmt: skip

Statement = tuple[str, Sequence[Any]]


class NewerDatabase(sqlite3.DatabaseError):
    """The file is of a version that this program does not know."""


class Database:
    """The connection. One thread owns it; `edge events` of another process may read beside it."""

    def __init__(self, path: Path, *, max_bytes: int, migrations: Sequence[str] = MIGRATIONS) -> None:
        self.path = path
        self.max_pages = max(64, max_bytes // PAGE_BYTES)
        self._migrations = migrations
        self._connection: sqlite3.Connection | None = None
        self.fault = ""  # what is wrong now
        self.is_full = False  # the fault is that there is no room
        self.refused = False  # of a newer version: not touched
        self.salvaged = ""  # a damaged file was put aside: what became of it

    def run(self, statements: Iterable[Statement], *, max_pages: int | None = None) -> bool:
        """All of them in one transaction, on the disk when this returns True. `max_pages` is the quota for it."""
        try:
            connection = self._open()
            connection.execute(f"PRAGMA max_page_count={max_pages or self.max_pages}")
            connection.execute("BEGIN IMMEDIATE")
            for text, values in statements:
                connection.execute(text, values)
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._note(error)
            return False
        self.fault, self.is_full = "", False
        return True

    def read(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]] | None:
        """The rows, or None when the file cannot be read now."""
        try:
            return self._open().execute(text, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            self._note(error)
            return None

    def pages_used(self) -> int:
        """Pages that hold something; 0 when that cannot be read now."""
        pages, unused = self.read("PRAGMA page_count"), self.read("PRAGMA freelist_count")
        return int(pages[0][0] - unused[0][0]) if pages and unused else 0

    def close(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            except sqlite3.Error as error:
                self.fault = f"{self.path.name}: {error}"
        self._connection = None

    # ---- faults

    def _note(self, error: sqlite3.Error | OSError) -> None:
        self.fault = f"{self.path.name}: {error}"
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        self.is_full = code == sqlite3.SQLITE_FULL or (code in NO_ROOM_TOO and self._free_bytes() < FULL_BYTES)
        if isinstance(error, NewerDatabase):
            self.refused = True
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            code = 0  # cannot even go back: begin anew
        if code != sqlite3.SQLITE_FULL:  # on a full disk the log must stay: a new one would find no room
            self.close()

    def _free_bytes(self) -> int:
        try:
            found = os.statvfs(self.path.parent)
        except OSError:
            return FULL_BYTES
        return found.f_bavail * found.f_frsize

    # ---- opening

    def _open(self) -> sqlite3.Connection:
        if self.refused:
            raise NewerDatabase("a newer version has written it: nothing in it is touched")
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = self._connect()
            except NewerDatabase:
                raise
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                    raise
                self._put_aside(error)
                self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        """Raises sqlite3.DatabaseError with the code of a damaged file when the check finds damage."""
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_S, check_same_thread=False)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(self._migrations):
                known = len(self._migrations)
                raise NewerDatabase(
                    f"version {version}, but this program knows up to {known}: a newer one has written it; nothing in it"
                    " is touched: install that version again, or move the file away"
                )
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                damaged = sqlite3.DatabaseError(found)
                damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise damaged
            for number, step in enumerate(self._migrations[version:], version + 1):
                connection.executescript(f"BEGIN IMMEDIATE; {step}; PRAGMA user_version={number}; COMMIT;")
        except BaseException:
            connection.close()
            raise
        return connection

    def _put_aside(self, error: sqlite3.DatabaseError) -> None:
        bad = self.path.with_suffix(".bad")
        for ending in ("", "-wal", "-shm"):
            old = Path(f"{self.path}{ending}")
            if old.exists():
                old.replace(f"{bad}{ending}")
        fresh = self._connect()
        try:
            count = sum(_copy(bad, fresh, table) for table in LOGS)
        finally:
            fresh.close()
        self.salvaged = f"{self.path.name} was damaged ({error}): put aside as {bad.name}, {count} rows taken over"


def _copy(bad: Path, fresh: sqlite3.Connection, table: str) -> int:
    """What can be read of one table, up to the first damage."""
    count = 0
    fresh.execute("BEGIN IMMEDIATE")
    with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(_source(bad)) as source:
        for row in source.execute(f"SELECT * FROM {table}"):
            marks = ",".join("?" * len(row))
            count += fresh.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row).rowcount
    fresh.execute("COMMIT")
    return count


def _source(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)
