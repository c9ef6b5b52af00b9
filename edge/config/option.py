"""What an option is: a dataclass field with its range, its words, and one line on when to change it. No option here."""

from dataclasses import field
from typing import Any

REQUIRED: Any = object()  # marks an option that has no default
NAME = r"[a-z][a-z0-9_-]{0,30}"
UNTOLD = -1  # of an option below whose range it is: left out, and no number stands in for it
POWER_MAX_W = 100_000_000  # TW_POWER_LIMIT_W: what the kernel's integers are sized for


def option(
    default: Any = REQUIRED,
    *,
    low: int | None = None,
    high: int | None = None,
    words: tuple[str, ...] = (),
    pattern: str = "",
    when: str = "",
) -> Any:
    """A dataclass field with the range that reader.py enforces; `words` lists the values, `pattern` a full match."""
    meta = {"low": low, "high": high, "words": words, "pattern": pattern, "when": when, "required": default is REQUIRED}
    return field(metadata=meta) if default is REQUIRED else field(default=default, metadata=meta)


def power(default: Any = REQUIRED, *, low: int = 0, when: str = "") -> Any:
    """An option in watts, 0 (or `low`) to what the kernel can hold."""
    return option(default, low=low, high=POWER_MAX_W, when=when)
