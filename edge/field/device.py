"""What the bus knows of one device: what to read when, what to write, whether it answers. State only; no I/O.

Times are loop times in seconds (monotonic, also in virtual time); ages and stamps are the clock's milliseconds.
"""

from collections.abc import Iterator, Sequence

from edge.config import options
from edge.config.option import UNTOLD
from edge.field.encode import raw_reader
from edge.field.line.rtu import Expect, read_request
from edge.field.profile import REGISTERS, Command, Constant, Profile, Verify, Watchdog, Write
from edge.field.quality import DeviceWatch
from edge.field.schedule.mailbox import WriteBox
from edge.field.schedule.poll import FOREVER_S, Part, Poll, groups, polls_of
from edge.field.schedule.probes import answer_shape, probes_of
from edge.field.schedule.trust import Trust
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
REPEATS_PER_WATCHDOG = 4  # planned, so that three are sure
VERIFY_S, VERIFY_PRIORITY = 1.0, 2  # a read-back that no block contains is read for itself
IDENTITY_RETRY_S = 5.0  # a wrong device is asked again this often: somebody may have put the right one back


class BusDevice:
    """One device on a bus."""

    def __init__(self, settings: options.Device, profile: Profile, cycle_ms: int = 0, hole_max_count: int = 0) -> None:
        """Nothing is read more often than the cycle can use it; `hole_max_count` registers may lie between joined blocks."""
        self.name = settings.name
        self.settings = settings
        self.profile = profile
        self.trust = Trust(profile.link, settings.use)
        self.averaging_ms = profile.link.averaging_ms if settings.averaging_ms == UNTOLD else settings.averaging_ms
        self.lag_ms = (self.averaging_ms or 0) // 2  # a mean is of the middle of its time: that is when it was taken
        runs = constant_runs(profile.constants, profile.link)
        self.identity = Identity(settings.address, profile.identify, runs)
        self.watch = DeviceWatch(profile, self.averaging_ms or 0)
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
        self.probes = probes_of(
            settings.address, profile, {answer_shape(3, run[-1].addr - run[0].addr + 1) for run in runs}, self.polls
        )
        self.sent_count = 0
        self.outcome_counts = [0] * len(Outcome)
        self.latency_us = 0
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
        return any(box.failed for box in self.boxes.values())

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
        return self.boxes[write].want(value)

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
        self.outcome_counts[OK] += 1
        self.trust.note_ok(latency_us)

    def note_refusal(self, code: int) -> None:
        """It is there and says no: nothing to wait for."""
        self.exception_code = code
        self.outcome_counts[Outcome.EXCEPTION] += 1

    def note_failure(self, outcome: Outcome, now_s: float) -> None:
        """No right answer, or none was asked for: the gate said no."""
        self.outcome_counts[outcome] += 1
        if outcome is not Outcome.GATE and self.trust.note_failure(now_s):
            self.identity.forget()
            self._disarm()

    def note_identity(self, answer: bytes | int | Outcome, now_s: float) -> bool:
        """True when it is the device of the profile; one that is not is left alone for a while."""
        if self.identity.note(answer):
            return True
        if not isinstance(answer, Outcome) and self.identity.step == 0:  # not the next question: a wrong answer
            self.trust.leave_alone(now_s, IDENTITY_RETRY_S)
            self._disarm()
        return False

    def note_changed(self, constant: Constant, raw: int, now_s: float) -> None:
        """What its values mean has changed: none counts, not even those of the read that shows it."""
        self.identity.refute(changed_text(constant, raw))
        self.trust.leave_alone(now_s, IDENTITY_RETRY_S)
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
        elif self.trust.failed_count and quality is Quality.GOOD:
            quality, fault = Quality.HELD, f"no right answer {self.trust.failed_count} times"
        return DeviceHealth(
            self.name, port, self.settings.address, self.sent_count, self.outcome_counts[OK], self.trust.failed_count,
            tuple(self.outcome_counts), self.latency_us, self.watch.age_ms(now_mono_ms), self.guarded,
            self.write_failed, self.identity.fault, quality, fault, self.exception_code, self.acceptance,
        )  # fmt: skip
