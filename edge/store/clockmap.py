"""What the wall clock was at which mono time of which boot: samples taken before the time was known get right stamps later.

A gateway without a battery-backed clock boots in the past; the order of samples is their number, the wall time is an
attribute. A mark is kept at the first look of a boot, whenever the clock steps, and when it becomes synchronised or
loses that. Pure: whoever asks the operating system gives the times in; UTC throughout, so that no season changes it.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

STEP_MS = 500  # a slew of 500 ppm makes this in 17 min, so that marks stay few while a stamp stays within it
MARKS_MAX_COUNT = 512  # of a boot: a clock that steps all day is no clock
BOOTS_MAX_COUNT = 256


class Mark(NamedTuple):
    """At `mono_ms` of its boot the wall clock read `wall_ms`; `synced`: the system held it to be right."""

    mono_ms: int
    wall_ms: int
    synced: bool


@dataclass(frozen=True, slots=True)
class Stamp:
    """A wall time, and whether a synchronised clock stands behind it."""

    wall_ms: int
    sure: bool


class ClockMap:
    """The marks of some boots. `note` grows the present one; `load` brings back what was kept of earlier ones.

    One thread notes and loads; others may ask meanwhile: the marks of a boot are replaced whole.
    """

    def __init__(self, boot: bytes) -> None:
        self.boot = boot
        self._marks: dict[bytes, tuple[Mark, ...]] = {boot: ()}

    def load(self, boot: bytes, mark: Mark) -> None:
        """A mark that was kept; any order, doubles do not matter."""
        marks = self._marks.get(boot, ())
        if mark not in marks and len(marks) < MARKS_MAX_COUNT:
            self._marks[boot] = tuple(sorted((*marks, mark)))
        while len(self._marks) > BOOTS_MAX_COUNT:
            del self._marks[next(one for one in self._marks if one != self.boot)]

    def note(self, mono_ms: int, wall_ms: int, synced: bool) -> Mark | None:
        """The clocks now, once a second. Returns the mark that is worth keeping, mostly None."""
        marks = self._marks[self.boot]
        if marks:
            last = marks[-1]
            moved_ms = (wall_ms - mono_ms) - (last.wall_ms - last.mono_ms)
            if (synced == last.synced and abs(moved_ms) < STEP_MS) or mono_ms < last.mono_ms:
                return None
        mark = Mark(mono_ms, wall_ms, synced)
        kept = marks[: MARKS_MAX_COUNT - 1]  # the newest place is used again, the beginning of the boot is kept
        self._marks[self.boot] = (*kept, mark)
        return mark

    def stamp(self, boot: bytes, mono_ms: int, wall_ms: int) -> Stamp:
        """The wall time of `mono_ms` in `boot`; `wall_ms` is what the clock read then, for when nothing better is known."""
        marks = self._marks.get(boot, ())
        at = bisect_right(marks, mono_ms, key=lambda mark: mark.mono_ms)
        if at and marks[at - 1].synced:
            return Stamp(wall_ms, sure=True)
        later = next((mark for mark in marks[at:] if mark.synced), None)
        earlier = next((mark for mark in reversed(marks[:at]) if mark.synced), None)
        known = later or earlier
        if known is None:
            return Stamp(wall_ms, sure=False)
        return Stamp(known.wall_ms + mono_ms - known.mono_ms, sure=True)

    @property
    def synced(self) -> bool:
        """Whether the last look found the clock synchronised."""
        marks = self._marks[self.boot]
        return bool(marks) and marks[-1].synced
