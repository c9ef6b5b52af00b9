"""One point as it was read: its value, how it is shown, and why it is not to be believed. No questions here."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.config.options import Device
from edge.console.screens import clean, duration, table
from edge.field.line.rtu import Answer
from edge.field.profile import COILS, REGISTERS, Block, Point, Profile
from edge.model import Outcome
from edge.roles import FLAGS, ROLES
from edge.units import show

GOOD = "good"
RAW_WIDTH, TEXT_WIDTH = 19, 26  # four registers; the longest quantity or two flags, more on a line of its own


@dataclass(frozen=True, slots=True)
class Value:
    """One point as it was read. `quality`: good, or in words why it is not to be believed."""

    device: str
    point: str
    value: int | None
    unit: str  # canonical; "" where the profile gives the point no meaning
    text: str  # for people, with unit
    raw: str  # registers as they came, in hexadecimal
    quality: str
    taken_mono_ms: int
    latency_us: int


def registers_of(block: Block, point: Point, payload: bytes) -> bytes:
    """The registers of one point; of a block of bits sixteen of them as one register, the first as bit 0."""
    if block.fc in COILS:
        return (int.from_bytes(payload, "little") >> (point.addr - block.start) & 0xFFFF).to_bytes(2, "big")
    at = 2 * (point.addr - block.start)
    return payload[at : at + 2 * REGISTERS[point.type]]


def failure_text(answer: Answer) -> str:
    """Why there is no value."""
    if isinstance(answer, Outcome):
        return {
            Outcome.TIMEOUT: "no answer",
            Outcome.CRC: "damaged answer",
            Outcome.MISMATCH: "wrong answer",
            Outcome.GATE: "refused by the gate",
            Outcome.PORT: "port is gone",
        }.get(answer, answer.name.lower())
    return f"refused (exception {answer})" if isinstance(answer, int) else GOOD


def mute_hint(settings: Device) -> str:
    """What to look at when a device says nothing."""
    return f"supply, address {settings.address}, A/B, baud and parity of port {settings.port}"


def missing_text(point: Point, registers: bytes) -> str:
    """Why registers that came hold no value."""
    if int.from_bytes(registers, "big") in point.sentinels:
        return "device says: not available"
    return "outside its range" if not point.times else "outside its range, or without its ratios"


def point_text(profile: Profile, block: Block, point: Point, value: int | None, registers: bytes) -> str:
    """For people, with its unit, or the names of what is set."""
    if point.type in ("bits", "value"):
        return _flags_text(profile, point, int.from_bytes(registers, "big"), named_only=block.fc in COILS)
    if value is None:
        return "--"
    return show(value, ROLES[point.role].unit) if point.role else str(value)


def _flags_text(profile: Profile, point: Point, raw: int, *, named_only: bool) -> str:
    """The vendor's names where the profile has them, else ours. A bit may be set while it is 0: a closed contact."""
    masks = {mask: name for name, mask in FLAGS[profile.kind].items()}
    named = {number: masks[mask] for number, mask in point.flags if mask in masks} | dict(point.names)
    if point.type == "value":
        return named.get(raw & point.mask, f"state {raw & point.mask}")
    active = raw ^ point.low
    bits = [bit for bit in range(16) if active >> bit & 1 and (bit in named or not named_only)]
    return ", ".join(named.get(bit, f"bit {bit}") for bit in bits) or "none set"


def hex_text(registers: bytes) -> str:
    return " ".join(registers[at : at + 2].hex().upper() for at in range(0, len(registers), 2))


def values_screen(values: Sequence[Value], now_mono_ms: int) -> list[str]:
    """A row for each point; what does not fit into its column follows below."""
    head = ("point", "value", "raw (hex)", "age", "quality")
    rows, more = [], []
    for value in values:
        text = clean(value.text, 400)
        if len(text) > TEXT_WIDTH:
            more.append(clean(f"{value.point}: {text}", 400))
            text = text[: TEXT_WIDTH - 3] + "..."
        age = duration(now_mono_ms - value.taken_mono_ms) if value.raw else "--"
        rows.append((value.point, text, value.raw or "--", age, value.quality))
    lines = [clean(f"{values[0].device}, {_latency(values)}")] if values else []
    lines += table(head, rows, right=(3,))
    return lines + [line for text in more for line in _folded(text)]


def _latency(values: Sequence[Value]) -> str:
    latencies = [value.latency_us for value in values if value.latency_us]
    return f"answers after {max(latencies) / 1000:.1f} ms at most" if latencies else "no answer"


def _folded(text: str) -> list[str]:
    lines, line = [], " "
    for word in text.split():
        if len(line) + len(word) > 78:
            lines.append(line)
            line = "   "
        line += f" {word}"
    return [*lines, line]
