"""The ring log: append-only segments of fixed size; the oldest is deleted when the quota is reached.

`append` writes into the page cache at once (survives a crash of the process); `sync_if_due` makes it survive a power
cut. No disk fault leaves this file as an exception: the log degrades to a bounded ring in RAM, says so in `fault`, and
tries again once a second and writes what it kept. After a failed write or sync the same file is never written again but
for a mark (the state of its pages is unknown): what was not yet synced is still in RAM and goes into a new segment.

A number is never used twice in one epoch, because what it was first given to may have been sent. So numbers are skipped:
after a power cut, and after an end while records were only in RAM. That the disk is told by a mark; one that takes no
mark gets numbers of RAM that are far away from its own.
"""

import secrets
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.store.disk import Disk
from edge.store.ring.frames import CLOSED, IN_MEMORY, MARK, RECORD
from edge.store.ring.pen import MARK_ROOM_BYTES, Pen, Record
from edge.store.ring.recovery import Found, recover
from edge.store.ring.shelf import Entry

__all__ = ["SEGMENT_BYTES", "Entry", "SegmentLog"]

SEGMENT_BYTES = 1 << 20
RETRY_MS = 1_000  # after a disk fault
MEMORY_SKIP_COUNT = 1 << 23  # 97 days of seconds: more than anybody leaves a disk in fault; half of what a search spans


class SegmentLog(Pen):
    """One ring in one folder. One thread owns it."""

    def __init__(
        self,
        folder: Path | str,
        *,
        max_bytes: int,
        stream: str = "",
        context: bytes = b"",
        segment_bytes: int = SEGMENT_BYTES,
        sync_ms: int = 10_000,
        ram_max_count: int = 3_600,
        zero_ahead: bool = True,
        give_room: Callable[[], int] = lambda: 0,
        disk: Disk | None = None,
    ) -> None:
        """`give_room` is asked for space before the oldest segment of this ring goes: it returns bytes, or 0.

        `zero_ahead` writes a new segment with zeros, which saves some 12 kB of the file system's journal at each sync and
        costs each byte twice: right for a ring that takes less than a kilobyte a second.
        """
        super().__init__(
            folder, disk, max_bytes=max_bytes, segment_bytes=segment_bytes, stream=stream, context=context,
            ram_max_count=ram_max_count, zero_ahead=zero_ahead, give_room=give_room,
        )  # fmt: skip
        self._sync_ms = sync_ms
        self._waiting: deque[Record] = deque(maxlen=ram_max_count)  # not on disk
        self._sync_due_mono_ms: int | None = None
        self._retry_mono_ms: int | None = None
        self._refused = False  # of a newer version: not touched
        self.fault = ""  # what is wrong now
        self.dropped_count = 0  # records lost because neither disk nor RAM would take them
        self._recover()

    # ---- what is in it

    @property
    def first_seq(self) -> int:
        """The oldest number that can still be there; `next_seq` when empty."""
        if self._segments:
            return self._segments[0].header.first_seq
        return self._waiting[0][0] if self._waiting else self.next_seq

    @property
    def stored_count(self) -> int:
        """Records appended since the log was created."""
        return self.next_seq - 1 - self.skipped_count

    def read_from(self, seq: int) -> Iterator[Entry]:
        """Records from `seq` on, oldest first. What is damaged is passed over and noted."""
        yield from self._read(seq, self._waiting[0][0] if self._waiting else self.next_seq)
        for at, kind, body in list(self._waiting):
            if at >= seq:
                yield Entry(at, kind, body, self._context, self.boot)

    def newest(self) -> Entry | None:
        """The record with the highest number that can be read."""
        if self._waiting:
            seq, kind, body = self._waiting[-1]
            return Entry(seq, kind, body, self._context, self.boot)
        return self._read_newest(self.next_seq)

    # ---- writing

    def append(self, kind: int, body: bytes) -> int:
        """Takes one record and returns its number. Never raises for a disk fault."""
        if len(body) > self._body_max_bytes or not 0 < kind < MARK:
            raise ValueError(f"kind {kind} with {len(body)} bytes: at most {self._body_max_bytes}")
        if self._fd < 0 or not self._write(kind, body):
            self._wait((self.next_seq, kind, body))
            self.next_seq += 1
        return self.next_seq - 1

    def _write(self, kind: int, body: bytes) -> bool:
        """The next record into the segment in hand. False: it did not get there, and its number is not used."""
        taken = False
        try:
            self._make_room(len(body))
            self._put((self.next_seq, kind, body))
            self.next_seq, taken = self.next_seq + 1, True
            if not self._sync_ms or len(self._unsynced) == self._unsynced.maxlen:
                self._sync()
        except OSError as error:
            self._degrade(error)
        return taken

    def _wait(self, record: Record) -> None:
        self.dropped_count += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(record)

    def sync_if_due(self, mono_ms: int) -> None:
        """Call often (each second is enough): syncs every `sync_ms`, and after a fault tries the disk again."""
        if self._refused:
            return
        if self._fd < 0:
            if self._retry_mono_ms is None or mono_ms >= self._retry_mono_ms:
                self._retry_mono_ms = mono_ms + RETRY_MS
                self._retry()
            return
        if self._is_due(mono_ms):
            self.sync()

    def begin_sync(self, mono_ms: int) -> Callable[[], None] | None:
        """As `sync_if_due`, but what has to wait for the disk is returned, for another thread to call; None: nothing.

        What it found is taken at the next call. Meanwhile the log is used as ever, by its owner.
        """
        if self._refused or self._fd < 0:
            self.sync_if_due(mono_ms)
            return None
        try:
            self._settle()
            work = self._begin() if self._work is None and self._is_due(mono_ms) else None
        except OSError as error:
            self._degrade(error)
            return None
        return work.run if work is not None else None

    def _is_due(self, mono_ms: int) -> bool:
        if self._sync_due_mono_ms is not None and mono_ms < self._sync_due_mono_ms:
            return False
        first, self._sync_due_mono_ms = self._sync_due_mono_ms is None, mono_ms + self._sync_ms
        return not first

    def sync(self) -> bool:
        """Everything appended so far survives a power cut when this returns True."""
        try:
            if self._fd >= 0 and (self._unsynced or self._work is not None):
                self._sync()
        except OSError as error:
            self._degrade(error)
        return self._fd >= 0

    def close(self) -> None:
        """A clean end: synced and marked, so that the next start need not skip any number."""
        if self._fd >= 0 and self.sync() and self._has_room(0):
            try:
                self._mark(CLOSED)
                self._disk.sync(self._fd)
            except OSError as error:
                self._note(f"close: {error.strerror or error}")
        self._let_go()

    def begin_epoch(self) -> bool:
        """Numbers count from 1 again, in an epoch of their own. What is there is kept until its room is needed, not read.

        False: not now, because records in memory wait for the disk.
        """
        if self._waiting or self._refused:
            return False
        self.close()
        self._strangers, self._segments = [*self._strangers, *self._segments], []
        self.epoch, self.next_seq, self.skipped_count = secrets.randbits(63) | 1, 1, 0
        self._unsynced.clear()
        try:
            self._create(self.next_seq)
        except OSError as error:
            self._degrade(error)
        return True

    # ---- a disk in fault

    def _degrade(self, error: OSError) -> None:
        """The file in hand is not to be trusted any more; what it was given since the last sync is still in RAM."""
        self.fault = self._in_memory(error)
        if self._segments:
            self._tell_disk()
        self._let_go()
        for one in self._unsynced:
            self._wait(one)
        self._unsynced.clear()
        self._retry_mono_ms = None

    def _in_memory(self, error: OSError) -> str:
        return f"store: {error.strerror or error}; keeping the newest {self._waiting.maxlen} records in memory"

    def _tell_disk(self) -> None:
        """From here on numbers are given that only memory knows."""
        try:
            if self._fd < 0:
                self._fd = self._disk.open(self._segments[-1].path)
            if self._has_room(0):
                self._mark(IN_MEMORY)
                return
        except OSError as error:
            self._note(f"{self._segments[-1].path.name}: {error.strerror or error}")
        self._skip(MEMORY_SKIP_COUNT)

    def _skip(self, count: int) -> None:
        self.next_seq += count
        self.skipped_count += count

    def _retry(self) -> None:
        waiting = [*self._hardly_begun(), *self._waiting]
        newest = self._segments[-1].index if self._segments else 0
        first_seq = waiting[0][0] if waiting else self.next_seq
        try:
            self._create(first_seq)
            for record in waiting:
                self._make_room(len(record[2]), record[0])
                self._put(record)
            self._disk.sync(self._fd)
        except OSError as error:
            self.fault = self._in_memory(error)
            self._close_fd()
            self._unsynced.clear()
            self._forget(lambda segment: segment.index > newest)  # all they hold is still waiting in memory
            return
        self._forget(lambda segment: segment.index <= newest and segment.header.first_seq >= first_seq)
        self._waiting.clear()
        self._unsynced.clear()
        self.fault, self._gave_room = "", False

    def _hardly_begun(self) -> list[Record]:
        """What the file in hand held before, when that is little: a disk that comes and goes must not eat the ring."""
        last = self._segments[-1] if self._segments else None
        mine = (self.boot, self._context)
        if last is None or last.end > self._segment_bytes // 2 or (last.header.boot, last.header.context) != mine:
            return []
        self.read_fault = ""
        until = self._waiting[0][0] if self._waiting else self.next_seq
        found = [(entry.seq, entry.kind, entry.body) for entry in self._read_segment(last, 0, until)]
        return found if not self.read_fault else []

    # ---- opening

    def _recover(self) -> None:
        try:
            self._disk.make_folder(self.folder)
            found = recover(self._disk, self.folder, self._stream)
        except OSError as error:  # what is on disk stays there, what comes gets an epoch of its own
            self.epoch, self.fault = secrets.randbits(63) | 1, self._in_memory(error)
            return
        for note in found.notes:
            self._note(note)
        if found.newer:
            self._refuse(found.newer)
            return
        self._segments, self._strangers = found.segments, found.strangers
        self._fd, self.epoch = found.fd, found.epoch or secrets.randbits(63) | 1
        self.next_seq, self.skipped_count = found.next_seq, found.skipped_count
        if found.epoch:
            self._skip(self._skip_count(found))
        try:
            self._continue_last(found)
        except OSError as error:
            self._degrade(error)

    def _skip_count(self, found: Found) -> int:
        """How many numbers may have been given beyond those that were found."""
        if found.boot == IN_MEMORY:
            return MEMORY_SKIP_COUNT
        if not found.uncertain_count and found.boot in (self.boot, CLOSED):
            return 0
        held_max_count = self._segment_bytes // RECORD.size + 1  # of a segment whose end is not known
        return max(1, found.uncertain_count) * held_max_count

    def _refuse(self, newer: str) -> None:
        """Not for us to write, nor to delete: everything stays in memory until somebody decides."""
        self._refused, self.epoch = True, secrets.randbits(63) | 1
        self.fault = (
            f"{newer}; nothing in {self.folder} is touched and new records stay in memory:"
            " install that version again, or move the folder away"
        )

    def _continue_last(self, found: Found) -> None:
        if found.fault is not None:
            raise found.fault
        last = None if found.uncertain_count or not self._segments else self._segments[-1]
        if (
            last is None
            or (last.header.context, last.header.stream) != (self._context, self._stream)
            or last.end + 2 * MARK_ROOM_BYTES > last.size_bytes
        ):
            self._close_fd()
            self._create(self.next_seq)
        elif found.boot != self.boot:
            self._mark(self.boot)
            self._disk.sync(self._fd)
