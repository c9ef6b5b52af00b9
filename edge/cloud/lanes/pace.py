"""How fast the backlog may go: batches a second and bytes a second, a start anywhere in a span, and the caps of the fleet.

The caps only ever lower what the site allows. Pure: times are given in.
"""

import random
from collections.abc import Callable

from edge.cloud.notices import NO_CAPS, Caps

BURST_S = 1.0  # what was not used is kept this long


class Pace:
    """Two buckets that fill with time; a batch needs one token of the first and leaves its size in the second."""

    def __init__(
        self, batches_per_s: float, bytes_per_s: float, start_max_ms: int = 0, draw: Callable[[], float] | None = None
    ) -> None:
        """`start_max_ms`: after an outage the first batch waits for a time drawn from 0 to this."""
        self._batches_per_s, self._bytes_per_s = batches_per_s, bytes_per_s
        self._start_max_ms = start_max_ms
        self._draw = draw or random.SystemRandom().random
        self._caps = NO_CAPS
        self._batches, self._bytes = 0.0, 0.0
        self._at_mono_ms: int | None = None
        self._start_mono_ms = 0

    @property
    def batches_per_s(self) -> float:
        cap = self._caps.batches_per_s
        return self._batches_per_s if cap is None else min(self._batches_per_s, cap)

    @property
    def bytes_per_s(self) -> float:
        cap = self._caps.bytes_per_s
        return self._bytes_per_s if cap is None else min(self._bytes_per_s, cap)

    def cap(self, caps: Caps) -> None:
        """What the fleet allows from now on."""
        self._caps = caps

    def begin(self, mono_ms: int) -> None:
        """A session began: all gateways of a broker that was gone begin at once, so each waits for a time of its own."""
        self._start_mono_ms = mono_ms + int(self._start_max_ms * self._draw())

    def allows(self, mono_ms: int) -> bool:
        """Whether a batch may go now."""
        passed_s = (mono_ms - self._at_mono_ms) / 1_000 if self._at_mono_ms is not None else BURST_S
        self._at_mono_ms = mono_ms
        batches_per_s, bytes_per_s = self.batches_per_s, self.bytes_per_s
        self._batches = min(self._batches + passed_s * batches_per_s, max(1.0, batches_per_s * BURST_S))
        self._bytes = min(self._bytes + passed_s * bytes_per_s, bytes_per_s * BURST_S)
        return mono_ms >= self._start_mono_ms and self._batches >= 1 and self._bytes > 0

    def note_sent(self, size_bytes: int) -> None:
        """A batch went: its size may overdraw the second bucket, and what follows waits for that."""
        self._batches -= 1
        self._bytes -= size_bytes
