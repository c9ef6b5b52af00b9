"""A simulated RTU device: its registers are a profile read backwards, its values come from a face of the plant.

Rules of a good device: answers only its own address and only right checksums; refuses functions it does not have (1),
registers and bits it does not have (2) and values outside a write's range (3). What was written can be read back.
Unmapped registers inside a block read 0. Bits (FC1, FC2) and registers have addresses of their own.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from edge.field.profile import COILS, REGISTERS, Block, Profile, Write
from edge.roles import FLAGS
from hil.framing import is_intact, refusal, sealed
from hil.plant.faces import Face
from hil.slave.registers import Source, bits_source, constant, identity, source_of, value_written

READ_FUNCTIONS = (1, 2, 3, 4)
WRITE_FUNCTIONS = (5, 6, 15, 16)
REQUEST_MIN_BYTES = 8  # of these functions
REGISTERS_MAX = 125  # of one read, by the protocol
BITS_MAX = 2_000
GAP_MAX = 8  # registers
COIL_VALUES = {b"\xff\x00": 1, b"\x00\x00": 0}  # what FC5 may say


@dataclass(slots=True)
class _Read:
    """One read request seen before, with its newest reply: struct's `pack` of all registers, and where they come from."""

    pack: Callable[..., bytes]
    sources: tuple[Source, ...]
    version: int = -1
    epoch: int = -1
    reply: bytes = b""


class Slave:
    """One device of one bus. `receive` is the whole of its behaviour towards the wire."""

    def __init__(self, profile: Profile, address: int, face: Face, name: str = "") -> None:
        self.profile, self.address, self.face = profile, address, face
        self.name = name or profile.id
        self.turnaround_s = profile.link.turnaround_ms / 1000
        self.request_count = 0
        self.read_count = 0  # of them, answered reads
        self._reads: dict[bytes, _Read] = {}
        self._epoch = 0  # changes with every write
        self._memory: dict[int, int] = {}  # registers that keep what is written
        self._coils: dict[int, int] = {}  # coils that do
        self._inputs: dict[tuple[int, int], Callable[[], int]] = {}  # function, address -> bit
        self._points: dict[int, tuple[int, str, Source]] = {}  # first address -> registers, struct's code, source
        self._functions: dict[int, set[int]] = {}  # address -> functions that can read it
        self._writes = {write.addr: write for write in profile.writes if write.type != "bit"}
        self._switches = {write.addr: write for write in profile.writes if write.type == "bit"}
        named = {b.fc for b in profile.blocks} | {w.fc for w in profile.writes} | {c.fc for c in profile.commands}
        self._has_coils = not named.isdisjoint((1, 5, 15))
        self._layout()

    # ---- the wire

    def receive(self, frame: bytes) -> bytes | None:
        """The reply to a frame that was heard, or None when it is not for this device or damaged."""
        read = self._reads.get(frame)
        if read is None:
            return self._receive_new(frame)
        self.request_count += 1
        self.read_count += 1
        face = self.face
        face.hear()
        version = face.version()
        if version != read.version or self._epoch != read.epoch:
            read.version, read.epoch = version, self._epoch
            read.reply = sealed(read.pack(*[source() for source in read.sources]))
        return read.reply

    def _receive_new(self, frame: bytes) -> bytes | None:
        if frame[:1] not in (bytes((self.address,)), b"\0") or not is_intact(frame):
            return None
        if len(frame) < REQUEST_MIN_BYTES:  # only functions that it does not have are so short
            is_known = frame[0] == 0 or frame[1] in (*READ_FUNCTIONS, *WRITE_FUNCTIONS)
            return None if is_known else refusal(self.address, frame[1], 1)
        if frame[0] == 0:  # a broadcast is obeyed and never answered
            self._obey(frame)
            return None
        self.request_count += 1
        self.face.hear()
        function = frame[1]
        if function in READ_FUNCTIONS:
            return self._first_read(frame)
        if function in (5, 15) and not self._has_coils:
            return refusal(self.address, function, 1)
        if function in WRITE_FUNCTIONS:
            code = self._obey(frame)
            if code:
                return refusal(self.address, function, code)
            return frame if function in (5, 6) else sealed(frame[:6])  # FC5, FC6: the echo is the whole request
        return refusal(self.address, function, 1)

    # ---- reading

    def _first_read(self, frame: bytes) -> bytes | None:
        function, start, count = frame[1], int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")
        if len(frame) != 8:
            return None
        if function in COILS:
            return self._first_read_of_bits(frame, function, start, count)
        if not any(function in functions for functions in self._functions.values()):
            return refusal(self.address, function, 1)
        if not 1 <= count <= min(REGISTERS_MAX, self.profile.link.max_regs):
            return refusal(self.address, function, 3)
        if any(function not in self._functions.get(addr, ()) for addr in range(start, start + count)):
            return refusal(self.address, function, 2)
        head = (self.address, function, 2 * count)
        layout, sources = self._plan(start, count)
        self._reads[frame] = _Read(partial(struct.Struct(">3B" + layout).pack, *head), sources)
        self.request_count -= 1
        return self.receive(frame)

    def _first_read_of_bits(self, frame: bytes, function: int, start: int, count: int) -> bytes | None:
        if not any(has == function for has, _ in self._inputs):
            return refusal(self.address, function, 1)
        if not 1 <= count <= BITS_MAX:
            return refusal(self.address, function, 3)
        sources = [self._inputs.get((function, addr)) for addr in range(start, start + count)]
        if None in sources:
            return refusal(self.address, function, 2)
        size_bytes = (count + 7) // 8

        def pack(*bits: int) -> bytes:
            whole = sum(bit << index for index, bit in enumerate(bits))
            return bytes((self.address, function, size_bytes)) + whole.to_bytes(size_bytes, "little")

        self._reads[frame] = _Read(pack, tuple(source for source in sources if source is not None))
        self.request_count -= 1
        return self.receive(frame)

    def _plan(self, start: int, count: int) -> tuple[str, tuple[Source, ...]]:
        """struct's layout of these registers and what goes into it. Unmapped registers are padding: 0."""
        layout, sources = "", []
        addr, end = start, start + count
        while addr < end:
            whole = self._points.get(addr)
            if whole is not None and addr + whole[0] <= end:
                size, code, source = whole
            elif whole is None and addr not in self._memory and not self._inside(addr):
                layout += "2x"
                addr += 1
                continue
            else:
                size, code, source = 1, "2s", self._single(addr)
            layout += code
            sources.append(source)
            addr += size
        return layout, tuple(sources)

    def _inside(self, addr: int) -> tuple[int, str, Source] | None:
        """The wide point that begins before this address and covers it, and by how many registers before."""
        for back in (1, 2, 3):
            size, code, source = self._points.get(addr - back, (0, "", bytes))
            if size > back:
                return back, code, source
        return None

    def _single(self, addr: int) -> Source:
        """One register: a written one, or a piece of a wide point that a request cuts."""
        whole = self._points.get(addr)
        cut = (0, whole[1], whole[2]) if whole else self._inside(addr)
        if cut is None:
            memory = self._memory
            return lambda: memory[addr].to_bytes(2, "big")
        back, code, source = cut
        return lambda: struct.pack(">" + code, source())[2 * back : 2 * back + 2]

    # ---- writing

    def _obey(self, frame: bytes) -> int:
        """Applies a write; 0 or the exception code. Nothing is applied when any register is refused."""
        function, start = frame[1], int.from_bytes(frame[2:4], "big")
        if function in (5, 15):
            self._epoch += 1
            return self._switch(frame, start)
        if function == 6:
            registers = frame[4:6]
            if len(frame) != 8:
                return 3
        elif function == 16:
            count, registers = int.from_bytes(frame[4:6], "big"), frame[7:-2]
            if not 1 <= count <= 123 or frame[6] != 2 * count or len(registers) != 2 * count:
                return 3
        else:
            return 1
        code = self._set(self._writes[start], registers) if start in self._writes else self._store(start, registers)
        self._epoch += 1
        return code

    def _set(self, write: Write, registers: bytes) -> int:
        if len(registers) != 2 * write.count:
            return 2
        value = value_written(write, registers)
        if value is None or not write.min <= value <= write.max:
            return 3
        act = self.face.writes.get(write.name)
        if act is not None:
            act(value)
        for index in range(len(registers) // 2):
            self._memory[write.addr + index] = int.from_bytes(registers[2 * index : 2 * index + 2], "big")
        return 0

    def _switch(self, frame: bytes, start: int) -> int:
        """FC5 and FC15: a coil of a write, or of a command."""
        function = frame[1]
        if function == 15:
            count = int.from_bytes(frame[4:6], "big")
            if not 1 <= count <= BITS_MAX or frame[6] != (count + 7) // 8 or len(frame) != 9 + frame[6]:
                return 3
            whole = int.from_bytes(frame[7:-2], "little")
            states = {start + index: whole >> index & 1 for index in range(count)}
        else:
            state = COIL_VALUES.get(frame[4:6])
            if len(frame) != 8 or state is None:
                return 3
            states = {start: state}
        if not states.keys() <= self._coils.keys():
            return 2
        self._coils |= states
        for addr, state in states.items():
            write = self._switches.get(addr)
            act = self.face.writes.get(write.name) if write is not None else None
            if act is not None:
                act(float(state))
            self._command(addr, 0xFF00 if state else 0, coil=True)
        return 0

    def _command(self, addr: int, value: int, *, coil: bool) -> None:
        """Does what the last write of a command asks for."""
        for command in self.profile.commands:
            act = self.face.commands.get(command.name)
            is_last = bool(command.writes) and command.writes[-1] == (addr, value) and (command.fc == 5) == coil
            if act is not None and is_last:
                act()

    def _store(self, start: int, registers: bytes) -> int:
        """Commands and the comm-loss timer: single registers that keep their value."""
        values = struct.unpack(f">{len(registers) // 2}H", registers)
        if any(start + index not in self._memory for index in range(len(values))):
            return 2
        watchdog = self.profile.watchdog
        for addr, value in enumerate(values, start):
            self._memory[addr] = value
            if watchdog is not None and addr == self._timer_addr and self.face.set_watchdog_s is not None:
                self.face.set_watchdog_s(float(value * watchdog.seconds_per_count))
            self._command(addr, value, coil=False)
        return 0

    # ---- the register map, from the profile

    def _layout(self) -> None:
        profile = self.profile
        for block in profile.blocks:
            (self._layout_bits if block.fc in COILS else self._layout_registers)(block)
        for write in profile.writes:
            self._layout_write(write)
        for command in profile.commands:
            for addr, _ in command.writes:
                (self._coils if command.fc == 5 else self._memory)[addr] = 0
        self._layout_upkeep(profile)
        if profile.identify is not None:
            said = identity(profile.identify)
            for index, addr in enumerate(range(profile.identify.addr, profile.identify.addr + profile.identify.count)):
                self._functions.setdefault(addr, set()).add(profile.identify.fc)
                self._points.setdefault(addr, (1, "2s", constant(said[2 * index : 2 * index + 2])))
        for addr in self._memory:
            self._functions.setdefault(addr, set()).add(3)  # holding registers can be read
        for addr in self._coils:
            self._inputs[1, addr] = partial(self._coils.__getitem__, addr)  # and coils
        if profile.link.gaps_allowed:
            self._fill_gaps()

    def _fill_gaps(self) -> None:
        """Between two blocks of one function that a read could span there are registers too; they read 0."""
        for function in (3, 4):
            ends = [(b.start, b.start + b.count) for b in self.profile.blocks if b.fc == function]
            for (_, end), (start, _) in pairwise(sorted(ends)):
                for addr in range(end, min(start, end + self.profile.link.max_regs)):
                    self._functions.setdefault(addr, set()).add(function)

    def _layout_upkeep(self, profile: Profile) -> None:
        """Timer and what it leads to, our heartbeat, and what never changes."""
        watchdog, heartbeat = profile.watchdog, profile.heartbeat
        if watchdog is not None:
            for addr, registers in (*watchdog.first, (watchdog.addr, (0,) * REGISTERS[watchdog.type])):
                self._memory |= dict.fromkeys(range(addr, addr + len(registers)), 0)
            seconds = self.face.watchdog_s() if self.face.watchdog_s is not None else 0.0
            self._memory[self._timer_addr] = round(seconds / float(watchdog.seconds_per_count))
        if heartbeat is not None:
            self._memory |= dict.fromkeys(range(heartbeat.addr, heartbeat.addr + REGISTERS[heartbeat.type]), 0)
        end = -GAP_MAX
        for fixed in sorted(profile.constants, key=lambda one: one.addr):
            for addr in range(max(end, 0) if fixed.addr - end <= GAP_MAX else fixed.addr, fixed.addr + 1):
                self._functions.setdefault(addr, set()).add(3)  # a map has no holes between what lies so near
            end = fixed.addr + 1
            self._points.setdefault(fixed.addr, (1, "2s", constant(fixed.value.to_bytes(2, "big"))))

    @property
    def _timer_addr(self) -> int:
        """The register of the comm-loss timer that counts: of two the second, as none is longer than 18 hours."""
        watchdog = self.profile.watchdog
        return -1 if watchdog is None else watchdog.addr + REGISTERS[watchdog.type] - 1

    def _layout_registers(self, block: Block) -> None:
        for addr in range(block.start, block.start + block.count):
            self._functions.setdefault(addr, set()).add(block.fc)
        for point in block.points:
            self._points[point.addr] = (REGISTERS[point.type], *source_of(self.profile, point, self.face))

    def _layout_bits(self, block: Block) -> None:
        ends = [point.addr for point in block.points[1:]] + [block.start + block.count]
        for addr in range(block.start, block.start + block.count):
            self._inputs.setdefault((block.fc, addr), lambda: 0)
        for point, end in zip(block.points, ends, strict=True):
            word = bits_source(point, self.face, FLAGS[self.profile.kind])
            for addr in range(point.addr, min(end, point.addr + 16)):
                self._inputs[block.fc, addr] = _bit_of(word, addr - point.addr)

    def _layout_write(self, write: Write) -> None:
        """Its registers, and those it is read back from. A coil needs no more: coils can be read."""
        if write.type == "bit":
            self._coils[write.addr] = 0
            return
        for addr in range(write.addr, write.addr + write.count):
            self._memory[addr] = 0
        if write.verify is not None:
            for addr in range(write.verify.addr, write.verify.addr + write.count):
                self._functions.setdefault(addr, set()).add(write.verify.fc)
                self._memory.setdefault(addr, 0)


def _bit_of(word: Callable[[], int], bit: int) -> Callable[[], int]:
    return lambda: word() >> bit & 1
