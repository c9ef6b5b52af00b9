"""A small state that survives a restart: one file of two slots, written alternately, each with its CRC.

A torn write spoils one slot, never both; the newest good one counts. What it holds is for its owner to judge: a
checkpoint may be older than other things on the disk. A write that fails is a fault text, not an exception.
"""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

from edge.store.disk import Disk

SLOT_BYTES = 8_192
_HEAD = struct.Struct(
    "<8sQI"
)  # magic, generation, length; then JSON; a crc32 of all of it in the last 4 bytes of the slot
_MAGIC = b"TWCHECK1"
STATE_MAX_BYTES = SLOT_BYTES - _HEAD.size - 4


class CheckpointFile:
    """`state` is what was read at opening or written last; None when there was nothing good."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path, self._disk = path, disk or Disk()
        self._generation = 0
        self.state: dict[str, Any] | None = None
        self.fault = ""
        for raw in self._slots():
            found = _unpack(raw)
            if found and found[0] > self._generation:
                self._generation, self.state = found

    def _slots(self) -> list[bytes]:
        try:
            fd = self._disk.open(self._path, write=False)
            try:
                return [self._disk.read(fd, SLOT_BYTES, offset) for offset in (0, SLOT_BYTES)]
            finally:
                self._disk.close(fd)
        except OSError:
            return []  # no file yet, or unreadable: its owner begins anew and says so

    def write(self, state: dict[str, Any]) -> bool:
        """Keeps `state` on the disk. False, with `fault`, when it is too large or the disk would not take it."""
        body = json.dumps(state, separators=(",", ":")).encode()
        if len(body) > STATE_MAX_BYTES:
            self.fault = f"{self._path.name}: {len(body)} bytes, at most {STATE_MAX_BYTES} fit"
            return False
        generation = self._generation + 1
        head = (_HEAD.pack(_MAGIC, generation, len(body)) + body).ljust(SLOT_BYTES - 4, b"\0")
        try:
            fd = self._disk.open(self._path, create=not self._path.exists())
            try:
                self._disk.write(fd, head + zlib.crc32(head).to_bytes(4, "little"), SLOT_BYTES * (generation % 2))
                self._disk.sync(fd)
            finally:
                self._disk.close(fd)
        except OSError as error:
            self.fault = f"{self._path.name}: {error.strerror or error}"
            return False
        self._generation, self.state, self.fault = generation, state, ""
        return True


def _unpack(raw: bytes) -> tuple[int, dict[str, Any]] | None:
    if len(raw) != SLOT_BYTES or zlib.crc32(raw[:-4]).to_bytes(4, "little") != raw[-4:]:
        return None
    magic, generation, length = _HEAD.unpack_from(raw)
    if magic != _MAGIC or length > STATE_MAX_BYTES:
        return None
    try:
        state = json.loads(raw[_HEAD.size : _HEAD.size + length])
    except ValueError:
        return None
    return (generation, state) if isinstance(state, dict) else None
