"""A Sparkplug B payload as bytes: the few of its fields that a site has. What is said when is `node.py`'s.

Numbers of fields and types are those of the published schema (Sparkplug 3.0, chapter 6); a test compares the bytes with
what the protobuf package makes of that schema. Signed integers travel as two's complement in unsigned fields.
"""

import math
import struct
from dataclasses import dataclass, field
from enum import IntEnum

from edge.cloud.views.sparkplug import proto
from edge.errors import DataFault

METRICS_MAX_COUNT = 64  # of a command; a host writes a handful
_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}  # Int8 .. Int64


class DataType(IntEnum):
    """The types that this node publishes; a host may write others."""

    INT64 = 4
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


Value = int | float | bool | str | None


@dataclass(frozen=True, slots=True)
class Metric:
    """One value. A birth has name, alias, datatype and unit; data only the alias. `value` None is sent as is_null."""

    name: str = ""
    value: Value = None
    alias: int | None = None
    datatype: int | None = None
    wall_ms: int | None = None
    is_historical: bool = False
    unit: str = ""  # property engUnit


@dataclass(frozen=True, slots=True)
class Payload:
    """What one message carries. NDEATH has no `seq`."""

    metrics: tuple[Metric, ...] = field(default=())
    wall_ms: int | None = None
    seq: int | None = None


def encode_payload(payload: Payload) -> bytes:
    """The bytes of a message."""
    out = bytearray()
    if payload.wall_ms is not None:
        out += proto.whole(1, payload.wall_ms)
    for metric in payload.metrics:
        out += proto.packed(2, _metric(metric))
    if payload.seq is not None:
        out += proto.whole(3, payload.seq)
    return bytes(out)


def _metric(metric: Metric) -> bytes:
    out = bytearray()
    if metric.name:
        out += proto.text(1, metric.name)
    for number, value in ((2, metric.alias), (3, metric.wall_ms), (4, metric.datatype)):
        if value is not None:
            out += proto.whole(number, value)
    if metric.is_historical:
        out += proto.whole(5, 1)
    if metric.value is None:
        out += proto.whole(7, 1)
    if metric.unit:
        out += proto.packed(9, _unit(metric.unit))
    return bytes(out + _value(metric.value))


def _unit(unit: str) -> bytes:
    """A property set with one text."""
    value = proto.whole(1, DataType.STRING) + proto.text(8, unit)
    return proto.text(1, "engUnit") + proto.packed(2, value)


def _value(value: Value) -> bytes:
    match value:
        case None:
            return b""
        case bool():
            return proto.whole(14, value)
        case int():
            return proto.whole(11, value)
        case float():
            return proto.double(13, value)
        case str():
            return proto.text(15, value)


def decode_payload(data: bytes) -> Payload:
    """What a host sent. Values of kinds that no set-point has (data sets, templates) are None. Raises DataFault."""
    wall_ms = seq = None
    metrics = []
    for number, kind, value in proto.read_fields(data):
        if number == 2:
            metrics.append(_read_metric(_bytes(number, kind, value)))
            if len(metrics) > METRICS_MAX_COUNT:
                raise DataFault(f"more than {METRICS_MAX_COUNT} metrics")
        elif number == 1:
            wall_ms = _whole(number, kind, value)
        elif number == 3:
            seq = _whole(number, kind, value)
    return Payload(tuple(metrics), wall_ms, seq)


def _read_metric(data: bytes) -> Metric:
    name, short = "", False
    found: Value = None
    heads: dict[int, int | None] = {2: None, 3: None, 4: None, 5: 0, 7: 0}
    for number, kind, value in proto.read_fields(data):
        if number == 1:
            name = _text(number, kind, value)
        elif number in heads:
            heads[number] = _whole(number, kind, value)
        elif 10 <= number <= 15:
            found, short = _read_value(number, kind, value), number == 10
    datatype = heads[4]
    if short and datatype is None and isinstance(found, int) and found >> 31:
        found = None  # minus or plus? a set-point must not depend on a guess
    found = None if heads[7] else _signed(found, datatype)
    return Metric(name, found, heads[2], datatype, heads[3], bool(heads[5]))


def _read_value(number: int, kind: int, value: int | bytes) -> Value:
    match number:
        case 10 | 11:
            return _whole(number, kind, value)
        case 12:
            return _float(number, kind, value, proto.FOUR, "<f")
        case 13:
            return _float(number, kind, value, proto.EIGHT, "<d")
        case 14:
            return bool(_whole(number, kind, value))
        case _:
            return _text(number, kind, value)


def _signed(value: Value, datatype: int | None) -> Value:
    bits = _SIGNED_BITS.get(datatype or 0)
    if bits is None or type(value) is not int:
        return value
    value %= 1 << bits  # some hosts extend the sign of a short one to the whole field
    return value - (1 << bits) if value >> bits - 1 else value


def as_whole(value: Value, datatype: int | None) -> int | None:
    """What a host wrote to a whole-number metric of ours, or None: it may leave the type out, or write a float."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        found = _signed(value, DataType.INT64 if datatype is None else datatype)
        return found if isinstance(found, int) else None
    return round(value) if isinstance(value, float) and math.isfinite(value) else None


def _whole(number: int, kind: int, value: int | bytes) -> int:
    if not isinstance(value, int) or kind != proto.VARINT:
        raise DataFault(f"field {number} is not a whole number")
    return value


def _bytes(number: int, kind: int, value: int | bytes) -> bytes:
    if not isinstance(value, bytes) or kind != proto.BYTES:
        raise DataFault(f"field {number} is not a text or message")
    return value


def _text(number: int, kind: int, value: int | bytes) -> str:
    try:
        return _bytes(number, kind, value).decode()
    except UnicodeDecodeError as error:
        raise DataFault(f"field {number} is not UTF-8") from error


def _float(number: int, kind: int, value: int | bytes, wanted: int, form: str) -> float:
    if not isinstance(value, bytes) or kind != wanted:
        raise DataFault(f"field {number} is not a float")
    found: float = struct.unpack(form, value)[0]
    return found
