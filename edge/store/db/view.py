"""The journal read by another process than its owner: `edge events`, `edge store status`. Writes nothing."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import DataFault
from edge.model import Event
from edge.store.clockmap import ClockMap, Mark
from edge.store.db.migrations import LOGS, MIGRATIONS

BUSY_S = 2.0  # the owner may be in a checkpoint


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event with its number and the best stamp that is known of it now; `sure`: a synchronised clock stands behind it."""

    seq: int
    event: Event
    sure: bool


@dataclass(frozen=True, slots=True)
class JournalView:
    """Version, size, rows of each table, and what was given up: (stream, count, reason)."""

    version: int
    bytes_used: int
    row_counts: dict[str, int]
    dropped: tuple[tuple[str, int, str], ...]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise DataFault(f"{path}: no journal here yet: has the controller run with this store?")
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_S)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(MIGRATIONS):
                raise DataFault(
                    f"{path}: version {version}, but this program knows up to {len(MIGRATIONS)}: use the one that wrote it"
                )
            yield connection
    except sqlite3.Error as error:
        raise DataFault(f"{path}: cannot be read: {error}") from error


def load_clock(path: Path) -> ClockMap:
    """The clock marks that are kept. Raises DataFault when the file cannot be read."""
    with _opened(path) as connection:
        return _clock(connection)


def _clock(connection: sqlite3.Connection) -> ClockMap:
    clock = ClockMap(b"")
    for boot, mono_ms, wall_ms, synced in connection.execute(
        "SELECT boot, mono_ms, wall_ms, synced FROM clock ORDER BY seq"
    ):
        clock.load(boot, Mark(mono_ms, wall_ms, bool(synced)))
    return clock


def read_events(path: Path, count: int, levels: tuple[str, ...], name: str = "") -> list[KeptEvent]:
    """The newest `count` events of these levels whose name begins with `name`, oldest first. Raises DataFault."""
    marks = ",".join("?" * len(levels))
    query = (
        f"SELECT seq, boot, mono_ms, wall_ms, name, text, level FROM events WHERE level IN ({marks})"
        " AND substr(name, 1, ?) = ? ORDER BY seq DESC LIMIT ?"
    )
    with _opened(path) as connection:
        clock = _clock(connection)
        found = []
        for seq, boot, mono_ms, wall_ms, what, text, level in connection.execute(
            query, (*levels, len(name), name, count)
        ):
            stamp = clock.stamp(boot, mono_ms, wall_ms)
            found.append(KeptEvent(seq, Event(mono_ms, stamp.wall_ms, what, text, level), stamp.sure))
    return found[::-1]


def read_ledger(path: Path) -> Iterator[bytes]:
    """Every body of the ledger, oldest first. Raises DataFault when the file cannot be read."""
    with _opened(path) as connection:
        for (body,) in connection.execute("SELECT body FROM ledger ORDER BY seq"):
            yield bytes(body)


def view_journal(path: Path) -> JournalView:
    """Size and content. Raises DataFault when the file cannot be read."""
    with _opened(path) as connection:
        counts = {table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in LOGS}
        query = "SELECT stream, SUM(count), reason FROM dropped GROUP BY stream, reason ORDER BY stream"
        dropped = tuple((str(stream), int(count), str(why)) for stream, count, why in connection.execute(query))
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    used = sum(Path(f"{path}{ending}").stat().st_size for ending in ("", "-wal") if Path(f"{path}{ending}").exists())
    return JournalView(version, used, counts, dropped)
