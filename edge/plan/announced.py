"""What the cluster announces on `compute/<cluster>/announce`: {"event": "job_stop", "at": "...Z", "delta_kw": -220}.

Strict: exactly these keys, once each, sane values; whatever else comes is refused with a reason. A load change that is
announced can be met before the meter sees it; one that does not come is withdrawn by the kernel after a moment.
"""

from decimal import Decimal

from edge.model import Announcement
from edge.plan.message import read_message, read_utc_ms

KEYS = frozenset({"event", "at", "delta_kw"})
EVENTS = ("job_start", "job_stop", "checkpoint")
DELTA_MAX_KW = 100_000  # TW_POWER_LIMIT_W
AHEAD_MAX_MS = 3_600_000  # an announcement is for minutes; a schedule belongs into the plan
BEHIND_MAX_MS = 2_000  # later than this the meter knows better


def announce_topic(cluster: str) -> str:
    return f"compute/{cluster}/announce"


def parse_announcement(payload: bytes, mono_ms: int, wall_ms: int) -> Announcement | str:
    """The announcement on our monotonic clock, or in a few words why it is refused; never raises."""
    data = read_message(payload, KEYS)
    if isinstance(data, str):
        return data
    event, delta_kw = data["event"], data["delta_kw"]
    if event not in EVENTS:
        return "event must be one of " + ", ".join(EVENTS)
    if not isinstance(delta_kw, Decimal) or not delta_kw.is_finite() or abs(delta_kw) > DELTA_MAX_KW:
        return f"delta_kw must be a number -{DELTA_MAX_KW}..{DELTA_MAX_KW}"
    at_ms = read_utc_ms(data["at"])
    if at_ms is None:
        return "at must be a UTC time such as 2026-07-01T00:00:00Z"
    ahead_ms = at_ms - wall_ms
    if not -BEHIND_MAX_MS <= ahead_ms <= AHEAD_MAX_MS:
        return f"at must be within {AHEAD_MAX_MS // 60_000} min from now"
    return Announcement(mono_ms + ahead_ms, int(delta_kw * 1_000), str(event))
