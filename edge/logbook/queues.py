"""What of a store has not reached the fleet yet: for each stream how much, and how long the oldest of it has waited.

Seen from outside, by the cursor files, which are written each 10 s: a little more may have been acknowledged by now.
"""

from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.cloud.codec import decode_sample
from edge.store.clockmap import ClockMap
from edge.store.cursor import CursorFile
from edge.store.db.journal import FILE
from edge.store.db.view import view_waiting_events
from edge.store.disk import Disk
from edge.store.survey import view_waiting

_Times = tuple[bytes, int, int]  # boot, mono, wall


@dataclass(frozen=True, slots=True)
class Queue:
    """One stream. `oldest_wall_ms` and `age_ms` are None when nothing waits."""

    stream: str
    acked_seq: int
    count: int
    bytes: int
    oldest_wall_ms: int | None
    age_ms: int | None


def view_queues(folder: Path, clock: ClockMap, now: Clock) -> list[Queue]:
    """Telemetry and events. Raises DataFault when the journal cannot be read."""
    at = CursorFile(folder / "telemetry.cursor").position
    ring = view_waiting(folder / "telemetry", at.epoch, at.seq)
    sample = decode_sample(ring.oldest.body) if ring.oldest is not None else None
    times = (ring.oldest.boot, sample.mono_ms, sample.wall_ms) if ring.oldest is not None and sample else None
    acked_seq = CursorFile(folder / "events.cursor").position.seq
    events = view_waiting_events(folder / FILE, acked_seq)
    return [
        Queue("telemetry", at.seq, ring.count, ring.bytes_used, *_age(times, clock, now)),
        Queue("events", acked_seq, events.count, events.bytes_used, *_age(events.oldest, clock, now)),
    ]


def _age(times: _Times | None, clock: ClockMap, now: Clock) -> tuple[int | None, int | None]:
    """(when, how long ago); in the present boot by the clock that nobody sets."""
    if times is None:
        return None, None
    boot, mono_ms, _ = times
    wall_ms = clock.stamp(*times).wall_ms
    same_boot = boot == Disk().boot_id() and mono_ms <= now.mono_ms()
    return wall_ms, now.mono_ms() - mono_ms if same_boot else max(0, now.wall_ms() - wall_ms)


def age_text(age_ms: int | None) -> str:
    """In two units at most: 12 s, 4 min, 3 h 5 min, 2 d 7 h."""
    if age_ms is None:
        return "-"
    minutes, hours, days = age_ms // 60_000, age_ms // 3_600_000, age_ms // 86_400_000
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{age_ms // 1_000} s"
