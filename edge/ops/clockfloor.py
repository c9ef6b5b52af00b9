"""The earliest that it can be now: a clock without a battery boots in the past, and must not judge certificates there.

A clock that the system holds to be synchronised is believed, but never before the release of this program. One that is
not is taken to be no earlier than all that is known to have happened: the release, the last time that systemd-timesyncd
had (its file), the newest record that a synchronised clock stamped, the issue of the site's own certificates. A clock that
is ahead is not held back by anything here: what is too old by it stays refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.ops.timesync import is_synchronised

RELEASED_WALL_MS = 1_795_651_200_000  # 2026-11-26: it cannot be earlier where this file is; moves with each release
TIMESYNC_FILE = Path("/var/lib/systemd/timesync/clock")  # its time of change is the last synchronised time


@dataclass(frozen=True, slots=True)
class Moment:
    """A look at the clock: `wall_ms` is what to judge by, `read_wall_ms` what the clock says, `known_by` what raised it."""

    wall_ms: int
    read_wall_ms: int
    synced: bool
    known_by: str = ""

    @property
    def is_raised(self) -> bool:
        return self.wall_ms > self.read_wall_ms


class ClockFloor:
    """The floor of one process. `note` may come from another thread than `now`."""

    def __init__(
        self,
        wall_ms: Callable[[], int],
        *,
        is_synced: Callable[[], bool | None] = is_synchronised,
        timesync_file: Path = TIMESYNC_FILE,
    ) -> None:
        self._wall_ms, self._is_synced = wall_ms, is_synced
        self._released = (RELEASED_WALL_MS, "the release of this program")
        self._known: tuple[tuple[int, str], ...] = (self._released,)
        try:
            self.note("the last time of systemd-timesyncd", timesync_file.stat().st_mtime_ns // 1_000_000)
        except OSError:
            return  # another time service, or none

    def note(self, what: str, wall_ms: int) -> None:
        """It is at least `wall_ms`, because of `what`; the newest word on the same thing counts."""
        self._known = (*(one for one in self._known if one[1] != what), (wall_ms, what))

    def now(self) -> Moment:
        """What to judge by at this moment."""
        read_ms, synced = self._wall_ms(), bool(self._is_synced())
        floor_ms, what = self._released if synced else max(self._known)
        return Moment(max(read_ms, floor_ms), read_ms, synced, what if floor_ms > read_ms else "")
