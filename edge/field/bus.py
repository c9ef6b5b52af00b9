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
from edge.field.line.port import Port, Steps
from edge.field.line.rtu import BUFFER_MAX_BYTES, Answer, Expect, read_request, write_request
from edge.field.line.timing import Load, char_s, gap_us
from edge.field.schedule.asks import Ask, Asks
from edge.field.schedule.poll import NEVER_S, Poll, align, due_poll
from edge.field.upkeep import Beat
from edge.model import DeviceHealth, Outcome, PortHealth, Reading

REOPEN_S = 1.0
REOPEN_TCP_S = 0.1  # asking costs nothing: connecting goes on by itself, with its own patience
DRAIN_MAX_S = 0.5  # the longest frame at 9600 baud takes half of it
SHORTEST_REPLY_BYTES = 5
SHUTDOWN_MS = 1_000  # a few attempts; systemd waits longer
SHUTDOWN_PAUSE_S = 0.05  # the longest reply of a fast bus is off the line by then
TIMER_SLACK_S = 1e-6  # a loop may fire a timer this much early; without it the bus would spin until it is due

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
        self._index, self._settings, self._port, self._clock = index, settings, port, clock
        self._devices = {device.name: device for device in devices}
        self._all = tuple(devices)
        self._setpoints = [box for device in devices for box in device.boxes.values()]
        beats = [device.beat for device in devices if device.beat is not None]
        self._boxes: list[WriteBox | Beat] = [*self._setpoints, *beats]
        self._polls = [poll for device in devices for poll in device.polls]
        self._on_reading, self._allowed = on_reading, allowed
        self._char_s = char_s(settings)
        self._reopen_s = REOPEN_TCP_S if settings.kind == "tcp" else REOPEN_S
        self._gap_s = gap_us(settings, [device.profile.link for device in devices]) / 1_000_000
        self._asks = Asks()
        self._buffer = bytearray()
        self._steps: Steps[Answer] = Steps()
        self._expect: Expect | None = None  # while an answer is waited for
        self._expiry_s = NEVER_S  # when it is waited for no longer
        self._watch: asyncio.TimerHandle | None = None  # looks at the expiry; outlives many requests
        self._watch_s = NEVER_S
        self._free_s = NEVER_S  # when the line was last in use
        self._ended_s = NEVER_S  # when our own last transaction ended
        self._hears_itself = False  # the adapter hands us what we send
        self._load = Load()
        self._open = False
        self._error = ""
        self._loop: asyncio.AbstractEventLoop  # while steps are played
        self._now_s: Callable[[], float] = lambda: 0.0  # its time; before it runs there is none

    # ---- what others call

    def set_value(self, device: str, write: str, value: int) -> None:
        """The newest value of a write; older ones that were not sent yet are forgotten."""
        if self._devices[device].set_value(write, value):
            self._steps.wake()

    def command(self, device: str, name: str) -> None:
        """Asks for a command of the profile; sent at most once a second while it is asked for."""
        self._devices[device].ask_command(name, self._now_s())
        self._steps.wake()

    def ask(self, device: str, expect: Expect) -> "asyncio.Future[Answer]":
        """One transaction of a technician, behind all others. Raises AskFault for one that would make others late.

        To the gate a write is the unsigned number of its registers. A broadcast (unit 0) is answered by b"" in its time.
        """
        answer = self._asks.put(self._devices[device], expect, self._now_s())
        self._steps.wake()
        return answer

    def align(self, beat_s: float, cycle_s: float) -> None:
        """Before it runs: the cycle decides at `beat_s` of the loop and every `cycle_s` after."""
        align(self._polls, self._settings, self._gap_s, beat_s, cycle_s)

    def device(self, name: str) -> BusDevice:
        return self._devices[name]

    def health(self) -> tuple[DeviceHealth, ...]:
        now_mono_ms = self._clock.mono_ms()
        return tuple(device.health(self._port.name, now_mono_ms) for device in self._devices.values())

    def port_health(self) -> PortHealth:
        return PortHealth(self._port.name, self._load.permille, self._open, self._error, self._hears_itself)

    async def run(self) -> None:
        """Forever, until cancelled. The port stays open: `shutdown` has the last word on it."""
        await self._play(self._serve())

    async def _play(self, steps: Coroutine[Any, Any, T]) -> T:
        self._loop = loop = asyncio.get_running_loop()
        self._now_s = loop.time
        try:
            return await self._steps.play(steps)
        finally:
            self._asks.end()
            self._expect, self._free_s = None, loop.time()  # also when cut short: the next request keeps its distance
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None

    async def _serve(self) -> None:
        loop = self._loop
        while True:
            if not self._open and not self._try_open():
                await self._steps.rest_until(loop.time() + self._reopen_s)
                continue
            now_s, quiet_s = loop.time() + TIMER_SLACK_S, self._free_s + self._gap_s
            if quiet_s > now_s:  # first the silence, then the choice: the newest value, the most urgent read
                await self._steps.rest_until(quiet_s)
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
                await self._steps.rest_until(min(next_s, *self._write_times(now_s)), idle=True)

    async def shutdown(self, timeout_ms: int = SHUTDOWN_MS) -> bool:
        """After `run` was cancelled: the safe value to every write until each is echoed. True if all were in time.

        The transaction that was cut short may still be answered, and that answer would collide with the first try.
        """
        return await self._play(self._end_safe(timeout_ms))

    async def _end_safe(self, timeout_ms: int) -> bool:
        end_s = self._loop.time() + timeout_ms / 1000
        for box in self._setpoints:
            box.device.set_value(box.write.name, box.write.safe)
        left = list(self._setpoints)
        while left and self._loop.time() < end_s:
            await self._steps.rest_until(self._loop.time() + SHUTDOWN_PAUSE_S)
            for box in tuple(left):
                if (self._open or self._try_open()) and await self._send_box(box):
                    left.remove(box)
        self._close("")
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
            device.note_probe(await self._exchange(device, next(device.probes)), self._loop.time())
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
        answer = await self._exchange(ask.device, ask.expect) if is_allowed else Outcome.GATE
        if not ask.answer.done():
            ask.answer.set_result(answer)

    async def _send_box(self, box: WriteBox) -> bool:
        assert box.wanted is not None
        wanted, write = box.wanted, box.write
        answer = await self._write(box.device, write.fc, write.addr, wanted.registers, wanted.raw)
        return box.note_sent(wanted, answer, self._loop.time())

    async def _send_beat(self, beat: Beat) -> None:
        fc, addr, wanted = beat.heartbeat.fc, beat.heartbeat.addr, beat.wanted
        beat.note_sent(await self._write(beat.device, fc, addr, wanted.registers, wanted.raw), self._loop.time())

    async def _send_command(self, device: BusDevice) -> None:
        name, device.command = device.command, ""
        device.command_sent_s[name] = self._loop.time()
        command = device.commands[name]
        for addr, value in command.writes:
            if not isinstance(await self._write(device, command.fc, addr, (value,), value), bytes):
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
        return device.note_identity(await self._exchange(device, device.identity.expect), self._loop.time())

    async def _write(self, device: BusDevice, fc: int, addr: int, registers: tuple[int, ...], raw: int) -> Answer:
        """To the device it is meant for and past the gate, or not at all."""
        is_right = device.identity.proven or await self._identify(device)
        if not is_right or not self._allowed(self._index, device.settings.address, fc, addr, len(registers), raw):
            device.note_failure(Outcome.GATE, self._loop.time())
            return Outcome.GATE
        return await self._exchange(device, Expect(write_request(device.settings.address, fc, addr, registers)))

    async def _exchange(self, device: BusDevice, expect: Expect) -> Answer:
        """One request and its answer: the payload, an exception code, or how it failed."""
        sent_s = self._loop.time()
        while self._open and self._free_s + self._gap_s > sent_s + TIMER_SLACK_S:
            await self._steps.rest_until(self._free_s + self._gap_s)
            sent_s = self._loop.time()
        if not self._open:
            device.note_failure(Outcome.PORT, sent_s)
            return Outcome.PORT
        answer = await self._steps.what_comes() if self._transmit(device, expect, sent_s) else Outcome.PORT
        now_s = self._free_s = self._ended_s = self._loop.time()
        self._load.note(now_s, now_s - sent_s)
        if expect.turnaround_s is not None:
            return answer  # nobody was asked, so nobody has answered
        if isinstance(answer, bytes):
            device.note_ok(int((now_s - sent_s) * 1_000_000))
        elif isinstance(answer, Outcome):
            device.note_failure(answer, now_s)
        else:
            device.note_refusal(answer)
        return answer

    def _transmit(self, device: BusDevice, expect: Expect, sent_s: float) -> bool:
        """The request goes out and its time begins. False when the port is gone."""
        self._buffer.clear()  # whatever came late belongs to nobody
        device.sent_count += 1
        try:
            self._port.write(expect.request)
        except OSError as error:
            self._close(str(error))
            return False
        self._expect = expect
        patience_s = device.timeout_s if expect.turnaround_s is None else expect.turnaround_s
        self._expiry_s = sent_s + expect.wire_chars * self._char_s + patience_s
        if self._watch is None or self._watch_s > self._expiry_s:
            self._watch_until_expiry()
        return True

    def _watch_until_expiry(self) -> None:
        """One timer for many requests: it may look too early and then looks again, but never too late."""
        if self._watch is not None:
            self._watch.cancel()
        self._watch_s = self._expiry_s
        self._watch = self._loop.call_at(self._expiry_s, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._expect is None:
            return
        if self._loop.time() + TIMER_SLACK_S < self._expiry_s:
            self._watch_until_expiry()
        else:
            self._settle(self._expect.verdict(self._buffer))

    def _on_bytes(self, data: bytes) -> None:
        expect = self._expect
        if not data:
            self._close("the port is gone")
        elif expect is None:
            self._note_stray(data[0])
        else:
            buffer, received = self._buffer, data
            if buffer or len(data) > BUFFER_MAX_BYTES:
                buffer += data
                del buffer[:-BUFFER_MAX_BYTES]
                received = bytes(buffer)
            heard = expect.beyond_echo(received) if self._hears_itself else received
            answer = expect.match(heard) if len(heard) >= SHORTEST_REPLY_BYTES else None
            if answer is not None:
                if len(received) > expect.size_bytes and received.startswith(expect.request):
                    self._hears_itself = True
                self._settle(answer)
            elif received is data:
                buffer += data

    def _settle(self, answer: Answer) -> None:
        self._expect = None
        self._steps.resume(answer)

    def _note_stray(self, address: int) -> None:
        """Bytes that nobody waits for: the late answer of a device that failed? The line is not free while they come.

        But it does not wait for a babbler for ever: what must be said is said into the noise.
        """
        now_s = self._loop.time()
        if now_s - self._ended_s < DRAIN_MAX_S:
            self._free_s = now_s
        for device in self._devices.values():
            if device.suspect and device.settings.address == address:
                device.note_stray(now_s)

    # ---- the port and waiting

    def _try_open(self) -> bool:
        try:
            self._port.open(self._on_bytes)
        except OSError as error:
            self._error = str(error)
            return False
        self._open, self._error = True, ""
        for device in self._devices.values():  # the cable may lead to other devices now
            device.identity.forget()
        return True

    def _close(self, error: str) -> None:
        if self._open:
            self._port.close()
        self._open, self._error, self._hears_itself = False, error, False
        if self._expect is not None:
            self._settle(Outcome.PORT)
