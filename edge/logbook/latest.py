"""The latest moment that a store can vouch for: it is later than that now, whatever a clock without a battery reads.

The newest record counts if a synchronised clock stands behind its stamp. A boot that was never synchronised must not
forget what the one before knew, so that moment is kept in a file of its own. A later one that is earlier in time
corrects it: the newest record is believed, not the highest date.
"""

from pathlib import Path

from edge.cloud.codec import decode_sample
from edge.store.clockmap import ClockMap
from edge.store.db.checkpoint import CheckpointFile
from edge.store.disk import Disk
from edge.store.segments import SegmentLog

FILE = "clock.checkpoint"


def latest_wall_ms(folder: Path, telemetry: SegmentLog, clock: ClockMap, disk: Disk | None = None) -> int:
    """Ask once at a start, after the clock marks were loaded; 0: nothing is known."""
    kept = CheckpointFile(folder / FILE, disk)
    known = kept.state.get("wall_ms") if kept.state is not None else None
    newest = _newest_sure_ms(telemetry, clock)
    if newest is not None and newest != known:
        kept.write({"wall_ms": newest})  # a fault of the disk is told by the rings
    found = known if newest is None else newest
    return found if isinstance(found, int) else 0


def _newest_sure_ms(telemetry: SegmentLog, clock: ClockMap) -> int | None:
    entry = telemetry.newest()
    sample = decode_sample(entry.body) if entry is not None else None
    if entry is None or sample is None:
        return None
    stamp = clock.stamp(entry.boot, sample.mono_ms, sample.wall_ms)
    return stamp.wall_ms if stamp.sure else None
