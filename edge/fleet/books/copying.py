"""Samples as rows of PostgreSQL's binary COPY: no text to write here, none to read there. Bytes only, nothing is sent.

One row: the columns of TABLE. Each field is its
length and its bytes, big-endian; a value that is not known has length -1 and no bytes (PostgreSQL manual, "COPY", binary
format, and src/backend/utils/adt/arrayfuncs.c, array_send). Where the values are not known is the same for most rows of
a batch, so a row is one struct.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

from edge.fleet.books.book import Column, Columns, unknown_count

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"
TABLE = """series integer, seq bigint, wall_ms bigint, mono_ms bigint, schema integer, unsynced boolean,
  restamped boolean, v bigint[]"""
_INT8 = 20  # its OID


@lru_cache(maxsize=256)
def _layout(unknown: tuple[bool, ...]) -> tuple[struct.Struct, int, bytes]:
    """The struct of a row, the length of its array field, and the head of the array."""
    row = struct.Struct(
        ">h ii iq iq iq ii i? i? i20s".replace(" ", "") + "".join("i" if no else "iq" for no in unknown)
    )
    length_bytes = 20 + sum(4 if no else 12 for no in unknown)
    return row, length_bytes, struct.pack(">iiiii", 1, any(unknown), _INT8, len(unknown), 1)


def rows(series: int, schema: int, batch: Columns) -> bytes:
    """The rows of a batch, without head and tail."""
    counts = list(map(unknown_count, batch.columns))
    if all(count in (0, batch.count) for count in counts):
        return _pack(series, schema, batch, tuple(map(bool, counts)))
    return b"".join(
        _pack(series, schema, one, tuple(column[0] is None for column in one.columns)) for one in _singly(batch)
    )


def _singly(batch: Columns) -> Iterator[Columns]:
    marks = batch.unsynced, batch.restamped
    for index, values in enumerate(zip(*batch.columns, strict=True)):
        wall_ms, mono_ms = [batch.wall_ms[index]], [batch.mono_ms[index]]
        columns: list[Column] = [[value] for value in values]
        yield Columns(batch.schema_id, batch.epoch, batch.seq0 + index, wall_ms, mono_ms, columns, *marks)


def _pack(series: int, schema: int, batch: Columns, unknown: tuple[bool, ...]) -> bytes:
    row, length_bytes, head = _layout(unknown)
    eight = repeat(8)
    fields: list[Any] = [repeat(8), repeat(4), repeat(series), eight, range(batch.seq0, batch.last_seq + 1)]
    fields += [eight, batch.wall_ms, eight, batch.mono_ms, repeat(4), repeat(schema)]
    mark = batch.unsynced and not batch.restamped
    fields += [repeat(1), repeat(mark), repeat(1), repeat(batch.restamped)]
    fields += [repeat(length_bytes), repeat(head)]
    values: list[Sequence[Any]] = [
        (repeat(-1),) if no else (eight, column) for no, column in zip(unknown, batch.columns, strict=True)
    ]
    return b"".join([row.pack(*one) for one in zip(*fields, *chain.from_iterable(values), strict=False)])
