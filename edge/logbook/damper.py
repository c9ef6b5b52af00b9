"""A flapping contact must not fill the logbook: of one kind, a burst is told, then one a minute with a count."""

from edge.model import Event

BURST_COUNT = 6
REFILL_MS = 60_000
NAMES_MAX_COUNT = 1_000  # kinds of events there can be on a site, several times over


class Damper:
    """Lets events through; owned by one thread."""

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[float, int]] = {}  # name -> tokens, at mono_ms
        self._held: dict[str, int] = {}

    def passes(self, event: Event) -> Event | None:
        """The event, with a word on those held back since the last of its kind; None: it is held back."""
        tokens, at_mono_ms = self._tokens.get(event.name, (float(BURST_COUNT), event.mono_ms))
        tokens = min(float(BURST_COUNT), tokens + max(0, event.mono_ms - at_mono_ms) / REFILL_MS)
        if len(self._tokens) >= NAMES_MAX_COUNT and event.name not in self._tokens:
            self._tokens.clear()
        self._tokens[event.name] = (tokens - 1 if tokens >= 1 else tokens, event.mono_ms)
        if tokens < 1:
            self._held[event.name] = self._held.get(event.name, 0) + 1
            return None
        held_count = self._held.pop(event.name, 0)
        if not held_count:
            return event
        text = f"{event.text} ({held_count} more of these since the last)"
        return Event(event.mono_ms, event.wall_ms, event.name, text, event.level)
