"""The wire form of protocol buffers, as far as Sparkplug needs it: fields out, fields in. It knows no message.

A field is a number and a type of four: varint, 8 bytes, length and bytes, 4 bytes; little-endian throughout (the
protocol buffers encoding guide). The reader takes any bytes and gives fields or raises DataFault, nothing else.
"""

import struct
from collections.abc import Iterator

from edge.errors import DataFault

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
_VARINT_MAX_BYTES = 10  # 64 bit in groups of seven
_WRAP = 1 << 64


def varint(number: int) -> bytes:
    """A whole number 0..2^64-1; a negative one as its two's complement of 64 bit."""
    number %= _WRAP
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def whole(field: int, value: int) -> bytes:
    """A uint32, uint64, bool or enum field."""
    return varint(field << 3 | VARINT) + varint(value)


def packed(field: int, value: bytes) -> bytes:
    """A bytes field, or a message that is encoded already."""
    return varint(field << 3 | BYTES) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    return packed(field, value.encode())


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | EIGHT) + struct.pack("<d", value)


def read_fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(field, type, value) in their order; the value is an integer for a varint, else the bytes. Raises DataFault."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        field, kind = key >> 3, key & 7
        if not field:
            raise DataFault("a field with number 0")
        if kind == VARINT:
            number, at = _read_varint(data, at)
            yield field, kind, number
            continue
        if kind == BYTES:
            size, at = _read_varint(data, at)
        elif kind in (EIGHT, FOUR):
            size = 8 if kind == EIGHT else 4
        else:
            raise DataFault(f"field {field} has type {kind}; must be 0, 1, 2 or 5")
        if at + size > len(data):
            raise DataFault(f"field {field} is cut off")
        yield field, kind, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for count, byte in enumerate(data[at : at + _VARINT_MAX_BYTES]):
        number |= (byte & 127) << 7 * count
        if byte < 128:
            return number % _WRAP, at + count + 1
    raise DataFault("a number is cut off or longer than 64 bit")
