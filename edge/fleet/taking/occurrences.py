"""An `ev` message as the books take it: what wire.md allows, with texts that any database can hold. Pure."""

from dataclasses import replace

from edge.cloud.notices import NumberedEvent, decode_events

_REPLACED = "\ufffd"


def decode_told(payload: bytes) -> tuple[int, tuple[NumberedEvent, ...]]:
    """Epoch and events. Raises DataFault for anything else than an `ev` message."""
    batch = decode_events(payload)
    return batch.epoch, tuple(map(_storable, batch.events))


def _storable(one: NumberedEvent) -> NumberedEvent:
    event = one.event
    return replace(one, event=replace(event, name=_clean(event.name), text=_clean(event.text)))


def _clean(text: str) -> str:
    """JSON may hold halves of a surrogate pair, which are no text, and NUL, which PostgreSQL does not store."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", _REPLACED)
