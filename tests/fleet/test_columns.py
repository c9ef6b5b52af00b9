"""The short way of decoding agrees with the codec, whatever comes."""

import zlib
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.cloud.codec import HISTORICAL, VERSION, Batch, decode_batch, encode_batch
from edge.errors import DataFault
from edge.fleet.books.book import Column, Columns
from edge.fleet.taking.columns import SCHEMA_ID, _short_way, decode_columns
from edge.model import Sample
from tests.fleet.made import payload

ID = "0123456789abcdef"
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
VALUE = st.one_of(st.none(), st.integers(-1_000, 1_000), INT64)


MARKS = st.tuples(st.booleans(), st.booleans(), st.booleans())


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    count, width = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    columns = [draw(st.lists(VALUE, min_size=count, max_size=count)) for _ in range(width)]
    times = st.lists(INT64, min_size=count, max_size=count)
    rows = zip(draw(times), draw(times), zip(*columns, strict=True), strict=True)
    samples = tuple(Sample(mono, wall, values) for mono, wall, values in rows)
    return Batch(ID, draw(st.integers(1, (1 << 63) - 1)), draw(st.integers(1, 1 << 40)), samples, *draw(MARKS))


def by_columns(found: Batch) -> Columns:
    columns: list[Column] = [list(column) for column in zip(*(one.values for one in found.samples), strict=True)]
    walls, monos = [one.wall_ms for one in found.samples], [one.mono_ms for one in found.samples]
    return Columns(found.schema_id, found.epoch, found.seq0, walls, monos, columns, found.unsynced, found.restamped)


def plain(found: Columns) -> list[Any]:
    head = [found.schema_id, found.epoch, found.seq0, found.unsynced, found.restamped]
    return [*head, list(found.wall_ms), list(found.mono_ms), *map(list, found.columns)]


def both(message: bytes) -> None:
    try:
        wanted = by_columns(decode_batch(message))
        if not SCHEMA_ID.fullmatch(wanted.schema_id):
            raise DataFault("a name that the columns refuse")
    except DataFault:
        with pytest.raises(DataFault):
            decode_columns(message)
    else:
        found = decode_columns(message)
        assert plain(found) == plain(wanted)


@given(batches())
def test_what_was_encoded_is_decoded_alike(batch: Batch) -> None:
    both(encode_batch(batch))


ODD = st.recursive(
    st.one_of(VALUE, st.booleans(), st.floats(), st.text(max_size=3), st.just((1 << 64) - 1), st.binary(max_size=3)),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@given(batches(), st.integers(0, 7), ODD)
@example(Batch(ID, 1, 1, (Sample(1, 1, (1,)),)), 0, True)
@example(Batch(ID, 1, 1, (Sample(1, 1, (1,)),)), 4, True)
@example(Batch(ID, 1, 1, (Sample(1, -1, (1,)), Sample(1, -1, (1,)))), 5, [-5, 1 << 63])
@example(Batch(ID, 1, 1, (Sample(1, 1, (1,)),)), 4, 64)
@example(Batch(ID, 1, 1, (Sample(1, 1, (1,)),)), 7, [[True]])
@example(Batch(ID, 1, 1, (Sample(1, 1, (1,)),)), 7, [[1.0]])
@example(Batch(ID, 1, 1, (Sample(1, 1, (1,)),)), 7, [[1], [1, 2]])
@example(Batch(ID, 1, 1, (Sample(1, 1, (1,)),)), 5, [None])
def test_one_wrong_part_is_refused_by_both_or_by_neither(batch: Batch, part: int, odd: Any) -> None:
    raw = encode_batch(batch)
    parts = msgpack.unpackb(zlib.decompress(raw) if raw[:1] == b"\x78" else raw)
    parts[part] = odd
    both(msgpack.packb(parts))


@given(batches(), st.data())
def test_a_changed_byte_is_refused_by_both_or_by_neither(batch: Batch, data: st.DataObject) -> None:
    message = bytearray(encode_batch(batch))
    message[data.draw(st.integers(0, len(message) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    both(bytes(message))


def test_the_usual_batch_goes_the_short_way_and_an_odd_schema_id_goes_nowhere() -> None:
    assert _short_way(payload(1, 60)) is not None
    with pytest.raises(DataFault, match="16 hexadecimal"):
        decode_columns(msgpack.packb([VERSION, "a\0b", 1, 1, HISTORICAL, [1], [1], [[1]]]))
