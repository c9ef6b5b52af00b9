"""A canonical value to registers for a write: clamped to the write's range, rounded towards zero, never beyond."""

import struct
from dataclasses import dataclass

from edge.field.profile import REGISTERS, Write

_LIMITS = {"u16": (0, 65_535), "s16": (-32_768, 32_767), "u32": (0, (1 << 32) - 1), "s32": (-(1 << 31), (1 << 31) - 1)}


@dataclass(frozen=True, slots=True)
class Encoded:
    """What goes onto the wire: registers high word first as sent, and the raw signed number for gate and read-back."""

    registers: tuple[int, ...]
    raw: int


def encode(write: Write, value: int) -> Encoded:
    """Registers of a canonical value. Out of range is clamped; a fraction of a count is dropped towards zero."""
    clamped = min(max(value, write.min), write.max)
    num = clamped * write.sign * write.factor.denominator
    den = write.factor.numerator
    if den < 0:
        num, den = -num, -den
    raw = num // den if num >= 0 else -(-num // den)
    low, high = _LIMITS[write.type if write.type != "f32" else "s32"]
    raw = min(max(raw, low), high)
    if write.type == "f32":
        words = struct.unpack(">2H", struct.pack(">f", raw))
    else:
        count = REGISTERS[write.type]
        mask = raw & ((1 << 16 * count) - 1)
        words = tuple(mask >> 16 * (count - 1 - i) & 0xFFFF for i in range(count))
    return Encoded(words if write.word_order == "big" else words[::-1], raw)
