"""One point of one device, asked for by its name: registers, value with unit, quality. The same on an own line and in a
running controller; only who carries the question differs.
"""

import difflib
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from edge.clock import Clock
from edge.commission.line import Heard
from edge.commission.value import GOOD, Value, failure_text, hex_text, missing_text, point_text, registers_of
from edge.errors import EdgeError
from edge.field.decode import decoder_of, identity_text
from edge.field.device import BusDevice
from edge.field.encode import raw_reader
from edge.field.line.rtu import Answer, Expect, read_request
from edge.field.profile import COILS, REGISTERS, Block, Point, Profile, Write
from edge.field.upkeep import Identity, constant_runs
from edge.model import Outcome
from edge.roles import ROLES, WRITES
from edge.units import show

REGISTERS_MAX = 125  # of one read, by the protocol
Ask = Callable[[BusDevice, Expect], Awaitable[Heard]]  # one question to one device, whoever owns the line


class NoPoint(EdgeError):
    """The device has no point of this name."""


def names_of(profile: Profile) -> list[str]:
    """Every name that can be read: points, and the writes that can be read back."""
    points = [point.name for block in profile.blocks for point in block.points]
    return points + [w.name for w in profile.writes if w.verify is not None and w.name not in points]


def known_names(device: BusDevice, names: Sequence[str]) -> Sequence[str]:
    """The names themselves, or all there are when none is given. Raises NoPoint, before anything is asked."""
    known = names_of(device.profile)
    for name in names:
        if name not in known:
            raise NoPoint(unknown_name(device, name, known))
    return names or known


def pieces(block: Block, points: Sequence[Point], registers_max: int) -> list[Block]:
    """Reads of at most so many registers that hold these points, none cut; the whole block where that is short enough."""
    if block.count <= registers_max or block.fc in COILS:
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
    wanted = known_names(device, names)
    fault = "" if device.identity.proven else (await prove(ask, device))[1]
    found: dict[str, Value] = {}
    ratios = None if device.ratios is None else dict(device.ratios)
    for names_now in (_ratios_of(device, wanted), set(wanted)):  # what multiplies comes first
        for block in device.profile.blocks:
            points = [point for point in block.points if point.name in names_now - found.keys()]
            for piece in pieces(block, points, registers_max) if points else ():
                found |= await _read_block(ask, device, piece, clock, ratios)
    for write in device.profile.writes:
        if write.name in wanted and write.name not in found:
            found[write.name] = await read_back(ask, device, write, clock)
    if fault:
        return [replace(found[name], quality=f"another device: {fault}") for name in wanted]
    return [found[name] for name in wanted]


def _ratios_of(device: BusDevice, names: Sequence[str]) -> set[str]:
    """The points that multiply these."""
    points = [point for block in device.profile.blocks for point in block.points if point.name in names]
    return {name for point in points for name in point.times}


def unknown_name(device: BusDevice, name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{device.name} has no point '{name[:40]}'{hint}; there are: {', '.join(known)}"


async def prove(ask: Ask, device: BusDevice) -> tuple[str, str]:
    """(what it says of itself, what is wrong with that): every question of its identity. Both "" when there is none.

    A running bus has its own opinion, which is left alone.
    """
    profile = device.profile
    runs = constant_runs(profile.constants, profile.link)
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
    ask: Ask, device: BusDevice, block: Block, clock: Clock, ratios: dict[str, int] | None
) -> dict[str, Value]:
    heard = await ask(device, Expect(read_request(device.settings.address, block.fc, block.start, block.count)))
    taken_mono_ms, payload = clock.mono_ms(), heard.answer
    if not isinstance(payload, bytes):
        return {point.name: _failed(device, point.name, payload, taken_mono_ms) for point in block.points}
    values = decoder_of(block, device.name, ratios).decode(payload, taken_mono_ms).values
    found = {}
    for point, value in zip(block.points, values, strict=True):
        registers, unit = registers_of(block, point, payload), ROLES[point.role].unit if point.role else ""
        found[point.name] = Value(
            device.name, point.name, value, unit, point_text(device.profile, block, point, value, registers),
            hex_text(registers), GOOD if value is not None else missing_text(point, registers), taken_mono_ms,
            heard.latency_us,
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
    taken_mono_ms, latency_us, shown = clock.mono_ms(), heard.latency_us, hex_text(heard.answer)
    if not math.isfinite(raw):
        fault = "its other registers are not those of the write"
        return Value(device.name, write.name, None, unit, "--", shown, fault, taken_mono_ms, latency_us)
    value = round(Fraction(raw) * write.factor * write.sign)
    text = show(value, unit)
    return Value(device.name, write.name, value, unit, text, shown, GOOD, taken_mono_ms, latency_us)


def _failed(device: BusDevice, name: str, answer: Answer, taken_mono_ms: int) -> Value:
    return Value(device.name, name, None, "", "--", "", failure_text(answer), taken_mono_ms, 0)
