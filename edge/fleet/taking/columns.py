"""A batch decoded by columns, for a server that takes thousands of samples a second. Agrees with codec.decode_batch.

Only what is surely good takes the short way; everything else is left to the codec, which decides. So the short way may
refuse too much, never too little (tests/fleet/test_columns.py compares the two on anything hypothesis finds).
"""

import re
import zlib
from array import array
from itertools import accumulate, chain
from typing import Any, cast

import msgpack

from edge.cloud.codec import (
    BATCH_MAX_COUNT,
    COLUMNS_MAX_COUNT,
    FLAGS_MAX,
    INFLATED_MAX_BYTES,
    RESTAMPED,
    SEQ_MAX,
    UNSYNCED,
    VERSION,
    decode_batch,
)
from edge.errors import DataFault
from edge.fleet.books.book import Column, Columns

STEP_MAX = 1 << 52  # so large a delta, a thousand times, does not reach 64 bits: no wrapping to think of
# Bytes of msgpack that may be a truth value, which Python adds like a number, or a number of 64 bits without a sign. They
# may also be part of something harmless; then a slower look follows.
_ODD_BYTES = re.compile(rb"[\xc2\xc3]")
_HUGE = re.compile(rb"\xcf[\x80-\xff]")
SCHEMA_ID = re.compile(r"[0-9a-f]{16}")
_NONE = type(None)


def decode_columns(payload: bytes) -> Columns:
    """The batch of a tm or bf message. Raises DataFault for anything else, and for a schema id that is none."""
    found = _short_way(payload) or _by_the_codec(payload)
    if not SCHEMA_ID.fullmatch(found.schema_id):
        raise DataFault(f"schema id {found.schema_id!r}: expected 16 hexadecimal digits")
    return found


def _by_the_codec(payload: bytes) -> Columns:
    batch = decode_batch(payload)
    wall_ms, mono_ms = [one.wall_ms for one in batch.samples], [one.mono_ms for one in batch.samples]
    columns: list[Column] = [list(column) for column in zip(*(one.values for one in batch.samples), strict=True)]
    return Columns(batch.schema_id, batch.epoch, batch.seq0, wall_ms, mono_ms, columns, batch.unsynced, batch.restamped)


def _short_way(payload: bytes) -> Columns | None:
    raw, found = _unpack(payload)
    if not isinstance(found, list) or len(found) != 8 or set(map(type, found[2:5])) != {int}:
        return None
    version, schema, epoch, seq0, flags, walls, monos, columns = found
    if type(version) is not int or version != VERSION or not isinstance(schema, str) or not isinstance(columns, list):
        return None
    if not 1 <= len(columns) <= COLUMNS_MAX_COUNT:
        return None
    lists = [walls, monos, *columns]
    if (
        set(map(type, lists)) != {list}
        or set(map(len, lists)) != {len(walls)}
        or not 1 <= len(walls) <= BATCH_MAX_COUNT
    ):
        return None
    whole = 1 <= epoch <= SEQ_MAX and 1 <= seq0 <= SEQ_MAX - len(walls) and 0 <= flags <= FLAGS_MAX
    if not whole or None in walls or None in monos:
        return None
    if _ODD_BYTES.search(raw) and not set(map(type, chain.from_iterable(lists))) <= {int, _NONE}:
        return None
    if _HUGE.search(raw) and not _all_small(lists):
        return None
    sums = [_sums(one) for one in lists]
    if any(one is None for one in sums):
        return None
    wall_ms, mono_ms, *values = cast("list[Any]", sums)
    return Columns(schema, epoch, seq0, wall_ms, mono_ms, values, bool(flags & UNSYNCED), bool(flags & RESTAMPED))


def _unpack(payload: bytes) -> tuple[bytes, object]:
    try:
        if payload[:1] == b"\x78":
            inflate = zlib.decompressobj()
            raw = inflate.decompress(payload, INFLATED_MAX_BYTES)
            if not inflate.eof or inflate.unused_data:
                return b"", None
            payload = raw
        return payload, msgpack.unpackb(payload, max_map_len=0, max_ext_len=0, max_str_len=64, max_bin_len=0)
    except (ValueError, TypeError, RecursionError, zlib.error, msgpack.UnpackException):
        return b"", None


def _sums(deltas: list[Any]) -> Column | None:
    """A list summed up; None when it holds something else than whole numbers, or needs 64 bits to wrap."""
    try:
        return array("q", list(accumulate(deltas)))  # faster than from an iterator
    except OverflowError:
        return None
    except TypeError:
        return _sums_with_gaps(deltas) if set(map(type, deltas)) <= {int, _NONE} and _all_small([deltas]) else None


def _all_small(lists: list[list[Any]]) -> bool:
    return all(-STEP_MAX < value < STEP_MAX for value in chain.from_iterable(lists) if value is not None)


def _sums_with_gaps(deltas: list[int | None]) -> list[int | None]:
    if deltas.count(None) == len(deltas):
        return deltas
    before, out = 0, list[int | None]()
    for delta in deltas:
        if delta is None:
            out.append(None)
        else:
            before += delta
            out.append(before)
    return out
