"""Every cycle's raw structs, about a second to a chunk, in a segment ring: what happened, bit for bit.

The segment's context carries the kernel's config struct, the ABI hash and the struct sizes: one segment replays alone.
A chunk holds consecutive cycles: the state before the first, the first as it is, the rest XORed with the one before,
all of it deflated. Running the kernel on it is not done here.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgpack

from edge.errors import DataFault
from edge.model import CycleRecord
from edge.store.disk import Disk
from edge.store.ring.frames import MARK, Header, Walk, read_header
from edge.store.segments import SegmentLog

KIND_CHUNK = 1
CHUNK_MS = 1_000
CHUNK_MAX_COUNT = 64
RAM_MAX_COUNT = 120  # chunks kept while the disk is away: two minutes
_HEAD = struct.Struct("<HB")  # cycles, state before present
_META = struct.Struct("<QqqI")  # seq, mono_ms, wall_ms, late_us

Sizes = tuple[int, int, int]  # input, state, output


def pack_context(config: bytes, abi_hash: str, sizes: Sizes) -> bytes:
    """The context of a trace segment."""
    packed: bytes = msgpack.packb([1, abi_hash, list(sizes), config])
    return packed


def unpack_context(raw: bytes) -> tuple[bytes, str, Sizes] | None:
    """Config bytes, ABI hash and struct sizes, or None when this is not the context of a trace."""
    try:
        version, abi_hash, sizes, config = msgpack.unpackb(raw)
        right = version == 1 and isinstance(abi_hash, str) and isinstance(config, bytes) and len(sizes) == 3
        if right and all(isinstance(size, int) and 0 <= size <= 1 << 16 for size in sizes):
            return config, abi_hash, (sizes[0], sizes[1], sizes[2])
    except (ValueError, TypeError, msgpack.UnpackException):
        pass
    return None


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") ^ int.from_bytes(other, "little")).to_bytes(len(one), "little")


def pack_chunk(before: bytes | None, records: Sequence[CycleRecord]) -> bytes:
    """Consecutive cycles in one body."""
    parts = [_HEAD.pack(len(records), before is not None)]
    parts += [_META.pack(r.seq, r.mono_ms, r.wall_ms, min(max(r.late_us, 0), 0xFFFFFFFF)) for r in records]
    parts.append(before or b"")
    previous: bytes | None = None
    for record in records:
        images = record.input + record.state + record.output
        parts.append(images if previous is None else _xor(images, previous))
        previous = images
    return zlib.compress(b"".join(parts), 1)


def unpack_chunk(body: bytes, sizes: Sizes) -> tuple[bytes | None, list[CycleRecord]] | None:
    """State before and cycles, or None when the body is not a chunk of these sizes."""
    total = sum(sizes)
    limit = _HEAD.size + sizes[1] + CHUNK_MAX_COUNT * (_META.size + total)
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(body, limit)
    except zlib.error:
        return None
    if not inflate.eof or inflate.unused_data or len(raw) < _HEAD.size:
        return None
    count, has_before = _HEAD.unpack_from(raw)
    before_bytes = sizes[1] if has_before else 0
    at = _HEAD.size + count * _META.size
    if has_before > 1 or len(raw) != at + before_bytes + count * total:
        return None
    before = raw[at : at + before_bytes] if has_before else None
    at += before_bytes
    records, previous = [], bytes(total)
    for index in range(count):
        seq, mono_ms, wall_ms, late_us = _META.unpack_from(raw, _HEAD.size + index * _META.size)
        previous = _xor(raw[at : at + total], previous)
        one, two = sizes[0], sizes[0] + sizes[1]
        records.append(CycleRecord(seq, mono_ms, wall_ms, late_us, previous[:one], previous[one:two], previous[two:]))
        at += total
    return before, records


def unpack_first(body: bytes) -> tuple[int, int] | None:
    """(mono_ms, wall_ms) of the first cycle of a chunk, whatever the sizes of its structs; None when it is no chunk."""
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(body, _HEAD.size + _META.size)
    except zlib.error:
        return None
    if len(raw) < _HEAD.size + _META.size:
        return None
    _, mono_ms, wall_ms, _ = _META.unpack_from(raw, _HEAD.size)
    return mono_ms, wall_ms


class TraceWriter:
    """Takes every cycle, writes a chunk each second. `initial_state` is the state before the first cycle, if known."""

    def __init__(
        self,
        folder: Path | str,
        config: bytes,
        abi_hash: str,
        sizes: Sizes,
        *,
        max_bytes: int,
        sync_ms: int = 10_000,
        initial_state: bytes | None = None,
        disk: Disk | None = None,
    ) -> None:
        context = pack_context(config, abi_hash, sizes)
        self.log = SegmentLog(
            folder, max_bytes=max_bytes, stream="trace", context=context, sync_ms=sync_ms,
            ram_max_count=RAM_MAX_COUNT, zero_ahead=False, disk=disk,
        )  # fmt: skip
        self._sizes = sizes
        self._chunk: list[CycleRecord] = []
        self._before = initial_state
        self._last: CycleRecord | None = None

    def note(self, record: CycleRecord) -> None:
        """One cycle. Raises ValueError when a struct has not the size of this trace."""
        if (len(record.input), len(record.state), len(record.output)) != self._sizes:
            raise ValueError(f"cycle {record.seq}: struct sizes are not {self._sizes}")
        last = self._last
        if last is not None and record.seq != last.seq + 1:
            self.flush()
            self._before = None
        elif self._chunk and (
            record.mono_ms - self._chunk[0].mono_ms >= CHUNK_MS or len(self._chunk) == CHUNK_MAX_COUNT
        ):
            self.flush()
        self._chunk.append(record)
        self._last = record

    def flush(self) -> None:
        """Writes the cycles noted so far."""
        if self._chunk:
            self.log.append(KIND_CHUNK, pack_chunk(self._before, self._chunk))
            self._before = self._chunk[-1].state
            self._chunk = []

    def sync_if_due(self, mono_ms: int) -> None:
        self.log.sync_if_due(mono_ms)

    def close(self) -> None:
        self.flush()
        self.log.close()


Step = tuple[bytes | None, CycleRecord]


@dataclass(frozen=True, slots=True)
class TraceRun:
    """Consecutive cycles under one config. `gap` is True when cycles are missing before it (or it is the first).

    A step is (state before, cycle); the state before is None where it is not known: the first cycle after a gap.
    """

    config: bytes
    abi_hash: str
    sizes: Sizes
    gap: bool
    steps: list[Step]


class TraceReader:
    """Reads a folder of segments, or one segment file. What precedes the first damage is yielded, then DataFault."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __iter__(self) -> Iterator[TraceRun]:
        last_seq: int | None = None
        files = sorted(self.path.glob("*.seg")) if self.path.is_dir() else [self.path]
        if not files:
            raise DataFault(f"{self.path}: no trace segment (*.seg) in this folder")
        for path in files:
            for run in self._read_file(path, last_seq):
                last_seq = run.steps[-1][1].seq
                yield run

    def _read_file(self, path: Path, last_seq: int | None) -> Iterator[TraceRun]:
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise DataFault(f"{path}: cannot be read: {error.strerror or error}") from error
        header = read_header(lambda size, at: raw[at : at + size])
        if not isinstance(header, Header):
            raise DataFault(
                f"{path}: {header}" if header != "empty" else f"{path}: offset 0: empty, expected a segment"
            )
        context = unpack_context(header.context)
        if context is None:
            raise DataFault(f"{path}: offset 60: expected the context of a trace; this is another kind of segment")
        config, abi_hash, sizes = context
        walk = Walk(lambda size, at: raw[at : at + size], header.size_bytes, len(raw), header.salt, header.first_seq)
        steps: list[Step] = []
        gap = True
        for _, kind, body in walk:
            if kind == MARK:
                continue
            found = unpack_chunk(body, sizes) if kind == KIND_CHUNK else None
            if found is None or not found[1]:
                walk.fault = f"offset {walk.offset - len(body)}: expected a chunk of cycles of {sizes} bytes"
                break
            before, records = found
            if not steps or records[0].seq != steps[-1][1].seq + 1:
                if steps:
                    yield TraceRun(config, abi_hash, sizes, gap, steps)
                    last_seq, steps = steps[-1][1].seq, []
                gap = last_seq is None or records[0].seq != last_seq + 1
            for record in records:
                steps.append((before, record))
                before = record.state
        if steps:
            yield TraceRun(config, abi_hash, sizes, gap, steps)
        if walk.fault:
            raise DataFault(f"{path}: {walk.fault}")
