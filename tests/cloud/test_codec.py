"""The codec: what goes in comes out; anything else is a DataFault, never another exception."""

import contextlib
import zlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cloud.codec import (
    Ack,
    Batch,
    decode_ack,
    decode_batch,
    decode_sample,
    encode_ack,
    encode_batch,
    encode_sample,
    schema_id,
    schema_json,
)
from edge.cloud.ranges import RangeSet
from edge.cloud.topics import Topics, parse
from edge.errors import DataFault
from edge.model import SAMPLE_FIELDS, Sample

WHOLE = st.integers(-(2**63), 2**63 - 1)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    width = draw(st.integers(1, 6))
    row = st.tuples(*[st.none() | WHOLE] * width)
    samples = draw(st.lists(st.builds(Sample, WHOLE, WHOLE, row), min_size=1, max_size=12))
    epoch, seq = draw(st.integers(1, 2**63 - 1)), draw(st.integers(1, 2**62))
    return Batch("0123456789abcdef", epoch, seq, tuple(samples), *(draw(st.booleans()) for _ in range(3)))


@given(batches())
def test_a_batch_survives_the_round_trip(batch: Batch) -> None:
    assert decode_batch(encode_batch(batch)) == batch


@given(batches(), st.data())
def test_a_damaged_batch_is_a_fault_or_a_batch(batch: Batch, data: st.DataObject) -> None:
    raw = encode_batch(batch)
    with pytest.raises(DataFault):
        decode_batch(raw[: data.draw(st.integers(0, len(raw) - 1))])
    flipped = bytearray(raw)
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    flipped[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(DataFault):
        assert isinstance(decode_batch(bytes(flipped)), Batch)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=4)
    | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
)


@given(
    st.binary(max_size=200) | JUNK.map(msgpack.packb) | st.lists(JUNK, max_size=9).map(lambda x: msgpack.packb([1, *x]))
)
def test_garbage_is_a_fault(raw: bytes) -> None:
    for payload in (raw, zlib.compress(raw), b"\x78" + raw):
        for decode in (decode_batch, decode_ack):
            with contextlib.suppress(DataFault):
                decode(payload)
        decode_sample(payload)


def test_a_bomb_is_refused() -> None:
    with pytest.raises(DataFault):
        decode_batch(zlib.compress(bytes(64 << 20)))
    with pytest.raises(DataFault):
        decode_batch(b"\x91" * 100_000)


PAIRS = st.lists(st.tuples(st.integers(1, 99), st.integers(100, 2**63 - 1)), max_size=5).map(tuple)


@given(st.builds(Ack, st.just("site"), st.just(5), st.integers(0, 2**63 - 1), PAIRS, PAIRS))
def test_an_ack_survives_the_round_trip(ack: Ack) -> None:
    assert decode_ack(encode_ack(ack)) == ack


@given(st.builds(Sample, WHOLE, WHOLE, st.lists(st.none() | WHOLE, max_size=20).map(tuple)))
def test_a_sample_survives_the_ring(sample: Sample) -> None:
    assert decode_sample(encode_sample(sample)) == sample


def test_the_schema_names_every_field_and_its_id_is_fixed() -> None:
    assert all(name.encode() in schema_json() for name, _ in SAMPLE_FIELDS)
    assert schema_id(schema_json()) == schema_id(schema_json()) != schema_id(schema_json(SAMPLE_FIELDS[1:]))


def test_a_minute_is_small() -> None:
    rows = [(12_000 + i % 7, 9_000, None, *([40] * 16)) for i in range(60)]
    samples = tuple(Sample(1_000 * i, 10**12 + 1_000 * i, row) for i, row in enumerate(rows))
    assert len(encode_batch(Batch("0123456789abcdef", 1, 1, samples))) < 400


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=30), st.integers(1, 70), st.integers(0, 70))
def test_ranges_are_a_set(spans: list[tuple[int, int]], seq: int, cut: int) -> None:
    ranges, oracle = RangeSet(), set[int]()
    for first, size in spans:
        ranges.add(first, first + size - 1)
        oracle |= set(range(first, first + size))
    dropped = ranges.drop_to(cut)
    assert dropped == len([one for one in oracle if one <= cut])
    oracle = {one for one in oracle if one > cut}
    assert [one for a, b in ranges for one in range(a, b + 1)] == sorted(oracle)
    assert ranges.count() == len(oracle)
    assert (ranges.around(seq) is not None) == (seq in oracle)
    missing = [one for one in range(seq, 71) if one not in oracle]
    gap = ranges.gap_from(seq, 70)
    assert (gap is None) == (not missing)
    if gap:
        assert gap[0] == missing[0] and set(range(gap[0], gap[1] + 1)) <= set(missing)
        assert gap[1] == 70 or gap[1] + 1 in oracle


def test_topics_come_apart_again() -> None:
    topics = Topics("acme", "gw-1")
    assert parse(topics.live("site")) is not None
    address = parse(topics.backfill("site"))
    assert address and (address.tenant, address.gateway, address.kind, address.name) == ("acme", "gw-1", "bf", "site")
    for wrong in ("", "a/b/c/d", "tw1/a/b", "tw1//b/tm/x", "tw1/a/b/tm/x/y"):
        assert parse(wrong) is None
