"""A canonical value to registers for a write: clamped to the write's range, rounded towards `safe`, never beyond."""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from edge.field.profile import REGISTERS, Write

COIL_ON = 0xFF00  # what FC5 writes for on
_LIMITS = {
    "bit": (0, 1),
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
    raw = min(max(raw, -high if write.direction else low), high)
    return Encoded((*write.before, *_registers(write, raw), *write.after), raw)


def _registers(write: Write, raw: int) -> tuple[int, ...]:
    if write.type == "bit":
        return (COIL_ON * raw if write.fc == 5 else raw,)
    if write.type == "f32":
        words = struct.unpack(">2H", struct.pack(">f", raw))
    else:
        count = REGISTERS[write.type]
        mask = (abs(raw) if write.direction else raw) & ((1 << 16 * count) - 1)
        words = tuple(mask >> 16 * (count - 1 - i) & 0xFFFF for i in range(count))
    amount = words if write.word_order == "big" else words[::-1]
    way = write.direction
    return amount if way is None else (way.discharge if raw > 0 else way.charge if raw < 0 else way.none, *amount)


def raw_reader(write: Write, offset: int) -> Callable[[bytes], float]:
    """Reads the raw number of a write back out of a payload: the inverse of `encode(...).raw`.

    `offset`: registers (coils) of the payload in front of it. What is not such a write at all reads as NaN.
    """
    if write.type == "bit":
        return lambda payload: payload[offset // 8] >> offset % 8 & 1
    skipped = len(write.before)
    if write.direction is None:
        amount = _amount_reader(write, 2 * (offset + skipped))
        return _framed(write, offset, amount) if write.before or write.after else amount
    amount = _amount_reader(write, 2 * (offset + skipped + 1))
    signs = {write.direction.charge: -1, write.direction.discharge: 1, write.direction.none: 0}
    front = struct.Struct(f">{skipped + 1}H").unpack_from

    def read(payload: bytes) -> float:
        *before, way = front(payload, 2 * offset)
        return signs[way] * amount(payload) if tuple(before) == write.before and way in signs else math.nan

    return read


def _framed(write: Write, offset: int, amount: Callable[[bytes], float]) -> Callable[[bytes], float]:
    """An amount counts only between the constant registers it was written with: an enable may have been taken back."""
    before = struct.pack(f">{len(write.before)}H", *write.before)
    after = struct.pack(f">{len(write.after)}H", *write.after)
    frame = slice(2 * offset, 2 * (offset + write.count))

    def read(payload: bytes) -> float:
        found = payload[frame]
        return amount(payload) if found.startswith(before) and found.endswith(after) else math.nan

    return read


def _amount_reader(write: Write, offset_bytes: int) -> Callable[[bytes], float]:
    code = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "f32": "f"}[write.type]
    unpack = struct.Struct(">" + code).unpack
    if write.word_order == "big" or REGISTERS[write.type] == 1:
        plain = struct.Struct(">" + code).unpack_from
        return lambda payload: plain(payload, offset_bytes)[0]
    low, high = slice(offset_bytes, offset_bytes + 2), slice(offset_bytes + 2, offset_bytes + 4)
    return lambda payload: unpack(payload[high] + payload[low])[0]
