"""A profile read backwards: from the canonical values, flags and details of a face to the raw numbers of registers."""

import struct
from collections.abc import Callable, Mapping

from edge.field.profile import REGISTERS, Identify, Point, Profile, Write
from edge.roles import FLAGS
from hil.plant.faces import Face, Value

Source = Callable[[], int | float | bytes]  # what struct packs of a point
CODES = {
    "u16": "H", "s16": "h", "bits": "H", "value": "H", "u32": "I", "s32": "i", "f32": "f", "u64": "Q", "s64": "q",
}  # fmt: skip


def source_of(profile: Profile, point: Point, face: Face) -> tuple[str, Source]:
    """struct's code of a point of a block of registers, and what is packed by it."""
    size = REGISTERS[point.type]
    if point.type in ("bits", "value"):
        return "H", bits_source(point, face, FLAGS[profile.kind])
    value = face.values.get(point.role)
    if value is None or not size:
        raw = point.example.to_bytes(2 * max(size, 1), "big")
        return f"{len(raw)}s", constant(turned(raw) if point.word_order == "little" else raw)
    code, source = CODES[point.type], number_source(point, value, _ratio(profile, point))
    if point.word_order == "little" and size > 1:
        pack = struct.Struct(">" + code).pack
        return f"{2 * size}s", lambda: turned(pack(source()))
    return code, source


def _ratio(profile: Profile, point: Point) -> int:
    """By how much the values of its own registers will be multiplied."""
    product = 1
    for block in profile.blocks:
        for other in block.points:
            product *= other.example if other.name in point.times else 1
    return product


def bits_source(point: Point, face: Face, masks: Mapping[str, int]) -> Callable[[], int]:
    """The word of a bits or value point, remembered by what is shown."""
    flags, details = face.flags, face.details
    known: dict[tuple[frozenset[str], frozenset[str]], int] = {}
    encode = _bits_raw if point.type == "bits" else _value_raw

    def raw() -> int:
        key = (flags(), details())
        found = known.get(key)
        if found is None:
            mask = sum(masks[name] for name in key[0])
            found = known[key] = encode(point, mask, key[1])
        return found

    return raw


def value_written(write: Write, registers: bytes) -> float | None:
    """The canonical value of a frame's registers; None when what stands around the amount is not of this write."""
    words = [int.from_bytes(registers[at : at + 2], "big") for at in range(0, len(registers), 2)]
    end = len(words) - len(write.after)
    if (tuple(words[: len(write.before)]), tuple(words[end:])) != (write.before, write.after):
        return None
    amount, sign = registers[2 * len(write.before) : 2 * end], 1
    if write.direction is not None:
        way = write.direction
        signs = {way.charge: -1, way.discharge: 1, way.none: 0}
        if words[len(write.before)] not in signs:
            return None
        sign, amount = signs[words[len(write.before)]], amount[2:]
    if write.word_order == "little":
        amount = turned(amount)
    raw = sign * struct.unpack(">" + CODES[write.type], amount)[0]
    return float(raw * write.sign * write.factor.numerator / write.factor.denominator)


def identity(identify: Identify) -> bytes:
    """The registers of a right device, from the profile's example."""
    if identify.type == "str":
        return identify.example.encode("ascii").ljust(2 * identify.count, b"\0")
    return int(identify.example, 16).to_bytes(2 * identify.count, "big")


def constant(raw: bytes) -> Source:
    return lambda: raw


def turned(registers: bytes) -> bytes:
    """Word order reversed; the octets of a word stay."""
    return b"".join([registers[at : at + 2] for at in range(len(registers) - 2, -1, -2)])


def _bits_raw(point: Point, mask: int, details: frozenset[str]) -> int:
    """The bits named by a detail; for each flag that is set, the lowest bit that stands for it; then turned where low."""
    raw, done = 0, 0
    for bit, name in point.names:
        raw |= (name in details) << bit
    for bit, flag in point.flags:
        if flag & mask and not flag & done:
            raw |= 1 << bit
            done |= flag
    return raw ^ point.low


def _value_raw(point: Point, mask: int, details: frozenset[str]) -> int:
    """The first value whose flags are set, else one named by a detail, else the smallest number without flags."""
    for raw, flag in point.flags:
        if flag & mask:
            return raw
    for raw, name in point.names:
        if name in details:
            return raw
    taken = {raw for raw, _ in point.flags}
    return next(raw for raw in range(len(taken) + 1) if raw not in taken)


def number_source(point: Point, value: Value, ratio: int = 1) -> Source:
    """The raw count of a canonical value, the nearest that the register holds."""
    gain, offset = float(point.sign / point.factor) / ratio, point.offset
    constant = 0.0 if callable(value) else value
    read: Callable[[], float] = value if callable(value) else lambda: constant
    if point.type == "f32":
        return lambda: (read() - offset) * gain
    bits = 16 * REGISTERS[point.type]
    low, high = (0, (1 << bits) - 1) if point.type[0] == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)

    def raw() -> int:
        number = round((read() - offset) * gain)
        return number if low <= number <= high else low if number < low else high

    return raw
