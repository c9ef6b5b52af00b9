"""A disk in memory that remembers every call in order, and what a power cut may have left of the first N of them.

The model is no kinder than POSIX: data is there after a sync of its file, names after a sync of the folder; names change
in order and up to some point; data that was not synced since is lost, kept, or kept in part, sector by sector, in any order.
"""

import random
from dataclasses import dataclass
from pathlib import Path

from edge.store.disk import Disk

SECTOR_BYTES = 512
MODES = ("lost", "kept", "reordered", "torn")


@dataclass(frozen=True, slots=True)
class Op:
    """One call: create, allocate, write, sync, sync_folder, remove, rename."""

    what: str
    name: str = ""
    data: bytes = b""
    number: int = 0  # offset of a write, size of an allocation
    to: str = ""


class MemoryDisk(Disk):
    """One folder of files; descriptors are names by number."""

    def __init__(self, files: dict[str, bytearray] | None = None, boot: bytes = b"0" * 16) -> None:
        self.files = files if files is not None else {}
        self.ops: list[Op] = []
        self._open: dict[int, str] = {}
        self._boot = boot

    def _do(self, op: Op) -> None:
        self.ops.append(op)
        apply(self.files, op)

    def make_folder(self, folder: Path) -> None:
        pass

    def names(self, folder: Path) -> list[str]:
        return sorted(self.files)

    def open(self, path: Path, *, create: bool = False, write: bool = True) -> int:
        if create and path.name in self.files:
            raise FileExistsError(path.name)
        if create:
            self._do(Op("create", path.name))
        elif path.name not in self.files:
            raise FileNotFoundError(path.name)
        fd = max(self._open, default=2) + 1
        self._open[fd] = path.name
        return fd

    def allocate(self, fd: int, size: int) -> None:
        self._do(Op("allocate", self._open[fd], number=size))

    def write_zeros(self, fd: int, size: int) -> None:
        """They are there already."""

    def size(self, fd: int) -> int:
        return len(self.files[self._open[fd]])

    def write(self, fd: int, data: bytes, offset: int) -> None:
        self._do(Op("write", self._open[fd], bytes(data), offset))

    def read(self, fd: int, size: int, offset: int) -> bytes:
        return bytes(self.files[self._open[fd]][offset : offset + size])

    def sync(self, fd: int) -> None:
        self._do(Op("sync", self._open[fd]))

    def sync_folder(self, folder: Path) -> None:
        self._do(Op("sync_folder"))

    def close(self, fd: int) -> None:
        del self._open[fd]

    def remove(self, path: Path) -> None:
        self._do(Op("remove", path.name))

    def rename(self, path: Path, to: Path) -> None:
        self._do(Op("rename", path.name, to=to.name))

    def boot_id(self) -> bytes:
        return self._boot


def apply(files: dict[str, bytearray], op: Op) -> None:
    """One call on the files; what refers to a file that is not there does nothing."""
    if op.what == "create":
        files[op.name] = bytearray()
    elif op.what == "remove":
        files.pop(op.name, None)
    elif op.what == "rename" and op.name in files:
        files[op.to] = files.pop(op.name)
    elif op.what == "allocate" and op.name in files:
        files[op.name] += bytes(max(0, op.number - len(files[op.name])))
    elif op.what == "write" and op.name in files:
        file = files[op.name]
        file += bytes(max(0, op.number + len(op.data) - len(file)))
        file[op.number : op.number + len(op.data)] = op.data


def after_cut(ops: list[Op], mode: str, rng: random.Random) -> dict[str, bytearray]:
    """The files after a power cut behind these calls. Writes that no sync follows fare by `mode`."""
    last_sync = {op.name: index for index, op in enumerate(ops) if op.what == "sync"}
    sure_end = max([index + 1 for index, op in enumerate(ops) if op.what == "sync_folder"], default=0)
    names_end = len(ops) if mode == "kept" else sure_end if mode == "lost" else rng.randint(sure_end, len(ops))
    files: dict[str, bytearray] = {}
    pending: list[Op] = []
    for index, op in enumerate(ops):
        if op.what == "allocate" and index < last_sync.get(op.name, -1):
            apply(files, op)  # the size of a file is its own, not the folder's
        elif op.what == "write":
            if index < last_sync.get(op.name, -1):
                apply(files, op)
            else:
                pending.append(op)
        elif index < names_end:
            apply(files, op)
    sectors = [part for op in pending for part in _sectors(op, mode == "torn", rng)]
    if mode == "lost":
        sectors = []
    elif mode != "kept":
        sectors = [one for one in sectors if rng.random() < 0.6]
    for part in sectors:
        apply(files, part)
    return files


def _sectors(op: Op, torn: bool, rng: random.Random) -> list[Op]:
    """The write cut at sector borders; torn: a sector itself may end anywhere."""
    parts, at = [], 0
    while at < len(op.data):
        size = min(SECTOR_BYTES - (op.number + at) % SECTOR_BYTES, len(op.data) - at)
        kept = rng.randint(0, size) if torn else size
        parts.append(Op("write", op.name, op.data[at : at + kept], op.number + at))
        at += size
    return parts
