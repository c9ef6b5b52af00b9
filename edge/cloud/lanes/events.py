"""Events to the fleet: only what is on the disk, in their own stream with epoch, numbers and cursor; before any telemetry.

New ones leave at once, whatever the ingest does; the oldest that is not acked leaves again when its time is over, and each
time nobody answers the next wait is twice as long.
"""

import secrets
from collections import deque
from collections.abc import Callable

from edge.cloud.codec import Ack
from edge.cloud.lanes.standing import ACK_LONGEST_MS
from edge.cloud.notices import EVENTS_STREAM, EventBatch, NumberedEvent, encode_events
from edge.store.cursor import CursorFile, Position

BATCH_MAX_COUNT = 50
UNACKED_MAX_COUNT = 5_000  # with that many unanswered, new ones wait as well

Read = Callable[[int, int], list[NumberedEvent] | None]  # (after this number, at most so many); None: not now


class EventLane:
    """One thread owns it with its cursor. `publish` is given to `step`: payload -> whether it found room."""

    def __init__(self, read: Read, newest_seq: Callable[[], int], cursor: CursorFile, ack_max_ms: int) -> None:
        """`newest_seq`: the highest number on the disk, cheap to ask; -1 while that is not known."""
        self._read, self._newest_seq, self._cursor = read, newest_seq, cursor
        self._ack_max_ms = self._patience_ms = ack_max_ms
        self._unacked: deque[int] = deque()  # published, ascending
        self._high = cursor.position.seq  # the newest that was published in this session
        self._retry_mono_ms = 0
        self._written_seq = cursor.position.seq
        self.epoch = cursor.position.epoch

    @property
    def acked_seq(self) -> int:
        """Every event up to this one is with the ingest."""
        return self._unacked[0] - 1 if self._unacked else self._high

    def begin(self) -> None:
        """A session began: what was under way may not have arrived."""
        self._high = self.acked_seq
        self._unacked.clear()
        self._patience_ms = self._ack_max_ms

    def step(self, mono_ms: int, publish: Callable[[bytes], bool]) -> None:
        """What is due: new ones first, then the oldest that nobody acked."""
        newest_seq = self._newest_seq()
        if newest_seq < 0:
            return
        if not self.epoch or newest_seq < self._high:  # the first time, or the journal is another
            self.epoch, self._high = secrets.randbits(63) | 1, 0
            self._unacked.clear()
            self._keep()
        while newest_seq > self._high and len(self._unacked) < UNACKED_MAX_COUNT:
            found = self._read(self._high, BATCH_MAX_COUNT)
            if found is None:
                return
            if not found:
                self._high = newest_seq  # deleted before they were sent
                break
            if not publish(encode_events(EventBatch(self.epoch, tuple(found)))):
                return
            if not self._unacked:
                self._retry_mono_ms = mono_ms + self._patience_ms
            self._unacked.extend(one.seq for one in found)
            self._high = found[-1].seq
        if self._unacked and mono_ms >= self._retry_mono_ms:
            self._send_again(mono_ms, publish)

    def _send_again(self, mono_ms: int, publish: Callable[[bytes], bool]) -> None:
        found = self._read(self._unacked[0] - 1, BATCH_MAX_COUNT)
        if found is None:
            return
        kept = {one.seq for one in found}
        last = found[-1].seq if found else self._high
        self._unacked = deque(seq for seq in self._unacked if seq > last or seq in kept)  # others are deleted by now
        if found and publish(encode_events(EventBatch(self.epoch, tuple(found)))):
            self._patience_ms = min(2 * self._patience_ms, ACK_LONGEST_MS)
            self._retry_mono_ms = mono_ms + self._patience_ms

    def take(self, ack: Ack, mono_ms: int) -> None:
        """An ack of any stream."""
        if ack.stream != EVENTS_STREAM or ack.epoch != self.epoch:
            return
        before_count = len(self._unacked)
        ranges = (*ack.ranges, (1, ack.contiguous_seq))
        self._unacked = deque(seq for seq in self._unacked if not any(low <= seq <= high for low, high in ranges))
        if len(self._unacked) < before_count:
            self._patience_ms = self._ack_max_ms
            self._retry_mono_ms = mono_ms + self._patience_ms

    def keep_cursor(self) -> None:
        """Writes the cursor if it has moved."""
        if self.epoch and self.acked_seq != self._written_seq:
            self._keep()

    def _keep(self) -> None:
        if self._cursor.write(Position(self.epoch, self.acked_seq, 0)):
            self._written_seq = self.acked_seq
