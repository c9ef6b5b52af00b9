"""What the bus knows of one device: what to read when, what to write, whether it answers. State only; no I/O.

Times are loop times in seconds (monotonic, also in virtual time); ages and stamps are the clock's milliseconds.
"""

from dataclasses import dataclass, field

from edge.config import options
from edge.field.decode import BlockDecoder
from edge.field.encode import Encoded, encode
from edge.field.profile import Profile, Verify, Watchdog, Write
from edge.field.rtu import Expect, read_request
from edge.model import DeviceHealth, Outcome

NEVER_S = -1e9
LOST_COUNT = 3  # failures in a row after which a device may have restarted: its watchdog is armed again
WRITE_FAILED_COUNT = 3  # read-backs in a row that differ
COMMAND_INTERVAL_S = 1.0
GUARD_RETRY_S = 2.0
# How long a device that does not answer is left alone, at most: what control needs must come back quickly.
BACKOFF_MAX_S = {"poc": 1.0, "pcs": 1.0, "bms": 1.0, "load": 5.0, "pv": 10.0}


@dataclass(slots=True)
class Poll:
    """One block, read again and again. `checks` are the writes whose read-back is inside it: (box, byte offset)."""

    device: "BusDevice"
    name: str
    expect: Expect
    decoder: BlockDecoder | None  # None: read only to check a write
    period_s: float
    priority: int
    due_s: float = 0.0
    checks: "list[tuple[WriteBox, int]]" = field(default_factory=list)


@dataclass(slots=True)
class WriteBox:
    """A mailbox of size one: the newest value wins; what was sent is read back."""

    device: "BusDevice"
    write: Write
    wanted: Encoded | None = None
    sent_raw: int | None = None
    sent_s: float = NEVER_S
    differ_count: int = 0

    def urgency(self, now_s: float) -> int | None:
        """0: a new value is due, 1: the old one must be repeated, None: nothing to send now."""
        if self.wanted is None:
            return None
        waited_ms = (now_s - self.sent_s) * 1000
        if self.wanted.raw != self.sent_raw:
            return 0 if waited_ms >= self.write.min_interval_ms else None
        return 1 if waited_ms >= self.write.max_interval_ms else None

    def next_due_s(self) -> float:
        """When `urgency` may become a number without a new value."""
        if self.wanted is None:
            return float("inf")
        wait_ms = self.write.min_interval_ms if self.wanted.raw != self.sent_raw else self.write.max_interval_ms
        return self.sent_s + wait_ms / 1000

    def note_read_back(self, raw: int, read_s: float) -> None:
        """Compares what the device says now with what it was sent, once it has had time to take it."""
        verify = self.write.verify
        if verify is None or self.sent_raw is None or (read_s - self.sent_s) * 1000 < verify.delay_ms:
            return
        if abs(raw - self.sent_raw) <= verify.tol:
            self.differ_count = 0
        else:
            self.differ_count += 1
            self.sent_raw = None  # send it again


class BusDevice:
    """One device on a bus."""

    def __init__(self, settings: options.Device, profile: Profile, cycle_ms: int = 0) -> None:
        """Nothing is read more often than the cycle can use it."""
        self.name = settings.name
        self.settings = settings
        self.profile = profile
        self.polls = [
            Poll(
                self,
                block.name,
                Expect(read_request(settings.address, block.fc, block.start, block.count)),
                BlockDecoder(block, settings.name),
                max(block.period_ms, cycle_ms) / 1000,
                block.priority,
            )
            for block in profile.blocks
        ]
        self.boxes = {write.name: WriteBox(self, write) for write in profile.writes}
        for box in self.boxes.values():
            self._attach(box, box.write.verify)
        self.command = ""  # the newest asked for and not yet sent
        self.command_sent_s: dict[str, float] = {}
        self.answered = False
        self.guarded = profile.watchdog is None and settings.use not in ("pcs", "bms")
        self.guard_due_s = 0.0
        self.suspect = False
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
        for poll, block in zip(self.polls, self.profile.blocks, strict=False):
            if block.fc == verify.fc and block.start <= verify.addr < block.start + block.count:
                poll.checks.append((box, 2 * (verify.addr - block.start)))
                return
        count = 1 if box.write.type in ("u16", "s16") else 2
        expect = Expect(read_request(self.settings.address, verify.fc, verify.addr, count))
        self.polls.append(Poll(self, f"verify {box.write.name}", expect, None, 1.0, 2, checks=[(box, 0)]))

    @property
    def write_failed(self) -> bool:
        return any(box.differ_count >= WRITE_FAILED_COUNT for box in self.boxes.values())

    def watchdog(self) -> tuple[Watchdog, int] | None:
        """The device's comm-loss timer and the counts to write: the site may shorten it, never lengthen it."""
        found = self.profile.watchdog
        if found is None:
            return None
        if not self.settings.watchdog_s:
            return found, found.value
        return found, max(1, min(found.value, int(self.settings.watchdog_s / found.seconds_per_count)))

    def set_value(self, write: str, value: int) -> None:
        """Puts the newest value into the mailbox. Raises KeyError for a write the profile does not have."""
        box = self.boxes[write]
        box.wanted = encode(box.write, value)

    def note_ok(self, latency_us: int) -> None:
        self.answered = True
        self.failed_count = 0
        self.latency_us = latency_us
        self.outcome_counts[Outcome.OK] += 1

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
        if self.failed_count >= LOST_COUNT and self.profile.watchdog is not None:
            self.guarded = False
            self.guard_due_s = 0.0

    def health(self, port: str, now_mono_ms: int) -> DeviceHealth:
        age_ms = None if self.complete_mono_ms is None else now_mono_ms - self.complete_mono_ms
        return DeviceHealth(
            self.name, port, self.settings.address, self.sent_count, self.outcome_counts[Outcome.OK], self.failed_count,
            tuple(self.outcome_counts), self.latency_us, age_ms, self.guarded, self.write_failed,
        )  # fmt: skip
