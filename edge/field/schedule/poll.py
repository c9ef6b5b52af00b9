"""What is read when: blocks of a profile as polls, near ones joined into one read, and which poll is due most. No I/O.

A poll is one request, repeated. It has one part for each block it reads, so that whoever takes the readings does not see
how they came. Joined are blocks of one device, function, period and priority, when the registers between them cost less
time than a second transaction, the whole fits the device's limit, and its profile does not forbid gaps. A device that
refuses a joined read gets its blocks one by one from then on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.config.options import Port
from edge.field.decode import BlockDecoder, decoder_of
from edge.field.line.rtu import Expect, read_request
from edge.field.line.timing import NEVER_S, read_bytes, transaction_us
from edge.field.profile import Block, Link
from edge.field.quality import BlockWatch

if TYPE_CHECKING:
    from edge.field.device import BusDevice
    from edge.field.schedule.mailbox import WriteBox
    from edge.field.upkeep import Unchanged

FOREVER_S = float("inf")
LEAD_MARGIN_S = 0.003  # a timer late, an answer slow: still in time for the cycle
BEHIND_S = 0.005  # the cycle has given its orders
AWAIT_S = 0.15  # between two looks at what a command should change: a precharge is over when it is, not at a poll


@dataclass(slots=True)
class Part:
    """One block inside a poll. `flags` are those of its flag points as last read, None while they are not known."""

    block: Block
    decoder: BlockDecoder
    watch: BlockWatch
    cut: slice | None  # of the poll's payload; None: all of it
    flag_indices: tuple[int, ...]
    flags: int | None = None


@dataclass(slots=True)
class Poll:
    """One read, again and again. `checks` are the writes and constants that it brings, and how to read them."""

    device: "BusDevice"
    name: str
    expect: Expect
    period_s: float
    priority: int
    parts: tuple[Part, ...] = ()  # none: read only to check a write
    due_s: float = 0.0
    hope_s: float = FOREVER_S  # when it is welcome before it is due, if nothing else is
    sent_s: float = NEVER_S
    checks: "list[tuple[WriteBox | Unchanged, Callable[[bytes], float]]]" = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Function, first register, count."""
        request = self.expect.request
        return request[1], int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")

    def hope(self, now_s: float) -> None:
        self.hope_s = min(self.hope_s, max(self.sent_s + AWAIT_S, now_s))

    def note_sent(self, sent_s: float) -> None:
        """A whole period late: what was missed is not made up for. Early: the next one is due a period after this."""
        if self.hope_s < FOREVER_S:
            self.due_s = sent_s + self.period_s
        elif sent_s >= self.due_s:  # it keeps its phase
            self.due_s += self.period_s * (1 + (sent_s - self.due_s) // self.period_s)
        self.sent_s, self.hope_s = sent_s, FOREVER_S


def groups(blocks: Sequence[Block], link: Link, hole_max_count: int, cycle_ms: int) -> list[tuple[Block, ...]]:
    """The blocks in the order of the profile, those that are read together side by side."""
    joined: list[list[Block]] = []
    for block in sorted(blocks, key=lambda block: block.start):
        for group in joined:
            if _may_join(group, block, link, hole_max_count, cycle_ms):
                group.append(block)
                break
        else:
            joined.append([block])
    order = {block.name: index for index, block in enumerate(blocks)}
    return sorted((tuple(group) for group in joined), key=lambda group: min(order[block.name] for block in group))


def _may_join(group: list[Block], block: Block, link: Link, hole_max_count: int, cycle_ms: int) -> bool:
    first, end = group[0], max(member.start + member.count for member in group)
    same = (first.fc, max(first.period_ms, cycle_ms), first.priority)
    if same != (block.fc, max(block.period_ms, cycle_ms), block.priority) or block.fc not in (3, 4):
        return False
    hole_count = block.start - end
    span_count = max(end, block.start + block.count) - first.start
    return hole_count <= (hole_max_count if link.gaps_allowed else 0) and span_count <= link.max_regs


def polls_of(device: "BusDevice", group: tuple[Block, ...], watches: dict[str, BlockWatch], period_s: float) -> Poll:
    """One poll that reads a group of blocks."""
    start = min(block.start for block in group)
    count = max(block.start + block.count for block in group) - start
    parts = tuple(_part(block, start, count, device, watches[block.name]) for block in group)
    expect = Expect(read_request(device.settings.address, group[0].fc, start, count))
    return Poll(device, "+".join(block.name for block in group), expect, period_s, group[0].priority, parts)


def _part(block: Block, start: int, count: int, device: "BusDevice", watch: BlockWatch) -> Part:
    offset = 2 * (block.start - start)
    cut = None if (offset, block.count) == (0, count) else slice(offset, offset + 2 * block.count)
    flag_indices = tuple(index for index, point in enumerate(block.points) if point.flags)
    return Part(block, decoder_of(block, device.name, device.ratios), watch, cut, flag_indices)


def align(polls: Sequence[Poll], port: Port, gap_s: float, beat_s: float, cycle_s: float) -> None:
    """Phases for a cycle that decides at `beat_s` and every `cycle_s` after; all are due at once now.

    What is read anew for each cycle arrives just before it; everything else is due just after, behind the setpoints.
    """
    fast = [poll for poll in polls if poll.period_s < 1.5 * cycle_s]
    lead_s = LEAD_MARGIN_S
    for poll in fast:
        lead_s += gap_s + transaction_us(port, poll.device.profile.link, read_bytes(poll.shape[2])) / 1e6
    for poll in polls:
        poll.due_s = beat_s - cycle_s + BEHIND_S
    for poll in fast:
        poll.due_s = beat_s - cycle_s - min(lead_s, 0.8 * cycle_s)


def due_poll(polls: Sequence[Poll], now_s: float) -> tuple[Poll | None, float]:
    """The read that is due most, or when the next one will be.

    By priority, but each period of lateness lifts it by one, so that none starves. Hoped for is behind all that are due.
    """
    best, best_rank, hoped, next_s = None, 1e9, None, FOREVER_S
    for poll in polls:
        ready_s = poll.due_s
        if ready_s <= now_s:
            quiet_s = poll.device.trust.quiet_until_s
            if quiet_s <= now_s:
                since_s = quiet_s if quiet_s > ready_s else ready_s
                rank = poll.priority - (now_s - since_s) / poll.period_s
                if rank < best_rank:
                    best, best_rank = poll, rank
                continue
            ready_s = quiet_s
        elif poll.hope_s < ready_s:
            ready_s = max(poll.hope_s, poll.device.trust.quiet_until_s)
            if ready_s <= now_s:
                hoped = poll
        next_s = ready_s if ready_s < next_s else next_s
    return best or hoped, next_s
