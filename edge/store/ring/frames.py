"""The bytes of one segment file, without any policy: header, records, a walk that stops at doubt, a search for what is good.

    header  magic 8 | version u16 | stream u16 | context size u32 | epoch u64 | first seq u64 | boot id 16 | skipped | crc
    context any bytes (schema, kernel config): makes a segment readable on its own
    record  crc u32 | body size u32 | kind u8 | seq u64 | body;  crc over all after itself, seeded with the header's crc

Little-endian. Every version keeps this header, so that a newer one is told from a damaged one. The seed binds a record to
its stream and epoch. Numbers only rise inside a segment. The unused rest of a segment is zero. Kind 0 does not exist;
kind 255 is a mark of the log itself: skipped count, and the boot id of an opening, CLOSED, or IN_MEMORY.
"""

import re
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
CLOSED = bytes(16)  # instead of a boot id: a clean end
IN_MEMORY = b"\xff" * 16  # numbers were given from here on that did not reach the disk
CONTEXT_MAX_BYTES = 1 << 16
SEQ_MAX = (1 << 63) - 1  # SQLite and most databases keep signed 64 bit
STREAMS = ("", "site", "rollup", "trace")  # what a segment says it holds; "": does not say
SEARCH_BITS = 24  # after damage the next number is at most 16 million away: some hundred power cuts in one segment
_SEQ_HIGH_AT = 9 + SEARCH_BITS // 8  # of the bytes of a number that hardly change, from the start of its record
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
    stream: int = 0  # index into STREAMS

    def pack(self) -> bytes:
        head = HEADER.pack(
            MAGIC, VERSION, self.stream, len(self.context), self.epoch, self.first_seq, self.boot, self.skipped_count, 0
        )[:-4]
        return head + zlib.crc32(self.context, zlib.crc32(head)).to_bytes(4, "little") + self.context

    @property
    def size_bytes(self) -> int:
        return HEADER.size + len(self.context)

    @property
    def salt(self) -> int:
        return int.from_bytes(self.pack()[HEADER.size - 4 : HEADER.size], "little")


@dataclass(frozen=True, slots=True)
class Newer:
    """A segment of a later version of this program: not damaged, and not for us to touch."""

    version: int

    def __str__(self) -> str:
        return f"format {self.version}, but this program knows up to {VERSION}: a newer version has written it"


def read_header(read: Read) -> Header | Newer | str:
    """The header of a segment, or what is wrong with it (`empty` for a file that was never written)."""
    raw = read(HEADER.size, 0)
    if not raw.strip(b"\0"):
        return "empty"
    if len(raw) < HEADER.size:
        return f"offset 0: {len(raw)} bytes, expected a header of {HEADER.size}"
    magic, version, stream, size, epoch, first_seq, boot, skipped, crc = HEADER.unpack(raw)
    if magic != MAGIC:
        return f"offset 0: {magic!r}, expected {MAGIC!r}"
    context = read(size, HEADER.size) if size <= CONTEXT_MAX_BYTES else b""
    if len(context) != size or zlib.crc32(context, zlib.crc32(raw[:-4])) != crc or first_seq > SEQ_MAX:
        return f"offset {HEADER.size - 4}: the CRC of the header is wrong"
    if version != VERSION:
        return Newer(version)
    return Header(epoch, first_seq, boot, skipped, context, stream)


def look(disk: Disk, path: Path) -> tuple[int, Header | Newer | str]:
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


def boot_of_mark(body: bytes) -> bytes:
    """The boot that a mark opens; empty when it is no opening."""
    what = body[:16]
    return what if len(body) == MARK_BODY.size and what not in (CLOSED, IN_MEMORY) else b""


class Walk:
    """Iterates (seq, kind, body) from `offset`; afterwards `offset` is the end of the last good record.

    `fault` is empty at a clean end (zeros, or the end of the file) and says what was expected where otherwise.
    `find_good` goes on behind damage.
    """

    def __init__(self, read: Read, offset: int, end: int, salt: int, next_seq: int) -> None:
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
        self.fault = ""
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

    def find_good(self) -> bool:
        """After an iteration: moves on to the next good record behind damage, or a hole of zeros; False: there is none.

        `fault` then says what was passed over. It searches by the high bytes of the number that must come next.
        """
        before_offset, before_seq = self.offset, self.next_seq
        rest = self._read(max(0, self._end - before_offset), before_offset).rstrip(b"\0")
        if not rest:
            return False
        highs = [(before_seq >> SEARCH_BITS) + more for more in (0, 1)]
        patterns = [re.escape(high.to_bytes(8 - SEARCH_BITS // 8, "little")) for high in highs]
        for found in re.finditer(b"(?=" + b"|".join(patterns) + b")", padded := rest + _ZERO):
            at = found.start() - _SEQ_HIGH_AT
            if at >= 0 and self._is_good(padded, at):
                seq = RECORD.unpack_from(padded, at)[3]
                self.offset, self._window = before_offset + at, b""
                self.fault = f"offset {before_offset}: {at} damaged bytes, numbers {before_seq}..{seq - 1}"
                return True
        self.fault = self.fault or f"offset {before_offset}: {len(rest)} bytes that are no record"
        return False

    def _is_good(self, raw: bytes, at: int) -> bool:
        if at + RECORD.size > len(raw):
            return False  # too near the end
        crc, size, kind, seq = RECORD.unpack_from(raw, at)
        end = at + RECORD.size + size
        if not kind or not self.next_seq <= seq <= SEQ_MAX or self._end - self.offset < end:
            return False
        body = raw[at + RECORD.size : end].ljust(size, b"\0")  # zeros at the end of a body were stripped
        return bool(zlib.crc32(body, zlib.crc32(raw[at + 4 : at + RECORD.size], self._salt)) == crc)
