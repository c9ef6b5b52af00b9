"""A small JSON message of somebody else, read strictly: bounded, unique keys, exact numbers, UTC times. Never raises."""

import json
from collections.abc import Set
from decimal import Decimal, InvalidOperation
from typing import Any

from edge.plan.signals.rows import parse_time_ms

PAYLOAD_MAX_BYTES = 1_024


def read_message(payload: bytes, required: Set[str], optional: Set[str] = frozenset()) -> dict[str, Any] | str:
    """The object with its numbers as Decimal, or in a few words why it is refused."""
    if len(payload) > PAYLOAD_MAX_BYTES:
        return f"longer than {PAYLOAD_MAX_BYTES} bytes"
    try:
        data = json.loads(
            payload.decode("utf-8"),
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, InvalidOperation, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        return "not a JSON object with unique keys"
    if not isinstance(data, dict) or not required <= set(data) <= required | optional:
        extra = "".join(f", and {key} or not" for key in sorted(optional))
        return f"keys must be exactly {', '.join(sorted(required))}{extra}"
    return data


def read_utc_ms(text: object) -> int | None:
    """A time such as 2026-07-01T00:00:00Z in milliseconds since 1970; None when it is not one, or not of UTC."""
    if not isinstance(text, str) or not text.endswith(("Z", "+00:00")):
        return None
    try:
        return parse_time_ms(text)
    except ValueError:
        return None


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found
