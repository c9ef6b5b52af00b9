"""Compares what simulated gateways sent with what the database holds: by its rows, and by what it said in its acks."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.cloud.ranges import RangeSet
from edge.fleet.books.reading import Reader
from edge.fleet.simulate.swarm import TENANT, Gateway


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts of samples; everything but `sent` and `stored` must be 0."""

    sent: int
    stored: int
    lost: int  # sent, and not there
    acked_lost: int  # of these, said to be stored
    doubled: int
    wrong: int  # there, with another value than was sent

    @property
    def good(self) -> bool:
        return not (self.lost or self.acked_lost or self.doubled or self.wrong)

    def text(self) -> str:
        named = f"lost {self.lost}, of these acknowledged {self.acked_lost}, doubled {self.doubled}, wrong {self.wrong}"
        return f"sent {self.sent}, stored {self.stored}: {named}"


def judge(gateways: Sequence[Gateway], reader: Reader) -> Verdict:
    """Looks at every row. Raises DataFault when the database cannot be read."""
    shelves = {(one.series.gateway, one.series.epoch): one for one in reader.shelves(TENANT)}
    stored = lost = acked_lost = doubled = wrong = 0
    for gateway in gateways:
        shelf = shelves.get((gateway.name, gateway.epoch))
        if shelf is None:
            lost, acked_lost = lost + gateway.last_seq, acked_lost + gateway.acked.count()
            continue
        tally = reader.tally(shelf)
        stored += tally.distinct_count
        doubled += tally.row_count - tally.distinct_count
        wrong += tally.wrong_count + abs(shelf.held.count() - tally.distinct_count)
        lost += gateway.last_seq - tally.distinct_count
        acked_lost += _missing(gateway, shelf.held)
    return Verdict(sum(gateway.last_seq for gateway in gateways), stored, lost, acked_lost, doubled, wrong)


def _missing(gateway: Gateway, held: RangeSet) -> int:
    """How many numbers were acknowledged and are not held."""
    count = 0
    for first, last in gateway.acked:
        while gap := held.gap_from(first, last):
            count += gap[1] - gap[0] + 1
            first = gap[1] + 1
    return count
