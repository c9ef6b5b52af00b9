"""What is said to one device, and when it may be said: identity before anything else, the gate before any write.

Each question or write here is one or more transactions of the line; what became of them goes into the device's record.
What is due when is the bus's business.
"""

import struct
from collections.abc import Callable

from edge.field.device import BusDevice
from edge.field.line.master import Master
from edge.field.line.rtu import MIRRORED, Answer, Expect, read_request, write_request
from edge.field.schedule.asks import Ask
from edge.field.schedule.mailbox import WriteBox
from edge.field.upkeep import Beat
from edge.model import Outcome

GUARD_RETRY_S = 2.0
STOPPING = ("stop", "disconnect")  # commands that take energy out
ILLEGAL = (2, 3)  # exception codes of who never reads these registers, or never so many

Allowed = Callable[[int, int, int, int, int, int], bool]  # port, unit, function, register, count, signed value


class Transactions:
    """Of one port. Everything here is awaited inside the master's steps, one at a time."""

    def __init__(self, port_index: int, master: Master, allowed: Allowed) -> None:
        self._port_index, self._master, self._allowed = port_index, master, allowed

    async def exchange(self, device: BusDevice, expect: Expect) -> Answer:
        """One request and its answer: the payload, an exception code, or how it failed. The device's record has it."""
        master, turnaround_s = self._master, expect.turnaround_s
        device.sent_count += 1
        answer = await master.exchange(expect, device.trust.timeout_s if turnaround_s is None else turnaround_s)
        if turnaround_s is not None:
            return answer  # nobody was asked, so nobody has answered
        if isinstance(answer, bytes):
            device.note_ok(int(master.took_s * 1_000_000))
        elif isinstance(answer, Outcome):
            device.note_failure(answer, master.now_s())
        else:
            device.note_refusal(answer)
        return answer

    # ---- questions

    async def probe(self, device: BusDevice) -> None:
        """A read whose answer only it can have: behind that no older answer can follow."""
        expect = device.probes.take(self._master.now_s())
        answer = await self.exchange(device, expect)
        if answer in ILLEGAL:
            device.probes.note_refusal(expect)
        device.trust.note_probe(answer, self._master.now_s())

    async def identify(self, device: BusDevice) -> bool:
        """Asks who answers; the only thing a device is asked before it is known."""
        assert device.identity.expect is not None
        return device.note_identity(await self.exchange(device, device.identity.expect), self._master.now_s())

    async def answer(self, ask: Ask) -> None:
        """A technician's question, or his write past the gate."""
        asked = ask.expect.write
        is_allowed = asked is None or self._allowed(self._port_index, *asked)
        if is_allowed and ask.expect.is_mirrored and not ask.device.trust.suspect:
            await self._knows_echo(ask.device)  # else its answer cannot be told from an echo, and counts as none
        answer = await self.exchange(ask.device, ask.expect) if is_allowed else Outcome.GATE
        if not ask.answer.done():
            ask.answer.set_result(answer)

    # ---- writes

    async def send_box(self, box: WriteBox) -> bool:
        """The newest value of a write. True when it was echoed."""
        assert box.wanted is not None
        wanted, write = box.wanted, box.write
        is_safe = wanted.raw == box.safe.raw
        answer = await self._write(box.device, write.fc, write.addr, wanted.registers, wanted.raw, stops=is_safe)
        return box.note_sent(wanted, answer, self._master.now_s())

    async def send_beat(self, beat: Beat) -> None:
        fc, addr, wanted = beat.heartbeat.fc, beat.heartbeat.addr, beat.wanted
        beat.note_sent(await self._write(beat.device, fc, addr, wanted.registers, wanted.raw), self._master.now_s())

    async def send_command(self, device: BusDevice) -> None:
        name, device.command = device.command, ""
        device.command_sent_s[name] = self._master.now_s()
        command = device.commands[name]
        for addr, value in command.writes:
            sent = await self._write(device, command.fc, addr, (value,), value, stops=name in STOPPING)
            if not isinstance(sent, bytes):
                return

    async def guard(self, device: BusDevice, now_s: float) -> None:
        """Writes the device's own comm-loss timer, what it does on loss ahead of it, and believes only what is read back."""
        device.guard_due_s = now_s + GUARD_RETRY_S
        address, arming = device.settings.address, device.arming()
        for fc, addr, registers, raw in arming:
            if not isinstance(await self._write(device, fc, addr, registers, raw), bytes):
                return
            answer = await self.exchange(device, Expect(read_request(address, 3, addr, len(registers))))
            if (fc, addr, registers, raw) == arming[-1]:
                device.note_guard(raw, answer, now_s)
            elif answer != struct.pack(f">{len(registers)}H", *registers):
                return

    async def _write(
        self, device: BusDevice, fc: int, addr: int, registers: tuple[int, ...], raw: int, *, stops: bool = False
    ) -> Answer:
        """To the device it is meant for and past the gate, or not at all.

        On a line that may hand back what is sent, a write whose answer is its own request waits for a read that tells.
        One that stops waits for one read at most: sent and not counted it does good, kept back it does not.
        """
        is_right = device.identity.proven or await self.identify(device)
        address = device.settings.address
        if not is_right or not self._allowed(self._port_index, address, fc, addr, len(registers), raw):
            device.note_failure(Outcome.GATE, self._master.now_s())
            return Outcome.GATE
        if fc in MIRRORED and not await self._knows_echo(device) and not stops:
            return Outcome.PORT  # it never left
        return await self.exchange(device, Expect(write_request(address, fc, addr, registers)))

    async def _knows_echo(self, device: BusDevice) -> bool:
        """Is it known whether the adapter hands back what is sent? If not, one read of this device may show it."""
        if self._master.hears_itself is None:
            await self.probe(device)
        return self._master.hears_itself is not None
