"""Whether the primary host is online, by what it says itself on its STATE topic. It decides; nothing is sent here.

`spBv1.0/STATE/<host>` holds {"online": true or false, "timestamp": ms}, retained. One that is older than the newest
heard is of a host that was replaced, and does not count. In a new session it must be heard anew.
"""

import json

from edge.cloud.views.sparkplug.node import ROOT

STATE_MAX_BYTES = 1_024


class PrimaryHost:
    """The host a site waits for; with an empty name it waits for nobody and `online` is always True."""

    def __init__(self, name: str) -> None:
        self.topic = f"{ROOT}/STATE/{name}" if name else ""
        self.online = not name
        self.ignored_count = 0  # no STATE, or an old one
        self._wall_ms: int | None = None

    def forget(self) -> None:
        """A new session: heard of nothing yet."""
        self.online = not self.topic

    def note(self, payload: bytes) -> None:
        """One STATE message."""
        said = _read_state(payload)
        if said is None or (self._wall_ms is not None and said[1] < self._wall_ms):
            self.ignored_count += 1
            return
        self.online, self._wall_ms = said


def _read_state(payload: bytes) -> tuple[bool, int] | None:
    if len(payload) > STATE_MAX_BYTES:
        return None
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    online, wall_ms = said.get("online"), said.get("timestamp")
    return (online, wall_ms) if isinstance(online, bool) and type(wall_ms) is int else None
