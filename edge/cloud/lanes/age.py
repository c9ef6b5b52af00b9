"""How long the oldest sample that is not acknowledged has waited. Looked up now and then: it reads the ring."""

from edge.cloud.lanes.stretch import Stretches
from edge.model import Sample

LOOK_MS = 5_000


class QueueAge:
    """Of one stream; `ms` as of the last look."""

    def __init__(self, stretches: Stretches) -> None:
        self._stretches = stretches
        self._due_mono_ms = 0
        self.ms = 0

    def is_due(self, mono_ms: int) -> bool:
        if mono_ms < self._due_mono_ms:
            return False
        self._due_mono_ms = mono_ms + LOOK_MS
        return True

    def look(self, gap: tuple[int, int] | None, newest: Sample | None, mono_ms: int) -> None:
        """`gap` begins with the oldest number that is not acknowledged. Of another boot, the stamps of the samples count."""
        self.ms = 0
        oldest = self._stretches.oldest(gap[0]) if gap is not None else None
        if oldest is None or newest is None:
            return
        same_boot = oldest.mono_ms <= newest.mono_ms and newest.mono_ms - oldest.mono_ms <= mono_ms
        waited_ms = mono_ms - oldest.mono_ms if same_boot else newest.wall_ms - oldest.wall_ms
        self.ms = max(0, waited_ms)
