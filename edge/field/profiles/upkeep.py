"""The tables of a profile that keep a device and us in step: the heartbeat, what must not change, what a timer leads to."""

from typing import Any, cast

from edge.field.profile import REGISTERS, Constant, Heartbeat
from edge.field.profiles.table import Table

ADDRESS_MAX = 65_535
WORD_MAX = 0xFFFF
CONSTANTS_MAX = 200  # a device has a dozen models with a few scale factors each


def heartbeat_of(table: Table | None, shift: int) -> Heartbeat | None:
    """`[heartbeat]`; None when absent."""
    if table is None:
        return None
    addr, fc = max(0, table.whole("addr", shift, ADDRESS_MAX) - shift), _function(table)
    kind = width_of(table, fc)
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


def _function(table: Table) -> int:
    fc = table.whole("fc", 6, 16)
    if fc not in (6, 16):
        table.note("fc", fc, "must be 6 or 16")
    return fc


def width_of(table: Table, fc: int) -> str:
    """`type` of a timer or a counter."""
    kind = table.word("type", ("u16", "u32"), "u16")
    if fc == 6 and REGISTERS[kind] != 1:
        table.note("fc", fc, "must be 16 for u32: both registers go out together")
    return kind


def first_of(table: Table, shift: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """`first` of a comm-loss timer."""
    raw = table.take("first", [])
    good = isinstance(raw, list) and all(
        isinstance(entry, list) and 2 <= len(entry) <= 3 and all(type(n) is int and 0 <= n <= WORD_MAX for n in entry)
        for entry in raw
    )
    if not good or any(entry[0] < shift for entry in raw):
        table.note("first", raw, "must be a list of [address, register] or [address, register, register]")
        return ()
    return tuple((entry[0] - shift, tuple(entry[1:])) for entry in raw)
