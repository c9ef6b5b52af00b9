"""A canonical value to registers for a write: clamped to the write's range, rounded towards `safe`, never beyond."""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from edge.field.profile import REGISTERS, Write

_LIMITS = {
    "u16": (0, 65_535), "s16": (-32_768, 32_767), "u32": (0, (1 << 32) - 1), "s32": (-(1 << 31), (1 << 31) - 1),
    "f32": (-(1 << 24), 1 << 24),  # beyond this a float skips whole numbers
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Encoded:
    """What goes onto the wire: registers in the order they are sent, and the raw signed number for gate and read-back."""

    registers: tuple[int, ...]
    raw: int


def encode(write: Write, value: int) -> Encoded:
    """Registers of a canonical value. Out of range is clamped; a fraction of a count is dropped towards `safe`."""
    clamped = min(max(value, write.min), write.max)
    num = clamped * write.sign * write.factor.denominator
    den = write.factor.numerator
    downwards = (clamped >= write.safe) == (write.sign > 0)
    raw = num // den if downwards else -(-num // den)
    low, high = _LIMITS[write.type]
    raw = min(max(raw, low), high)
    if write.type == "f32":
        words = struct.unpack(">2H", struct.pack(">f", raw))
    else:
        count = REGISTERS[write.type]
        mask = raw & ((1 << 16 * count) - 1)
        words = tuple(mask >> 16 * (count - 1 - i) & 0xFFFF for i in range(count))
    value_words = words if write.word_order == "big" else words[::-1]
    return Encoded((*write.before, *value_words, *write.after), raw)


def raw_reader(write: Write, offset_bytes: int) -> Callable[[bytes], float]:
    """Reads the raw number of a write back out of a payload: the inverse of `encode(...).raw`.

    `offset_bytes`: where the first register of its frame is. What is not such a frame at all reads as NaN.
    """
    amount = _amount_reader(write, offset_bytes + 2 * len(write.before))
    if not write.before and not write.after:
        return amount
    front = struct.pack(f">{len(write.before)}H", *write.before)
    back = struct.pack(f">{len(write.after)}H", *write.after)
    end = offset_bytes + 2 * write.count

    def read(payload: bytes) -> float:
        frame = payload[offset_bytes:end]
        return amount(payload) if frame.startswith(front) and frame.endswith(back) else math.nan

    return read


def _amount_reader(write: Write, offset_bytes: int) -> Callable[[bytes], float]:
    code = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "f32": "f"}[write.type]
    unpack = struct.Struct(">" + code).unpack
    if write.word_order == "big" or REGISTERS[write.type] == 1:
        plain = struct.Struct(">" + code).unpack_from
        return lambda payload: plain(payload, offset_bytes)[0]
    low, high = slice(offset_bytes, offset_bytes + 2), slice(offset_bytes + 2, offset_bytes + 4)
    return lambda payload: unpack(payload[high] + payload[low])[0]
