"""Whether a device answers, how long it is waited for and left alone, and whether its next answer may be believed. No I/O.

A device that did not answer rightly is suspect: what it says next may be the answer to an older question. It is left
alone until that must have passed, and is believed again once it has answered a probe (probes.py).
"""

from edge.field.profile import Link
from edge.model import Outcome

LOST_COUNT = 3  # failures in a row after which a device may be another, or restarted: it is identified and armed again
# How long a device that does not answer is left alone, at most: what control needs must come back quickly.
BACKOFF_MAX_S = {"poc": 1.0, "pcs": 1.0, "bms": 1.0, "io": 1.0, "load": 5.0, "genset": 5.0, "pv": 10.0}
# Before the kernel stops the plant for it (5 s) it is tried oftener; one that never was there nobody waits for.
QUICK_S, QUICK_BACKOFF_MAX_S, UNSEEN_BACKOFF_MIN_S = 5.0, 0.5, 2.0
# Every try at a lost device costs the others the time it is waited for: mostly no longer than it ever needed.
PATIENCE_MIN_S, PATIENCE_FACTOR, PATIENCE_FULL_EVERY = 0.02, 2, 4


class Trust:
    """Of one device. Times are the loop's, in seconds."""

    __slots__ = (
        "_backoff_usual_s", "_failed_since_s", "_late_s", "_latency_max_us", "_timeout_s", "failed_count",
        "quiet_until_s", "suspect", "timeout_s",
    )  # fmt: skip

    def __init__(self, link: Link, use: str) -> None:
        """`use`: of the device in the site file; by it the others are ready to wait for it."""
        self._timeout_s = link.timeout_ms / 1000
        self.timeout_s = self._timeout_s  # of the next request
        self._late_s = max(link.timeout_ms, link.latency_max_ms) / 1000  # what is late has come by then
        self._backoff_usual_s = BACKOFF_MAX_S[use]
        self.suspect = False  # it failed, and what it says next may be the late answer to an older question
        self.quiet_until_s = 0.0  # it is asked nothing before
        self.failed_count = 0  # in a row
        self._failed_since_s = 0.0
        self._latency_max_us = 0

    def note_ok(self, latency_us: int) -> None:
        self._latency_max_us = max(self._latency_max_us, latency_us)
        if not self.suspect:
            self.failed_count = 0

    def note_probe(self, answer: bytes | int | Outcome, now_s: float) -> None:
        """A device answers in order: behind the answer to a probe no older answer can follow, so reads count again."""
        if isinstance(answer, Outcome):
            return
        self.suspect, self.failed_count, self.timeout_s = False, 0, self._timeout_s
        if isinstance(answer, int):  # it reads its blocks only whole: wait instead
            self.leave_alone(now_s, self._backoff_usual_s)

    def note_stray(self, now_s: float) -> None:
        """It speaks unasked: a late answer. Nothing is sent to it until it has been silent for a while."""
        self.quiet_until_s = max(self.quiet_until_s, now_s + self._late_s)

    def leave_alone(self, now_s: float, seconds: float) -> None:
        self.quiet_until_s = now_s + seconds

    def note_failure(self, now_s: float) -> bool:
        """It is left alone until a late reply must have passed. True: it has failed so often that it may be another."""
        self.failed_count += 1
        self.suspect = True
        if self.failed_count == 1:
            self._failed_since_s = now_s
        backoff_s = self._late_s * 2 ** min(self.failed_count - 1, 6)
        self.leave_alone(now_s, max(self._late_s, min(backoff_s, self._backoff_max_s(now_s))))
        self.timeout_s = self._patience_s()
        return self.failed_count >= LOST_COUNT

    def _backoff_max_s(self, now_s: float) -> float:
        usual_s = self._backoff_usual_s
        if not self._latency_max_us:
            return max(usual_s, UNSEEN_BACKOFF_MIN_S)
        return min(usual_s, QUICK_BACKOFF_MAX_S) if now_s - self._failed_since_s < QUICK_S else usual_s

    def _patience_s(self) -> float:
        """How long the next answer is waited for. An answer that comes later is late, as any other."""
        usual_s = PATIENCE_FACTOR * self._latency_max_us / 1_000_000
        if self.failed_count < LOST_COUNT or not usual_s or self.failed_count % PATIENCE_FULL_EVERY == 0:
            return self._timeout_s
        return min(self._timeout_s, max(PATIENCE_MIN_S, usual_s))
