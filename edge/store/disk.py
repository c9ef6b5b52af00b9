"""The few calls the store makes to the operating system, in one small object, so that a test can fail the N-th of them.

All of them may raise OSError; nothing here decides what that means.
"""

import os
from pathlib import Path

ZEROS_BYTES = 1 << 16


class Disk:
    """POSIX files by descriptor and offset; no buffers of our own."""

    def make_folder(self, folder: Path) -> None:
        """With its parents, and so that their names outlive a power cut."""
        if not folder.is_dir():
            self.make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            self.sync_folder(folder.parent)

    def names(self, folder: Path) -> list[str]:
        return sorted(entry.name for entry in folder.iterdir())

    def open(self, path: Path, *, create: bool = False, write: bool = True) -> int:
        mode = (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC
        return os.open(path, mode | (os.O_CREAT | os.O_EXCL if create else 0), 0o640)

    def allocate(self, fd: int, size: int) -> None:
        """Blocks for `size` bytes, read as zeros: a full disk shows now."""
        os.posix_fallocate(fd, 0, size)

    def write_zeros(self, fd: int, size: int) -> None:
        """So that no later sync has metadata to journal: blocks that are only reserved are marked as written one by one."""
        for offset in range(0, size, ZEROS_BYTES):
            self.write(fd, bytes(min(ZEROS_BYTES, size - offset)), offset)

    def size(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def write(self, fd: int, data: bytes, offset: int) -> None:
        """All of `data`, into the page cache."""
        view = memoryview(data)
        while view:
            count = os.pwrite(fd, view, offset)
            view, offset = view[count:], offset + count

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """Up to `size` bytes; fewer at the end of the file."""
        return os.pread(fd, size, offset)

    def sync(self, fd: int) -> None:
        os.fdatasync(fd)

    def sync_folder(self, folder: Path) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def rename(self, path: Path, to: Path) -> None:
        path.rename(to)

    def free_bytes(self, folder: Path) -> int:
        """What others may still write on this file system."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def boot_id(self) -> bytes:
        """16 bytes that change at every boot: what the page cache held is gone when they differ."""
        try:
            text = Path("/proc/sys/kernel/random/boot_id").read_text()
            return bytes.fromhex(text.strip().replace("-", ""))[:16].ljust(16, b"\0")
        except (OSError, ValueError):
            return os.urandom(16)  # unknown: treat every start as after a power cut
