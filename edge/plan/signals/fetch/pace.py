"""When to ask again: never faster than the source publishes; after a fault with growing, jittered waits. Pure.

A fleet that lost its network must not come back as one: every wait has a random part.
"""

import random
from collections.abc import Callable

START_MAX_MS = 10_000  # a site without a value waits no longer than this for its first question
RETRY_FIRST_MS = 30_000
RETRY_MAX_MS = 3_600_000
RETRY_LEAST_MS = 120_000  # a third of five minutes is below this, a third of an hour above
LATE_PERMILLE = 100  # of the interval: the random part of a regular wait


class Pace:
    """One source. `draw` gives 0 <= x < 1."""

    def __init__(self, interval_s: int, draw: Callable[[], float] | None = None) -> None:
        self._interval_ms = interval_s * 1000
        self._draw = draw or random.SystemRandom().random
        self._fault_count = 0

    def first_ms(self) -> int:
        return int(START_MAX_MS * self._draw())

    def good_ms(self) -> int:
        """After an answer, a new one or "not modified"."""
        self._fault_count = 0
        return self._interval_ms + int(self._interval_ms * LATE_PERMILLE / 1000 * self._draw())

    def fault_ms(self, status: int, retry_after_s: int = 0) -> int:
        """After none. Full jitter above a least wait, which keeps any source under three questions an interval."""
        self._fault_count = min(self._fault_count + 1, 16)
        refused = status in (401, 403)  # a key does not become right by asking
        bound_ms = RETRY_MAX_MS if refused else min(RETRY_MAX_MS, RETRY_FIRST_MS << self._fault_count - 1)
        least_ms = min(self._interval_ms // 3, RETRY_LEAST_MS)
        return max(least_ms + int(bound_ms * self._draw()), retry_after_s * 1000)
