"""Sparkplug payloads against the protobuf package: the same bytes, the same values, and nothing but DataFault."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cloud.views.sparkplug import proto
from edge.cloud.views.sparkplug.payload import (
    METRICS_MAX_COUNT,
    DataType,
    Metric,
    Payload,
    Value,
    as_whole,
    decode_payload,
    encode_payload,
)
from edge.errors import DataFault
from tests.cloud.views.kit import proves
from tests.cloud.views.schema import METRIC, PAYLOAD, value_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
UINT = st.integers(0, 2**64 - 1)
TYPED: dict[DataType, st.SearchStrategy[Value]] = {
    DataType.INT64: st.integers(-(2**63), 2**63 - 1),
    DataType.DOUBLE: st.floats(allow_nan=False),
    DataType.BOOLEAN: st.booleans(),
    DataType.STRING: TEXT,
}


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    datatype = draw(st.sampled_from(DataType))
    value = draw(st.none() | TYPED[datatype])
    alias, wall_ms = draw(st.none() | UINT), draw(st.none() | UINT)
    return Metric(draw(TEXT), value, alias, datatype, wall_ms, draw(st.booleans()), draw(TEXT))


payloads = st.builds(
    Payload, st.lists(metrics(), max_size=8).map(tuple), st.none() | UINT, st.none() | st.integers(0, 255)
)


def by_protobuf(payload: Payload) -> Any:
    """The same message made with somebody else's code."""
    made = PAYLOAD()
    for name, value in (("timestamp", payload.wall_ms), ("seq", payload.seq)):
        if value is not None:
            setattr(made, name, value)
    for metric in payload.metrics:
        one = made.metrics.add()
        heads = {"alias": metric.alias, "timestamp": metric.wall_ms, "datatype": metric.datatype}
        heads |= {"name": metric.name or None, "is_historical": metric.is_historical or None}
        heads["is_null"] = True if metric.value is None else None
        match metric.value:
            case bool():
                heads["boolean_value"] = metric.value
            case int():
                heads["long_value"] = metric.value % 2**64
            case float():
                heads["double_value"] = metric.value
            case str():
                heads["string_value"] = metric.value
        for name, value in heads.items():
            if value is not None:
                setattr(one, name, value)
        if metric.unit:
            one.properties.keys.append("engUnit")
            one.properties.values.add(type=12, string_value=metric.unit)
    return made


@proves(
    "payloads-metric-datatype-value-type payloads-metric-datatype-value payloads-propertyset-keys-array-size"
    " payloads-propertyset-values-array-size payloads-metric-propertyvalue-type-type"
    " payloads-metric-propertyvalue-type-value payloads-metric-propertyvalue-type-req"
)
@given(payloads)
def test_our_bytes_are_those_of_the_protobuf_package(payload: Payload) -> None:
    assert encode_payload(payload) == by_protobuf(payload).SerializeToString(deterministic=True)


@given(payloads)
def test_what_protobuf_writes_is_read_back_whole(payload: Payload) -> None:
    found = decode_payload(by_protobuf(payload).SerializeToString())
    assert (found.wall_ms, found.seq, len(found.metrics)) == (payload.wall_ms, payload.seq, len(payload.metrics))
    for mine, theirs in zip(payload.metrics, found.metrics, strict=True):
        assert (mine.name, mine.alias, mine.datatype, mine.wall_ms, mine.is_historical) == (
            (theirs.name, theirs.alias, theirs.datatype, theirs.wall_ms, theirs.is_historical)
        )
        assert mine.value == theirs.value and type(mine.value) is type(theirs.value)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_payload_or_a_data_fault(data: bytes) -> None:
    try:
        found = decode_payload(data)
    except DataFault:
        return
    assert isinstance(found, Payload)


@given(payloads, st.data())
def test_a_payload_with_a_byte_changed_or_cut_gives_a_payload_or_a_data_fault(
    payload: Payload, data: st.DataObject
) -> None:
    raw = bytearray(encode_payload(payload))
    if raw:
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_payload(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    except DataFault:
        return


@pytest.mark.parametrize(
    ("datatype", "field", "number", "value"),
    [
        (1, "int_value", 0xFF, -1),
        (2, "int_value", 0xFFFF, -1),
        (3, "int_value", 0xFFFF_FF9C, -100),
        (3, "int_value", 100, 100),
        (3, "long_value", 2**64 - 100, -100),  # the sign extended to the whole field
        (4, "long_value", 2**64 - 30_000, -30_000),
        (7, "int_value", 0xFFFF_FF9C, 0xFFFF_FF9C),  # UInt32
        (None, "long_value", 2**64 - 30_000, 2**64 - 30_000),
    ],
)
def test_a_signed_number_is_read_by_its_type(datatype: int | None, field: str, number: int, value: int) -> None:
    one = METRIC(**({"datatype": datatype} if datatype else {}), **{field: number})
    found = decode_payload(PAYLOAD(metrics=[one]).SerializeToString()).metrics[0]
    assert found.value == value
    assert as_whole(found.value, found.datatype) == (value if datatype else -30_000), "without a type: ours"


def test_a_short_number_without_a_type_that_may_be_minus_is_no_value() -> None:
    for number, value in ((0xFFFF_FF9C, None), (0x7FFF_FFFF, 0x7FFF_FFFF)):
        raw = PAYLOAD(metrics=[METRIC(int_value=number)]).SerializeToString()
        assert decode_payload(raw).metrics[0].value == value


@pytest.mark.parametrize("value", [True, None, "5", float("nan"), float("inf")])
def test_what_is_no_number_is_no_power(value: Value) -> None:
    assert as_whole(value, None) is None


def test_floats_of_a_host_are_read() -> None:
    raw = PAYLOAD(metrics=[METRIC(float_value=1.5), METRIC(double_value=-2.25)]).SerializeToString()
    found = [metric.value for metric in decode_payload(raw).metrics]
    assert found == [1.5, -2.25] and [as_whole(value, None) for value in found] == [2, -2]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x08", "cut off"),
        (b"\x08" + b"\xff" * 10, "longer than 64 bit"),
        (b"\x00\x01", "number 0"),
        (b"\x0b", "has type 3"),
        (b"\x12\x05ab", "cut off"),
        (b"\x0a\x00", "not a whole number"),
        (b"\x10\x00", "not a text or message"),
        (b"\x12\x03\x0a\x01\xff", "not UTF-8"),
        (b"\x12\x02\x60\x00", "not a float"),
        (b"\x12\x00" * (METRICS_MAX_COUNT + 1), "more than 64"),
    ],
)
def test_each_way_of_being_no_payload_is_said(data: bytes, text: str) -> None:
    with pytest.raises(DataFault, match=text):
        decode_payload(data)


def test_a_null_has_no_value_and_a_field_of_another_schema_is_passed_over() -> None:
    one = METRIC(name="x", is_null=True, long_value=7)
    one.metadata.description = "something"
    raw = PAYLOAD(metrics=[one], uuid="u", body=b"b", seq=3).SerializeToString()
    assert decode_payload(raw) == Payload((Metric("x"),), None, 3)
    assert value_of(PAYLOAD.FromString(encode_payload(Payload((Metric("x"),)))).metrics[0]) is None


def test_a_varint_of_a_negative_number_is_its_complement() -> None:
    assert proto.varint(-1) == b"\xff" * 9 + b"\x01" and proto.varint(300) == b"\xac\x02"
