"""What the bus knows of one device: what to read when, what to write, whether it answers. State only; no I/O.

Times are loop times in seconds (monotonic, also in virtual time); ages and stamps are the clock's milliseconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge.config import options
from edge.field.encode import Encoded, encode, raw_reader
from edge.field.line.rtu import Expect, read_request
from edge.field.line.timing import NEVER_S
from edge.field.profile import REGISTERS, Command, Constant, Profile, Verify, Watchdog, Write
from edge.field.quality import DeviceWatch
from edge.field.schedule.poll import FOREVER_S, Part, Poll, groups, polls_of
from edge.field.schedule.probes import answer_shape, probes_of
from edge.field.upkeep import (
    BEATS_MISSED_MAX,
    CONSTANT_PERIOD_S,
    CONSTANT_PRIORITY,
    Beat,
    Identity,
    Unchanged,
    changed_text,
    constant_runs,
    is_armed,
    rearm_s,
    signed,
    word_reader,
)
from edge.model import DeviceHealth, Outcome, Quality, Reading
from edge.roles import FLAGS

OK = Outcome.OK  # looked up once: a member of an enum is not cheap before Python 3.12
LOST_COUNT = 3  # failures in a row after which a device may be another, or restarted: it is identified and armed again
WRITE_FAILED_COUNT = 3  # read-backs in a row that differ
COMMAND_INTERVAL_S = 1.0
WRITE_RETRY_MS = 1_000
REPEATS_PER_WATCHDOG = 4  # planned, so that three are sure
GUARD_RETRY_S = 2.0
VERIFY_S, VERIFY_PRIORITY = 1.0, 2  # a read-back that no block contains is read for itself
IDENTITY_RETRY_S = 5.0  # a wrong device is asked again this often: somebody may have put the right one back
# How long a device that does not answer is left alone, at most: what control needs must come back quickly.
BACKOFF_MAX_S = {"poc": 1.0, "pcs": 1.0, "bms": 1.0, "io": 1.0, "load": 5.0, "pv": 10.0}
# Before the kernel stops the plant for it (5 s) it is tried oftener; one that never was there nobody waits for.
QUICK_S, QUICK_BACKOFF_MAX_S, UNSEEN_BACKOFF_MIN_S = 5.0, 0.5, 2.0
# Every try at a lost device costs the others the time it is waited for: mostly no longer than it ever needed.
PATIENCE_MIN_S, PATIENCE_FACTOR, PATIENCE_FULL_EVERY = 0.02, 2, 4


@dataclass(slots=True)
class WriteBox:
    """A mailbox of size one: the newest value wins; what was sent is read back."""

    device: "BusDevice"
    write: Write
    repeat_ms: int  # an old value goes out again
    value: int | None = None  # canonical, as asked for
    wanted: Encoded | None = None
    sent_raw: int | None = None  # echoed; None: to be sent again
    tried_raw: int | None = None  # put on the wire, echoed or not: what a read-back must show
    sent_s: float = NEVER_S
    differ_count: int = 0
    missed_count: int = 0  # attempts in a row that were not echoed

    @property
    def safe(self) -> Encoded:
        return encode(self.write, self.write.safe)

    def _wait_ms(self) -> int:
        """From one attempt to the next. Who ignores writes must still be read between them."""
        if self.wanted is not None and self.wanted.raw == self.sent_raw:
            return self.repeat_ms
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
            return FOREVER_S
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

    def __init__(self, settings: options.Device, profile: Profile, cycle_ms: int = 0, hole_max_count: int = 0) -> None:
        """Nothing is read more often than the cycle can use it; `hole_max_count` registers may lie between joined blocks."""
        self.name = settings.name
        self.settings = settings
        self.profile = profile
        self._timeout_s = self.timeout_s = profile.link.timeout_ms / 1000  # the second: of the next request
        self._late_s = max(profile.link.timeout_ms, profile.link.latency_max_ms) / 1000  # what is late has come by then
        self.lag_ms = profile.link.averaging_ms // 2  # a mean is of the middle of its time: that is when it was taken
        runs = constant_runs(profile.constants, profile.link)
        self.identity = Identity(settings.address, profile.identify, runs)
        self.watch = DeviceWatch(profile)
        self._watches = {watch.block.name: watch for watch in self.watch.blocks}
        self.ratios: dict[str, int] | None = {} if any(p.times for b in profile.blocks for p in b.points) else None
        self.polls = [
            polls_of(self, group, self._watches, max(group[0].period_ms, cycle_ms) / 1000)
            for group in groups(profile.blocks, profile.link, hole_max_count, cycle_ms)
        ]
        self.commands = {command.name: command for command in profile.commands}
        self.boxes = {write.name: WriteBox(self, write, self._repeat_ms(write)) for write in profile.writes}
        for box in self.boxes.values():
            self._attach(box, box.write.verify)
        self._watch_constants(profile.constants)
        self.beat = Beat(self, profile.heartbeat) if profile.heartbeat else None
        self.command = ""  # the newest asked for and not yet sent
        self.command_sent_s: dict[str, float] = {}
        self.answered = False  # and is the one the profile is about
        self.armed = profile.watchdog is None and (self.beat is not None or settings.use not in ("pcs", "bms"))
        self.guard_due_s = 0.0 if profile.watchdog else FOREVER_S
        self.suspect = False  # it failed, and what it says next may be the late answer to an older question
        self.probes = probes_of(
            settings.address, profile, {answer_shape(3, run[-1].addr - run[0].addr + 1) for run in runs}, self.polls
        )
        self.quiet_until_s = 0.0
        self.failed_count = 0
        self._failed_since_s = NEVER_S
        self.sent_count = 0
        self.outcome_counts = [0] * len(Outcome)
        self.latency_us = self._latency_max_us = 0
        self.exception_code = 0

    def _attach(self, box: WriteBox, verify: Verify | None) -> None:
        """Finds the block that reads the value back anyway, or adds a read of its own."""
        if verify is None:
            return
        count = box.write.count
        for poll in self.polls:
            fc, start, size = poll.shape
            if fc == verify.fc and start <= verify.addr <= start + size - count:
                poll.checks.append((box, raw_reader(box.write, verify.addr - start)))
                return
        expect = Expect(read_request(self.settings.address, verify.fc, verify.addr, count))
        poll = Poll(self, f"verify {box.write.name}", expect, VERIFY_S, VERIFY_PRIORITY)
        poll.checks.append((box, raw_reader(box.write, 0)))
        self.polls.append(poll)

    def split(self, poll: Poll) -> None:
        """It refuses to be read across blocks: from now on they are read one by one."""
        singles = [polls_of(self, (part.block,), self._watches, poll.period_s) for part in poll.parts]
        at = self.polls.index(poll)
        self.polls[at : at + 1] = singles
        for check, _ in poll.checks:
            if isinstance(check, Unchanged):
                self._watch_constants([check.constant])
            else:
                self._attach(check, check.write.verify)

    def _watch_constants(self, constants: Sequence[Constant]) -> None:
        """Each in the read that brings it anyway; the others slowly, in reads of their own."""
        alone = []
        for constant in constants:
            for poll in self.polls:
                fc, start, count = poll.shape
                if fc == 3 and start <= constant.addr < start + count:
                    poll.checks.append((Unchanged(self, constant), word_reader(2 * (constant.addr - start))))
                    break
            else:
                alone.append(constant)
        for run in constant_runs(alone, self.profile.link):
            start, count = run[0].addr, run[-1].addr - run[0].addr + 1
            expect = Expect(read_request(self.settings.address, 3, start, count))
            poll = Poll(self, f"constants {start}", expect, CONSTANT_PERIOD_S, CONSTANT_PRIORITY)
            poll.checks += [(Unchanged(self, one), word_reader(2 * (one.addr - start))) for one in run]
            self.polls.append(poll)

    @property
    def guarded(self) -> bool:
        """Would it stop by itself if we went? Its timer was read back, and it takes our heartbeat where it has one."""
        return self.armed and (self.beat is None or self.beat.alive)

    def _parts(self) -> Iterator[tuple[Poll, Part]]:
        for poll in self.polls:
            for part in poll.parts:
                yield poll, part

    def ask_command(self, name: str, now_s: float) -> None:
        """While it is asked for and has not come about, what should show it is read more often than its period.

        Such a read goes out only when nothing is due: no other age grows by more than it takes.
        """
        self.command = name
        command = self.commands.get(name)
        if command is None or not command.until:
            return
        mask, wanted = self._flag(command.until)
        for poll, part in self._parts():
            shows = any(flag & mask for point in part.block.points for _, flag in point.flags)
            if shows and (part.flags is None or bool(part.flags & mask) != wanted):
                poll.hope(now_s)

    def _flag(self, word: str) -> tuple[int, bool]:
        """Its mask, and whether it must be set."""
        return FLAGS[self.profile.kind][word.removeprefix("!")], not word.startswith("!")

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

    def arming(self) -> list[tuple[int, int, tuple[int, ...], int]]:
        """(function, address, registers, as one number) of each write that arms the comm-loss timer, the timer last."""
        found = self.watchdog()
        if found is None:
            return []
        watchdog, value = found
        wide = (0,) * (REGISTERS[watchdog.type] - 1)
        first = [(16, addr, registers, signed(registers)) for addr, registers in watchdog.first]
        return [*first, (watchdog.fc, watchdog.addr, (*wide, value), value)]

    @property
    def acceptance(self) -> str:
        """The words of the site file that stand for a watchdog, while there is none. Nobody can say them remotely."""
        return "" if self.guarded else self.settings.without_watchdog

    @property
    def watchdog_ms(self) -> int | None:
        """How long the device's patience with a silent controller lasts; None: it has none that is known."""
        found = self.watchdog()
        return None if found is None else int(1000 * found[1] * found[0].seconds_per_count)

    def _repeat_ms(self, write: Write) -> int:
        """As the profile says; the setpoint oftener when the device's patience is short: see the budget."""
        if self.watchdog_ms is None or write.name != "power_set":
            return write.max_interval_ms
        return min(write.max_interval_ms, self.watchdog_ms // REPEATS_PER_WATCHDOG)

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
        mask, wanted = self._flag(word)
        known = [part.flags for _, part in self._parts() if part.flag_indices]
        if None in known:
            return True
        return any(flags & mask for flags in known if flags is not None) == wanted

    def note_reading(self, part: Part, reading: Reading) -> Reading:
        """The reading as it may be believed, and passed on."""
        reading = part.watch.note(reading)
        self.watch.note(reading)
        if part.flag_indices:
            flags: int | None = 0
            for index in part.flag_indices:
                value = reading.values[index]
                flags = None if flags is None or value is None else flags | value
            part.flags = flags
        return reading

    def note_ok(self, latency_us: int) -> None:
        self.answered = self.identity.proven
        self.latency_us = latency_us
        self._latency_max_us = max(self._latency_max_us, latency_us)
        self.outcome_counts[OK] += 1
        if not self.suspect:
            self.failed_count = 0

    def note_probe(self, answer: bytes | int | Outcome, now_s: float) -> None:
        """A device answers in order: behind the answer to a probe no older answer can follow, so reads count again."""
        if isinstance(answer, bytes):
            self.suspect, self.failed_count, self.timeout_s = False, 0, self._timeout_s
        elif isinstance(answer, int) and not isinstance(
            answer, Outcome
        ):  # it reads its blocks only whole: wait instead
            self.suspect, self.failed_count, self.timeout_s = False, 0, self._timeout_s
            self.quiet_until_s = now_s + BACKOFF_MAX_S[self.settings.use]

    def note_stray(self, now_s: float) -> None:
        """It speaks unasked: a late answer. Nothing is sent to it until it has been silent for a while."""
        self.quiet_until_s = max(self.quiet_until_s, now_s + self._late_s)

    def note_refusal(self, code: int) -> None:
        """It is there and says no: nothing to wait for."""
        self.exception_code = code
        self.outcome_counts[Outcome.EXCEPTION] += 1

    def note_failure(self, outcome: Outcome, now_s: float) -> None:
        """Counts it; a device that did not answer rightly is left alone until a late reply must have passed."""
        self.outcome_counts[outcome] += 1
        if outcome is Outcome.GATE:
            return
        self.failed_count += 1
        self.suspect = True
        if self.failed_count == 1:
            self._failed_since_s = now_s
        backoff_s = self._late_s * 2 ** min(self.failed_count - 1, 6)
        self.quiet_until_s = now_s + max(self._late_s, min(backoff_s, self._backoff_max_s(now_s)))
        self.timeout_s = self._patience_s()
        if self.failed_count >= LOST_COUNT:
            self.identity.forget()
            self._disarm()

    def _backoff_max_s(self, now_s: float) -> float:
        usual_s = BACKOFF_MAX_S[self.settings.use]
        if not self._latency_max_us:
            return max(usual_s, UNSEEN_BACKOFF_MIN_S)
        return min(usual_s, QUICK_BACKOFF_MAX_S) if now_s - self._failed_since_s < QUICK_S else usual_s

    def _patience_s(self) -> float:
        """How long the next answer is waited for. An answer that comes later is late, as any other."""
        usual_s = PATIENCE_FACTOR * self._latency_max_us / 1_000_000
        if self.failed_count < LOST_COUNT or not usual_s or self.failed_count % PATIENCE_FULL_EVERY == 0:
            return self._timeout_s
        return min(self._timeout_s, max(PATIENCE_MIN_S, usual_s))

    def note_identity(self, answer: bytes | int | Outcome, now_s: float) -> bool:
        """True when it is the device of the profile; one that is not is left alone for a while."""
        if self.identity.note(answer):
            return True
        if not isinstance(answer, Outcome) and self.identity.step == 0:  # not the next question: a wrong answer
            self.quiet_until_s = now_s + IDENTITY_RETRY_S
            self._disarm()
        return False

    def note_changed(self, constant: Constant, raw: int, now_s: float) -> None:
        """What its values mean has changed: none counts, not even those of the read that shows it."""
        self.identity.refute(changed_text(constant, raw))
        self.quiet_until_s = now_s + IDENTITY_RETRY_S
        self._disarm()

    def note_guard(self, value: int, read: bytes | int | Outcome, now_s: float) -> None:
        """Is what was read back of the comm-loss timer what was written?"""
        assert self.profile.watchdog is not None
        self.armed = is_armed(self.profile.watchdog, value, read)
        if self.armed:
            self.guard_due_s = now_s + (rearm_s(self.profile.watchdog, value) or FOREVER_S)

    def _disarm(self) -> None:
        """Its comm-loss timer is not known any more."""
        if self.profile.watchdog is not None:
            self.armed = False
            self.guard_due_s = 0.0
        if self.beat is not None:
            self.beat.missed_count = BEATS_MISSED_MAX

    def health(self, port: str, now_mono_ms: int) -> DeviceHealth:
        quality, fault = self.watch.quality(now_mono_ms)
        if self.identity.fault:
            quality, fault = Quality.BAD, self.identity.kind_of_fault
        elif self.failed_count and quality is Quality.GOOD:
            quality, fault = Quality.HELD, f"no right answer {self.failed_count} times"
        return DeviceHealth(
            self.name, port, self.settings.address, self.sent_count, self.outcome_counts[Outcome.OK], self.failed_count,
            tuple(self.outcome_counts), self.latency_us, self.watch.age_ms(now_mono_ms), self.guarded,
            self.write_failed, self.identity.fault, quality, fault, self.exception_code, self.acceptance,
        )  # fmt: skip
