"""The bytes of one segment file, without any policy: header, records, and a walk that stops at the first doubt.

    header  magic 8 | version u16 | 0 u16 | context size u32 | epoch u64 | first seq u64 | boot id 16 | skipped | crc
    context any bytes (schema, kernel config): makes a segment readable on its own
    record  crc u32 | body size u32 | kind u8 | seq u64 | body;  crc over all after itself, seeded with the header's crc

Little-endian. Sequence numbers only rise inside a segment. The unused rest of a segment is zero. Kind 0 does not exist;
kind 255 is a mark of the log itself (boot id and skipped count at an opening, empty at a clean close).
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.store.disk import Disk

MAGIC = b"TWSEGMNT"
VERSION = 1
HEADER = struct.Struct("<8sHHIQQ16sQI")
RECORD = struct.Struct("<IIBQ")
MARK = 255
MARK_BODY = struct.Struct("<16sQ")
CONTEXT_MAX_BYTES = 1 << 16
SEQ_MAX = (1 << 63) - 1  # SQLite and most databases keep signed 64 bit
_ZERO = bytes(RECORD.size)
_WINDOW_BYTES = 1 << 16

Read = Callable[[int, int], bytes]  # (size, offset) -> up to size bytes


@dataclass(frozen=True, slots=True)
class Header:
    epoch: int
    first_seq: int
    boot: bytes
    skipped_count: int  # sequence numbers left out on purpose since the log was created
    context: bytes

    def pack(self) -> bytes:
        head = HEADER.pack(
            MAGIC, VERSION, 0, len(self.context), self.epoch, self.first_seq, self.boot, self.skipped_count, 0
        )[:-4]
        return head + zlib.crc32(self.context, zlib.crc32(head)).to_bytes(4, "little") + self.context

    @property
    def size_bytes(self) -> int:
        return HEADER.size + len(self.context)

    @property
    def salt(self) -> int:
        return int.from_bytes(self.pack()[HEADER.size - 4 : HEADER.size], "little")


def read_header(read: Read) -> Header | str:
    """The header of a segment, or what is wrong with it (`empty` for a file that was never written)."""
    raw = read(HEADER.size, 0)
    if not raw.strip(b"\0"):
        return "empty"
    if len(raw) < HEADER.size:
        return f"offset 0: {len(raw)} bytes, expected a header of {HEADER.size}"
    magic, version, _, size, epoch, first_seq, boot, skipped, crc = HEADER.unpack(raw)
    if magic != MAGIC:
        return f"offset 0: {magic!r}, expected {MAGIC!r}"
    if version != VERSION:
        return f"offset 8: version {version}, expected {VERSION}"
    context = read(size, HEADER.size) if size <= CONTEXT_MAX_BYTES else b""
    if len(context) != size or zlib.crc32(context, zlib.crc32(raw[:-4])) != crc or first_seq > SEQ_MAX:
        return f"offset {HEADER.size - 4}: the CRC of the header is wrong"
    return Header(epoch, first_seq, boot, skipped, context)


def look(disk: Disk, path: Path) -> tuple[int, Header | str]:
    """Size and header of a file, or what is wrong with the header. Raises OSError when it cannot be read now."""
    fd = disk.open(path, write=False)
    try:
        return disk.size(fd), read_header(lambda size, at: disk.read(fd, size, at))
    finally:
        disk.close(fd)


def pack_record(salt: int, kind: int, seq: int, body: bytes) -> bytes:
    """One record as it lies in the file."""
    head = RECORD.pack(0, len(body), kind, seq)[4:]
    return zlib.crc32(body, zlib.crc32(head, salt)).to_bytes(4, "little") + head + body


class Walk:
    """Iterates (seq, kind, body) from `offset`; afterwards `offset` is the end of the last good record.

    `fault` is empty at a clean end (zeros, or the end of the file) and says what was expected where otherwise.
    """

    def __init__(self, read: Read, offset: int, end: int, salt: int, next_seq: int = 0) -> None:
        self._read, self.offset, self._end, self._salt = read, offset, end, salt
        self.next_seq = next_seq
        self.fault = ""
        self._window = b""
        self._window_offset = 0

    def _get(self, offset: int, size: int) -> bytes:
        at = offset - self._window_offset
        if at < 0 or at + size > len(self._window):
            want = min(max(size, _WINDOW_BYTES), self._end - offset)
            self._window, self._window_offset, at = self._read(want, offset), offset, 0
        return self._window[at : at + size]

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        while self.offset + RECORD.size <= self._end:
            head = self._get(self.offset, RECORD.size)
            if head == _ZERO or len(head) < RECORD.size:
                return
            crc, size, kind, seq = RECORD.unpack(head)
            body_offset = self.offset + RECORD.size
            if body_offset + size > self._end:
                self.fault = f"offset {self.offset}: a record of {size} bytes, but {self._end - body_offset} are left"
                return
            body = self._get(body_offset, size)
            if zlib.crc32(body, zlib.crc32(head[4:], self._salt)) != crc or not kind or seq > SEQ_MAX:
                self.fault = f"offset {self.offset}: the CRC of the record is wrong"
                return
            if seq < self.next_seq:
                self.fault = f"offset {self.offset}: sequence number {seq}, expected at least {self.next_seq}"
                return
            self.offset = body_offset + size
            self.next_seq = seq if kind == MARK else seq + 1
            yield seq, kind, body
