"""The one owner of one RS-485 port: decides what is sent next, sends it, waits for the answer, passes it on.

Order: commands and new setpoints, repeated setpoints, watchdogs, then reads by priority and lateness. One transaction
at a time, never pre-empted. A device that fails is left alone while the others go on. Every write passes the gate.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

from edge.clock import Clock
from edge.config import options
from edge.field.device import BusDevice
from edge.field.line.master import TIMER_SLACK_S, Master
from edge.field.line.port import Port
from edge.field.line.rtu import Answer, Expect
from edge.field.line.timing import NEVER_S, gap_us
from edge.field.schedule.asks import Asks
from edge.field.schedule.mailbox import WriteBox
from edge.field.schedule.poll import Poll, align, due_poll
from edge.field.schedule.transactions import Allowed, Transactions
from edge.field.upkeep import Beat
from edge.model import DeviceHealth, Outcome, PortHealth, Reading

COMMAND_INTERVAL_S = 1.0
REOPEN_S = 1.0
REOPEN_TCP_S = 0.1  # asking costs nothing: connecting goes on by itself, with its own patience
SHUTDOWN_MS = 1_000  # a few attempts; systemd waits longer
SHUTDOWN_PAUSE_S = 0.05  # the longest reply of a fast bus is off the line by then

T = TypeVar("T")


class Bus:
    """Runs one port. `set_value` and `command` may be called any time from the same loop."""

    def __init__(
        self,
        index: int,
        settings: options.Port,
        port: Port,
        devices: Sequence[BusDevice],
        clock: Clock,
        on_reading: Callable[[Reading], None],
        allowed: Allowed,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._devices = {device.name: device for device in devices}
        self._all = tuple(devices)
        self._setpoints = [box for device in devices for box in device.boxes.values()]
        beats = [device.beat for device in devices if device.beat is not None]
        self._boxes: list[WriteBox | Beat] = [*self._setpoints, *beats]
        self._polls = [poll for device in devices for poll in device.polls]
        self._on_reading = on_reading
        self._reopen_s = REOPEN_TCP_S if settings.kind == "tcp" else REOPEN_S
        gap_s = gap_us(settings, [device.profile.link for device in devices]) / 1_000_000
        self._master = Master(settings, port, gap_s, self._note_open, self._note_stray)
        self._transactions = Transactions(index, self._master, allowed)
        self._asks = Asks()

    # ---- what others call

    def set_value(self, device: str, write: str, value: int) -> None:
        """The newest value of a write; older ones that were not sent yet are forgotten."""
        if self._devices[device].set_value(write, value):
            self._master.steps.wake()

    def command(self, device: str, name: str) -> None:
        """Asks for a command of the profile; sent at most once a second while it is asked for."""
        self._devices[device].ask_command(name, self._master.now_s())
        self._master.steps.wake()

    def ask(self, device: str, expect: Expect) -> "asyncio.Future[Answer]":
        """One transaction of a technician, behind all others. Raises AskFault for one that would make others late.

        A write passes the gate like any other (`Expect.write`). A broadcast (unit 0) is answered by b"" in its time.
        """
        answer = self._asks.put(self._devices[device], expect, self._master.now_s())
        self._master.steps.wake()
        return answer

    def align(self, beat_s: float, cycle_s: float) -> None:
        """Before it runs: the cycle decides at `beat_s` of the loop and every `cycle_s` after."""
        align(self._polls, self._settings, self._master.gap_s, beat_s, cycle_s)

    def device(self, name: str) -> BusDevice:
        return self._devices[name]

    def health(self) -> tuple[DeviceHealth, ...]:
        now_mono_ms = self._clock.mono_ms()
        return tuple(device.health(self._settings.name, now_mono_ms) for device in self._devices.values())

    def port_health(self) -> PortHealth:
        master = self._master
        return PortHealth(
            self._settings.name, master.load.permille, master.is_open, master.error, bool(master.hears_itself)
        )

    async def run(self) -> None:
        """Forever, until cancelled. The port stays open: `shutdown` has the last word on it."""
        await self._play(self._serve())

    async def _play(self, steps: Coroutine[Any, Any, T]) -> T:
        try:
            return await self._master.play(steps)
        finally:
            self._asks.end()

    async def _serve(self) -> None:
        master, steps, time_s = self._master, self._master.steps, self._master.now_s
        while True:
            if not master.is_open and not master.try_open():
                await steps.rest_until(time_s() + self._reopen_s)
                continue
            now_s, quiet_s = time_s() + TIMER_SLACK_S, master.free_s + master.gap_s
            if quiet_s > now_s:  # first the silence, then the choice: the newest value, the most urgent read
                await steps.rest_until(quiet_s)
                continue  # somebody may have spoken meanwhile
            urgent = self._choose_urgent(now_s)
            if urgent is not None:
                await urgent
                continue
            poll, next_s = due_poll(self._polls, now_s)
            ask = self._asks.take(now_s) if self._asks and poll is None else None
            if poll is not None:
                await self._read(poll, now_s)
            elif ask is not None:
                await self._transactions.answer(ask)
            else:
                await steps.rest_until(min(next_s, *self._write_times(now_s)), idle=True)

    async def shutdown(self, timeout_ms: int = SHUTDOWN_MS) -> bool:
        """After `run` was cancelled: the safe value to every write until each is echoed. True if all were in time.

        The transaction that was cut short may still be answered, and that answer would collide with the first try.
        """
        return await self._play(self._end_safe(timeout_ms))

    async def _end_safe(self, timeout_ms: int) -> bool:
        master, time_s = self._master, self._master.now_s
        end_s = time_s() + timeout_ms / 1000
        for box in self._setpoints:
            box.device.set_value(box.write.name, box.write.safe)
        left = list(self._setpoints)
        while left and time_s() < end_s:
            await master.steps.rest_until(time_s() + SHUTDOWN_PAUSE_S)
            for box in tuple(left):
                if (master.is_open or master.try_open()) and await self._transactions.send_box(box):
                    left.remove(box)
        master.close("")
        return not left

    # ---- choosing

    def _choose_urgent(self, now_s: float) -> Coroutine[Any, Any, object] | None:
        """What goes before any read: a command, a new value, an old one again, a watchdog."""
        transactions = self._transactions
        for device in self._all:
            if device.command and self._command_due(device, now_s):
                return transactions.send_command(device)
        box = self._due_box(now_s)
        if box is not None:
            return transactions.send_box(box) if isinstance(box, WriteBox) else transactions.send_beat(box)
        for device in self._all:
            is_free = device.answered and not device.trust.suspect and device.trust.quiet_until_s <= now_s
            if is_free and device.guard_due_s <= now_s:
                return transactions.guard(device, now_s)
        return None

    def _command_due(self, device: BusDevice, now_s: float) -> bool:
        command = device.commands.get(device.command)
        if command is None or not device.identity.proven or device.already_there(command):
            device.command = ""
            return False
        waited_s = now_s - device.command_sent_s.get(command.name, NEVER_S)
        return device.trust.quiet_until_s <= now_s and waited_s >= COMMAND_INTERVAL_S

    def _due_box(self, now_s: float) -> WriteBox | Beat | None:
        repeat = None
        for box in self._boxes:
            if box.device.trust.quiet_until_s <= now_s:
                urgency = box.urgency(now_s)
                if urgency == 0:
                    return box
                repeat = box if urgency == 1 else repeat
        return repeat

    def _write_times(self, now_s: float) -> Iterator[float]:
        yield now_s + 1.0
        for box in self._boxes:
            yield max(box.next_due_s(), box.device.trust.quiet_until_s)

    # ---- transactions

    async def _read(self, poll: Poll, sent_s: float) -> None:
        device = poll.device
        if device.trust.suspect:  # what it says next may be a late answer: not to be taken for this one
            await self._transactions.probe(device)
            return
        if not device.identity.proven:
            await self._transactions.identify(device)
            return
        taken_mono_ms = self._clock.mono_ms() - device.lag_ms
        poll.note_sent(sent_s)
        answer = await self._transactions.exchange(device, poll.expect)
        if not isinstance(answer, bytes):
            self._note_unread(poll, answer)
            return
        for box, read in poll.checks:
            box.note_read_back(read(answer), sent_s)
        if not device.identity.proven:  # a constant in this very answer has changed
            return
        for part in poll.parts:
            payload = answer if part.cut is None else answer[part.cut]
            self._on_reading(device.note_reading(part, part.decoder.decode(payload, taken_mono_ms)))

    def _note_unread(self, poll: Poll, answer: int | Outcome) -> None:
        """Its data grow old: it is due again as soon as its device may be asked. Who refuses is asked at its period."""
        if isinstance(answer, Outcome):
            poll.due_s = poll.sent_s
        elif len(poll.parts) > 1:
            poll.device.split(poll)
            self._polls = [poll for device in self._all for poll in device.polls]

    # ---- what the line tells

    def _note_open(self) -> None:
        for device in self._all:  # the cable may lead to other devices now
            device.identity.forget()

    def _note_stray(self, address: int, now_s: float) -> None:
        for device in self._all:
            if device.trust.suspect and device.settings.address == address:
                device.trust.note_stray(now_s)
