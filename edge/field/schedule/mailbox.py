"""One write of a device as the bus sees it: the newest value wanted, what was sent, what was read back. No I/O."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.field.encode import Encoded, encode
from edge.field.line.timing import NEVER_S
from edge.field.profile import Write
from edge.field.schedule.poll import FOREVER_S
from edge.model import Outcome

if TYPE_CHECKING:
    from edge.field.device import BusDevice

WRITE_RETRY_MS = 1_000
WRITE_FAILED_COUNT = 3  # read-backs in a row that differ


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

    @property
    def failed(self) -> bool:
        """Does the device hold something else than it was sent, again and again?"""
        return self.differ_count >= WRITE_FAILED_COUNT

    def want(self, value: int) -> bool:
        """Puts the newest value in. False: it is there already."""
        if value == self.value:
            return False
        self.value, self.wanted = value, encode(self.write, value)
        return True

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
