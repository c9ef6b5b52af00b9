"""The one door to the link for all lanes: knows what the broker has not answered, and minds what it answered.

A refusal holds its lane for a while, so that a broker that refuses everything for a minute does not park a day. What makes
the broker hang up is sent alone (suspects.py), and when that does not help, not at all: a batch by its first number,
anything else by its topic. Who sends what again is the lanes' business.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edge.cloud.lanes.suspects import Suspects
from edge.cloud.link import Connection

HOLD_MS = 60_000  # after a refusal
HOLD_EVENTS_MS = 300_000  # events are offered again and again: alarms are not given up

Lane = Literal["live", "backlog", "restamp", "replay", "events", "other"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message the broker has not answered yet: first..last are its numbers, 0 when it has none."""

    lane: Lane
    topic: str
    first: int
    last: int
    sent_mono_ms: int

    @property
    def key(self) -> tuple[str, int]:
        """What it is suspected by."""
        return self.topic, self.first if self.lane in ("backlog", "restamp", "replay") else 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The broker does not take it: by its answer, or by hanging up each time. `sent` None: not of these lanes."""

    topic: str
    reason: str
    sent: Sent | None


class Post:
    """Publishes with QoS 1."""

    def __init__(self, link: Connection) -> None:
        self._link = link
        self._suspects = Suspects()
        self._sent: dict[int, Sent] = {}
        self._alone = 0  # token of a suspect: nothing else goes before it is answered
        self._muted: set[tuple[str, int]] = set()
        self._held: dict[Lane, int] = {}  # until
        self.answered: list[int] = []  # tokens since the last `refusals`

    @property
    def room(self) -> int:
        return 0 if self._alone else self._link.room

    def is_muted(self, topic: str) -> bool:
        """The broker hung up on each message of this topic: none goes any more."""
        return (topic, 0) in self._muted

    def publish(
        self,
        lane: Lane,
        topic: str,
        payload: bytes,
        mono_ms: int,
        *,
        first: int = 0,
        last: int = 0,
        retain: bool = False,
    ) -> int | None:
        """A token, or None: no room now, or the broker does not want this."""
        sent = Sent(lane, topic, first, last, mono_ms)
        if not self.room or sent.key in self._muted or mono_ms < self._held.get(lane, 0):
            return None
        suspect = self._suspects.is_suspect(sent.key)
        if suspect and self._link.room < self._link.window:
            return None
        token = self._link.publish(topic, payload, 1, retain)
        if token is not None:
            self._sent[token] = sent
            self._alone = token if suspect else 0
        return token

    def refusals(self, mono_ms: int) -> Iterator[Refusal]:
        """Takes the answers of the broker; what it does not want."""
        self.answered.clear()
        while self._link.settled:
            settled = self._link.settled.popleft()
            sent = self._sent.pop(settled.token, None)
            self._alone = 0 if settled.token == self._alone else self._alone
            self.answered.append(settled.token)
            if settled.outcome == "refused":
                if sent is not None and sent.lane != "other":
                    self._held[sent.lane] = mono_ms + (HOLD_EVENTS_MS if sent.lane == "events" else HOLD_MS)
                yield Refusal(settled.topic, settled.reason, sent)
            if sent is None:
                continue
            if settled.outcome == "cut" and self._suspects.note_cut(sent.key, mono_ms - sent.sent_mono_ms):
                self._muted.add(sent.key)
                yield Refusal(settled.topic, "the broker closed the connection each time it was sent", sent)
            elif settled.outcome in ("acked", "refused"):
                self._suspects.clear(sent.key)
