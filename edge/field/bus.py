"""The one owner of one RS-485 port: decides what is sent next, sends it, waits for the answer, passes it on.

Order: commands and new setpoints, repeated setpoints, watchdogs, then reads by priority and lateness. One transaction
at a time, never pre-empted. A device that fails is left alone while the others go on. Every write passes the gate.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from edge.clock import Clock
from edge.config import options
from edge.field.device import COMMAND_INTERVAL_S, GUARD_RETRY_S, NEVER_S, BusDevice, Poll, WriteBox
from edge.field.port import Port
from edge.field.rtu import BUFFER_MAX_BYTES, Expect, read_request, write_request
from edge.model import DeviceHealth, Outcome, PortHealth, Reading

REOPEN_S = 1.0
LOAD_WINDOW_S = 5.0  # over which the bus load is averaged
SHORTEST_REPLY_BYTES = 5
SHUTDOWN_TRIES = 5
SHUTDOWN_PAUSE_S = 0.05  # the longest reply of a fast bus is off the line by then
TIMER_SLACK_S = 1e-6  # a loop may fire a timer this much early; without it the bus would spin until it is due

Allowed = Callable[[int, int, int, int, int, int], bool]


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
        self._boxes = [box for device in devices for box in device.boxes.values()]
        self._polls = [poll for device in devices for poll in device.polls]
        self._on_reading, self._allowed = on_reading, allowed
        bits = 10 + (settings.parity != "N") + (settings.stopbits == 2)
        self._char_s = bits / settings.baud
        silence_s = 3.5 * self._char_s if settings.baud <= 19_200 else 0.00175
        gap_ms = settings.gap_ms or max((d.profile.link.min_gap_ms for d in devices), default=20)
        self._gap_s = max(silence_s, gap_ms / 1000)
        self._buffer = bytearray()
        self._expect: Expect | None = None
        self._waiter: asyncio.Future[bytes | int | Outcome] | None = None
        self._free_s = NEVER_S  # when the line was last in use
        self._busy_s = 0.0
        self._window_s = NEVER_S
        self._load_permille = 0
        self._open = False
        self._error = ""
        self._poke: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # ---- what others call

    def set_value(self, device: str, write: str, value: int) -> None:
        """The newest value of a write; older ones that were not sent yet are forgotten."""
        self._devices[device].set_value(write, value)
        self._wake()

    def command(self, device: str, name: str) -> None:
        """Asks for a command of the profile; sent at most once a second while it is asked for."""
        self._devices[device].command = name
        self._wake()

    def device(self, name: str) -> BusDevice:
        return self._devices[name]

    def health(self) -> tuple[DeviceHealth, ...]:
        now_mono_ms = self._clock.mono_ms()
        return tuple(device.health(self._port.name, now_mono_ms) for device in self._devices.values())

    def port_health(self) -> PortHealth:
        return PortHealth(self._port.name, self._load_permille, self._open, self._error)

    async def run(self) -> None:
        """Forever, until cancelled. The port stays open: `shutdown` has the last word on it."""
        self._loop = loop = asyncio.get_running_loop()
        while True:
            if not self._open and not self._try_open():
                await self._sleep_until(loop.time() + REOPEN_S)
                continue
            next_s = await self._do_next(loop.time() + TIMER_SLACK_S)
            if next_s is not None:
                await self._sleep_until(next_s)

    async def shutdown(self) -> bool:
        """After `run` was cancelled: the safe value to every write until it is echoed. True if all were.

        The transaction that was cut short may still be answered, and that answer would collide with the first try.
        """
        self._loop = loop = asyncio.get_running_loop()
        all_echoed = True
        for box in self._boxes:
            box.device.set_value(box.write.name, box.write.safe)
            echoed = False
            for _ in range(SHUTDOWN_TRIES):
                await self._sleep_until(loop.time() + SHUTDOWN_PAUSE_S)
                echoed = (self._open or self._try_open()) and await self._send_box(box)
                if echoed:
                    break
            all_echoed = all_echoed and echoed
        self._close("")
        return all_echoed

    # ---- choosing

    async def _do_next(self, now_s: float) -> float | None:
        """One transaction if any is due; else the time when the next one is."""
        for device in self._devices.values():
            if device.command and device.quiet_until_s <= now_s and self._command_due(device, now_s):
                await self._send_command(device)
                return None
        box = self._due_box(now_s)
        if box is not None:
            await self._send_box(box)
            return None
        for device in self._devices.values():
            if device.answered and not device.guarded and device.guard_due_s <= now_s >= device.quiet_until_s:
                await self._guard(device, now_s)
                return None
        poll, next_s = self._due_poll(now_s)
        if poll is None:
            return min(next_s, *self._write_times(now_s))
        await self._read(poll)
        return None

    def _command_due(self, device: BusDevice, now_s: float) -> bool:
        return now_s - device.command_sent_s.get(device.command, NEVER_S) >= COMMAND_INTERVAL_S

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
            ready_s = max(poll.due_s, poll.device.quiet_until_s)
            if ready_s > now_s:
                next_s = min(next_s, ready_s)
                continue
            rank = poll.priority - (now_s - poll.due_s) / poll.period_s
            if rank < best_rank:
                best, best_rank = poll, rank
        return best, next_s

    def _write_times(self, now_s: float) -> Iterator[float]:
        yield now_s + 1.0
        for box in self._boxes:
            yield max(box.next_due_s(), box.device.quiet_until_s)

    # ---- transactions

    async def _read(self, poll: Poll) -> None:
        assert self._loop is not None
        device, sent_mono_ms, sent_s = poll.device, self._clock.mono_ms(), self._loop.time()
        poll.due_s = max(poll.due_s + poll.period_s, sent_s)
        answer = await self._exchange(device, poll.expect)
        if not isinstance(answer, bytes):
            return
        if device.suspect:  # the first answer after a failure may be a late one: ask again before believing
            device.suspect = False
            poll.due_s = sent_s
            return
        for box, offset in poll.checks:
            size = 2 if box.write.type in ("u16", "s16") else 4
            signed = box.write.type in ("s16", "s32")
            box.note_read_back(int.from_bytes(answer[offset : offset + size], "big", signed=signed), sent_s)
        if poll.decoder is not None:
            reading = poll.decoder.decode(answer, sent_mono_ms)
            if reading.complete:
                device.complete_mono_ms = sent_mono_ms
            self._on_reading(reading)

    async def _send_box(self, box: WriteBox) -> bool:
        assert self._loop is not None and box.wanted is not None
        wanted, write = box.wanted, box.write
        answer = await self._write(box.device, write.fc, write.addr, wanted.registers, wanted.raw)
        if answer is None:
            box.sent_raw = None
            box.sent_s = self._loop.time()
            return False
        box.sent_raw, box.sent_s = wanted.raw, self._loop.time()
        return True

    async def _send_command(self, device: BusDevice) -> None:
        assert self._loop is not None
        name, device.command = device.command, ""
        device.command_sent_s[name] = self._loop.time()
        for command in device.profile.commands:
            if command.name == name:
                for addr, value in command.writes:
                    if await self._write(device, 6, addr, (value,), value) is None:
                        return

    async def _guard(self, device: BusDevice, now_s: float) -> None:
        """Writes the device's own comm-loss timer and believes only what is read back."""
        found = device.watchdog()
        device.guard_due_s = now_s + GUARD_RETRY_S
        if found is None:
            return
        watchdog, value = found
        if await self._write(device, watchdog.fc, watchdog.addr, (value,), value) is None:
            return
        answer = await self._exchange(device, Expect(read_request(device.settings.address, 3, watchdog.addr, 1)))
        device.guarded = isinstance(answer, bytes) and int.from_bytes(answer, "big") == value

    async def _write(self, device: BusDevice, fc: int, addr: int, registers: tuple[int, ...], raw: int) -> bytes | None:
        assert self._loop is not None
        if not self._allowed(self._index, device.settings.address, fc, addr, len(registers), raw):
            device.note_failure(Outcome.GATE, self._loop.time())
            return None
        answer = await self._exchange(device, Expect(write_request(device.settings.address, fc, addr, registers)))
        return answer if isinstance(answer, bytes) else None

    async def _exchange(self, device: BusDevice, expect: Expect) -> bytes | int | Outcome:
        """One request and its answer: the payload, an exception code, or how it failed."""
        loop = self._loop
        assert loop is not None
        if not self._open:
            device.note_failure(Outcome.PORT, loop.time())
            return Outcome.PORT
        wait_s = self._free_s + self._gap_s - loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        self._buffer.clear()  # whatever came late belongs to nobody
        self._expect, self._waiter = expect, loop.create_future()
        device.sent_count += 1
        sent_s = loop.time()
        wire_s = (len(expect.request) + expect.size_bytes) * self._char_s
        handle = loop.call_at(sent_s + wire_s + device.profile.link.timeout_ms / 1000, self._expire)
        try:
            self._port.write(expect.request)
            answer = await self._waiter
        except OSError as error:
            self._close(str(error))
            answer = Outcome.PORT
        finally:
            handle.cancel()
            self._expect = self._waiter = None
        now_s = self._free_s = loop.time()
        self._note_load(now_s, now_s - sent_s)
        if isinstance(answer, bytes):
            device.note_ok(int((now_s - sent_s) * 1_000_000))
        else:
            device.note_failure(answer if isinstance(answer, Outcome) else Outcome.EXCEPTION, now_s)
        return answer

    def _on_bytes(self, data: bytes) -> None:
        if not data:
            self._close("the port is gone")
            return
        buffer = self._buffer
        buffer += data
        if len(buffer) > BUFFER_MAX_BYTES:
            del buffer[:-BUFFER_MAX_BYTES]
        waiter, expect = self._waiter, self._expect
        if waiter is not None and expect is not None and len(buffer) >= SHORTEST_REPLY_BYTES and not waiter.done():
            answer = expect.match(buffer)
            if answer is not None:
                waiter.set_result(answer)

    def _expire(self) -> None:
        if self._waiter is not None and self._expect is not None and not self._waiter.done():
            self._waiter.set_result(self._expect.verdict(self._buffer))

    # ---- the port and waiting

    def _try_open(self) -> bool:
        try:
            self._port.open(self._on_bytes)
        except OSError as error:
            self._error = str(error)
            return False
        self._open, self._error = True, ""
        return True

    def _close(self, error: str) -> None:
        if self._open:
            self._port.close()
        self._open, self._error = False, error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Outcome.PORT)

    def _note_load(self, now_s: float, busy_s: float) -> None:
        self._busy_s += busy_s
        if now_s - self._window_s >= LOAD_WINDOW_S:
            self._load_permille = min(1000, int(1000 * self._busy_s / min(now_s - self._window_s, 60.0)))
            self._window_s, self._busy_s = now_s, 0.0

    def _wake(self) -> None:
        if self._poke is not None and not self._poke.done():
            self._poke.set_result(None)

    async def _sleep_until(self, when_s: float) -> None:
        assert self._loop is not None
        self._poke = poke = self._loop.create_future()
        handle = self._loop.call_at(when_s, self._wake)
        try:
            await poke
        finally:
            handle.cancel()
            self._poke = None
