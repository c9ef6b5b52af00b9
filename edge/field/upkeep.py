"""What keeps a device and us in step: who answers, the registers that must not change, the heartbeat we count for it.

All of it hangs on what the bus does anyway: identity is a read before all others, a constant is looked at in whatever
read brings its register, a beat is a write that is always due again. State only; no I/O.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from edge.field.decode import identity_text
from edge.field.encode import Encoded
from edge.field.line.rtu import Expect, read_request
from edge.field.profile import REGISTERS, Constant, Heartbeat, Identify, Link, Watchdog
from edge.model import Outcome

if TYPE_CHECKING:
    from edge.field.device import BusDevice

CHANGED = "walk the device again"  # what helps when it is the device, but not as it was
COUNT_MAX = 30_000  # then from 0 again: below every "not implemented" and the sign of 16 bits
BEATS_MISSED_MAX = 3  # in a row; after these the device may think that we are gone
CONSTANT_PERIOD_S = 10.0  # of those that no other read brings: a few percent of a slow bus
CONSTANT_PRIORITY = 5
CONSTANT_GAP_MAX = 7  # registers in between that cost less to read than another request


class Identity:
    """Who answers, by its own registers, and whether the profile's constants hold. Until both are proven nothing else is
    read, believed or written.

    A profile with neither [identify] nor [[constant]] is proven from the start.
    """

    __slots__ = ("_questions", "fault", "proven", "step")

    def __init__(self, address: int, wanted: Identify | None, constants: Sequence[tuple[Constant, ...]] = ()) -> None:
        """`constants` in runs, each of which is one read."""
        self._questions: list[tuple[Expect, Callable[[bytes | int], str]]] = []
        if wanted:
            ask = Expect(read_request(address, wanted.fc, wanted.addr, wanted.count))
            self._questions.append((ask, partial(_who_fault, wanted)))
        for run in constants:
            ask = Expect(read_request(address, 3, run[0].addr, run[-1].addr - run[0].addr + 1))
            self._questions.append((ask, partial(_changed_fault, run)))
        self.step = 0  # the question that is asked next; 0 again after a wrong answer
        self.proven = not self._questions
        self.fault = ""  # in words, once it has answered and is not the one

    @property
    def kind_of_fault(self) -> str:
        """In two words."""
        return "changed layout" if CHANGED in self.fault else "another device"

    @property
    def expect(self) -> Expect | None:
        """What to ask next."""
        return self._questions[self.step][0] if self._questions else None

    def forget(self) -> None:
        """The device was away: another one may be in its place."""
        self.proven, self.fault, self.step = not self._questions, "", 0

    def refute(self, fault: str) -> None:
        """It is seen not to be what it was: all questions are asked again."""
        self.proven, self.fault, self.step = not self._questions, fault, 0

    def note(self, answer: bytes | int | Outcome) -> bool:
        """The answer to `expect`. None leaves it open; a refusal to say is not the right answer."""
        if not self._questions or isinstance(answer, Outcome):
            return self.proven
        fault = self._questions[self.step][1](answer)
        if fault:
            self.refute(fault)
            return False
        self.step = (self.step + 1) % len(self._questions)
        if self.step == 0:
            self.proven, self.fault = True, ""
        return self.proven


def _who_fault(wanted: Identify, answer: bytes | int) -> str:
    if isinstance(answer, bytes):
        text = identity_text(wanted, answer)
        if re.search(wanted.match, text):
            return ""
        said = repr(text)
    else:
        said = f"nothing (exception {answer})"
    return f"identifies as {said}, profile wants {wanted.match}"


def _changed_fault(run: tuple[Constant, ...], answer: bytes | int) -> str:
    if not isinstance(answer, bytes):
        return f"does not give {run[0].name} at {run[0].addr} (exception {answer}): {CHANGED}"
    for constant in run:
        raw = int(word_reader(2 * (constant.addr - run[0].addr))(answer))
        if raw != constant.value:
            return changed_text(constant, raw)
    return ""


def changed_text(constant: Constant, raw: int) -> str:
    """What is said of a constant that is none."""
    return f"{constant.name} at {constant.addr} is {raw}, profile was made with {constant.value}: {CHANGED}"


@dataclass(slots=True)
class Beat:
    """The next count for the device's controller heartbeat. The bus treats it as a write that repeats its value."""

    device: "BusDevice"
    heartbeat: Heartbeat
    count: int = 0
    sent_s: float = -1e9
    missed_count: int = BEATS_MISSED_MAX
    wanted: Encoded = field(init=False)

    def __post_init__(self) -> None:
        self._prepare()

    def _prepare(self) -> None:
        registers = (0,) * (REGISTERS[self.heartbeat.type] - 1)
        self.wanted = Encoded((*registers, self.count), self.count)

    @property
    def alive(self) -> bool:
        """Has the device taken a count lately?"""
        return self.missed_count < BEATS_MISSED_MAX

    def urgency(self, now_s: float) -> int | None:
        """As a repeated setpoint: behind new values, ahead of every read."""
        if not self.device.identity.proven or (now_s - self.sent_s) * 1000 < self.heartbeat.period_ms:
            return None
        return 1

    def next_due_s(self) -> float:
        if not self.device.identity.proven:
            return float("inf")
        return self.sent_s + self.heartbeat.period_ms / 1000

    def note_sent(self, answer: bytes | int | Outcome, now_s: float) -> None:
        """One beat was sent; the count goes on whether it was taken or not."""
        self.sent_s = now_s
        self.missed_count = 0 if isinstance(answer, bytes) else self.missed_count + 1
        self.count = 0 if self.count >= COUNT_MAX else self.count + 1
        self._prepare()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Looks at one constant in a payload, and takes the device's proof away when it differs."""

    device: "BusDevice"
    constant: Constant

    def note_read_back(self, raw: float, read_s: float) -> None:
        if raw != self.constant.value:
            self.device.note_changed(self.constant, int(raw), read_s)


def word_reader(offset_bytes: int) -> Callable[[bytes], float]:
    """Reads one register out of a payload."""
    end = offset_bytes + 2
    return lambda payload: int.from_bytes(payload[offset_bytes:end], "big")


def constant_runs(constants: Sequence[Constant], link: Link) -> list[tuple[Constant, ...]]:
    """Constants in groups that one read brings, in the order of their addresses."""
    gap_max = CONSTANT_GAP_MAX if link.gaps_allowed else 0
    runs: list[list[Constant]] = []
    for constant in sorted(constants, key=lambda one: one.addr):
        run = runs[-1] if runs else None
        near = run is not None and constant.addr - run[-1].addr <= gap_max + 1
        if run is not None and near and constant.addr - run[0].addr < link.max_regs:
            run.append(constant)
        else:
            runs.append([constant])
    return [tuple(run) for run in runs]


def signed(registers: Sequence[int]) -> int:
    """Registers as the one signed number that the gate judges."""
    bits = 16 * len(registers)
    raw = 0
    for register in registers:
        raw = raw << 16 | register
    return raw - (raw >> (bits - 1) << bits)


def rearm_s(watchdog: Watchdog, value: int) -> float | None:
    """How often a timer of `value` counts that counts down by itself is written again; None: one that stays."""
    if not watchdog.rewrite_ms:
        return None
    return min(watchdog.rewrite_ms / 1000, float(value * watchdog.seconds_per_count) / 2)


def is_armed(watchdog: Watchdog, value: int, read: bytes | int | Outcome) -> bool:
    """Does what was read back say `value`? One that counts down may be a second on."""
    counted = 1 / watchdog.seconds_per_count if watchdog.rewrite_ms else 0
    return isinstance(read, bytes) and 0 <= value - int.from_bytes(read, "big") <= counted
