"""Where the fleet's database is known to be: one small file of two slots, written alternately.

A torn write spoils one slot, never both; the newest good one counts. The cursor is advisory: one that is too old costs
sending again, nothing else. So a write that fails is a fault text, not an exception.
"""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from edge.store.disk import Disk

SLOT_BYTES = 64
_MAGIC = b"TWCURSOR"
_SLOT = struct.Struct("<8sQQQQ")  # magic, generation, epoch, seq, gone; then zeros, then a crc32 in the last 4 bytes


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to `seq` of this epoch is committed or gone; `gone_count` of those numbers are gone."""

    epoch: int = 0
    seq: int = 0
    gone_count: int = 0


class CursorFile:
    """The two slots. `position` is what was read at opening or written last."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path = path
        self._disk = disk or Disk()
        self._generation = 0
        self.position = Position()
        self.fault = ""
        for raw in self._slots():
            found = _unpack(raw)
            if found and found[0] > self._generation:
                self._generation, self.position = found

    def _slots(self) -> list[bytes]:
        try:
            fd = self._disk.open(self._path, write=False)
            try:
                return [self._disk.read(fd, SLOT_BYTES, offset) for offset in (0, SLOT_BYTES)]
            finally:
                self._disk.close(fd)
        except OSError:
            return []  # no file yet, or unreadable: start from nothing, which is safe

    def write(self, position: Position, *, sync: bool = True) -> bool:
        """Keeps `position` in the older slot. False, with `fault`, when the disk would not take it."""
        self.position = position
        generation = self._generation + 1
        try:
            fd = self._disk.open(self._path, create=not self._path.exists())
            try:
                self._disk.write(fd, _pack(generation, position), SLOT_BYTES * (generation % 2))
                if sync:
                    self._disk.sync(fd)
            finally:
                self._disk.close(fd)
        except OSError as error:
            self.fault = f"{self._path.name}: {error.strerror or error}"
            return False
        self._generation, self.fault = generation, ""
        return True

    def sync(self) -> None:
        """What was written last outlives a power cut; for another thread than the one that writes. `fault` as ever."""
        try:
            fd = self._disk.open(self._path)
            try:
                self._disk.sync(fd)
            finally:
                self._disk.close(fd)
        except OSError as error:
            self.fault = f"{self._path.name}: {error.strerror or error}"


def _pack(generation: int, position: Position) -> bytes:
    raw = _SLOT.pack(_MAGIC, generation, position.epoch, position.seq, position.gone_count).ljust(SLOT_BYTES - 4, b"\0")
    return raw + zlib.crc32(raw).to_bytes(4, "little")


def _unpack(raw: bytes) -> tuple[int, Position] | None:
    if len(raw) != SLOT_BYTES or zlib.crc32(raw[:-4]).to_bytes(4, "little") != raw[-4:]:
        return None
    magic, generation, epoch, seq, gone = _SLOT.unpack_from(raw)
    return (generation, Position(epoch, seq, gone)) if magic == _MAGIC else None
