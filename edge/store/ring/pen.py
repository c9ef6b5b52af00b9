"""The segment in hand: records and marks go into it, syncs, and a new one when it is full.

All of it raises OSError; what that means is decided in segments.py. A sync may be done by another thread (fresh.py):
then only what was written before it began counts as synced, and the file that comes next is made beforehand, so that
nobody waits for the disk when a segment is full.
"""

import errno
from collections import deque
from collections.abc import Callable
from pathlib import Path

from edge.store.disk import Disk
from edge.store.ring.frames import HEADER, MARK, MARK_BODY, RECORD, STREAMS, Header, pack_record
from edge.store.ring.fresh import Fresh, SyncWork
from edge.store.ring.recovery import Segment
from edge.store.ring.shelf import Shelf

MARK_ROOM_BYTES = RECORD.size + MARK_BODY.size
Record = tuple[int, int, bytes]  # seq, kind, body


class Pen(Shelf):
    """One thread owns it."""

    def __init__(
        self,
        folder: Path | str,
        disk: Disk | None,
        *,
        max_bytes: int,
        segment_bytes: int,
        stream: str,
        context: bytes,
        ram_max_count: int,
        zero_ahead: bool,
        give_room: Callable[[], int],
    ) -> None:
        super().__init__(folder, disk)
        self._give_room = give_room
        self._max_bytes = max(max_bytes, 2 * segment_bytes)
        self._segment_bytes, self._zero_ahead = segment_bytes, zero_ahead
        self._body_max_bytes = segment_bytes - HEADER.size - len(context) - RECORD.size - MARK_ROOM_BYTES
        self._context, self._stream = context, STREAMS.index(stream)
        self._fd = -1
        self._full: list[int] = []  # descriptors of segments before it that hold what is not synced
        self._spare: tuple[Fresh, int] | None = None  # the file for the next segment, and its descriptor
        self._work: SyncWork | None = None  # under way, or done and not looked at
        self._unsynced: deque[Record] = deque(maxlen=ram_max_count)
        self._gave_room = False
        self.epoch = 0
        self.next_seq = 1
        self.skipped_count = 0  # numbers left out on purpose since the log was created
        self.boot = self._disk.boot_id()

    def _put(self, record: Record) -> None:
        segment = self._segments[-1]
        seq, kind, body = record
        raw = pack_record(segment.header.salt, kind, seq, body)
        self._disk.write(self._fd, raw, segment.end)
        segment.end += len(raw)
        if kind != MARK:
            self._unsynced.append(record)

    def _mark(self, what: bytes) -> None:
        self._put((self.next_seq, MARK, MARK_BODY.pack(what, self.skipped_count)))

    # ---- syncs

    def _sync(self) -> None:
        """Everything written so far is on the disk. A work under way is waited for: its error is told only once."""
        if self._work is not None:
            self._work.run()
            self._settle()
        for fd in (*self._full, self._fd):
            self._disk.sync(fd)
        self._close_full(len(self._full))
        self._unsynced.clear()

    def _begin(self) -> SyncWork | None:
        """What there is to wait for, to be run by another thread; None: nothing."""
        fresh = self._plan_spare()
        if not self._unsynced and fresh is None:
            return None
        fds = list[int]()
        try:
            for fd in (*self._full, self._fd):
                fds.append(self._disk.duplicate(fd))
        except OSError:
            for fd in fds:
                self._disk.close(fd)
            raise
        self._work = SyncWork(self._disk, fds, self._unsynced[-1][0] if self._unsynced else 0, fresh)
        return self._work

    def _settle(self) -> None:
        """Takes what a work that is done has found."""
        work = self._work
        if work is None or not work.done:
            return
        self._work = None
        if work.fresh is not None and work.fresh_fd >= 0:
            self._spare = (work.fresh, work.fresh_fd)
        if work.error is not None:
            raise work.error
        while self._unsynced and self._unsynced[0][0] <= work.last_seq:
            self._unsynced.popleft()
        self._close_full(work.synced_count - 1)  # the last was the segment in hand

    def _close_full(self, count: int) -> None:
        for fd in self._full[:count]:
            self._note_fault(lambda fd=fd: self._disk.close(fd), "close")  # type: ignore[misc]  # bound now
        del self._full[:count]

    def _close_fd(self) -> None:
        if self._fd >= 0:
            self._note_fault(lambda: self._disk.close(self._fd), "close")
        self._fd = -1

    def _let_go(self) -> None:
        """All files that are open; what is under way is of no use any more."""
        if self._work is not None:
            self._work.drop()
            self._work = None
        self._close_full(len(self._full))
        self._close_fd()
        if self._spare is not None:
            (fresh, fd), self._spare = self._spare, None
            self._note_fault(lambda: self._disk.close(fd), "close")
            self._note_fault(lambda: self._disk.remove(fresh.path), fresh.path.name)

    def _note_fault(self, act: Callable[[], None], what: str) -> None:
        try:
            act()
        except OSError as error:
            self._note(f"{what}: {error.strerror or error}")

    # ---- a new segment

    def _has_room(self, body_bytes: int) -> bool:
        """For a record of that size, or with 0 for a mark, in the segment in hand."""
        need_bytes = RECORD.size + body_bytes + MARK_ROOM_BYTES if body_bytes else MARK_ROOM_BYTES
        return self._segments[-1].end + need_bytes <= self._segments[-1].size_bytes

    def _make_room(self, body_bytes: int, seq: int | None = None) -> None:
        if self._has_room(max(1, body_bytes)):
            return
        first_seq = self.next_seq if seq is None else seq
        self._settle()
        if self._spare is not None:
            self._turn_to_spare(first_seq)
        else:
            self._sync()
            self._close_fd()
            self._create(first_seq)

    def _plan_spare(self) -> Fresh | None:
        """The next file, when the segment in hand is three quarters full; room for it is made now."""
        last = self._segments[-1]
        if self._spare is not None or last.end < last.size_bytes // 4 * 3:
            return None
        self._keep_quota()
        return self._fresh()

    def _turn_to_spare(self, first_seq: int) -> None:
        """The segment in hand is full and the next file is there: only memory is written."""
        assert self._spare is not None
        (fresh, fd), header = self._spare, self._header(first_seq)
        self._disk.write(fd, header.pack(), 0)
        self._spare = None
        self._full.append(self._fd)
        self._take_up(fresh, fd, header)

    def _create(self, first_seq: int) -> None:
        """A new newest segment: header on disk, blocks reserved, its name durable."""
        self._keep_quota()
        fresh, header = self._fresh(), self._header(first_seq)
        try:
            fd = fresh.make(self._disk, header.pack())
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            if not self._give_room():
                if not self._can_spare or self._gave_room:
                    raise
                self._gave_room = True  # others filled the disk: reuse our own oldest blocks, but only once in a row
                self._delete_oldest()
            fd = fresh.make(self._disk, header.pack())
        self._take_up(fresh, fd, header)

    def _take_up(self, fresh: Fresh, fd: int, header: Header) -> None:
        self._segments.append(Segment(fresh.index, fresh.path, header, fresh.size_bytes, header.size_bytes))
        self._fd, self._gave_room = fd, False

    def _keep_quota(self) -> None:
        while self._can_spare and self.bytes_used + self._segment_bytes > self._max_bytes:
            self._delete_oldest()

    def _fresh(self) -> Fresh:
        index = self._free_index()
        return Fresh(index, self._path(index), self._segment_bytes, self._zero_ahead)

    def _header(self, first_seq: int) -> Header:
        return Header(self.epoch, first_seq, self.boot, self.skipped_count, self._context, self._stream)
