"""The one owner of one RS-485 port: decides what is sent next, sends it, waits for the answer, passes it on.

Order: commands and new setpoints, repeated setpoints, watchdogs, then reads by priority and lateness. One transaction
at a time, never pre-empted. A device that fails is left alone while the others go on. Every write passes the gate.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

from edge.clock import Clock
from edge.config import options
from edge.field.budget import char_bits, gap_us
from edge.field.device import COMMAND_INTERVAL_S, GUARD_RETRY_S, NEVER_S, BusDevice, Poll, WriteBox
from edge.field.line.port import Port, Steps
from edge.field.line.rtu import BUFFER_MAX_BYTES, Answer, Expect, read_request, write_request
from edge.model import DeviceHealth, Outcome, PortHealth, Reading

REOPEN_S = 1.0
LOAD_WINDOW_S = 5.0  # over which the bus load is averaged
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
        self._boxes = [box for device in devices for box in device.boxes.values()]
        self._polls = [poll for device in devices for poll in device.polls]
        self._on_reading, self._allowed = on_reading, allowed
        self._char_s = char_bits(settings) / settings.baud
        self._gap_s = gap_us(settings, devices) / 1_000_000
        self._buffer = bytearray()
        self._steps: Steps[Answer] = Steps()
        self._expect: Expect | None = None  # while an answer is waited for
        self._expiry_s = NEVER_S  # when it is waited for no longer
        self._watch: asyncio.TimerHandle | None = None  # looks at the expiry; outlives many requests
        self._watch_s = NEVER_S
        self._free_s = NEVER_S  # when the line was last in use
        self._busy_s = 0.0
        self._window_s = NEVER_S
        self._load_permille = 0
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

    def device(self, name: str) -> BusDevice:
        return self._devices[name]

    def health(self) -> tuple[DeviceHealth, ...]:
        now_mono_ms = self._clock.mono_ms()
        return tuple(device.health(self._port.name, now_mono_ms) for device in self._devices.values())

    def port_health(self) -> PortHealth:
        return PortHealth(self._port.name, self._load_permille, self._open, self._error)

    async def run(self) -> None:
        """Forever, until cancelled. The port stays open: `shutdown` has the last word on it."""
        await self._play(self._serve())

    async def _play(self, steps: Coroutine[Any, Any, T]) -> T:
        self._loop = loop = asyncio.get_running_loop()
        self._now_s = loop.time
        try:
            return await self._steps.play(steps)
        finally:
            self._expect, self._free_s = None, loop.time()  # also when cut short: the next request keeps its distance
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._open and not self._try_open():
                await self._steps.rest_until(loop.time() + REOPEN_S)
                continue
            now_s, quiet_s = loop.time(), self._free_s + self._gap_s
            if quiet_s > now_s:  # first the silence, then the choice: the newest value, the most urgent read
                await self._steps.rest_until(quiet_s)
                now_s = loop.time()
            now_s += TIMER_SLACK_S
            urgent = self._choose_urgent(now_s)
            if urgent is not None:
                await urgent
                continue
            poll, next_s = self._due_poll(now_s)
            if poll is not None:
                await self._read(poll, now_s)
            else:
                await self._steps.rest_until(min(next_s, *self._write_times(now_s)), idle=True)

    async def shutdown(self, timeout_ms: int = SHUTDOWN_MS) -> bool:
        """After `run` was cancelled: the safe value to every write until each is echoed. True if all were in time.

        The transaction that was cut short may still be answered, and that answer would collide with the first try.
        """
        return await self._play(self._end_safe(timeout_ms))

    async def _end_safe(self, timeout_ms: int) -> bool:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_ms / 1000
        for box in self._boxes:
            box.device.set_value(box.write.name, box.write.safe)
        left = list(self._boxes)
        while left and loop.time() < end_s:
            await self._steps.rest_until(loop.time() + SHUTDOWN_PAUSE_S)
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
            return self._send_box(box)
        for device in self._all:
            if device.guarded or device.suspect or not device.answered:
                continue
            if device.guard_due_s <= now_s >= device.quiet_until_s:
                return self._guard(device, now_s)
        return None

    def _command_due(self, device: BusDevice, now_s: float) -> bool:
        command = device.commands.get(device.command)
        if command is None or not device.identity.proven or device.already_there(command):
            device.command = ""
            return False
        waited_s = now_s - device.command_sent_s.get(command.name, NEVER_S)
        return device.quiet_until_s <= now_s and waited_s >= COMMAND_INTERVAL_S

    def _due_box(self, now_s: float) -> WriteBox | None:
        repeat = None
        for box in self._boxes:
            if box.device.quiet_until_s <= now_s:
                urgency = box.urgency(now_s)
                if urgency == 0:
                    return box
                repeat = box if urgency == 1 else repeat
        return repeat

    def _due_poll(self, now_s: float) -> tuple[Poll | None, float]:
        """The read that is due most: by priority, but each period of lateness lifts it by one, so that none starves."""
        best, best_rank, next_s = None, 1e9, float("inf")
        for poll in self._polls:
            ready_s = poll.due_s
            if ready_s <= now_s:
                quiet_s = poll.device.quiet_until_s
                if quiet_s <= now_s:
                    since_s = quiet_s if quiet_s > ready_s else ready_s
                    rank = poll.priority - (now_s - since_s) / poll.period_s
                    if rank < best_rank:
                        best, best_rank = poll, rank
                    continue
                ready_s = quiet_s
            next_s = ready_s if ready_s < next_s else next_s
        return best, next_s

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
        sent_mono_ms = self._clock.mono_ms()
        poll.sent_s = sent_s
        poll.due_s += poll.period_s
        if poll.due_s < sent_s:  # a whole period late: what was missed is not made up for
            poll.due_s = sent_s + poll.period_s
        answer = await self._exchange(device, poll.expect)
        if not isinstance(answer, bytes):
            return
        for box, read in poll.checks:
            box.note_read_back(read(answer), sent_s)
        if poll.decoder is not None:
            reading = poll.decoder.decode(answer, sent_mono_ms)
            device.note_reading(poll, reading)
            self._on_reading(reading)

    async def _send_box(self, box: WriteBox) -> bool:
        assert box.wanted is not None
        wanted, write = box.wanted, box.write
        answer = await self._write(box.device, write.fc, write.addr, wanted.registers, wanted.raw)
        return box.note_sent(wanted, answer, self._loop.time())

    async def _send_command(self, device: BusDevice) -> None:
        name, device.command = device.command, ""
        device.command_sent_s[name] = self._loop.time()
        for addr, value in device.commands[name].writes:
            if not isinstance(await self._write(device, 6, addr, (value,), value), bytes):
                return

    async def _guard(self, device: BusDevice, now_s: float) -> None:
        """Writes the device's own comm-loss timer and believes only what is read back."""
        found = device.watchdog()
        device.guard_due_s = now_s + GUARD_RETRY_S
        if found is None:
            return
        watchdog, value = found
        if not isinstance(await self._write(device, watchdog.fc, watchdog.addr, (value,), value), bytes):
            return
        answer = await self._exchange(device, Expect(read_request(device.settings.address, 3, watchdog.addr, 1)))
        device.guarded = isinstance(answer, bytes) and int.from_bytes(answer, "big") == value

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
        loop = self._loop
        sent_s, quiet_s = loop.time(), self._free_s + self._gap_s
        if quiet_s > sent_s and self._open:
            await self._steps.rest_until(quiet_s)
            sent_s = loop.time()
        if not self._open:
            device.note_failure(Outcome.PORT, sent_s)
            return Outcome.PORT
        answer = await self._steps.what_comes() if self._transmit(device, expect, sent_s) else Outcome.PORT
        now_s = self._free_s = loop.time()
        self._note_load(now_s, now_s - sent_s)
        if isinstance(answer, bytes):
            device.note_ok(int((now_s - sent_s) * 1_000_000))
        else:
            device.note_failure(answer if isinstance(answer, Outcome) else Outcome.EXCEPTION, now_s)
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
        self._expiry_s = sent_s + expect.wire_chars * self._char_s + device.timeout_s
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
            answer = expect.match(received) if len(received) >= SHORTEST_REPLY_BYTES else None
            if answer is not None:
                self._settle(answer)
            elif received is data:
                buffer += data

    def _settle(self, answer: Answer) -> None:
        self._expect = None
        self._steps.resume(answer)

    def _note_stray(self, address: int) -> None:
        """Bytes that nobody waits for: the late answer of a device that failed?"""
        for device in self._devices.values():
            if device.suspect and device.settings.address == address:
                device.note_stray(self._loop.time())

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
        self._open, self._error = False, error
        if self._expect is not None:
            self._settle(Outcome.PORT)

    def _note_load(self, now_s: float, busy_s: float) -> None:
        self._busy_s += busy_s
        if now_s - self._window_s >= LOAD_WINDOW_S:
            self._load_permille = min(1000, int(1000 * self._busy_s / min(now_s - self._window_s, 60.0)))
            self._window_s, self._busy_s = now_s, 0.0
