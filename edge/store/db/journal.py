"""Events, audit, ledger, configurations and clock marks: what is noted is on the disk with the next step.

While the disk will not take it, rows wait in memory and are written later with the same numbers. What gives way when
there is no room, in this order: the reserve file, the oldest telemetry (`give_room`), the oldest events, the oldest
audit. The ledger and configurations never do. Whatever was given up is counted in the table `dropped`, and told.
A restless site must not wear the flash: beyond a burst, commits are 10 s apart.
"""

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.model import AuditEntry, Event
from edge.store.clockmap import ClockMap, Mark
from edge.store.db.database import Database, Statement
from edge.store.db.migrations import LOGS
from edge.store.db.reserve import Reserve
from edge.store.db.view import KeptEvent
from edge.store.disk import Disk

FILE = "journal.db"
RETRY_MS = 1_000
BURST_COUNT, COMMIT_MS = 30, 10_000  # so many commits at once, then one each 10 s: some 100 MB of flash a day at most
WAITING_MAX_COUNT = 2_000  # rows of one table kept in memory while the disk is away
LEDGER_ROOM_COUNT = 160  # rows that one step of the ledger may bring: intervals, plans, exchanges, roots
BATCH_MAX_COUNT = 500
RECENT_MAX_COUNT = 100  # events for the console
PRUNE_COUNT = 1_000  # oldest events (then audit) deleted at once at the quota
CLOCK_MAX_COUNT = 5_000
SALVAGE_SKIP_COUNT = 1 << 25  # more rows than the largest journal (1 GB) holds, each of 40 bytes at the least
HELP_MAX_COUNT = 4  # times that room is asked for in one step
ESSENTIAL = LOGS[:-1]  # all but the events: may use the last eighth of the quota


@dataclass(slots=True)
class _Row:
    table: str
    values: tuple[Any, ...]
    seq: int = 0  # given once the file could be read


class Journal:
    """One thread owns it. No method raises for a fault of the disk; `fault` says what is wrong now."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        give_room: Callable[[], int] = lambda: 0,
        disk: Disk | None = None,
        reserve_bytes: int | None = None,
    ) -> None:
        disk = disk or Disk()
        self._boot = disk.boot_id()
        self._db = Database(folder / FILE, max_bytes=max_bytes)
        sized = {} if reserve_bytes is None else {"size_bytes": reserve_bytes}
        self._reserve = Reserve(folder / "reserve", disk, **sized)
        self._give_room = give_room
        self._soft_pages = self._db.max_pages * 7 // 8
        self.events_seq = -1  # the newest event on the disk; -1 while that is not known
        self._waiting: dict[str, deque[_Row]] = {table: deque() for table in LOGS}
        self._next_seq: dict[str, int] = {}  # empty until the file could be read
        self._lost: dict[str, int] = {}  # rows for which memory had no room either
        self._tokens, self._now = float(BURST_COUNT), (0, 0)
        self._retry_mono_ms = 0
        self._config_sha256 = ""
        self.clock = ClockMap(self._boot)
        self.recent: deque[Event] = deque(maxlen=RECENT_MAX_COUNT)
        self.written_count = 0

    @property
    def fault(self) -> str:
        if not self._lost or not self._db.fault:
            return self._db.fault
        return f"{self._db.fault}; memory is full, the oldest rows of {', '.join(sorted(self._lost))} are given up"

    def has_ledger_room(self) -> bool:
        """Whether `append_ledger` takes a few intervals with all they bring, and none is given up for it."""
        return len(self._waiting["ledger"]) + LEDGER_ROOM_COUNT <= WAITING_MAX_COUNT

    @property
    def waiting_count(self) -> int:
        """Rows that are in memory only."""
        return sum(map(len, self._waiting.values()))

    # ---- noting

    def note_event(self, event: Event) -> None:
        self.recent.append(event)
        self._note("events", event.mono_ms, event.wall_ms, event.level, event.name, event.text)

    def note_audit(self, entry: AuditEntry) -> None:
        self._note("audit", entry.mono_ms, entry.wall_ms, entry.who, entry.action, entry.text)

    def append_ledger(self, mono_ms: int, wall_ms: int, body: bytes) -> None:
        """One row of the carbon ledger, opaque here."""
        self._note("ledger", mono_ms, wall_ms, body)

    def ledger_rows(self, count: int) -> list[bytes] | None:
        """The newest `count` bodies of the ledger that are on the disk, oldest first; None when they cannot be read now."""
        rows = self._db.read("SELECT body FROM ledger ORDER BY seq DESC LIMIT ?", (count,)) if self._open() else None
        return None if rows is None else [bytes(row[0]) for row in reversed(rows)]

    def note_clock(self, mono_ms: int, wall_ms: int, synced: bool) -> None:
        """The clocks now, once a second; kept when it tells something new."""
        mark = self.clock.note(mono_ms, wall_ms, synced)
        if mark is not None:
            self._note("clock", mark.mono_ms, mark.wall_ms, int(mark.synced))

    def keep_config(self, mono_ms: int, wall_ms: int, text: str) -> bool:
        """The site file as it is used from now on. True when it is not the one used before, as far as is known."""
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        self._open()
        changed = sha256 != self._config_sha256
        if changed:
            self._note("config", mono_ms, wall_ms, sha256, text)
        known, self._config_sha256 = bool(self._config_sha256), sha256
        return changed and known

    def _note(self, table: str, mono_ms: int, wall_ms: int, *values: Any) -> None:
        waiting = self._waiting[table]
        if len(waiting) == WAITING_MAX_COUNT:
            waiting.popleft()
            self._lost[table] = self._lost.get(table, 0) + 1
        safe = [one.encode(errors="replace").decode() if isinstance(one, str) else one for one in values]
        waiting.append(_Row(table, (self._boot, mono_ms, wall_ms, *safe)))

    def events_after(self, seq: int, max_count: int) -> list[KeptEvent] | None:
        """The oldest events after number `seq` that are on the disk, stamped as is known now; None: not readable now."""
        query = "SELECT seq, boot, mono_ms, wall_ms, name, text, level FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
        rows = self._db.read(query, (seq, max_count))
        if rows is None:
            return None
        found = []
        for number, boot, mono_ms, wall_ms, *words in rows:
            stamp = self.clock.stamp(boot, mono_ms, wall_ms)
            found.append(KeptEvent(number, Event(mono_ms, stamp.wall_ms, *words), stamp.sure))
        return found

    # ---- writing

    def step(self, mono_ms: int, wall_ms: int) -> None:
        """Writes what waits. Call often; a sync of the disk may take its time here."""
        passed_ms = mono_ms - self._now[0] if self._now[0] else 0
        self._tokens = min(float(BURST_COUNT), self._tokens + passed_ms / COMMIT_MS)
        self._now = (mono_ms, wall_ms)
        if self._db.refused or mono_ms < self._retry_mono_ms or (self._tokens < 1 and self._next_seq):
            return
        if not self._open() or (self._is_waiting and not self._flush()):
            self._retry_mono_ms = mono_ms + RETRY_MS

    @property
    def _is_waiting(self) -> bool:
        return any(self._waiting.values())

    def flush(self) -> bool:
        """Everything noted so far is on the disk when this returns True."""
        while self._is_waiting:
            if self._db.refused or not self._open() or not self._flush():
                return False
        return True

    def close(self) -> None:
        self.flush()
        self._db.close()

    def _open(self) -> bool:
        """Reads where the numbers stand and what the console and the clock need of it; once."""
        if self._next_seq:
            return True
        ends = self._ends()
        if ends is None and self._db.is_full and self._help():
            ends = self._ends()
        if ends is None:
            return False
        rows = self._db.read("SELECT sha256 FROM config ORDER BY seq DESC LIMIT 1") or []
        self._config_sha256 = str(rows[0][0]) if rows else ""
        query = "SELECT boot, mono_ms, wall_ms, synced FROM clock ORDER BY seq"
        for boot, mono_ms, wall_ms, synced in self._db.read(query) or []:
            self.clock.load(boot, Mark(mono_ms, wall_ms, bool(synced)))
        query = "SELECT mono_ms, wall_ms, name, text, level FROM events ORDER BY seq DESC LIMIT ?"
        old = [Event(*row) for row in self._db.read(query, (RECENT_MAX_COUNT,)) or []]
        self.recent.extendleft(old[: RECENT_MAX_COUNT - len(self.recent)])
        if self._db.salvaged:  # what was lost of it may have been sent: its numbers are not given again
            ends = {table: seq + SALVAGE_SKIP_COUNT for table, seq in ends.items()}
        self._next_seq = ends
        self.events_seq = ends["events"] - 1
        if self._db.salvaged:
            self.note_event(Event(*self._now, "store.damaged", self._db.salvaged, "alarm"))
        self._reserve.hold()
        return True

    def _ends(self) -> dict[str, int] | None:
        ends = {}
        for table in LOGS:
            rows = self._db.read(f"SELECT COALESCE(MAX(seq), 0) + 1 FROM {table}")
            if rows is None:
                return None
            ends[table] = int(rows[0][0])
        return ends

    def _flush(self) -> bool:
        """One transaction. When there is no room for events, the others still get what is left of the quota."""
        self._tokens = max(0.0, self._tokens - 1)
        written = self._write_rows(LOGS, self._soft_pages)
        if not written and self._db.is_full:
            written = self._write_rows(ESSENTIAL, self._db.max_pages)
        if written:
            self._tell_lost()
            if self._db.pages_used() > self._soft_pages:
                self._prune()
            if not self._reserve.is_held:
                self._reserve.hold()
        return written

    def _tell_lost(self) -> None:
        """What memory could not hold while the disk was away; now there is room for saying so."""
        if len(self._waiting["events"]) == WAITING_MAX_COUNT:
            return  # what tells of it would push out another
        lost, self._lost = self._lost, {}
        for table, count in lost.items():
            self._note("dropped", *self._now, table, count, "memory was full while the disk was away")
            text = (
                f"{count} rows of {table} are lost: the disk was away for longer than memory holds {WAITING_MAX_COUNT}"
            )
            self.note_event(Event(*self._now, "store.dropped", text, "alarm"))

    def _write_rows(self, tables: tuple[str, ...], max_pages: int) -> bool:
        rows: list[_Row] = [row for table in tables for row in list(self._waiting[table])][:BATCH_MAX_COUNT]
        if not rows:
            return False
        if not self._write([self._statement(row) for row in rows], max_pages):
            return False
        for row in rows:
            self._waiting[row.table].popleft()
            if row.table == "events":
                self.events_seq = row.seq
        self.written_count += len(rows)
        return True

    def _statement(self, row: _Row) -> Statement:
        if not row.seq:
            row.seq, self._next_seq[row.table] = self._next_seq[row.table], self._next_seq[row.table] + 1
        marks = ",".join("?" * (1 + len(row.values)))  # IGNORE: a commit that seemed to fail may have been kept
        return f"INSERT OR IGNORE INTO {row.table} VALUES ({marks})", (row.seq, *row.values)

    def _write(self, statements: list[Statement], max_pages: int) -> bool:
        for _ in range(HELP_MAX_COUNT):
            if self._db.run(statements, max_pages=max_pages):
                return True
            if not self._db.is_full or not self._help():
                return False
        return False

    # ---- room

    def _help(self) -> bool:
        """Room for one more try: at the quota by deleting rows, on a full disk by what others can spare."""
        used = self._db.pages_used()
        if used >= self._soft_pages - 8:
            return self._prune()
        return bool(self._reserve.release() or self._give_room())

    def _prune(self) -> bool:
        """The oldest of the events, then of the audit, and a row that says so. False: there is nothing to delete."""
        for table in ("events", "audit"):
            rows = self._db.read(f"SELECT MIN(seq), COUNT(*) FROM {table}")
            if rows and rows[0][1] > PRUNE_COUNT // 10:
                count = min(PRUNE_COUNT, int(rows[0][1]) // 2)
                row = _Row("dropped", (self._boot, *self._now, table, count, "the quota of the journal was full"))
                delete = (f"DELETE FROM {table} WHERE seq < ?", (rows[0][0] + count,))
                return self._db.run([delete, self._statement(row)])
        return False
