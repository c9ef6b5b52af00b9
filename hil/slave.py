"""A simulated RTU device: its registers are a profile read backwards, its values come from a face of the plant.

Rules of a good device: answers only its own address and only right checksums; refuses functions it does not have (1),
registers it does not have (2) and values outside a write's range (3). What was written can be read back. Unmapped
registers inside a block read 0.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edge.field.profile import REGISTERS, Identify, Point, Profile, Write
from edge.roles import FLAGS
from hil.framing import is_intact, refusal, sealed
from hil.plant.faces import Face, Value

Source = Callable[[], int | float | bytes]  # what struct packs of a point
READ_FUNCTIONS = (3, 4)
WRITE_FUNCTIONS = (6, 16)
REQUEST_MIN_BYTES = 8  # of these functions
REGISTERS_MAX = 125  # of one read, by the protocol
_STRUCT = {
    "u16": "H",
    "s16": "h",
    "bits": "H",
    "value": "H",
    "u32": "I",
    "s32": "i",
    "f32": "f",
    "u64": "Q",
    "s64": "q",
}


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
        self._bits = FLAGS[profile.kind]
        self._memory: dict[int, int] = {}  # registers that keep what is written
        self._points: dict[int, tuple[int, str, Source]] = {}  # first address -> registers, struct's code, source
        self._functions: dict[int, set[int]] = {}  # address -> functions that can read it
        self._writes = {write.addr: write for write in profile.writes}
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
        if function in WRITE_FUNCTIONS:
            code = self._obey(frame)
            if code:
                return refusal(self.address, function, code)
            return frame if function == 6 else sealed(frame[:6])  # FC6: the echo is the whole request
        return refusal(self.address, function, 1)

    # ---- reading

    def _first_read(self, frame: bytes) -> bytes | None:
        function, start, count = frame[1], int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")
        if len(frame) != 8:
            return None
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
        """Applies FC6 or FC16; 0 or the exception code. Nothing is applied when any register is refused."""
        function, start = frame[1], int.from_bytes(frame[2:4], "big")
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
        if len(registers) != 2 * REGISTERS[write.type]:
            return 2
        if write.word_order == "little":
            registers = _turned(registers)
        raw = struct.unpack(">" + _STRUCT[write.type], registers)[0]
        value = raw * write.sign * write.factor.numerator / write.factor.denominator
        if not write.min <= value <= write.max:
            return 3
        act = self.face.writes.get(write.name)
        if act is not None:
            act(value)
        for index in range(len(registers) // 2):
            self._memory[write.addr + index] = int.from_bytes(registers[2 * index : 2 * index + 2], "big")
        return 0

    def _store(self, start: int, registers: bytes) -> int:
        """Commands and the comm-loss timer: single registers that keep their value."""
        values = struct.unpack(f">{len(registers) // 2}H", registers)
        if any(start + index not in self._memory for index in range(len(values))):
            return 2
        watchdog = self.profile.watchdog
        for addr, value in enumerate(values, start):
            self._memory[addr] = value
            if watchdog is not None and addr == watchdog.addr and self.face.set_watchdog_s is not None:
                self.face.set_watchdog_s(float(value * watchdog.seconds_per_count))
            for command in self.profile.commands:
                act = self.face.commands.get(command.name)
                if act is not None and command.writes and command.writes[-1] == (addr, value):
                    act()
        return 0

    # ---- the register map, from the profile

    def _layout(self) -> None:
        profile, functions = self.profile, self._functions
        for block in profile.blocks:
            for addr in range(block.start, block.start + block.count):
                functions.setdefault(addr, set()).add(block.fc)
            for point in block.points:
                self._points[point.addr] = (REGISTERS[point.type], *self._source(point))
        for write in profile.writes:
            for addr in range(write.addr, write.addr + REGISTERS[write.type]):
                self._memory[addr] = 0
            verify = write.verify
            if verify is not None:
                for addr in range(verify.addr, verify.addr + REGISTERS[write.type]):
                    functions.setdefault(addr, set()).add(verify.fc)
                    self._memory.setdefault(addr, 0)
        for command in profile.commands:
            for addr, _ in command.writes:
                self._memory[addr] = 0
        if profile.watchdog is not None:
            seconds = self.face.watchdog_s() if self.face.watchdog_s is not None else 0.0
            self._memory[profile.watchdog.addr] = round(seconds / float(profile.watchdog.seconds_per_count))
        if profile.identify is not None:
            said = _identity(profile.identify)
            for index, addr in enumerate(range(profile.identify.addr, profile.identify.addr + profile.identify.count)):
                functions.setdefault(addr, set()).add(profile.identify.fc)
                self._points.setdefault(addr, (1, "2s", _constant(said[2 * index : 2 * index + 2])))
        for addr in self._memory:
            functions.setdefault(addr, set()).add(3)  # holding registers can be read

    def _source(self, point: Point) -> tuple[str, Source]:
        """struct's code of a point and what is packed by it."""
        size = REGISTERS[point.type]
        if point.type in ("bits", "value"):
            return "H", self._flag_source(point)
        value = self.face.values.get(point.role)
        if value is None or not size:
            return f"{2 * max(size, 1)}s", _constant(bytes(2 * max(size, 1)))
        code, source = _STRUCT[point.type], _number_source(point, value)
        if point.word_order == "little" and size > 1:
            pack = struct.Struct(">" + code).pack
            return f"{2 * size}s", lambda: _turned(pack(source()))
        return code, source

    def _flag_source(self, point: Point) -> Source:
        flags, details, bits = self.face.flags, self.face.details, self._bits
        known: dict[tuple[frozenset[str], frozenset[str]], int] = {}
        encode = _bits_raw if point.type == "bits" else _value_raw

        def raw() -> int:
            key = (flags(), details())
            found = known.get(key)
            if found is None:
                mask = sum(bits[name] for name in key[0])
                found = known[key] = encode(point, mask, key[1])
            return found

        return raw


def _identity(identify: Identify) -> bytes:
    """The registers of a right device, from the profile's example."""
    if identify.type == "str":
        return identify.example.encode("ascii").ljust(2 * identify.count, b"\0")
    return int(identify.example, 16).to_bytes(2 * identify.count, "big")


def _constant(raw: bytes) -> Source:
    return lambda: raw


def _turned(registers: bytes) -> bytes:
    """Word order reversed; the octets of a word stay."""
    return b"".join([registers[at : at + 2] for at in range(len(registers) - 2, -1, -2)])


def _bits_raw(point: Point, mask: int, details: frozenset[str]) -> int:
    """The bits named by a detail; for each flag that is set, the lowest bit that stands for it."""
    raw, done = 0, 0
    for bit, name in point.names:
        raw |= (name in details) << bit
    for bit, flag in point.flags:
        if flag & mask and not flag & done:
            raw |= 1 << bit
            done |= flag
    return raw


def _value_raw(point: Point, mask: int, details: frozenset[str]) -> int:
    """The first value whose flags are set, else one named by a detail, else the smallest number without flags."""
    for raw, flag in point.flags:
        if flag & mask:
            return raw
    for raw, name in point.names:
        if name in details:
            return raw
    taken = {raw for raw, _ in point.flags}
    return next(raw for raw in range(len(taken) + 1) if raw not in taken)


def _number_source(point: Point, value: Value) -> Source:
    gain, offset = float(point.sign / point.factor), point.offset
    constant = 0.0 if callable(value) else value
    read: Callable[[], float] = value if callable(value) else lambda: constant
    if point.type == "f32":
        return lambda: (read() - offset) * gain
    bits = 16 * REGISTERS[point.type]
    low, high = (0, (1 << bits) - 1) if point.type[0] == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)

    def raw() -> int:
        number = round((read() - offset) * gain)
        return number if low <= number <= high else low if number < low else high

    return raw
