"""A device model as data: what a profile TOML says, checked and frozen. `profiles/loader.py` reads the files.

Read forwards by the driver (decode, encode, bus) and backwards by the simulated devices, so the two cannot drift apart
in the facts; framing and CRC are written twice on purpose.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from edge.roles import Kind

PointType = Literal["u16", "s16", "u32", "s32", "u64", "s64", "f32", "bits", "value", "str"]
WriteType = Literal["bit", "u16", "s16", "u32", "s32", "f32"]
COILS = (1, 2)  # functions whose addresses are single bits: coils and discrete inputs

REGISTERS: dict[str, int] = {
    "u16": 1, "s16": 1, "bits": 1, "value": 1, "u32": 2, "s32": 2, "f32": 2, "u64": 4, "s64": 4, "str": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """How this model likes to be spoken to. Baud and parity are defaults; the site's port decides."""

    baud: int
    parity: str
    stopbits: int
    timeout_ms: int
    min_gap_ms: int  # silence before the next request to any device of the bus
    turnaround_ms: int  # typical time to answer, for the bus budget
    max_regs: int
    averaging_ms: int | None = None  # its values are means over this long: half of it is their age; None: nobody says
    latency_max_ms: int = 0  # the longest it was seen or said to take to answer; 0: not stated
    gaps_allowed: bool = True  # registers between those of the profile may be read through


@dataclass(frozen=True, slots=True)
class Point:
    """One quantity of a block. A numeric point has a role (or none: not used yet); a bits or value point has flags.

    canonical = sign * raw * factor + offset, where factor holds scale and the unit's conversion, and offset is already
    turned by the sign (the file says sign * (raw * scale + offset), which is how data sheets say it). In a block of bits
    (FC1, FC2) a point is of type bits, and its bit n is the input `addr` + n.
    """

    name: str
    role: str  # "" when the point only carries flags
    addr: int  # wire address
    type: PointType
    word_order: Literal["big", "little"]
    factor: Fraction  # canonical units per count
    offset: int  # in canonical units
    sign: Literal[1, -1]
    sentinels: tuple[int, ...]  # raw values that mean "not available"
    min: int | None  # canonical; outside is treated as missing
    max: int | None
    flags: tuple[tuple[int, int], ...]  # bits: (bit, flag mask); value: (raw value, flag mask)
    names: tuple[tuple[int, str], ...] = ()  # bits: (bit, what the vendor calls it); value: (raw value, name)
    step_max: int | None = None  # canonical; what it cannot change by from one reading to the next: see quality.py
    low: int = 0  # bits: mask of those that say their flag while they are 0 (a closed contact that opens)
    times: tuple[str, ...] = ()  # points of the device whose raw values multiply this one (transformer ratios)
    mask: int = 0xFFFF  # value: the bits of the register that are compared
    example: int = 0  # a raw value that such a device may show; the simulated one does where nothing else is known


@dataclass(frozen=True, slots=True)
class Block:
    """Registers (FC1, FC2: bits) read in one transaction. `mandatory`: indices of points that must not be missing."""

    name: str
    fc: Literal[1, 2, 3, 4]
    start: int
    count: int
    period_ms: int
    priority: int  # 2 safety, 3 control, 4 telemetry, 5 slow
    points: tuple[Point, ...]
    mandatory: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verify:
    """Where a write can be read back, from its first register (coil) on. `tol` in counts."""

    addr: int
    fc: Literal[1, 3, 4]
    delay_ms: int
    tol: int


@dataclass(frozen=True, slots=True)
class Direction:
    """The words of a register in front of an unsigned amount that say which way it goes."""

    charge: int
    discharge: int
    none: int  # with amount 0


@dataclass(frozen=True, slots=True)
class Write:
    """A value that may be written. Canonical range; encode rounds towards `safe`.

    `before` and `after`: constant registers around it in the same frame, such as an enable; `direction`: one more in front
    of the amount. The raw number is signed all the same: + discharge.
    """

    name: str  # a key of roles.WRITES[kind]
    addr: int  # of the first register of the frame
    fc: Literal[5, 6, 15, 16]
    type: WriteType
    word_order: Literal["big", "little"]
    factor: Fraction  # canonical units per count
    sign: Literal[1, -1]
    min: int
    max: int
    safe: int
    min_interval_ms: int
    max_interval_ms: int  # rewritten at the latest after this (the heartbeat of many devices)
    verify: Verify | None
    before: tuple[int, ...] = ()
    direction: Direction | None = None
    flash: bool = False  # its register lies in flash memory that wears out: written seldom
    after: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """Registers of the frame; of a coil: coils."""
        amount_count = 1 if self.type == "bit" else REGISTERS[self.type]
        return len(self.before) + (self.direction is not None) + amount_count + len(self.after)


@dataclass(frozen=True, slots=True)
class Command:
    """A register sequence by name, e.g. start; sent only while `unless` (a flag of the device) is not yet set."""

    name: str
    writes: tuple[tuple[int, int], ...]  # (address, raw value), one register or coil each
    unless: str  # flag name that says "already there"; "" when none
    until: str  # flag name prefixed with "!" when it must be clear; what success looks like; "" when not seen
    fc: Literal[5, 6, 16] = 6


@dataclass(frozen=True, slots=True)
class Watchdog:
    """The device's own comm-loss timer: a register in seconds, written and read back before RUN is allowed.

    One that counts down by itself is written again every `rewrite_ms`. `first` is what the device does when its time is
    over, written and read back ahead of it: (address, registers) each.
    """

    addr: int
    fc: Literal[6, 16]
    value: int  # as written, counts of `seconds_per_count`
    seconds_per_count: Fraction
    on_loss: str  # what the source says happens; "unknown" is an honest word
    rewrite_ms: int = 0  # 0: written once
    type: Literal["u16", "u32"] = "u16"
    first: tuple[tuple[int, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A counter of the device that the controller must keep counting; what the device does without it is its own affair."""

    addr: int
    fc: Literal[6, 16]
    type: Literal["u16", "u32"]
    period_ms: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A holding register on which the meaning of others rests, such as a scale factor: while it differs, none counts."""

    name: str
    addr: int
    value: int  # raw


@dataclass(frozen=True, slots=True)
class Identify:
    """Optional proof that the right device answers at this address: until it is given, nothing is believed or written."""

    addr: int
    fc: Literal[3, 4]
    count: int
    type: Literal["str", "u16", "u32"]  # text, or a number that is read as 0x....
    match: str  # regular expression on the decoded text, anywhere in it
    example: str  # what a right one says; the simulated device says it


@dataclass(frozen=True, slots=True)
class Profile:
    """One device model."""

    id: str
    vendor: str
    model: str
    kind: Kind
    version: str
    source: str
    verified: bool
    link: Link
    blocks: tuple[Block, ...]
    writes: tuple[Write, ...]
    commands: tuple[Command, ...]
    watchdog: Watchdog | None
    identify: Identify | None
    notes: tuple[str, ...] = ()  # what its source leaves open and whoever commissions it must know
    heartbeat: Heartbeat | None = None
    constants: tuple[Constant, ...] = ()
