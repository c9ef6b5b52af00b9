"""What the bus knows of one device: what to read when, what to write, whether it answers. State only; no I/O.

Times are loop times in seconds (monotonic, also in virtual time); ages and stamps are the clock's milliseconds.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle

from edge.config import options
from edge.field.decode import BlockDecoder, identity_text
from edge.field.encode import Encoded, encode, raw_reader
from edge.field.line.rtu import Expect, read_request
from edge.field.profile import REGISTERS, Command, Identify, Profile, Verify, Watchdog, Write
from edge.model import DeviceHealth, Outcome, Reading
from edge.roles import FLAGS

NEVER_S = -1e9
OK = Outcome.OK  # looked up once: a member of an enum is not cheap before Python 3.12
LOST_COUNT = 3  # failures in a row after which a device may be another, or restarted: it is identified and armed again
WRITE_FAILED_COUNT = 3  # read-backs in a row that differ
COMMAND_INTERVAL_S = 1.0
WRITE_RETRY_MS = 1_000
GUARD_RETRY_S = 2.0
IDENTITY_RETRY_S = 5.0  # a wrong device is asked again this often: somebody may have put the right one back
AWAIT_S = (
    0.15  # between two looks at a flag that a command should change: a precharge is over when it is, not at a poll
)
# How long a device that does not answer is left alone, at most: what control needs must come back quickly.
BACKOFF_MAX_S = {"poc": 1.0, "pcs": 1.0, "bms": 1.0, "load": 5.0, "pv": 10.0}


@dataclass(slots=True)
class Poll:
    """One block, read again and again. `checks` are the writes whose read-back is inside it, and how to read it."""

    device: "BusDevice"
    name: str
    expect: Expect
    decoder: BlockDecoder | None  # None: read only to check a write
    period_s: float
    priority: int
    due_s: float = 0.0
    sent_s: float = NEVER_S
    checks: "list[tuple[WriteBox, Callable[[bytes], float]]]" = field(default_factory=list)
    flag_indices: tuple[int, ...] = ()
    flags: int | None = None  # of its flag points, as last read; None: not known


class Identity:
    """Who answers, by its own registers. Until it is proven nothing else is read, believed or written.

    A profile without [identify] is proven from the start.
    """

    __slots__ = ("_wanted", "expect", "fault", "proven")

    def __init__(self, address: int, wanted: Identify | None) -> None:
        self._wanted = wanted
        self.expect = Expect(read_request(address, wanted.fc, wanted.addr, wanted.count)) if wanted else None
        self.proven = wanted is None
        self.fault = ""  # in words, once it has answered and is not the one

    def forget(self) -> None:
        """The device was away: another one may be in its place."""
        self.proven, self.fault = self._wanted is None, ""

    def note(self, answer: bytes | int | Outcome) -> bool:
        """What was read from its registers. No answer leaves it open; a refusal to say is not the right answer."""
        if self._wanted is None or isinstance(answer, Outcome):
            return self.proven
        if isinstance(answer, bytes):
            said = identity_text(self._wanted, answer)
            self.proven = re.search(self._wanted.match, said) is not None
            said = repr(said)
        else:
            said, self.proven = f"nothing (exception {answer})", False
        self.fault = "" if self.proven else f"identifies as {said}, profile wants {self._wanted.match}"
        return self.proven


@dataclass(slots=True)
class WriteBox:
    """A mailbox of size one: the newest value wins; what was sent is read back."""

    device: "BusDevice"
    write: Write
    value: int | None = None  # canonical, as asked for
    wanted: Encoded | None = None
    sent_raw: int | None = None  # echoed; None: to be sent again
    tried_raw: int | None = None  # put on the wire, echoed or not: what a read-back must show
    sent_s: float = NEVER_S
    differ_count: int = 0
    missed_count: int = 0  # attempts in a row that were not echoed

    def _wait_ms(self) -> int:
        """From one attempt to the next. Who ignores writes must still be read between them."""
        if self.wanted is not None and self.wanted.raw == self.sent_raw:
            return self.write.max_interval_ms
        return self.write.min_interval_ms if self.missed_count < 2 else max(self.write.min_interval_ms, WRITE_RETRY_MS)

    def urgency(self, now_s: float) -> int | None:
        """0: a new value is due, 1: the old one must be repeated, None: nothing to send now."""
        if self.wanted is None or not self.device.identity.proven:
            return None
        if (now_s - self.sent_s) * 1000 < self._wait_ms():
            return None
        return 0 if self.wanted.raw != self.sent_raw else 1

    def next_due_s(self) -> float:
        """When `urgency` may become a number without a new value."""
        if self.wanted is None or not self.device.identity.proven:
            return float("inf")
        return self.sent_s + self._wait_ms() / 1000

    def note_sent(self, encoded: Encoded, answer: "bytes | int | Outcome", now_s: float) -> bool:
        """What became of one attempt. True when it was echoed; the read-back is judged in either case."""
        self.sent_s = now_s
        echoed = isinstance(answer, bytes)
        self.sent_raw = encoded.raw if echoed else None
        if answer in (Outcome.GATE, Outcome.PORT):
            return False  # it never left
        self.tried_raw = encoded.raw
        self.missed_count = 0 if echoed else self.missed_count + 1
        if self.write.verify is None:  # the echo is all there is to judge by
            self.differ_count = 0 if echoed else self.differ_count + 1
        return echoed

    def note_read_back(self, raw: float, read_s: float) -> None:
        """Compares what the device says now with what it was sent, once it has had time to take it."""
        verify = self.write.verify
        if verify is None or self.tried_raw is None or (read_s - self.sent_s) * 1000 < verify.delay_ms:
            return
        if abs(raw - self.tried_raw) <= verify.tol:
            self.differ_count = 0
        else:
            self.differ_count += 1
            self.sent_raw = self.tried_raw = None  # send it again, and judge only that


class BusDevice:
    """One device on a bus."""

    def __init__(self, settings: options.Device, profile: Profile, cycle_ms: int = 0) -> None:
        """Nothing is read more often than the cycle can use it."""
        self.name = settings.name
        self.settings = settings
        self.profile = profile
        self.timeout_s = profile.link.timeout_ms / 1000
        self.identity = Identity(settings.address, profile.identify)
        self.polls = [
            Poll(
                self,
                block.name,
                Expect(read_request(settings.address, block.fc, block.start, block.count)),
                BlockDecoder(block, settings.name),
                max(block.period_ms, cycle_ms) / 1000,
                block.priority,
                flag_indices=tuple(i for i, point in enumerate(block.points) if point.flags),
            )
            for block in profile.blocks
        ]
        self.commands = {command.name: command for command in profile.commands}
        self._awaited = {name: self._showing(command) for name, command in self.commands.items()}
        self.boxes = {write.name: WriteBox(self, write) for write in profile.writes}
        for box in self.boxes.values():
            self._attach(box, box.write.verify)
        self.command = ""  # the newest asked for and not yet sent
        self.command_sent_s: dict[str, float] = {}
        self.answered = False  # and is the one the profile is about
        self.guarded = profile.watchdog is None and settings.use not in ("pcs", "bms")
        self.guard_due_s = 0.0
        self.suspect = False  # it failed, and what it says next may be the late answer to an older question
        self.probes = _probes(settings.address, profile)
        self.quiet_until_s = 0.0
        self.failed_count = 0
        self.sent_count = 0
        self.outcome_counts = [0] * len(Outcome)
        self.latency_us = 0
        self.complete_mono_ms: int | None = None

    def _attach(self, box: WriteBox, verify: Verify | None) -> None:
        """Finds the block that reads the value back anyway, or adds a read of its own."""
        if verify is None:
            return
        count = REGISTERS[box.write.type]
        for poll, block in zip(self.polls, self.profile.blocks, strict=False):
            if block.fc == verify.fc and block.start <= verify.addr <= block.start + block.count - count:
                poll.checks.append((box, raw_reader(box.write, 2 * (verify.addr - block.start))))
                return
        expect = Expect(read_request(self.settings.address, verify.fc, verify.addr, count))
        self.polls.append(
            Poll(self, f"verify {box.write.name}", expect, None, 1.0, 2, checks=[(box, raw_reader(box.write, 0))])
        )

    def _showing(self, command: Command) -> tuple[tuple[Poll, int, bool], ...]:
        """(block, flag, whether it must be set): what shows that the command has come about."""
        mask = FLAGS[self.profile.kind].get(command.until.removeprefix("!"), 0)
        return tuple(
            (poll, mask, not command.until.startswith("!"))
            for poll, block in zip(self.polls, self.profile.blocks, strict=False)
            if any(flag & mask for point in block.points for _, flag in point.flags)
        )

    def ask_command(self, name: str, now_s: float) -> None:
        """While it is asked for and has not come about, what should show it is read more often than its period.

        Such a read is due but never late, so it goes out only when nothing of its priority waits: no other age grows.
        """
        self.command = name
        for poll, mask, wanted in self._awaited.get(name, ()):
            if poll.flags is None or bool(poll.flags & mask) != wanted:
                poll.due_s = min(poll.due_s, max(poll.sent_s + AWAIT_S, now_s))

    @property
    def write_failed(self) -> bool:
        return bool(self.boxes) and any(box.differ_count >= WRITE_FAILED_COUNT for box in self.boxes.values())

    def watchdog(self) -> tuple[Watchdog, int] | None:
        """The device's comm-loss timer and the counts to write: the site may shorten it, never lengthen it."""
        found = self.profile.watchdog
        if found is None:
            return None
        if not self.settings.watchdog_s:
            return found, found.value
        return found, max(1, min(found.value, int(self.settings.watchdog_s / found.seconds_per_count)))

    def set_value(self, write: str, value: int) -> bool:
        """Puts the newest value into the mailbox. False: it is there already. Raises KeyError for an unknown write."""
        box = self.boxes[write]
        if value == box.value:
            return False
        box.value, box.wanted = value, encode(box.write, value)
        return True

    def already_there(self, command: Command) -> bool:
        """Is its `unless` flag what it would bring about? Also while that is not known: such a command may do harm."""
        word = command.unless
        if not word:
            return False
        mask, wanted = FLAGS[self.profile.kind][word.removeprefix("!")], not word.startswith("!")
        known = [poll.flags for poll in self.polls if poll.flag_indices]
        if None in known:
            return True
        return any(flags & mask for flags in known if flags is not None) == wanted

    def note_reading(self, poll: Poll, reading: Reading) -> None:
        if reading.complete:
            self.complete_mono_ms = reading.taken_mono_ms
        if poll.flag_indices:
            flags: int | None = 0
            for index in poll.flag_indices:
                value = reading.values[index]
                flags = None if flags is None or value is None else flags | value
            poll.flags = flags

    def note_ok(self, latency_us: int) -> None:
        self.answered = self.identity.proven
        self.latency_us = latency_us
        self.outcome_counts[OK] += 1
        if not self.suspect:
            self.failed_count = 0

    def note_probe(self, answer: bytes | int | Outcome, now_s: float) -> None:
        """A device answers in order: behind the answer to a probe no older answer can follow, so reads count again."""
        if isinstance(answer, bytes):
            self.suspect, self.failed_count = False, 0
        elif isinstance(answer, int) and not isinstance(
            answer, Outcome
        ):  # it reads its blocks only whole: wait instead
            self.suspect, self.failed_count = False, 0
            self.quiet_until_s = now_s + BACKOFF_MAX_S[self.settings.use]

    def note_stray(self, now_s: float) -> None:
        """It speaks unasked: a late answer. Nothing is sent to it until it has been silent for a while."""
        self.quiet_until_s = max(self.quiet_until_s, now_s + self.profile.link.timeout_ms / 1000)

    def note_failure(self, outcome: Outcome, now_s: float) -> None:
        """Counts it; a device that did not answer rightly is left alone until a late reply must have passed."""
        self.outcome_counts[outcome] += 1
        if outcome in (Outcome.EXCEPTION, Outcome.GATE):
            return
        self.failed_count += 1
        self.suspect = True
        least_s = self.profile.link.timeout_ms / 1000
        backoff_s = least_s * 2 ** min(self.failed_count - 1, 6)
        self.quiet_until_s = now_s + max(least_s, min(backoff_s, BACKOFF_MAX_S[self.settings.use]))
        if self.failed_count >= LOST_COUNT:
            self.identity.forget()
            self._disarm()

    def note_identity(self, answer: bytes | int | Outcome, now_s: float) -> bool:
        """True when it is the device of the profile; one that is not is left alone for a while."""
        if self.identity.note(answer):
            return True
        if not isinstance(answer, Outcome):
            self.quiet_until_s = now_s + IDENTITY_RETRY_S
            self._disarm()
        return False

    def _disarm(self) -> None:
        """Its comm-loss timer is not known any more."""
        if self.profile.watchdog is not None:
            self.guarded = False
            self.guard_due_s = 0.0

    def health(self, port: str, now_mono_ms: int) -> DeviceHealth:
        age_ms = None if self.complete_mono_ms is None else now_mono_ms - self.complete_mono_ms
        return DeviceHealth(
            self.name, port, self.settings.address, self.sent_count, self.outcome_counts[Outcome.OK], self.failed_count,
            tuple(self.outcome_counts), self.latency_us, age_ms, self.guarded, self.write_failed, self.identity.fault,
        )  # fmt: skip


def _probes(address: int, profile: Profile) -> Iterator[Expect]:
    """Reads that no other read of this device looks like, in turn: parts of blocks, of lengths that nothing else has.

    Nothing in a frame says which registers it holds, so a late answer could pass for that of another block of the same
    length. After a failure one of these is asked first: only its own answer fits. They take turns, so that the late
    answer to one does not pass for the next. A device without such a length has to do with its shortest block.
    """
    used = {(block.fc, block.count) for block in profile.blocks}
    used |= {(write.verify.fc, REGISTERS[write.type]) for write in profile.writes if write.verify}
    used |= {(3, 1)} if profile.watchdog else set()
    blocks = sorted(profile.blocks, key=lambda block: block.count)
    found = {
        (block.fc, count): block for block in blocks for count in range(1, block.count) if (block.fc, count) not in used
    }
    if profile.identify:  # a late answer about identity must not pass for one either
        found.pop((profile.identify.fc, profile.identify.count), None)
    even = {shape: block for shape, block in found.items() if shape[1] % 2 == 0}
    if profile.identify and len(even) == 1:  # two at least, to take turns
        even = {}
    shapes = even or found or {(blocks[0].fc, blocks[0].count): blocks[0]}  # some refuse half of a 32-bit value
    return cycle([Expect(read_request(address, fc, block.start, count)) for (fc, count), block in shapes.items()])
