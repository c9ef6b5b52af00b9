"""The tables of a profile that keep a device and us in step: its comm-loss timer, the heartbeat, what must not change."""

from typing import Any, cast

from edge.field.profile import REGISTERS, Constant, Heartbeat, Watchdog
from edge.field.profiles.table import Table

ADDRESS_MAX = 65_535
WORD_MAX = 0xFFFF
CONSTANTS_MAX = 200  # a device has a dozen models with a few scale factors each


def watchdog_of(table: Table | None, shift: int) -> Watchdog | None:
    """`[watchdog]`; None when absent."""
    if table is None:
        return None
    addr, fc = max(0, table.whole("addr", shift, ADDRESS_MAX) - shift), _function(table)
    seconds = table.number("seconds_per_count", 1)
    if seconds <= 0:
        table.note("seconds_per_count", str(seconds), "must be above 0")
    value, on_loss = table.whole("value", 1, 3_600), table.word("on_loss")
    kind = _width(table, fc)
    watchdog = Watchdog(addr, cast(Any, fc), value, seconds, on_loss, cast(Any, kind), _first(table, shift))
    table.close()
    return watchdog


def heartbeat_of(table: Table | None, shift: int) -> Heartbeat | None:
    """`[heartbeat]`; None when absent."""
    if table is None:
        return None
    addr, fc = max(0, table.whole("addr", shift, ADDRESS_MAX) - shift), _function(table)
    kind = _width(table, fc)
    heartbeat = Heartbeat(addr, cast(Any, fc), cast(Any, kind), table.whole("period_ms", 200, 60_000, 1_000))
    table.close()
    return heartbeat


def constants_of(tables: list[Table], shift: int) -> tuple[Constant, ...]:
    """Every `[[constant]]`."""
    found = []
    for table in tables:
        addr = max(0, table.whole("addr", shift, ADDRESS_MAX) - shift)
        found.append(Constant(table.word("name"), addr, table.whole("value", 0, WORD_MAX)))
        table.close()
    if len(found) > CONSTANTS_MAX:
        tables[-1].note("name", found[-1].name, f"is constant {len(found)}; at most {CONSTANTS_MAX}")
    return tuple(found)


def registers_of(table: Table, key: str) -> tuple[int, ...]:
    """Raw registers that go out with a write, `before = [1, 1]`."""
    raw = table.take(key, [])
    if not isinstance(raw, list) or len(raw) > 16 or any(type(v) is not int or not 0 <= v <= WORD_MAX for v in raw):
        table.note(key, raw, f"must be a list of at most 16 registers 0..{WORD_MAX}")
        return ()
    return tuple(raw)


def _function(table: Table) -> int:
    fc = table.whole("fc", 6, 16)
    if fc not in (6, 16):
        table.note("fc", fc, "must be 6 or 16")
    return fc


def _width(table: Table, fc: int) -> str:
    kind = table.word("type", ("u16", "u32"), "u16")
    if fc == 6 and REGISTERS[kind] != 1:
        table.note("fc", fc, "must be 16 for u32: both registers go out together")
    return kind


def _first(table: Table, shift: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    raw = table.take("first", [])
    good = isinstance(raw, list) and all(
        isinstance(entry, list) and 2 <= len(entry) <= 3 and all(type(n) is int and 0 <= n <= WORD_MAX for n in entry)
        for entry in raw
    )
    if not good or any(entry[0] < shift for entry in raw):
        table.note("first", raw, "must be a list of [address, register] or [address, register, register]")
        return ()
    return tuple((entry[0] - shift, tuple(entry[1:])) for entry in raw)
