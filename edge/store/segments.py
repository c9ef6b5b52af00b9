"""The ring log: append-only segments of fixed size; the oldest is deleted when the quota is reached.

`append` writes into the page cache at once (survives a crash of the process); `sync_if_due` makes it survive a power
cut. No disk fault leaves this file as an exception: the log degrades to a bounded ring in RAM, says so in `fault`, and
tries again once a second and writes what it kept. After a failed write or sync the same file is never tried again (the
state of its pages is unknown): what was not yet synced is still in RAM and goes into a new segment. Where two segments
hold the same sequence number, the later one counts. After a power cut numbers are skipped on purpose: records that
never reached the disk may have been sent already, and a number must not be used twice in one epoch.
"""

import errno
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.store.disk import Disk
from edge.store.frames import HEADER, MARK, MARK_BODY, RECORD, STREAMS, Header, Walk, pack_record
from edge.store.recovery import Found, Segment, recover

SEGMENT_BYTES = 1 << 20
RETRY_MS = 1_000  # after a disk fault
CLOSED = bytes(MARK_BODY.size)
MARK_ROOM_BYTES = RECORD.size + MARK_BODY.size


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as it is read back; `context` is that of its segment."""

    seq: int
    kind: int
    body: bytes
    context: bytes
    boot: bytes = b""  # id of the boot it was appended in: what its mono time counts from


class SegmentLog:
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
        give_room: Callable[[], int] = lambda: 0,
        disk: Disk | None = None,
    ) -> None:
        """`give_room` is asked for space before the oldest segment of this ring goes: it returns bytes, or 0."""
        self.folder = Path(folder)
        self._disk = disk or Disk()
        self._give_room = give_room
        self._max_bytes = max(max_bytes, 2 * segment_bytes)
        self._segment_bytes = segment_bytes
        self._body_max_bytes = segment_bytes - HEADER.size - len(context) - RECORD.size - MARK_ROOM_BYTES
        self._sync_ms = sync_ms
        self._context = context
        self._stream = STREAMS.index(stream)
        self._segments: list[Segment] = []
        self._fd = -1
        self._unsynced: deque[tuple[int, int, bytes]] = deque(maxlen=ram_max_count)
        self._waiting: deque[tuple[int, int, bytes]] = deque(maxlen=ram_max_count)  # not on disk
        self._sync_due_mono_ms: int | None = None
        self._retry_mono_ms: int | None = None
        self._gave_room = False
        self._refused = False  # of a newer version: not touched
        self.fault = ""  # what is wrong now
        self.notes: list[str] = []  # damage found: what, where
        self.read_fault = ""  # why the last `read_from` left something out that is perhaps still there
        self.dropped_count = 0  # records lost because neither disk nor RAM would take them
        self.epoch = 0
        self.next_seq = 1
        self.skipped_count = 0
        self._boot = self._disk.boot_id()
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

    @property
    def bytes_used(self) -> int:
        return sum(segment.size_bytes for segment in self._segments)

    def read_from(self, seq: int) -> Iterator[Entry]:
        """Records from `seq` on, oldest first. What is damaged is passed over and noted."""
        self.read_fault, segments = "", list(self._segments)
        starts = [segment.header.first_seq for segment in segments[1:]]
        starts.append(self._waiting[0][0] if self._waiting else self.next_seq)
        for segment, until in zip(segments, starts, strict=False):  # without any segment there is one start too many
            if until > seq:
                yield from self._read_segment(segment, seq, until)
        for at, kind, body in list(self._waiting):
            if at >= seq:
                yield Entry(at, kind, body, self._context, self._boot)

    def newest(self) -> Entry | None:
        """The record with the highest number that can be read."""
        if self._waiting:
            seq, kind, body = self._waiting[-1]
            return Entry(seq, kind, body, self._context, self._boot)
        for segment in reversed(self._segments):
            entries = list(self._read_segment(segment, 0, self.next_seq))
            if entries:
                return entries[-1]
        return None

    def _read_segment(self, segment: Segment, seq: int, until: int) -> Iterator[Entry]:
        try:
            fd = self._disk.open(segment.path, write=False)
        except OSError as error:
            self._unreadable(segment, error)
            return
        try:
            yield from self._walk_segment(segment, fd, seq, until)
        except OSError as error:
            self._unreadable(segment, error)
        finally:
            self._disk.close(fd)

    def _walk_segment(self, segment: Segment, fd: int, seq: int, until: int) -> Iterator[Entry]:
        header = segment.header
        near = segment.hint if segment.hint[0] and segment.hint[0] <= seq else (0, header.size_bytes, header.boot)
        at_seq, offset, boot = near
        end = segment.end
        walk = Walk(lambda size, at: self._disk.read(fd, size, at), offset, end, header.salt, at_seq)
        more = True
        while more:
            for at, kind, body in walk:
                if at >= until:
                    return
                if kind == MARK and len(body) == MARK_BODY.size and body[:16] != CLOSED[:16]:
                    boot = body[:16]
                segment.hint = (walk.next_seq, walk.offset, boot)
                if at >= seq and kind != MARK:
                    yield Entry(at, kind, body, header.context, boot)
            more = walk.find_good()
            if walk.fault:
                self._note(f"{segment.path.name}: {walk.fault}; skipped")
        if segment is not self._segments[-1] and segment.end == end:
            segment.end = walk.offset  # what follows need not be searched again

    def _unreadable(self, segment: Segment, error: OSError) -> None:
        self.read_fault = f"{segment.path.name}: cannot be read: {error.strerror or error}"
        self._note(self.read_fault)

    def _note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < 100:
            self.notes.append(text)

    # ---- writing

    def append(self, kind: int, body: bytes) -> int:
        """Takes one record and returns its number. Never raises for a disk fault."""
        if len(body) > self._body_max_bytes or not 0 < kind < MARK:
            raise ValueError(f"kind {kind} with {len(body)} bytes: at most {self._body_max_bytes}")
        record = (self.next_seq, kind, body)
        self.next_seq += 1
        if self._fd < 0:
            self._wait(record)
            return record[0]
        try:
            self._make_room(record)
            self._put(record)
            if not self._sync_ms:
                self._sync()
        except OSError as error:
            self._degrade(error, record)
        return record[0]

    def _wait(self, record: tuple[int, int, bytes]) -> None:
        self.dropped_count += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(record)

    def _put(self, record: tuple[int, int, bytes]) -> None:
        segment = self._segments[-1]
        seq, kind, body = record
        raw = pack_record(segment.header.salt, kind, seq, body)
        self._disk.write(self._fd, raw, segment.end)
        segment.end += len(raw)
        if kind != MARK:
            self._unsynced.append(record)

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

    def _degrade(self, error: OSError, record: tuple[int, int, bytes] | None = None) -> None:
        """The file in hand is not to be trusted any more; what it was given since the last sync is still in RAM."""
        self.fault = self._in_memory(error)
        self._close_fd()
        kept = list(self._unsynced)
        if record is not None and (not kept or kept[-1][0] != record[0]):
            kept.append(record)
        self._unsynced.clear()
        for one in kept:
            self._wait(one)
        self._retry_mono_ms = None

    def _in_memory(self, error: OSError) -> str:
        return f"store: {error.strerror or error}; keeping the newest {self._waiting.maxlen} records in memory"

    def _close_fd(self) -> None:
        if self._fd >= 0:
            try:
                self._disk.close(self._fd)
            except OSError as error:
                self._note(f"close: {error.strerror or error}")
        self._fd = -1

    def _retry(self) -> None:
        waiting = list(self._waiting)
        newest = self._segments[-1].index if self._segments else 0
        try:
            self._create(waiting[0][0] if waiting else self.next_seq)
            for record in waiting:
                self._make_room(record)
                self._put(record)
            self._disk.sync(self._fd)
        except OSError as error:
            self.fault = self._in_memory(error)
            self._close_fd()
            self._unsynced.clear()
            self._forget(lambda segment: segment.index > newest)  # all they hold is still waiting in memory
            return
        first_seq = waiting[0][0] if waiting else self.next_seq
        self._forget(lambda segment: segment.index <= newest and segment.header.first_seq >= first_seq)
        self._waiting.clear()
        self._unsynced.clear()
        self.fault, self._gave_room = "", False

    def _make_room(self, record: tuple[int, int, bytes]) -> None:
        if self._segments[-1].end + RECORD.size + len(record[2]) + MARK_ROOM_BYTES > self._segments[-1].size_bytes:
            self._sync()
            self._close_fd()
            self._create(record[0])

    def _create(self, first_seq: int) -> None:
        """A new newest segment: header on disk, blocks reserved, its name durable. Raises OSError."""
        while len(self._segments) > 1 and self.bytes_used + self._segment_bytes > self._max_bytes:
            self._delete_oldest()
        try:
            self._create_file(first_seq)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            if not self._give_room():
                if len(self._segments) < 2 or self._gave_room:
                    raise
                self._gave_room = True  # others filled the disk: reuse our own oldest blocks, but only once in a row
                self._delete_oldest()
            self._create_file(first_seq)
        self._gave_room = False

    def _create_file(self, first_seq: int) -> None:
        index = self._segments[-1].index + 1 if self._segments else 1
        while self._path(index).exists() or self._path(index).with_suffix(".bad").exists():
            index += 1
        path = self._path(index)
        header = Header(self.epoch, first_seq, self._boot, self.skipped_count, self._context, self._stream)
        self._disk.make_folder(self.folder)
        fd = self._disk.open(path, create=True)
        try:
            self._disk.allocate(fd, self._segment_bytes)
            self._disk.write(fd, header.pack(), 0)
            self._disk.sync(fd)
            self._disk.sync_folder(self.folder)
        except OSError:
            self._disk.close(fd)
            self._disk.remove(path)
            raise
        self._segments.append(Segment(index, path, header, self._segment_bytes, header.size_bytes))
        self._fd = fd

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:010d}.seg"

    def _forget(self, chosen: Callable[[Segment], bool]) -> None:
        for segment in [one for one in self._segments if chosen(one)]:
            self._segments.remove(segment)
            try:
                self._disk.remove(segment.path)
            except OSError as error:
                self._note(f"{segment.path.name}: {error.strerror or error}")

    def give_room(self) -> int:
        """Deletes the oldest segment for the sake of others; returns the bytes, 0 when only the newest is left."""
        if len(self._segments) < 2:
            return 0
        size_bytes = self._segments[0].size_bytes
        try:
            self._delete_oldest()
        except OSError as error:
            self._note(f"{self._segments[0].path.name}: {error.strerror or error}")
            return 0
        return size_bytes

    def _delete_oldest(self) -> None:
        self._disk.remove(self._segments[0].path)
        del self._segments[0]

    def close(self) -> None:
        """A clean end: synced and marked, so that the next start need not skip any number."""
        if self._fd >= 0 and self.sync() and self._segments[-1].end + MARK_ROOM_BYTES <= self._segments[-1].size_bytes:
            try:
                self._put((self.next_seq, MARK, CLOSED))
                self._disk.sync(self._fd)
            except OSError as error:
                self._note(f"close: {error.strerror or error}")
        self._close_fd()

    # ---- opening

    def _recover(self) -> None:
        try:
            self._disk.make_folder(self.folder)
            found = recover(self._disk, self.folder, self._stream)
            for note in found.notes:
                self._note(note)
            if found.newer:
                self._refuse(found.newer)
                return
            self._segments, self._fd, self.epoch = found.segments, found.fd, found.epoch or secrets.randbits(63) | 1
            self.next_seq, self.skipped_count = found.next_seq, found.skipped_count
            if found.segments and (found.uncertain_count or found.boot not in (self._boot, CLOSED[:16])):
                held_max_count = self._segment_bytes // RECORD.size + 1  # of a segment whose end is not known
                jump = max(1, found.uncertain_count) * held_max_count
                self.next_seq += jump
                self.skipped_count += jump
            self._continue_last(found)
        except OSError as error:
            self._segments.clear()  # unreadable now: what is on disk stays there, what comes gets an epoch of its own
            self.epoch, self.next_seq, self.skipped_count = secrets.randbits(63) | 1, 1, 0
            self.fault = self._in_memory(error)
            self._close_fd()

    def _refuse(self, newer: str) -> None:
        """Not for us to write, nor to delete: everything stays in memory until somebody decides."""
        self._refused, self.epoch = True, secrets.randbits(63) | 1
        self.fault = (
            f"{newer}; nothing in {self.folder} is touched and new records stay in memory:"
            " install that version again, or move the folder away"
        )

    def _continue_last(self, found: Found) -> None:
        last = None if found.uncertain_count or not self._segments else self._segments[-1]
        if (
            last is None
            or (last.header.context, last.header.stream) != (self._context, self._stream)
            or last.end + MARK_ROOM_BYTES > last.size_bytes
        ):
            self._close_fd()
            self._create(self.next_seq)
        elif found.boot != self._boot:
            self._put((self.next_seq, MARK, MARK_BODY.pack(self._boot, self.skipped_count)))
            self._disk.sync(self._fd)
