"""Quarters of an hour made of seconds: kept in a ring of their own when the seconds have to go.

A quarter ends where the wall clock says so, at a new boot, or after 15 min of mono time, so that a clock that jumps makes
short quarters and never a wrong one: each says how many samples it is of. Which samples it covers is in it by number, and
of which boot they are: a quarter that a power cut broke off is made in the next boot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgpack

from edge.model import SAMPLE_FIELDS, Sample
from edge.store.segments import SegmentLog

KIND_QUARTER = 1
QUARTER_MS = 900_000
SEGMENT_BYTES = 1 << 18
VERSION = 1
NAMES = tuple(field[0] for field in SAMPLE_FIELDS)
# How the seconds of a field become one number: the sum (a mean by the count) but for these.
BITS = frozenset({"why"})  # every bit that was set
LAST = frozenset({"mode", "late_count", "stored_carbon_mg", "quality"})  # states and counters: as it ended


@dataclass(frozen=True, slots=True)
class Column:
    """One field over a quarter: seconds at which it was known, their sum (or bits, or last), the least and the most."""

    count: int
    value: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Quarter:
    """Samples `first_seq`..`last_seq` of a telemetry epoch; times are those of the first and the last, in `boot`."""

    epoch: int
    boot: bytes
    first_seq: int
    last_seq: int
    count: int
    first_mono_ms: int
    last_mono_ms: int
    first_wall_ms: int
    columns: tuple[Column | None, ...]  # None: not known at any second


def encode_quarter(quarter: Quarter) -> bytes:
    """The body of a record in the rollup ring."""
    columns = [None if one is None else [one.count, one.value, one.low, one.high] for one in quarter.columns]
    packed: bytes = msgpack.packb([
        VERSION, quarter.epoch, quarter.boot, quarter.first_seq, quarter.last_seq, quarter.count, quarter.first_mono_ms,
        quarter.last_mono_ms, quarter.first_wall_ms, columns,
    ])  # fmt: skip
    return packed


def decode_quarter(body: bytes) -> Quarter | None:
    """The quarter, or None when the body is not one."""
    try:
        version, epoch, boot, first, last, count, first_mono, last_mono, wall, columns = msgpack.unpackb(body)
        head = (version, epoch, first, last, count, first_mono, last_mono, wall)
        if version != VERSION or type(boot) is not bytes or not all(type(one) is int for one in head):
            return None
        found = tuple(None if one is None else Column(*one) for one in columns)
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    whole = all(
        type(part) is int for one in found if one is not None for part in (one.count, one.value, one.low, one.high)
    )
    return Quarter(epoch, boot, first, last, count, first_mono, last_mono, wall, found) if whole else None


class Rollup:
    """Takes each sample with its number; writes a quarter when it is over. Owned by the thread that owns the ring."""

    def __init__(self, log: SegmentLog, names: Sequence[str] = NAMES) -> None:
        self.log = log
        self._names = names
        self._epoch, self._boot = 0, b""
        self._samples: list[tuple[int, Sample]] = []
        newest = log.newest()
        self._last = decode_quarter(newest.body) if newest is not None else None

    def covered_seq(self, epoch: int) -> int:
        """The newest number of this epoch that is in a quarter on the disk; samples after it are to be noted again."""
        return self._last.last_seq if self._last is not None and self._last.epoch == epoch else 0

    def note(self, epoch: int, boot: bytes, seq: int, sample: Sample) -> None:
        if self._samples:
            first, before = self._samples[0][1], self._samples[-1][1]
            over = (
                (epoch, boot) != (self._epoch, self._boot)
                or sample.mono_ms < before.mono_ms
                or sample.mono_ms - first.mono_ms >= QUARTER_MS
                or sample.wall_ms // QUARTER_MS != before.wall_ms // QUARTER_MS
            )
            if over:
                self.flush()
        self._epoch, self._boot = epoch, boot
        self._samples.append((seq, sample))

    def flush(self) -> None:
        """Ends the quarter in hand."""
        if not self._samples:
            return
        (first_seq, first), (last_seq, last) = self._samples[0], self._samples[-1]
        columns = [
            _column(name, [sample.values[index] for _, sample in self._samples])
            for index, name in enumerate(self._names)
        ]
        self._last = Quarter(
            self._epoch, self._boot, first_seq, last_seq, len(self._samples), first.mono_ms, last.mono_ms, first.wall_ms,
            tuple(columns),
        )  # fmt: skip
        self.log.append(KIND_QUARTER, encode_quarter(self._last))
        self._samples.clear()


def _column(name: str, values: Sequence[int | None]) -> Column | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    total = sum(known)
    if name in BITS:
        total = 0
        for value in known:
            total |= value
    elif name in LAST:
        total = known[-1]
    return Column(len(known), total, min(known), max(known))
