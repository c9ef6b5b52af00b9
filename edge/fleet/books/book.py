"""What a book of samples promises, whichever database keeps it. No SQL and no network here.

Rules. A commit is all or nothing. A sample is one by (tenant, gateway, stream, epoch, seq), however often and through
however many workers it comes. What a gateway is told is read from the database inside the same transaction, never from
the memory of one worker: another worker may have stored the other half.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from edge.cloud.ranges import RangeSet

UNSYNCED_MAX_COUNT = 3_600  # of one series in one look: an hour of a gateway whose clock is never set costs no more

Range = tuple[int, int]  # first, last; both included
Column = Sequence[int | None]  # an array when every value is known: a fifth of a list's memory


class Series(NamedTuple):
    """Whose numbers: each series counts from 1."""

    tenant: str
    gateway: str
    stream: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch by columns: sample i has number seq0 + i.

    `unsynced`: no synchronised clock stands behind `wall_ms`. `restamped`: sent again with better ones; they replace
    those that are held with that mark, and take it away (deploy/handbook/wire.md).
    """

    schema_id: str
    epoch: int
    seq0: int
    wall_ms: Sequence[int]
    mono_ms: Sequence[int]
    columns: list[Column]
    unsynced: bool = False
    restamped: bool = False

    @property
    def count(self) -> int:
        return len(self.wall_ms)

    @property
    def last_seq(self) -> int:
        return self.seq0 + len(self.wall_ms) - 1


Taken = tuple[Series, Columns]


@dataclass(frozen=True, slots=True)
class Committed:
    """How many samples were new, and all numbers the database now holds of every series that was touched.

    `unsynced`: where it holds any, the numbers whose wall times wait for better ones; the oldest UNSYNCED_MAX_COUNT.
    """

    new_count: int
    held: Mapping[Series, RangeSet]
    unsynced: Mapping[Series, RangeSet]


class BookFault(Exception):
    """The database did not take it, and holds nothing of it. Says which database and why; trying again later is right."""


class Book(Protocol):
    """One connection to the database; used from one thread."""

    def commit(self, taken: Sequence[Taken], schemas: Mapping[str, str]) -> Committed:
        """Stores it all, `schemas` (JSON by schema id) too. Raises BookFault."""

    def close(self) -> None:
        """Leaves the database; what was committed stays."""


def unknown_count(column: Column) -> int:
    """How many values of a column are not known."""
    return 0 if isinstance(column, array) else column.count(None)


def spans(taken: Iterable[Taken]) -> dict[Series, RangeSet]:
    """The numbers that came, by series, in the order in which locks are taken: sorted."""
    found: dict[Series, RangeSet] = {}
    for series, batch in taken:
        found.setdefault(series, RangeSet()).add(batch.seq0, batch.last_seq)
    return dict(sorted(found.items()))


def widen(before: Iterable[Range], came: RangeSet) -> tuple[RangeSet, set[Range], set[Range]]:
    """The ranges with those that came: all of them, those no longer there, those that are new."""
    old = set(before)
    whole = RangeSet()
    for first, last in (*old, *came):
        whole.add(first, last)
    new = set(whole)
    return whole, old - new, new - old
