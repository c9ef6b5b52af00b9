"""One point of one device, asked for by its name: registers, value with unit, quality. The same on an own line and in a
running controller; only who carries the question differs.
"""

import difflib
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from edge.clock import Clock
from edge.commission.line import Heard
from edge.errors import EdgeError
from edge.field.decode import BlockDecoder, identity_text
from edge.field.device import BusDevice
from edge.field.encode import raw_reader
from edge.field.line.rtu import Answer, Expect, read_request
from edge.field.profile import REGISTERS, Block, Point, Profile, Write
from edge.field.upkeep import Identity, constant_runs
from edge.model import Outcome
from edge.roles import FLAGS, ROLES, WRITES
from edge.units import show

REGISTERS_MAX = 125  # of one read, by the protocol
Ask = Callable[[BusDevice, Expect], Awaitable[Heard]]  # one question to one device, whoever owns the line


class NoPoint(EdgeError):
    """The device has no point of this name."""


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


def names_of(profile: Profile) -> list[str]:
    """Every name that can be read: points, and the writes that can be read back."""
    points = [point.name for block in profile.blocks for point in block.points]
    return points + [w.name for w in profile.writes if w.verify is not None and w.name not in points]


def pieces(block: Block, points: Sequence[Point], registers_max: int) -> list[Block]:
    """Reads of at most so many registers that hold these points, none cut; the whole block where that is short enough."""
    if block.count <= registers_max:
        return [block]
    found: list[list[Point]] = []
    for point in sorted(points, key=lambda point: point.addr):
        end = point.addr + REGISTERS[point.type]
        if found and end - found[-1][0].addr <= registers_max:
            found[-1].append(point)
        else:
            found.append([point])
    must = {block.points[index].name for index in block.mandatory}
    return [_piece(block, piece, must) for piece in found]


def _piece(block: Block, points: Sequence[Point], must: set[str]) -> Block:
    end = points[-1].addr + REGISTERS[points[-1].type]
    mandatory = tuple(index for index, point in enumerate(points) if point.name in must)
    start = points[0].addr
    return replace(block, start=start, count=end - start, points=tuple(points), mandatory=mandatory)


async def read_points(
    ask: Ask, device: BusDevice, names: Sequence[str], clock: Clock, registers_max: int = REGISTERS_MAX
) -> list[Value]:
    """The named points of a device, all of it when there are no names; a block is read once. Raises NoPoint.

    `registers_max`: of one question, where others wait for the line as well.
    """
    wanted = names or names_of(device.profile)
    for name in wanted:
        if name not in names_of(device.profile):
            raise NoPoint(unknown_name(device, name, names_of(device.profile)))
    fault = "" if device.identity.proven else (await prove(ask, device))[1]
    found: dict[str, Value] = {}
    for block in device.profile.blocks:
        points = [point for point in block.points if point.name in wanted]
        for piece in pieces(block, points, registers_max) if points else ():
            found |= await _read_block(ask, device, piece, [p for p in piece.points if p in points], clock)
    for write in device.profile.writes:
        if write.name in wanted and write.name not in found:
            found[write.name] = await read_back(ask, device, write, clock)
    if fault:
        return [replace(found[name], quality=f"another device: {fault}") for name in wanted]
    return [found[name] for name in wanted]


def unknown_name(device: BusDevice, name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{device.name} has no point '{name[:40]}'{hint}; there are: {', '.join(known)}"


async def prove(ask: Ask, device: BusDevice) -> tuple[str, str]:
    """(what it says of itself, what is wrong with that): every question of its identity. Both "" when there is none.

    A running bus has its own opinion, which is left alone.
    """
    profile = device.profile
    runs = constant_runs(profile.constants, profile.link.max_regs)
    identity, said = Identity(device.settings.address, profile.identify, runs), ""
    while identity.expect is not None and not identity.proven and not identity.fault:
        is_first = profile.identify is not None and identity.step == 0
        answer = (await ask(device, identity.expect)).answer
        if isinstance(answer, Outcome):
            break
        if is_first and profile.identify is not None and isinstance(answer, bytes):
            said = identity_text(profile.identify, answer)
        identity.note(answer)
    return said, identity.fault


async def _read_block(
    ask: Ask, device: BusDevice, block: Block, points: Sequence[Point], clock: Clock
) -> dict[str, Value]:
    heard = await ask(device, Expect(read_request(device.settings.address, block.fc, block.start, block.count)))
    taken_mono_ms, payload, found = clock.mono_ms(), heard.answer, {}
    if isinstance(payload, bytes):
        values = BlockDecoder(block, device.name).decode(payload, taken_mono_ms).values
    for point in points:
        if not isinstance(payload, bytes):
            found[point.name] = _failed(device, point.name, payload, taken_mono_ms)
            continue
        at = 2 * (point.addr - block.start)
        registers, value = payload[at : at + 2 * REGISTERS[point.type]], values[block.points.index(point)]
        unit = ROLES[point.role].unit if point.role else ""
        found[point.name] = Value(
            device.name, point.name, value, unit, _text(device.profile, point, value, registers), _hex(registers),
            "good" if value is not None else _missing(point, registers), taken_mono_ms, heard.latency_us,
        )  # fmt: skip
    return found


async def read_back(ask: Ask, device: BusDevice, write: Write, clock: Clock) -> Value:
    """What a write holds now."""
    verify = write.verify
    assert verify is not None
    heard = await ask(device, Expect(read_request(device.settings.address, verify.fc, verify.addr, write.count)))
    if not isinstance(heard.answer, bytes):
        return _failed(device, write.name, heard.answer, clock.mono_ms())
    raw, unit = raw_reader(write, 0)(heard.answer), WRITES[device.profile.kind][write.name]
    taken_mono_ms, latency_us, shown = clock.mono_ms(), heard.latency_us, _hex(heard.answer)
    if not math.isfinite(raw):
        fault = "its other registers are not those of the write"
        return Value(device.name, write.name, None, unit, "--", shown, fault, taken_mono_ms, latency_us)
    value = round(Fraction(raw) * write.factor * write.sign)
    text = show(value, unit)
    return Value(device.name, write.name, value, unit, text, shown, "good", taken_mono_ms, latency_us)


def _failed(device: BusDevice, name: str, answer: Answer, taken_mono_ms: int) -> Value:
    return Value(device.name, name, None, "", "--", "", failure_text(answer), taken_mono_ms, 0)


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
    return f"refused (exception {answer})" if isinstance(answer, int) else "good"


def _missing(point: Point, registers: bytes) -> str:
    if int.from_bytes(registers, "big") in point.sentinels:
        return "device says: not available"
    return "outside its range"


def _text(profile: Profile, point: Point, value: int | None, registers: bytes) -> str:
    if point.type in ("bits", "value"):
        return _flags_text(profile, point, int.from_bytes(registers, "big"))
    if value is None:
        return "--"
    return show(value, ROLES[point.role].unit) if point.role else str(value)


def _flags_text(profile: Profile, point: Point, raw: int) -> str:
    """The names of what is set: the vendor's where the profile has them, else ours."""
    masks = {mask: name for name, mask in FLAGS[profile.kind].items()}
    named = {number: masks[mask] for number, mask in point.flags if mask in masks} | dict(point.names)
    if point.type == "value":
        return named.get(raw, f"state {raw}")
    texts = [named.get(bit, f"bit {bit}") for bit in range(16) if raw >> bit & 1]
    return ", ".join(texts) or "none set"


def _hex(registers: bytes) -> str:
    return " ".join(registers[at : at + 2].hex().upper() for at in range(0, len(registers), 2))
