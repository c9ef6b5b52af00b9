"""The load changes that are announced and not yet over: what the kernel sees of them in each cycle.

One owner, the control thread; `offer` may be called from any. Nothing here changes a power.
"""

from collections import deque

from edge.model import Announcement

SLOTS = 4  # TW_ANNOUNCEMENTS
KEPT_MAX = 64  # more at once is a program gone wild
OVER_MS = 5_000  # after this the kernel has withdrawn it anyway


class Forecast:
    """Announcements in order of time; the same moment and amount twice is one."""

    def __init__(self) -> None:
        self._queue: deque[Announcement] = deque(maxlen=KEPT_MAX)
        self._kept: list[Announcement] = []
        self.dropped_count = 0

    def offer(self, announcement: Announcement) -> None:
        self._queue.append(announcement)  # atomic

    def settle(self, now_mono_ms: int) -> list[Announcement]:
        """What is ahead or just happening, soonest first, as many as the kernel has room for."""
        while self._queue:
            new = self._queue.popleft()
            if new not in self._kept and len(self._kept) < KEPT_MAX:
                self._kept.append(new)
                self._kept.sort(key=lambda item: item.at_mono_ms)
            else:
                self.dropped_count += 1
        while self._kept and self._kept[0].at_mono_ms + OVER_MS < now_mono_ms:
            self._kept.pop(0)
        return self._kept[:SLOTS]
