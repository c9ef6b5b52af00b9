"""Questions of a technician on a running bus: one transaction each, behind everything else, and never a long one. No I/O.

A question waits at most ASK_MAX_S for its turn, then it is a time-out. It does not go to a device that is left alone or
that owes an older answer. A write must pass the gate like any other.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from edge.errors import EdgeError
from edge.field.device import BusDevice
from edge.field.line.rtu import Answer, Expect
from edge.model import Outcome

ASK_MAX_S = 5.0
ASK_REGISTERS_MAX = 16  # of one question: the budget of a bus has room for this much


class AskFault(EdgeError):
    """A question that would make others late."""


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One question, who it is for, and where its answer goes."""

    device: BusDevice
    expect: Expect
    answer: "asyncio.Future[Answer]"
    until_s: float


class Asks:
    """The questions of one bus, first come first served."""

    def __init__(self) -> None:
        self._waiting: deque[Ask] = deque()
        self._out: Ask | None = None  # the one that was sent last

    def put(self, device: BusDevice, expect: Expect, now_s: float) -> "asyncio.Future[Answer]":
        """Raises AskFault for more registers than the budget has room for."""
        if expect.register_count > ASK_REGISTERS_MAX:
            raise AskFault(
                f"{device.name}: {expect.register_count} registers at once would make others late; at most "
                f"{ASK_REGISTERS_MAX}: ask in parts"
            )
        ask = Ask(device, expect, asyncio.get_running_loop().create_future(), now_s + ASK_MAX_S)
        self._waiting.append(ask)
        return ask.answer

    def take(self, now_s: float) -> Ask | None:
        """The next one that may go out now. Those nobody waits for any more go, those that waited too long end."""
        waiting, self._waiting = self._waiting, deque()
        found = None
        for ask in waiting:
            if ask.answer.done():
                continue
            if ask.until_s <= now_s:
                ask.answer.set_result(Outcome.TIMEOUT)
            elif found is None and not ask.device.trust.suspect and ask.device.trust.quiet_until_s <= now_s:
                found = ask
            else:
                self._waiting.append(ask)
        self._out = found or self._out
        return found

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def end(self) -> None:
        """The bus stops."""
        for ask in (*self._waiting, *([self._out] if self._out else ())):
            ask.answer.cancel()
        self._waiting.clear()
