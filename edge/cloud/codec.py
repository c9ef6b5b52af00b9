"""Samples and acks as bytes: msgpack, columns of integer deltas, deflated when that is shorter. Nothing is sent here.

The layout is frozen in deploy/handbook/wire.md, with an example that a test decodes; others write decoders from that page.
The decoders take any bytes and return a value or raise DataFault, nothing else.
"""

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from edge.errors import DataFault
from edge.model import SAMPLE_FIELDS, Sample

VERSION = 1
BATCH_MAX_COUNT = 1_000
COLUMNS_MAX_COUNT = 512
RANGES_MAX_COUNT = 256
INFLATED_MAX_BYTES = 4 << 20
HISTORICAL, UNSYNCED, RESTAMPED = 1, 2, 4  # flags
FLAGS_MAX = HISTORICAL | UNSYNCED | RESTAMPED
SEQ_MAX = (1 << 63) - 1
_HALF, _WRAP = 1 << 63, 1 << 64
UNITS = {  # unit of a column as it is counted: (unit, power of ten to it); any other is its own unit
    "cpct": ("%", -2),
    "permille": ("%", -1),
    "mV": ("V", -3),
    "dV": ("V", -1),
    "dA": ("A", -1),
    "dC": ("degC", -1),
    "mHz": ("Hz", -3),
    "us": ("s", -6),
    "mWh": ("Wh", -3),
    "mg": ("g", -3),
    "mg/kWh": ("g/kWh", -3),
}
TYPES = {"mode": "enum", "quality": "enum", "why": "bits", "late_count": "count"}  # by name; any other is "int"


def schema_json(fields: Sequence[tuple[str, str]] = SAMPLE_FIELDS) -> bytes:
    """The schema as it is published, in the order of the columns: an integer times 10^scale is a value in `unit`."""
    rows = []
    for name, counted in fields:
        unit, scale = UNITS.get(counted, (counted, 0))
        rows.append({"name": name, "unit": unit, "scale": scale, "type": TYPES.get(name, "int")})
    return json.dumps({"fields": rows, "version": VERSION}, separators=(",", ":"), sort_keys=True).encode()


def schema_id(schema: bytes) -> str:
    """Immutable name of a schema: the start of its SHA-256."""
    return hashlib.sha256(schema).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive samples of one stream and epoch, all with the same flags."""

    schema_id: str
    epoch: int
    seq0: int
    samples: tuple[Sample, ...]
    historical: bool = False  # of the backfill lane
    unsynced: bool = False  # their wall times are of a clock that was not synchronised
    restamped: bool = False  # sent again because such a wall time is known better now

    @property
    def flags(self) -> int:
        return HISTORICAL * self.historical | UNSYNCED * self.unsynced | RESTAMPED * self.restamped


@dataclass(frozen=True, slots=True)
class Ack:
    """What the ingest has committed: all up to `contiguous_seq`, and the ranges (both ends included).

    `unsynced`: of these, the ranges whose wall times still are those of a clock that was not synchronised.
    """

    stream: str
    epoch: int
    contiguous_seq: int
    ranges: tuple[tuple[int, int], ...]
    unsynced: tuple[tuple[int, int], ...] = ()


def _deltas(values: Sequence[int | None]) -> list[int | None]:
    before, out = 0, list[int | None]()
    for value in values:
        if value is None:
            out.append(None)
        else:
            out.append((value - before + _HALF) % _WRAP - _HALF)
            before = value
    return out


def _sums(deltas: object, count: int) -> list[int | None]:
    if not isinstance(deltas, list) or len(deltas) != count:
        raise DataFault(f"a column is not a list of {count}")
    before, out = 0, list[int | None]()
    for delta in deltas:
        if delta is None:
            out.append(None)
        else:
            before = (before + _whole(delta, -_HALF, _HALF - 1) + _HALF) % _WRAP - _HALF
            out.append(before)
    return out


def _whole(value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise DataFault(f"{value!r:.40} is not a whole number {low}..{high}")
    return value


def encode_batch(batch: Batch) -> bytes:
    """The payload of a tm or bf message."""
    samples = batch.samples
    columns = [_deltas(column) for column in zip(*(sample.values for sample in samples), strict=True)]
    times = [_deltas([s.wall_ms for s in samples]), _deltas([s.mono_ms for s in samples])]
    raw: bytes = msgpack.packb([VERSION, batch.schema_id, batch.epoch, batch.seq0, batch.flags, *times, columns])
    packed = zlib.compress(raw, 6)
    return packed if len(packed) < len(raw) else raw


def _unpack(payload: bytes, *sizes: int) -> list[Any]:
    try:
        if payload[:1] == b"\x78":  # no array of ours begins like a zlib stream
            inflate = zlib.decompressobj()
            raw = inflate.decompress(payload, INFLATED_MAX_BYTES)
            if not inflate.eof or inflate.unused_data:
                raise DataFault("the deflated message is cut off, too long, or followed by something")
            payload = raw
        found = msgpack.unpackb(payload, max_map_len=0, max_ext_len=0, max_str_len=64, max_bin_len=0)
    except (ValueError, TypeError, RecursionError, zlib.error, msgpack.UnpackException) as error:
        raise DataFault(f"not a message: {error}") from error
    if not isinstance(found, list) or len(found) not in sizes or type(found[0]) is not int or found[0] != VERSION:
        raise DataFault(f"not a message of version {VERSION} with {' or '.join(map(str, sizes))} parts")
    return found


def decode_batch(payload: bytes) -> Batch:
    """The samples of a tm or bf message. Raises DataFault for anything else."""
    _, schema, epoch, seq0, flags, walls, monos, columns = _unpack(payload, 8)
    if not isinstance(schema, str) or not isinstance(walls, list) or not 0 < len(walls) <= BATCH_MAX_COUNT:
        raise DataFault(f"expected a schema id and 1..{BATCH_MAX_COUNT} samples")
    count = len(walls)
    _whole(epoch, 1, SEQ_MAX)
    _whole(seq0, 1, SEQ_MAX - count)
    _whole(flags, 0, FLAGS_MAX)
    if not isinstance(columns, list) or not 0 < len(columns) <= COLUMNS_MAX_COUNT:
        raise DataFault(f"expected 1..{COLUMNS_MAX_COUNT} columns")
    wall_ms, mono_ms = _sums(walls, count), _sums(monos, count)
    rows = zip(*(_sums(column, count) for column in columns), strict=True)
    samples = []
    for mono, wall, values in zip(mono_ms, wall_ms, rows, strict=True):
        if mono is None or wall is None:
            raise DataFault("a sample without a time")
        samples.append(Sample(mono, wall, values))
    marks = (bool(flags & bit) for bit in (HISTORICAL, UNSYNCED, RESTAMPED))
    return Batch(schema, epoch, seq0, tuple(samples), *marks)


def encode_ack(ack: Ack) -> bytes:
    parts: list[Any] = [VERSION, ack.stream, ack.epoch, ack.contiguous_seq, [list(pair) for pair in ack.ranges]]
    if ack.unsynced:
        parts.append([list(pair) for pair in ack.unsynced])
    packed: bytes = msgpack.packb(parts)
    return packed


def decode_ack(payload: bytes) -> Ack:
    """The ack of an ingest. Raises DataFault for anything else."""
    _, stream, epoch, contiguous, *lists = _unpack(payload, 5, 6)
    if not isinstance(stream, str):
        raise DataFault("expected the name of a stream")
    head = (stream, _whole(epoch, 1, SEQ_MAX), _whole(contiguous, 0, SEQ_MAX))
    return Ack(*head, *(_pairs(one) for one in lists))


def _pairs(ranges: object) -> tuple[tuple[int, int], ...]:
    if not isinstance(ranges, list) or len(ranges) > RANGES_MAX_COUNT:
        raise DataFault(f"expected at most {RANGES_MAX_COUNT} ranges")
    pairs = []
    for pair in ranges:
        if not isinstance(pair, list) or len(pair) != 2:
            raise DataFault("a range is not [from, to]")
        first = _whole(pair[0], 1, SEQ_MAX)
        pairs.append((first, _whole(pair[1], first, SEQ_MAX)))
    return tuple(pairs)


def encode_sample(sample: Sample) -> bytes:
    """The body of a record in the telemetry ring."""
    packed: bytes = msgpack.packb([sample.wall_ms, sample.mono_ms, *sample.values])
    return packed


def decode_sample(body: bytes) -> Sample | None:
    """A sample of the ring, or None when the body is not one."""
    try:
        wall_ms, mono_ms, *values = msgpack.unpackb(body)
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    whole = type(wall_ms) is int and type(mono_ms) is int and all(v is None or type(v) is int for v in values)
    return Sample(mono_ms, wall_ms, tuple(values)) if whole else None
