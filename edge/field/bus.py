"""The one owner of one RS-485 port: decides what is sent next, sends it, waits for the answer, passes it on.

Order: commands and new setpoints, repeated setpoints, watchdogs, then reads by priority and lateness. One transaction
at a time, never pre-empted. A device that fails is left alone while the others go on. Every write passes the gate.
"""

import asyncio
import struct
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

from edge.clock import Clock
from edge.config import options
from edge.field.device import COMMAND_INTERVAL_S, GUARD_RETRY_S, BusDevice, WriteBox
from edge.field.line.master import TIMER_SLACK_S, Master
from edge.field.line.port import Port
from edge.field.line.rtu import MIRRORED, Answer, Expect, read_request, write_request
from edge.field.line.timing import NEVER_S, gap_us
from edge.field.schedule.asks import Ask, Asks
from edge.field.schedule.poll import Poll, align, due_poll
from edge.field.upkeep import Beat
from edge.model import DeviceHealth, Outcome, PortHealth, Reading

REOPEN_S = 1.0
REOPEN_TCP_S = 0.1  # asking costs nothing: connecting goes on by itself, with its own patience
SHUTDOWN_MS = 1_000  # a few attempts; systemd waits longer
SHUTDOWN_PAUSE_S = 0.05  # the longest reply of a fast bus is off the line by then
STOPPING = ("stop", "disconnect")  # commands that take energy out

Allowed = Callable[[int, int, int, int, int, int], bool]
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
        self._index, self._settings, self._clock = index, settings, clock
        self._devices = {device.name: device for device in devices}
        self._all = tuple(devices)
        self._setpoints = [box for device in devices for box in device.boxes.values()]
        beats = [device.beat for device in devices if device.beat is not None]
        self._boxes: list[WriteBox | Beat] = [*self._setpoints, *beats]
        self._polls = [poll for device in devices for poll in device.polls]
        self._on_reading, self._allowed = on_reading, allowed
        self._reopen_s = REOPEN_TCP_S if settings.kind == "tcp" else REOPEN_S
        gap_s = gap_us(settings, [device.profile.link for device in devices]) / 1_000_000
        self._master = Master(settings, port, gap_s, self._note_open, self._note_stray)
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

        To the gate a write is the unsigned number of its registers. A broadcast (unit 0) is answered by b"" in its time.
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
                await self._answer(ask)
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
                if (master.is_open or master.try_open()) and await self._send_box(box):
                    left.remove(box)
        master.close("")
        return not left

    # ---- choosing

    def _choose_urgent(self, now_s: float) -> Coroutine[Any, Any, object] | None:
        """What goes before any read: a command, a new value, an old one again, a watchdog."""
        for device in self._all:
            if device.command and self._command_due(device, now_s):
                return self._send_command(device)
        box = self._due_box(now_s)
        if box is not None:
            return self._send_box(box) if isinstance(box, WriteBox) else self._send_beat(box)
        for device in self._all:
            if device.guard_due_s <= now_s and device.answered and not device.suspect and device.quiet_until_s <= now_s:
                return self._guard(device, now_s)
        return None

    def _command_due(self, device: BusDevice, now_s: float) -> bool:
        command = device.commands.get(device.command)
        if command is None or not device.identity.proven or device.already_there(command):
            device.command = ""
            return False
        waited_s = now_s - device.command_sent_s.get(command.name, NEVER_S)
        return device.quiet_until_s <= now_s and waited_s >= COMMAND_INTERVAL_S

    def _due_box(self, now_s: float) -> WriteBox | Beat | None:
        repeat = None
        for box in self._boxes:
            if box.device.quiet_until_s <= now_s:
                urgency = box.urgency(now_s)
                if urgency == 0:
                    return box
                repeat = box if urgency == 1 else repeat
        return repeat

    def _write_times(self, now_s: float) -> Iterator[float]:
        yield now_s + 1.0
        for box in self._boxes:
            yield max(box.next_due_s(), box.device.quiet_until_s)

    # ---- transactions

    async def _read(self, poll: Poll, sent_s: float) -> None:
        device = poll.device
        if device.suspect:  # what it says next may be a late answer: not to be taken for this one
            device.note_probe(await self._exchange(device, next(device.probes)), self._master.now_s())
            return
        if not device.identity.proven:
            await self._identify(device)
            return
        taken_mono_ms = self._clock.mono_ms() - device.lag_ms
        poll.note_sent(sent_s)
        answer = await self._exchange(device, poll.expect)
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

    async def _answer(self, ask: Ask) -> None:
        write = ask.expect.write
        is_allowed = write is None or self._allowed(self._index, *write)
        if is_allowed and ask.expect.is_mirrored and not ask.device.suspect:
            await self._knows_echo(ask.device)  # else its answer cannot be told from an echo, and counts as none
        answer = await self._exchange(ask.device, ask.expect) if is_allowed else Outcome.GATE
        if not ask.answer.done():
            ask.answer.set_result(answer)

    async def _send_box(self, box: WriteBox) -> bool:
        assert box.wanted is not None
        wanted, write = box.wanted, box.write
        is_safe = wanted.raw == box.safe.raw
        answer = await self._write(box.device, write.fc, write.addr, wanted.registers, wanted.raw, stops=is_safe)
        return box.note_sent(wanted, answer, self._master.now_s())

    async def _send_beat(self, beat: Beat) -> None:
        fc, addr, wanted = beat.heartbeat.fc, beat.heartbeat.addr, beat.wanted
        beat.note_sent(await self._write(beat.device, fc, addr, wanted.registers, wanted.raw), self._master.now_s())

    async def _send_command(self, device: BusDevice) -> None:
        name, device.command = device.command, ""
        device.command_sent_s[name] = self._master.now_s()
        command = device.commands[name]
        for addr, value in command.writes:
            sent = await self._write(device, command.fc, addr, (value,), value, stops=name in STOPPING)
            if not isinstance(sent, bytes):
                return

    async def _guard(self, device: BusDevice, now_s: float) -> None:
        """Writes the device's own comm-loss timer, what it does on loss ahead of it, and believes only what is read back."""
        device.guard_due_s = now_s + GUARD_RETRY_S
        address, arming = device.settings.address, device.arming()
        for fc, addr, registers, raw in arming:
            if not isinstance(await self._write(device, fc, addr, registers, raw), bytes):
                return
            answer = await self._exchange(device, Expect(read_request(address, 3, addr, len(registers))))
            if (fc, addr, registers, raw) == arming[-1]:
                device.note_guard(raw, answer, now_s)
            elif answer != struct.pack(f">{len(registers)}H", *registers):
                return

    async def _identify(self, device: BusDevice) -> bool:
        """Asks who answers; the only thing a device is asked before it is known."""
        assert device.identity.expect is not None
        return device.note_identity(await self._exchange(device, device.identity.expect), self._master.now_s())

    async def _knows_echo(self, device: BusDevice) -> bool:
        """Is it known whether the adapter hands back what is sent? If not, one read of this device may show it."""
        if self._master.hears_itself is None:
            device.note_probe(await self._exchange(device, next(device.probes)), self._master.now_s())
        return self._master.hears_itself is not None

    async def _write(
        self, device: BusDevice, fc: int, addr: int, registers: tuple[int, ...], raw: int, *, stops: bool = False
    ) -> Answer:
        """To the device it is meant for and past the gate, or not at all.

        On a line that may hand back what is sent, a write whose answer is its own request waits for a read that tells.
        One that stops waits for one read at most: sent and not counted it does good, kept back it does not.
        """
        is_right = device.identity.proven or await self._identify(device)
        if not is_right or not self._allowed(self._index, device.settings.address, fc, addr, len(registers), raw):
            device.note_failure(Outcome.GATE, self._master.now_s())
            return Outcome.GATE
        if fc in MIRRORED and not await self._knows_echo(device) and not stops:
            return Outcome.PORT  # it never left
        return await self._exchange(device, Expect(write_request(device.settings.address, fc, addr, registers)))

    async def _exchange(self, device: BusDevice, expect: Expect) -> Answer:
        """One request and its answer: the payload, an exception code, or how it failed. The device's record has it."""
        master, turnaround_s = self._master, expect.turnaround_s
        device.sent_count += 1
        answer = await master.exchange(expect, device.timeout_s if turnaround_s is None else turnaround_s)
        if turnaround_s is not None:
            return answer  # nobody was asked, so nobody has answered
        if isinstance(answer, bytes):
            device.note_ok(int(master.took_s * 1_000_000))
        elif isinstance(answer, Outcome):
            device.note_failure(answer, master.now_s())
        else:
            device.note_refusal(answer)
        return answer

    # ---- what the line tells

    def _note_open(self) -> None:
        for device in self._all:  # the cable may lead to other devices now
            device.identity.forget()

    def _note_stray(self, address: int, now_s: float) -> None:
        for device in self._all:
            if device.suspect and device.settings.address == address:
                device.note_stray(now_s)
