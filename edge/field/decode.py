"""Registers to a Reading: each block of a profile compiled once, exact integers, missing is None.

canonical = sign * raw * factor + offset, rounded to the nearest (halves away from zero). A sentinel, a value outside
the point's range, an infinity or a NaN is missing; a missing mandatory value makes the reading incomplete. A point that
the device wants multiplied by its transformer ratios is missing until those have been read.
"""

import math
import struct
from collections.abc import Callable
from fractions import Fraction

from edge.field.profile import COILS, REGISTERS, Block, Identify, Point
from edge.model import Reading

Convert = Callable[[int], int | None]
_CODES = {"u16": "H", "s16": "h", "bits": "H", "value": "H", "u32": "I", "s32": "i", "f32": "f", "u64": "Q", "s64": "q"}


class BlockDecoder:
    """Turns the payload of one block into a Reading."""

    __slots__ = (
        "_block", "_converted", "_count", "_device", "_kept", "_mandatory", "_scaled", "_swapped", "_unpack",
        "payload_bytes",
    )  # fmt: skip

    def __init__(self, block: Block, device: str) -> None:
        self._device = device
        self._block = block.name
        self._mandatory = block.mandatory
        of_bits = block.fc in COILS
        self.payload_bytes = (block.count + 7) // 8 if of_bits else 2 * block.count
        self._unpack = _unpack_of_bits(block) if of_bits else _unpack_of_registers(block)
        self._swapped = [(i, *_turning(p)) for i, p in enumerate(block.points) if p.word_order == "little" and _wide(p)]
        self._count = len(block.points)
        # Most points are a count times a whole number within bounds of the count: no call for these.
        self._kept: list[tuple[int, int, int]] = []  # index, lowest and highest count: it is the value
        self._scaled: list[tuple[int, int, int, int, int]] = []  # and factor, offset
        self._converted: list[tuple[int, Convert]] = []
        for index, point in enumerate(block.points):
            bounds = _raw_bounds(point)
            if bounds is None:
                self._converted.append((index, _converter(point)))
            elif point.factor == point.sign and not point.offset:
                self._kept.append((index, *bounds))
            else:
                self._scaled.append((index, *bounds, int(point.factor * point.sign), point.offset))

    def decode(self, payload: bytes, taken_mono_ms: int) -> Reading:
        """`payload` is the block's registers, two bytes each; of any other length nothing is believed."""
        if len(payload) != self.payload_bytes:
            return Reading(self._device, self._block, taken_mono_ms, (None,) * self._count, False)
        raws = self._unpack(payload)
        if self._swapped:
            raws = self._unswap(raws)
        values: list[int | None] = list(raws)
        for index, low, high in self._kept:
            if not low <= raws[index] <= high:
                values[index] = None
        for index, low, high, factor, offset in self._scaled:
            raw = raws[index]
            values[index] = raw * factor + offset if low <= raw <= high else None
        for index, convert in self._converted:
            values[index] = convert(raws[index])
        complete = True
        if None in values:
            complete = all(values[index] is not None for index in self._mandatory)
        return Reading(self._device, self._block, taken_mono_ms, tuple(values), complete)

    def _unswap(self, raws: tuple[int, ...]) -> tuple[int, ...]:
        fixed = list(raws)
        for index, whole, words in self._swapped:
            fixed[index] = whole.unpack(words.pack(*words.unpack(whole.pack(raws[index]))[::-1]))[0]
        return tuple(fixed)


class RatioDecoder(BlockDecoder):
    """Of a device that multiplies by its own values; `ratios` is one dictionary for all its blocks, by name of the point."""

    __slots__ = ("_ratios", "_sources", "_targets")

    def __init__(self, block: Block, device: str, ratios: dict[str, int]) -> None:
        super().__init__(block, device)
        self._ratios = ratios
        self._sources = [(i, p.name) for i, p in enumerate(block.points) if not p.role and not p.flags]
        self._targets = [(i, p.times, p.min, p.max) for i, p in enumerate(block.points) if p.times]

    def decode(self, payload: bytes, taken_mono_ms: int) -> Reading:
        reading = super().decode(payload, taken_mono_ms)
        values = list(reading.values)
        for index, name in self._sources:
            self._ratios[name] = values[index] or 0
        for index, times, low, high in self._targets:
            value = values[index]
            for name in times:
                ratio = self._ratios.get(name, 0)
                value = value * ratio if value is not None and ratio > 0 else None
            if value is not None and ((low is not None and value < low) or (high is not None and value > high)):
                value = None
            values[index] = value
        complete = reading.complete and all(values[index] is not None for index in self._mandatory)
        return reading._replace(values=tuple(values), complete=complete)


def decoder_of(block: Block, device: str, ratios: dict[str, int] | None) -> BlockDecoder:
    """The decoder of a block. `ratios` is None for a device that multiplies nothing."""
    return BlockDecoder(block, device) if ratios is None else RatioDecoder(block, device, ratios)


def _unpack_of_registers(block: Block) -> Callable[[bytes], tuple[int, ...]]:
    """One raw number of each point of a block of registers."""
    layout, at = ">", block.start
    for point in block.points:
        gap = point.addr - at
        layout += f"{2 * gap}x" if gap else ""
        layout += _CODES[point.type]
        at = point.addr + REGISTERS[point.type]
    rest = block.start + block.count - at
    return struct.Struct(layout + (f"{2 * rest}x" if rest else "")).unpack


def _unpack_of_bits(block: Block) -> Callable[[bytes], tuple[int, ...]]:
    """One raw word of each point of a block of coils or inputs: its first input is bit 0."""
    shifts = [point.addr - block.start for point in block.points]

    def unpack(payload: bytes) -> tuple[int, ...]:
        whole = int.from_bytes(payload, "little")
        return tuple([whole >> shift & 0xFFFF for shift in shifts])

    return unpack


def _turning(point: Point) -> tuple[struct.Struct, struct.Struct]:
    """The point as one number and as its registers."""
    return struct.Struct(">" + _CODES[point.type]), struct.Struct(f">{REGISTERS[point.type]}H")


def identity_text(identify: Identify, payload: bytes) -> str:
    """What a device says it is: its letters without padding, or its number as 0x and hexadecimal digits."""
    if identify.type == "str":
        return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in payload.strip(b"\0\xff \t")).strip()
    return f"0x{int.from_bytes(payload, 'big'):0{2 * len(payload)}X}"


def _wide(point: Point) -> bool:
    return REGISTERS[point.type] > 1


def _raw_bounds(point: Point) -> tuple[int, int] | None:
    """Between which counts an integer point has a value; None when that takes more than two comparisons to say."""
    code, factor = _CODES[point.type], point.factor * point.sign
    if point.type in ("bits", "value") or code == "f" or factor.denominator != 1:
        return None
    bits = 16 * REGISTERS[point.type]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if code.islower() else (0, (1 << bits) - 1)
    ends = [None if limit is None else (limit - point.offset) / factor for limit in (point.min, point.max)]
    least, most = ends if factor > 0 else ends[::-1]
    low = low if least is None else max(low, math.ceil(least))
    high = high if most is None else min(high, math.floor(most))
    while low in point.sentinels:
        low += 1
    while high in point.sentinels:
        high -= 1
    return None if any(low < sentinel < high for sentinel in point.sentinels) else (low, high)


def _converter(point: Point) -> Convert:
    if point.type == "bits":
        return _bits_converter(point)
    if point.type == "value":
        masks: dict[int, int | None] = {**dict(point.flags), **dict.fromkeys(point.sentinels)}
        kept = point.mask
        return (lambda raw: masks.get(raw & kept, 0)) if kept != 0xFFFF else (lambda raw: masks.get(raw, 0))
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
                mask |= flag if (raw ^ point.low) >> bit & 1 else 0
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
    factor_num, factor_den = factor.numerator, factor.denominator

    def convert(raw: float) -> int | None:
        if not math.isfinite(raw):
            return None
        num, den = raw.as_integer_ratio()  # exact: the wire's float is a fraction
        value = _divided(num * factor_num, den * factor_den) + point.offset
        if (point.min is not None and value < point.min) or (point.max is not None and value > point.max):
            return None
        return value

    return convert


def _divided(num: int, den: int) -> int:
    """num / den to the nearest, halves away from zero; den > 0."""
    return (2 * num + den) // (2 * den) if num >= 0 else -((den - 2 * num) // (2 * den))
