"""Finds the SunSpec map of a device and walks its models, strictly: every length bounded, every surprise an error.

Rules. Only read, only with function 3. The marker `SunS` is looked for at 40000, 0, 50000. From there each model's own
length leads to the next, until the end model 0xFFFF. A model that is not known here is stepped over, not read. A reply
is asked for again a few times; after a failure a read that only its own answer fits comes first, because the late answer
to a failed read could pass for that of the next one of the same length. What the values mean is in points.py.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from edge.errors import EdgeError
from edge.field.sunspec.models import HEAD_REGISTERS, layouts, placed
from edge.model import Outcome

BASES = (40_000, 0, 50_000)
MARKER = b"SunS"
END_ID = 0xFFFF
ADDRESS_END = 65_536
MODELS_MAX = 64  # a full DER of IEEE 1547-2018 has about 20
LENGTH_MAX = 2_048  # 60 strings of model 803; beyond that it is rubbish
REGISTERS_MAX = 8_000  # two minutes at 19 200 baud
TRIES = 3
REGS_DEFAULT = 60  # what most devices give at once

Answer = bytes | int | Outcome  # payload, exception code, or how it failed
Read = Callable[[int, int], Awaitable[Answer]]  # (start, count) of function 3
Progress = Callable[[int, int, int], None]  # (model, its address, registers walked so far)


class SunSpecFault(EdgeError):
    """The device has no SunSpec map, or one that cannot be trusted; the text says where and what to do."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model as found: its number, the address of its ID register, its length L, and its registers, ID and L included.

    `payload` is empty for a model that is not known here.
    """

    number: int
    addr: int
    length: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Chain:
    """What a device has: where the marker is, and its models in their order."""

    base: int
    models: tuple[Model, ...]


async def identify(read: Read) -> int | None:
    """Address of the marker, or None when the device answers and has none. Raises SunSpecFault when it does not answer."""
    failed = Outcome.TIMEOUT
    has_answered = False
    for index, base in enumerate(BASES):  # a length for each place: a late answer from one does not pass for the next
        answer = await _ask(read, base, HEAD_REGISTERS + index)
        if isinstance(answer, bytes) and answer.startswith(MARKER):
            return base
        failed = answer if isinstance(answer, Outcome) else failed
        has_answered |= not isinstance(answer, Outcome)
    if not has_answered:
        raise SunSpecFault(f"no answer at {_places()} ({failed.name.lower()}): address, line and unit id right?")
    return None


async def walk(read: Read, regs_max: int = REGS_DEFAULT, progress: Progress | None = None) -> Chain:
    """Every model of the device. Raises SunSpecFault. `regs_max` registers are read at once at most."""
    base = await identify(read)
    if base is None:
        raise SunSpecFault(
            f"no SunSpec map at {_places()}: not a SunSpec device, or the map is switched off in its menu"
        )
    models: list[Model] = []
    addr, walked = base + HEAD_REGISTERS, 0
    while True:
        number, length = await _head(read, base, addr)
        if number == END_ID:
            break
        walked += HEAD_REGISTERS + length
        _check(number, length, addr, len(models), walked)
        if progress is not None:
            progress(number, addr, walked)
        payload = await _contents(read, base, addr, number, length, regs_max) if number in layouts() else b""
        models.append(Model(number, addr, length, payload))
        addr += HEAD_REGISTERS + length
    if not models:
        raise SunSpecFault(f"the SunSpec map at {base} is empty: the end model follows the marker")
    return Chain(base, tuple(models))


def _places() -> str:
    return ", ".join(str(base) for base in BASES)


async def _head(read: Read, base: int, addr: int) -> tuple[int, int]:
    """ID and length. Some devices end with the ID 0xFFFF alone: its length is then beyond what they let read."""
    if addr + 1 > ADDRESS_END:
        raise SunSpecFault("the chain of models runs over the last register, 65535: a length in it is wrong")
    answer: Answer = 2
    if addr + HEAD_REGISTERS <= ADDRESS_END:
        answer = await _ask(read, addr, HEAD_REGISTERS, base)
    if isinstance(answer, int) and not isinstance(answer, Outcome):
        alone = await _ask(read, addr, 1, base)
        if alone == END_ID.to_bytes(2, "big"):
            return END_ID, 0
        answer = alone if isinstance(alone, Outcome) else answer
    if not isinstance(answer, bytes):
        raise SunSpecFault(f"the model at {addr}: {_said(answer)}; the chain must end with the model 0xFFFF")
    return int.from_bytes(answer[:2], "big"), int.from_bytes(answer[2:], "big")


def _check(number: int, length: int, addr: int, count: int, walked: int) -> None:
    where = f"model {number} at {addr}"
    if number == 0:
        raise SunSpecFault(f"{where}: there is no model 0; the length of the model before it is wrong")
    if not 1 <= length <= LENGTH_MAX:
        raise SunSpecFault(f"{where}: its length {length} is not 1..{LENGTH_MAX}")
    if addr + HEAD_REGISTERS + length > ADDRESS_END - 1:
        raise SunSpecFault(f"{where}: its length {length} leaves no register for what must follow")
    if count >= MODELS_MAX or walked > REGISTERS_MAX:
        raise SunSpecFault(f"{where}: more than {MODELS_MAX} models or {REGISTERS_MAX} registers; the chain is garbled")


async def _contents(read: Read, base: int, addr: int, number: int, length: int, regs_max: int) -> bytes:
    payload = b""
    for start, count in cuts(number, length, regs_max):
        answer = await _ask(read, addr + start, count, base)
        if not isinstance(answer, bytes):
            raise SunSpecFault(f"model {number} at {addr}, register {addr + start}: {_said(answer)}")
        payload += answer
    if payload[:4] != number.to_bytes(2, "big") + length.to_bytes(2, "big"):
        raise SunSpecFault(f"model {number} at {addr}: its head changed while it was read; walk again")
    return payload


def cuts(number: int, length: int, regs_max: int) -> list[tuple[int, int]]:
    """(offset, count) of the reads of a known model: as few as may be, none through the middle of a point if it fits."""
    end, begin = length + HEAD_REGISTERS, 0
    edges = sorted({point.offset for point in placed(layouts()[number], length)} | {end})
    found: list[tuple[int, int]] = []
    while begin < end:
        within = [edge for edge in edges if begin < edge <= begin + regs_max]
        stop = within[-1] if within else min(begin + regs_max, end)
        found.append((begin, stop - begin))
        begin = stop
    return found


async def _ask(read: Read, start: int, count: int, base: int | None = None) -> Answer:
    """One read, a few times if it fails. `base` is where the marker is, once that is known."""
    answer: Answer = Outcome.TIMEOUT
    for attempt in range(TRIES):
        if attempt and base is not None and await read(base, 1) != MARKER[:2]:
            continue
        answer = await read(start, count)
        if isinstance(answer, bytes) and len(answer) != 2 * count:
            answer = Outcome.MISMATCH
        if not isinstance(answer, Outcome):
            return answer
    return answer


def _said(answer: Answer) -> str:
    if isinstance(answer, Outcome):
        return f"no answer in {TRIES} tries ({answer.name.lower()})"
    return f"refused with exception {answer!r}"
