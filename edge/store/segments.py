"""The ring log: append-only segments of fixed size; the oldest is deleted when the quota is reached.

`append` writes into the page cache at once (survives a crash of the process); `sync_if_due` makes it survive a power
cut. No disk fault leaves this file as an exception: the log degrades to a bounded ring in RAM, says so in `fault`, and
tries again once a second and writes what it kept. After a failed write or sync the same file is never written again but
for a mark (the state of its pages is unknown): what was not yet synced is still in RAM and goes into a new segment.

A number is never used twice in one epoch, because what it was first given to may have been sent. So numbers are skipped:
after a power cut, and after an end while records were only in RAM. That the disk is told by a mark; one that takes no
mark gets numbers of RAM that are far away from its own.
"""

import errno
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.store.disk import Disk
from edge.store.ring.frames import (
    CLOSED,
    HEADER,
    IN_MEMORY,
    MARK,
    MARK_BODY,
    RECORD,
    STREAMS,
    Header,
    pack_record,
)
from edge.store.ring.recovery import Found, Segment, recover
from edge.store.ring.shelf import Entry, Shelf

__all__ = ["SEGMENT_BYTES", "Entry", "SegmentLog"]

SEGMENT_BYTES = 1 << 20
RETRY_MS = 1_000  # after a disk fault
MARK_ROOM_BYTES = RECORD.size + MARK_BODY.size
MEMORY_SKIP_COUNT = 1 << 23  # 97 days of seconds: more than anybody leaves a disk in fault; half of what a search spans

_Record = tuple[int, int, bytes]  # seq, kind, body


class SegmentLog(Shelf):
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
        super().__init__(folder, disk)
        self._give_room = give_room
        self._max_bytes = max(max_bytes, 2 * segment_bytes)
        self._segment_bytes = segment_bytes
        self._body_max_bytes = segment_bytes - HEADER.size - len(context) - RECORD.size - MARK_ROOM_BYTES
        self._sync_ms, self._zero_ahead = sync_ms, zero_ahead
        self._context = context
        self._stream = STREAMS.index(stream)
        self._fd = -1
        self._unsynced: deque[_Record] = deque(maxlen=ram_max_count)
        self._waiting: deque[_Record] = deque(maxlen=ram_max_count)  # not on disk
        self._sync_due_mono_ms: int | None = None
        self._retry_mono_ms: int | None = None
        self._gave_room = False
        self._refused = False  # of a newer version: not touched
        self.fault = ""  # what is wrong now
        self.dropped_count = 0  # records lost because neither disk nor RAM would take them
        self.epoch = 0
        self.next_seq = 1
        self.skipped_count = 0  # numbers left out on purpose since the log was created
        self.boot = self._disk.boot_id()
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

    def _wait(self, record: _Record) -> None:
        self.dropped_count += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(record)

    def _put(self, record: _Record) -> None:
        segment = self._segments[-1]
        seq, kind, body = record
        raw = pack_record(segment.header.salt, kind, seq, body)
        self._disk.write(self._fd, raw, segment.end)
        segment.end += len(raw)
        if kind != MARK:
            self._unsynced.append(record)

    def _mark(self, what: bytes) -> None:
        self._put((self.next_seq, MARK, MARK_BODY.pack(what, self.skipped_count)))

    def sync_if_due(self, mono_ms: int) -> None:
        """Call often (each second is enough): syncs every `sync_ms`, and after a fault tries the disk again."""
        if self._refused:
            return
        if self._fd < 0:
            if self._retry_mono_ms is None or mono_ms >= self._retry_mono_ms:
                self._retry_mono_ms = mono_ms + RETRY_MS
                self._retry()
            return
        if self._sync_due_mono_ms is None:
            self._sync_due_mono_ms = mono_ms + self._sync_ms
        elif mono_ms >= self._sync_due_mono_ms:
            self._sync_due_mono_ms = mono_ms + self._sync_ms
            self.sync()

    def sync(self) -> bool:
        """Everything appended so far survives a power cut when this returns True."""
        try:
            if self._fd >= 0 and self._unsynced:
                self._sync()
        except OSError as error:
            self._degrade(error)
        return self._fd >= 0

    def _sync(self) -> None:
        self._disk.sync(self._fd)
        self._unsynced.clear()

    def close(self) -> None:
        """A clean end: synced and marked, so that the next start need not skip any number."""
        if self._fd >= 0 and self.sync() and self._has_room(0):
            try:
                self._mark(CLOSED)
                self._disk.sync(self._fd)
            except OSError as error:
                self._note(f"close: {error.strerror or error}")
        self._close_fd()

    def _close_fd(self) -> None:
        if self._fd >= 0:
            try:
                self._disk.close(self._fd)
            except OSError as error:
                self._note(f"close: {error.strerror or error}")
        self._fd = -1

    # ---- a disk in fault

    def _degrade(self, error: OSError) -> None:
        """The file in hand is not to be trusted any more; what it was given since the last sync is still in RAM."""
        self.fault = self._in_memory(error)
        if self._segments:
            self._tell_disk()
        self._close_fd()
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

    def _hardly_begun(self) -> list[_Record]:
        """What the file in hand held before, when that is little: a disk that comes and goes must not eat the ring."""
        last = self._segments[-1] if self._segments else None
        mine = (self.boot, self._context)
        if last is None or last.end > self._segment_bytes // 2 or (last.header.boot, last.header.context) != mine:
            return []
        self.read_fault = ""
        until = self._waiting[0][0] if self._waiting else self.next_seq
        found = [(entry.seq, entry.kind, entry.body) for entry in self._read_segment(last, 0, until)]
        return found if not self.read_fault else []

    # ---- a new segment

    def _has_room(self, body_bytes: int) -> bool:
        """For a record of that size, or with 0 for a mark, in the segment in hand."""
        need_bytes = RECORD.size + body_bytes + MARK_ROOM_BYTES if body_bytes else MARK_ROOM_BYTES
        return self._segments[-1].end + need_bytes <= self._segments[-1].size_bytes

    def _make_room(self, body_bytes: int, seq: int | None = None) -> None:
        if not self._has_room(max(1, body_bytes)):
            self._sync()
            self._close_fd()
            self._create(self.next_seq if seq is None else seq)

    def _create(self, first_seq: int) -> None:
        """A new newest segment: header on disk, blocks reserved, its name durable. Raises OSError."""
        while self._can_spare and self.bytes_used + self._segment_bytes > self._max_bytes:
            self._delete_oldest()
        try:
            self._create_file(first_seq)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            if not self._give_room():
                if not self._can_spare or self._gave_room:
                    raise
                self._gave_room = True  # others filled the disk: reuse our own oldest blocks, but only once in a row
                self._delete_oldest()
            self._create_file(first_seq)
        self._gave_room = False

    def _create_file(self, first_seq: int) -> None:
        self._disk.make_folder(self.folder)
        index = self._free_index()
        path = self._path(index)
        header = Header(self.epoch, first_seq, self.boot, self.skipped_count, self._context, self._stream)
        fd = self._disk.open(path, create=True)
        try:
            self._disk.allocate(fd, self._segment_bytes)
            if self._zero_ahead:
                self._disk.write_zeros(fd, self._segment_bytes)
            self._disk.write(fd, header.pack(), 0)
            self._disk.sync(fd)
            self._disk.sync_folder(self.folder)
        except OSError:
            self._disk.close(fd)
            self._disk.remove(path)
            raise
        self._segments.append(Segment(index, path, header, self._segment_bytes, header.size_bytes))
        self._fd = fd

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
