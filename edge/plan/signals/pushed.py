"""Grid intensity pushed to us as a message: {"intensity_g_per_kwh": 312.5, "source": "...", "valid_from": "...Z"}.

Strict: exactly these keys, once each, sane values; whatever else comes is refused with a reason and counted. A refused
message changes nothing: the last good value goes on ageing. `valid_from` may be left out: then the value counts as of
its arrival, unless the broker had kept it (retained), because nobody can say how old such a value is.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from edge.plan.message import read_message, read_utc_ms
from edge.plan.signals.base import INTENSITY_MAX_G_PER_KWH, IntensityReading, rate_reading

SOURCE_MAX = 64
FUTURE_MAX_MS = 3_600_000  # one interval of the slowest grids ahead; farther is a wrong clock or a forecast
KEYS = frozenset({"intensity_g_per_kwh", "source"})


@dataclass(frozen=True, slots=True)
class Push:
    """One accepted message."""

    value_mg_per_kwh: int
    valid_from_wall_ms: int | None  # None: as of its arrival
    source: str


def parse_push(payload: bytes) -> Push | str:
    """The message, or in a few words why it is refused; never raises."""
    data = read_message(payload, KEYS, {"valid_from"})
    if isinstance(data, str):
        return data
    value, source = data["intensity_g_per_kwh"], data["source"]
    if not isinstance(value, Decimal) or not 0 <= value <= INTENSITY_MAX_G_PER_KWH:
        return f"intensity_g_per_kwh must be a number 0..{INTENSITY_MAX_G_PER_KWH}"
    if not isinstance(source, str) or not 0 < len(source) <= SOURCE_MAX or not source.isprintable():
        return f"source must be 1..{SOURCE_MAX} printable characters"
    value_mg = int((value * 1000).to_integral_value())
    if "valid_from" not in data:
        return Push(value_mg, None, source)
    valid_from_ms = read_utc_ms(data["valid_from"])
    if valid_from_ms is None:
        return "valid_from must be a UTC time such as 2026-07-01T00:00:00Z"
    return Push(value_mg, valid_from_ms, source)


class PushedSignal:
    """Keeps the newest good message. `note` and `poll` belong to the same thread (the uplink)."""

    def __init__(self, age_max_ms: int) -> None:
        self._age_max_ms = age_max_ms
        self._push: Push | None = None
        self._valid_from_wall_ms = 0
        self._taken_mono_ms = 0
        self._taken_age_ms = 0
        self.accepted_count = 0
        self.refused_counts: Counter[str] = Counter()  # reasons are a fixed set: this cannot grow without end

    def note(self, payload: bytes, mono_ms: int, wall_ms: int, *, retained: bool = False) -> str:
        """Takes a message; returns "" when accepted, else the reason of the refusal."""
        push = parse_push(payload)
        reason = push if isinstance(push, str) else self._judge(push, wall_ms, retained)
        if reason or isinstance(push, str):
            self.refused_counts[reason] += 1
            return reason
        self._push = push
        self._valid_from_wall_ms = wall_ms if push.valid_from_wall_ms is None else push.valid_from_wall_ms
        self._taken_mono_ms = mono_ms
        # Not an interval of ours: the sender's stamp against our clock, so that a retained old message is seen as old.
        self._taken_age_ms = max(0, wall_ms - self._valid_from_wall_ms)
        self.accepted_count += 1
        return ""

    def _judge(self, push: Push, wall_ms: int, retained: bool) -> str:
        if push.valid_from_wall_ms is None:
            return "retained without valid_from" if retained else ""
        if push.valid_from_wall_ms > wall_ms + FUTURE_MAX_MS:
            return "valid_from is in the future"
        if self._push is not None and push.valid_from_wall_ms < self._valid_from_wall_ms:
            return "older than the value already held"
        return ""

    def poll(self, mono_ms: int, wall_ms: int) -> IntensityReading:
        push = self._push
        if push is None:
            return IntensityReading(None, None, "none", "no message yet")
        age_ms = self._taken_age_ms + max(0, mono_ms - self._taken_mono_ms)
        source = f"mqtt:{push.source}"
        return rate_reading(push.value_mg_per_kwh, age_ms, self._age_max_ms, source, self._valid_from_wall_ms)
