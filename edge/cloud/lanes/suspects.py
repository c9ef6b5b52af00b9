"""What was under way each time the broker closed the connection: some brokers hang up on a message they do not allow.

Sent again it would end every session, and nothing else would get through. So after some such ends it is sent alone, and when
the broker hangs up then too, it is to be parked. A connection that is merely bad ends in other ways (silence), or not always
so soon after the same message. Pure: times are given in.
"""

from collections.abc import Hashable

CUTS_MAX_COUNT = 3  # ends of a session with it under way, after which it is sent alone
SOON_MS = 10_000  # after it was sent; a broker that minds it hangs up at once
KEYS_MAX_COUNT = 256


class Suspects:
    """By key: what names a message, or all messages of a topic that are alike."""

    def __init__(self) -> None:
        self._cuts: dict[Hashable, int] = {}

    def is_suspect(self, key: Hashable) -> bool:
        """Whether it is to be sent with nothing else under way."""
        return self._cuts.get(key, 0) >= CUTS_MAX_COUNT

    def note_cut(self, key: Hashable, after_ms: int) -> bool:
        """The broker closed the connection `after_ms` after it was sent. True: it did so once more when it was alone."""
        if after_ms > SOON_MS:
            return False
        count = self._cuts.pop(key, 0) + 1
        if count > CUTS_MAX_COUNT:
            return True
        if len(self._cuts) >= KEYS_MAX_COUNT:
            del self._cuts[next(iter(self._cuts))]
        self._cuts[key] = count
        return False

    def clear(self, key: Hashable) -> None:
        """The broker answered it, whatever it said."""
        self._cuts.pop(key, None)
