"""Reading the telemetry ring for the wire: the next run of samples that fit one batch, with the best stamps known now.

A run ends where a number is missing, the schema or the number of columns changes, or one wall time is sure and the next is
not. A fault of reading may pass: what is on disk is not given up for it before `READ_PATIENCE_MS`.
"""

from dataclasses import dataclass, replace
from itertools import takewhile

from edge.cloud.codec import decode_sample
from edge.model import Sample
from edge.store.clockmap import ClockMap
from edge.store.segments import Entry, SegmentLog

BATCH_MAX_COUNT = 100
READ_PATIENCE_MS = 300_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """What first..last of the ring hold: numbers before `first_seq` are gone, then comes a run of samples."""

    first_seq: int
    samples: tuple[Sample, ...] = ()
    context: bytes = b""  # its schema
    unsynced: bool = False
    gone_count: int = 0

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.samples) - 1


class Stretches:
    """Reads of one ring; one thread owns it with the ring."""

    def __init__(self, log: SegmentLog, clock: ClockMap | None) -> None:
        self._log, self._clock = log, clock
        self._unreadable_mono_ms: int | None = None  # since when the next stretch cannot be read

    def stamp(self, boot: bytes, sample: Sample) -> tuple[Sample, bool]:
        """The sample with the wall time that is known now, and whether a synchronised clock stands behind it."""
        if self._clock is None:
            return sample, True
        found = self._clock.stamp(boot, sample.mono_ms, sample.wall_ms)
        return replace(sample, wall_ms=found.wall_ms), found.sure

    def read(self, first: int, last: int, mono_ms: int) -> Stretch | None:
        """The first run in first..last; without samples when all of it is gone. None: not readable now, ask again."""
        entries = self._entries(first, last)
        if (not entries or entries[0].seq > first) and self._waits(mono_ms):
            return None
        self._unreadable_mono_ms = None
        if not entries:
            return Stretch(last + 1, gone_count=last - first + 1)
        at = entries[0].seq
        run, unsynced = self._run(entries)
        if not run:  # not a sample of ours: pass over it
            return Stretch(at + 1, gone_count=at + 1 - first)
        return Stretch(at, run, entries[0].context, unsynced, at - first)

    def _entries(self, first: int, last: int) -> list[Entry]:
        entries: list[Entry] = []
        for entry in takewhile(lambda entry: entry.seq <= last, self._log.read_from(first)):
            if entries and (entry.seq != entries[-1].seq + 1 or entry.context != entries[0].context):
                break
            entries.append(entry)
            if len(entries) == BATCH_MAX_COUNT:
                break
        return entries

    def _run(self, entries: list[Entry]) -> tuple[tuple[Sample, ...], bool]:
        run: list[Sample] = []
        unsynced = False
        for entry in entries:
            sample = decode_sample(entry.body)
            if sample is None or (run and len(sample.values) != len(run[0].values)):
                break
            sample, sure = self.stamp(entry.boot, sample)
            if run and unsynced == sure:
                break
            unsynced = not sure
            run.append(sample)
        return tuple(run), unsynced

    def _waits(self, mono_ms: int) -> bool:
        """True while a fault of reading is so young that it may pass."""
        if self._log.read_fault and self._unreadable_mono_ms is None:
            self._unreadable_mono_ms = mono_ms
        since_mono_ms = self._unreadable_mono_ms
        young = since_mono_ms is not None and mono_ms - since_mono_ms < READ_PATIENCE_MS
        return bool(self._log.read_fault) and young
