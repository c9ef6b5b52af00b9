"""What is known of each number of a stream: acked by the ingest, under way, parked, or gone. Pure bookkeeping, no I/O.

The cursor `known` moves over acked and gone numbers only. What is under way becomes backlog again when its time is over;
each time nobody answers the next wait is twice as long, so that a backlog is not sent round and round over a metered line.
What the broker refused is parked: not sent again before somebody asks for it, or the process starts anew.
"""

from dataclasses import dataclass, replace

from edge.cloud.codec import Ack
from edge.cloud.ranges import RangeSet
from edge.store.cursor import Position

ACK_LONGEST_MS = 300_000


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch under way: the numbers first..last."""

    first: int
    last: int
    sent_mono_ms: int
    due_mono_ms: int  # when it is backlog again
    backfill: bool


class Standing:
    """One stream and epoch."""

    def __init__(self, at: Position, ack_max_ms: int) -> None:
        """`ack_max_ms`: how long an ingest that is there may take for its ack."""
        self.known = at
        self.gone_count = at.gone_count  # numbers passed over: overwritten, damaged or never used
        self.acked = RangeSet()  # beyond the cursor
        self.parked = RangeSet()
        self.under_way: dict[int, Parcel] = {}  # by token
        self._ack_max_ms = self._patience_ms = ack_max_ms

    @property
    def position(self) -> Position:
        return Position(self.known.epoch, self.known.seq, self.gone_count)

    @property
    def acked_count(self) -> int:
        """How many records the ingest says it has committed, as far as this gateway was told."""
        return max(0, self.known.seq + self.acked.count() - self.gone_count)

    def backfill_count(self) -> int:
        """Batches of the backlog that are under way."""
        return sum(1 for parcel in self.under_way.values() if parcel.backfill)

    def parked_count(self) -> int:
        """Records that the broker refused and the ingest has not got otherwise."""
        count = 0
        for first, last in self.parked:
            gap = self.acked.gap_from(first, last)
            while gap is not None:
                count += gap[1] - gap[0] + 1
                gap = self.acked.gap_from(gap[1] + 1, last)
        return count

    # ---- sending

    def first_gap(self, last_seq: int) -> tuple[int, int] | None:
        """The oldest stretch up to `last_seq` that is to be sent, or None."""
        taken = RangeSet()
        for some in (self.acked, self.parked, ((one.first, one.last) for one in self.under_way.values())):
            for first, last in some:
                taken.add(first, last)
        return taken.gap_from(self.known.seq + 1, last_seq)

    def note_sent(self, token: int, first: int, last: int, mono_ms: int, *, backfill: bool) -> None:
        self.under_way[token] = Parcel(first, last, mono_ms, mono_ms + self._patience_ms, backfill)

    def begin(self) -> None:
        """A session began: what was under way in the one before is backlog."""
        self.under_way.clear()

    def reopen(self, first: int, last: int) -> None:
        """What is under way as first..last did not arrive: it is backlog at once."""
        for token in [token for token, one in self.under_way.items() if (one.first, one.last) == (first, last)]:
            del self.under_way[token]

    def park(self, first: int, last: int) -> None:
        """Refused by the broker."""
        self.reopen(first, last)
        self.parked.add(first, last)

    def give_up(self, first: int, last: int) -> None:
        """Nobody will ever get these: damaged, never used, or not a record of ours."""
        self.acked.add(first, last)
        self.gone_count += last - first + 1

    def expire(self, mono_ms: int) -> None:
        """Overdue ones become backlog again."""
        kept = {token: parcel for token, parcel in self.under_way.items() if parcel.due_mono_ms > mono_ms}
        if len(kept) < len(self.under_way):
            self._patience_ms = min(2 * self._patience_ms, ACK_LONGEST_MS)
        self.under_way = kept

    # ---- what came back

    def take(self, ack: Ack, last_seq: int, mono_ms: int) -> None:
        """An ack of this stream and epoch; what it says of numbers after `last_seq` does not count."""
        for first, until in (*ack.ranges, (1, ack.contiguous_seq)):
            if first <= last_seq:
                self.acked.add(max(first, self.known.seq + 1), min(until, last_seq))
        if self._patience_ms > self._ack_max_ms:  # the ingest is back: do not sit out the long waits
            self._patience_ms = self._ack_max_ms
            due_mono_ms = mono_ms + self._ack_max_ms
            for token, one in self.under_way.items():
                self.under_way[token] = replace(one, due_mono_ms=min(one.due_mono_ms, due_mono_ms))
        self.under_way = {token: one for token, one in self.under_way.items() if not self._covers(one)}

    def _covers(self, parcel: Parcel) -> bool:
        first = max(parcel.first, self.known.seq + 1)
        return parcel.last <= self.known.seq or self.acked.gap_from(first, parcel.last) is None

    def advance(self, oldest_seq: int) -> None:
        """Moves the cursor over what is acked, and over what the ring has overwritten (all before `oldest_seq`)."""
        seq = self.known.seq
        if seq + 1 < oldest_seq:
            gone = oldest_seq - 1 - seq - self.acked.drop_to(oldest_seq - 1)
            self.gone_count += max(0, gone)
            seq = oldest_seq - 1
        found = self.acked.around(seq + 1)
        if found:
            seq = found[1]
            self.acked.drop_to(seq)
        if seq != self.known.seq:
            self.parked.drop_to(seq)
            self.known = Position(self.known.epoch, seq, self.gone_count)
