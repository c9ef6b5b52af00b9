"""What of a ring may wait for the disk in another thread: syncs, and the file that is needed next. Done once.

A file is given its header by its owner when it is needed; until then it is a blank one, which a start deletes.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.store.disk import Disk


@dataclass(frozen=True, slots=True)
class Fresh:
    """A segment file to be made: blocks reserved, its name durable."""

    index: int
    path: Path
    size_bytes: int
    zero_ahead: bool

    def make(self, disk: Disk, header: bytes = b"") -> int:
        """The descriptor. Raises OSError, and then there is no such file."""
        disk.make_folder(self.path.parent)
        fd = disk.open(self.path, create=True)
        try:
            disk.allocate(fd, self.size_bytes)
            if self.zero_ahead:
                disk.write_zeros(fd, self.size_bytes)
            if header:
                disk.write(fd, header, 0)
            disk.sync(fd)
            disk.sync_folder(self.path.parent)
        except OSError:
            disk.close(fd)
            disk.remove(self.path)
            raise
        return fd


class SyncWork:
    """Syncs descriptors of its own, then makes the next file. `error` is that of the syncs; no file is no error."""

    def __init__(self, disk: Disk, fds: Sequence[int], last_seq: int, fresh: Fresh | None) -> None:
        """`last_seq`: the newest record that was written when this began."""
        self._disk, self._fds, self.last_seq, self.fresh = disk, list(fds), last_seq, fresh
        self._running, self._disposing = threading.Lock(), threading.Lock()
        self._unwanted = False
        self.fresh_fd = -1
        self.error: OSError | None = None
        self.done = False

    @property
    def synced_count(self) -> int:
        """How many descriptors it was given."""
        return len(self._fds)

    def run(self) -> None:
        """From any thread, also from two: the second waits for the first."""
        with self._running:
            if self.done:
                return
            try:
                for fd in self._fds:
                    self._disk.sync(fd)
            except OSError as error:
                self.error = error
            for fd in self._fds:
                self._close(fd)
            if self.fresh is not None and self.error is None and not self._unwanted:
                try:
                    self.fresh_fd = self.fresh.make(self._disk)
                except OSError:
                    self.fresh_fd = -1  # its owner makes one when he needs it, and says what is wrong
            self.done = True
        if self._unwanted:
            self._dispose()

    def drop(self) -> None:
        """Nobody asks for the result any more. Does not wait."""
        self._unwanted = True
        if self.done:
            self._dispose()

    def _dispose(self) -> None:
        with self._disposing:
            fd, self.fresh_fd = self.fresh_fd, -1
        if fd >= 0 and self.fresh is not None:
            self._close(fd)
            try:
                self._disk.remove(self.fresh.path)
            except OSError:
                return  # the next start deletes it

    def _close(self, fd: int) -> None:
        try:
            self._disk.close(fd)
        except OSError as error:
            self.error = self.error or error
