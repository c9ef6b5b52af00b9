"""A store that was put back from an old copy: its numbers have been given before, to other seconds.

Numbers that are given twice would be taken for doubles by the fleet's database, and new seconds thrown away without a word.
What shows it: a cursor ahead of the log, or an ack of numbers that this log never gave. Then an epoch of its own begins.
What was noted since this process began is carried over, for it was surely taken after the copy; what is older stays.
"""

from itertools import islice

from edge.cloud.codec import Ack
from edge.store.segments import SegmentLog

CARRIED_MAX_COUNT = 3_600  # an hour: an ack comes seconds after the first connection


def highest(ack: Ack) -> int:
    """The highest number that the fleet says it has."""
    return max([ack.contiguous_seq, *(last for _, last in ack.ranges)])


def begin_anew(log: SegmentLog, known_seq: int, own_seq: int) -> str:
    """A new epoch for `log`; `own_seq`: the first number this process gave. The text of the event, "" when not now."""
    last_seq, epoch = log.next_seq - 1, log.epoch
    first_seq = max(own_seq, log.next_seq - CARRIED_MAX_COUNT)
    carried = [(one.kind, one.body) for one in islice(log.read_from(first_seq), CARRIED_MAX_COUNT)]
    if not log.begin_epoch():
        return ""
    for kind, body in carried:
        log.append(kind, body)
    behind = "what is older stays on the disk and is not sent"
    left = f"; {first_seq - own_seq} older ones of this run stay behind" if first_seq > own_seq else ""
    return (
        f"the store is older than what the fleet has of it: it ends with number {last_seq}, known are numbers up to"
        f" {known_seq} of epoch {epoch}. Put back from a copy, or two gateways with one store? New seconds are numbered in"
        f" epoch {log.epoch} from 1, {len(carried)} of this run among them{left}; {behind}"
    )
