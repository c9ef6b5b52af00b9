"""Registers to a Reading: each block of a profile compiled once, exact integers, missing is None.

canonical = sign * raw * factor + offset, rounded to the nearest (halves away from zero). A sentinel, a value outside
the point's range, an infinity or a NaN is missing; a missing mandatory value makes the reading incomplete.
"""

import math
import struct
from collections.abc import Callable
from fractions import Fraction

from edge.field.profile import REGISTERS, Block, Identify, Point
from edge.model import Reading

Convert = Callable[[int], int | None]
_CODES = {"u16": "H", "s16": "h", "bits": "H", "value": "H", "u32": "I", "s32": "i", "f32": "f", "u64": "Q", "s64": "q"}


class BlockDecoder:
    """Turns the payload of one block into a Reading."""

    __slots__ = ("_block", "_converts", "_device", "_mandatory", "_swapped", "_unpack", "payload_bytes")

    def __init__(self, block: Block, device: str) -> None:
        self._device = device
        self._block = block.name
        self._mandatory = block.mandatory
        self.payload_bytes = 2 * block.count
        layout, at = ">", block.start
        for point in block.points:
            gap = point.addr - at
            layout += f"{2 * gap}x" if gap else ""
            layout += _CODES[point.type]
            at = point.addr + REGISTERS[point.type]
        rest = block.start + block.count - at
        self._unpack = struct.Struct(layout + (f"{2 * rest}x" if rest else "")).unpack
        self._swapped = tuple((i, p) for i, p in enumerate(block.points) if p.word_order == "little" and _wide(p))
        self._converts: tuple[Convert, ...] = tuple(_converter(point) for point in block.points)

    def decode(self, payload: bytes, taken_mono_ms: int) -> Reading:
        """`payload` is the block's registers, two bytes each; of any other length nothing is believed."""
        if len(payload) != self.payload_bytes:
            return Reading(self._device, self._block, taken_mono_ms, (None,) * len(self._converts), False)
        raws = self._unpack(payload)
        if self._swapped:
            raws = self._unswap(raws)
        values = tuple([convert(raw) for convert, raw in zip(self._converts, raws, strict=True)])
        complete = True
        for index in self._mandatory:
            if values[index] is None:
                complete = False
        return Reading(self._device, self._block, taken_mono_ms, values, complete)

    def _unswap(self, raws: tuple[int, ...]) -> tuple[int, ...]:
        fixed = list(raws)
        for index, point in self._swapped:
            code = ">" + _CODES[point.type]
            words = struct.unpack(f">{REGISTERS[point.type]}H", struct.pack(code, raws[index]))
            fixed[index] = struct.unpack(code, struct.pack(f">{len(words)}H", *reversed(words)))[0]
        return tuple(fixed)


def identity_text(identify: Identify, payload: bytes) -> str:
    """What a device says it is: its letters without padding, or its number as 0x and hexadecimal digits."""
    if identify.type == "str":
        return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in payload.strip(b"\0\xff \t")).strip()
    return f"0x{int.from_bytes(payload, 'big'):0{2 * len(payload)}X}"


def _wide(point: Point) -> bool:
    return REGISTERS[point.type] > 1


def _converter(point: Point) -> Convert:
    if point.type == "bits":
        return _bits_converter(point)
    if point.type == "value":
        masks: dict[int, int | None] = {**dict(point.flags), **dict.fromkeys(point.sentinels)}
        return lambda raw: masks.get(raw, 0)
    if point.type == "f32":
        return _float_converter(point)
    return _integer_converter(point)


def _bits_converter(point: Point) -> Convert:
    seen: dict[int, int | None] = dict.fromkeys(point.sentinels)  # a status word takes few values: remember them

    def convert(raw: int) -> int | None:
        mask = seen.get(raw, -1)
        if mask == -1:
            mask = 0
            for bit, flag in point.flags:
                mask |= flag if raw >> bit & 1 else 0
            if len(seen) < 256:
                seen[raw] = mask
        return mask

    return convert


def _integer_converter(point: Point) -> Convert:
    factor = point.factor * point.sign
    num, den, offset = factor.numerator, factor.denominator, point.offset
    low, high, sentinels = point.min, point.max, point.sentinels

    def convert(raw: int) -> int | None:
        if raw in sentinels:
            return None
        value = raw * num + offset if den == 1 else _divided(raw * num, den) + offset
        if (low is not None and value < low) or (high is not None and value > high):
            return None
        return value

    return convert


def _float_converter(point: Point) -> Convert:
    factor: Fraction = point.factor * point.sign

    def convert(raw: float) -> int | None:
        if not math.isfinite(raw):
            return None
        num, den = raw.as_integer_ratio()  # exact: the wire's float is a fraction
        value = _divided(num * factor.numerator, den * factor.denominator) + point.offset
        if (point.min is not None and value < point.min) or (point.max is not None and value > point.max):
            return None
        return value

    return convert


def _divided(num: int, den: int) -> int:
    """num / den to the nearest, halves away from zero; den > 0."""
    return (2 * num + den) // (2 * den) if num >= 0 else -((den - 2 * num) // (2 * den))
