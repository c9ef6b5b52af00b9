"""Disk space set aside for the records that must not be lost: a file of zeros that is given up when the disk is full."""

from pathlib import Path

from edge.store.disk import Disk

RESERVE_BYTES = 1 << 20  # some thousand rows of audit: days, until somebody looks


class Reserve:
    """The file. It is made when there is room for it, and made again after the disk was full."""

    def __init__(self, path: Path, disk: Disk, size_bytes: int = RESERVE_BYTES) -> None:
        self._path, self._disk, self._size_bytes = path, disk, size_bytes

    @property
    def is_held(self) -> bool:
        """Whether it is there and whole: a power cut may leave its name without its blocks."""
        try:
            return self._path.stat().st_size == self._size_bytes
        except OSError:
            return False

    def hold(self) -> bool:
        """Takes the space, if thrice as much is free. False: not now."""
        if self.is_held:
            return True
        try:
            if self._disk.free_bytes(self._path.parent) < 3 * self._size_bytes:
                return False
            self._disk.remove(self._path)
            fd = self._disk.open(self._path, create=True)
            try:
                self._disk.allocate(fd, self._size_bytes)
            finally:
                self._disk.close(fd)
        except OSError:
            self._remove()
            return False
        return True

    def release(self) -> int:
        """Gives the space up; returns the bytes."""
        return self._size_bytes if self.is_held and self._remove() else 0

    def _remove(self) -> bool:
        try:
            self._disk.remove(self._path)
        except OSError:
            return False
        return True
