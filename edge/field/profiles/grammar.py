"""The grammar of a profile file, table by table: keys, ranges, what must agree within one table. The whole: loader.py."""

import re
from fractions import Fraction
from typing import Any, Literal, cast

from edge.field.decode import identity_text
from edge.field.profile import (
    COILS,
    REGISTERS,
    Block,
    Command,
    Direction,
    Identify,
    Link,
    Point,
    Verify,
    Watchdog,
    Write,
)
from edge.field.profiles.table import BLANK, Table
from edge.field.profiles.upkeep import first_of, width_of
from edge.roles import COMMANDS, FLAGS, ROLES, WRITES
from edge.units import CANONICAL

WIDTH_BITS = {"u16": 16, "s16": 16, "bits": 16, "value": 16, "u32": 32, "s32": 32, "u64": 64, "s64": 64}
ADDRESS_MAX = 65_535
BITS_MAX = 256  # of one read of coils or inputs
VALUE_MAX = 2_000_000_000  # a canonical value beyond this does not fit the kernel's image: a wrong scale, or rubbish
ENERGY_MAX_WH = 10**15
FLASH_INTERVAL_MIN_MS = 60_000  # 100 000 writes, the least that flash is sold for, last 69 days at this pace


def read_link(table: Table) -> Link:
    """How it is spoken to. A device that was seen to take longer than the time-out would be called dead."""
    link = Link(
        baud=table.whole("baud", 1_200, 115_200, 19_200),
        parity=table.word("parity", ("N", "E", "O"), "N"),
        stopbits=table.whole("stopbits", 1, 2, 1),
        timeout_ms=table.whole("timeout_ms", 20, 2_000),
        min_gap_ms=table.whole("min_gap_ms", 0, 500, 20),
        turnaround_ms=table.whole("turnaround_ms", 0, 500, 10),
        max_regs=table.whole("max_regs", 1, 125, 60),
        averaging_ms=table.whole("averaging_ms", 0, 60_000) if "averaging_ms" in table.values else None,
        latency_max_ms=table.whole("latency_max_ms", 0, 2_000, 0),
        gaps_allowed=table.flag("gaps_allowed", True),
    )
    if link.timeout_ms < max(link.latency_max_ms, link.turnaround_ms):
        longest_ms = max(link.latency_max_ms, link.turnaround_ms)
        table.note("timeout_ms", link.timeout_ms, f"must be at least {longest_ms}, the longest that it takes to answer")
    table.close()
    return link


def _flag_pairs(table: Table, kind: str) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, str], ...], int]:
    """Flags (number, mask) and names (number, name) of [point.bits] and [point.values]; mask of bits that count as 0."""
    flags: list[tuple[int, int]] = []
    names: list[tuple[int, str]] = []
    low = 0
    for key, highest in (("bits", 15), ("values", 0xFFFF)):
        for number, (flag, name, active) in table.pairs(key).items():
            mask = FLAGS[kind].get(flag)
            if number > highest or (flag and mask is None):
                allowed = f"must be 0..{highest} and one of " + (", ".join(FLAGS[kind]) or "(this kind has no flags)")
                table.note(f"{key}.{number}", flag, allowed)
                continue
            if mask is not None:
                flags.append((number, mask))
            if name:
                names.append((number, name))
            if active == 0 and key == "values":
                table.note(f"{key}.{number}.active", 0, "only a bit can be the other way round")
            elif active == 0:
                low |= 1 << number
    return tuple(flags), tuple(names), low


def _scaled(table: Table, wanted: str, of: str) -> tuple[Fraction, int]:
    """Canonical units per count, and offset. `wanted` is the canonical unit `of` the role; "" when there is no role."""
    factor = table.number("scale", 1)
    offset = table.number("offset", 0)
    unit = table.word("unit", tuple(CANONICAL), "W") if wanted or "unit" in table.values else "W"
    canonical, conversion = CANONICAL[unit]
    if wanted not in ("", canonical):
        table.note("unit", unit, f"must convert to {wanted}, the unit of {of}")
    if factor <= 0:
        table.note("scale", table.values.get("scale"), "must be above 0; sign = -1 turns it round")
        factor = Fraction(1)
    return factor * conversion, round(offset * conversion)


def read_point(table: Table, kind: str, shift: int) -> tuple[str, Point]:
    """(block name, point)."""
    name, block = table.word("name"), table.word("block")
    role = table.word("role", default="")
    if role and (role not in ROLES or ROLES[role].kind != kind):
        table.note("role", role, "must be one of " + ", ".join(r for r in ROLES if ROLES[r].kind == kind))
        role = ""
    kind_of = table.word("type", tuple(t for t in REGISTERS if t != "str"))
    factor, offset = _scaled(table, ROLES[role].unit if role else "", role)
    flags, names, low_bits = _flag_pairs(table, kind)
    wanted = {"bits": "bits", "value": "values"}.get(kind_of, "")
    if {key for key in ("bits", "values") if table.values.get(key)} != ({wanted} if wanted else set()):
        table.note("type", kind_of, "bits needs [point.bits], value needs [point.values]; other types have neither")
    sign = _sign(table)
    low, high = _range(table, role)
    point = Point(
        name, role, max(0, table.whole("addr", shift, ADDRESS_MAX) - shift), cast(Any, kind_of),
        cast(Any, table.word("word_order", ("big", "little"), "big")), factor, sign * offset, sign,
        _sentinels(table, kind_of), low, high, flags, names, _step_max(table, role), low_bits, table.words("times"),
        table.whole("mask", 1, 0xFFFF, 0xFFFF), table.whole("example", 0, (1 << WIDTH_BITS.get(kind_of, 16)) - 1, 0),
    )  # fmt: skip
    if point.mask != 0xFFFF and (kind_of != "value" or any(value & ~point.mask for value, _ in (*flags, *names))):
        table.note("mask", point.mask, "only for a value, and every number of [point.values] must lie inside it")
    if point.times and (not role or kind_of == "f32"):
        table.note("times", list(point.times), "only for a whole number with a role")
    table.close()
    return block, point


def _sign(table: Table) -> Literal[1, -1]:
    sign = table.whole("sign", -1, 1, 1)
    if sign == 0:
        table.note("sign", 0, "must be 1 or -1")
    return -1 if sign < 0 else 1


def _range(table: Table, role: str) -> tuple[int | None, int | None]:
    """Where a value is believed. Without words of the profile: what the kernel's 32 bits can hold, and no counter < 0."""
    low: int | None = None
    high: int | None = None
    if role:
        counter = ROLES[role].unit == "Wh"
        low, high = (0, ENERGY_MAX_WH) if counter else (-VALUE_MAX, VALUE_MAX)
    limits = [low, high]
    for index, key in enumerate(("min", "max")):
        limit = table.take(key)
        if limit is None:
            continue
        if type(limit) is not int or (role and not cast(int, low) <= limit <= cast(int, high)):
            table.note(key, limit, f"must be a whole number in the unit of the role, {low}..{high}")
        else:
            limits[index] = limit
    low, high = limits
    if low is not None and high is not None and low > high:
        table.note("min", low, f"must not be above max = {high}")
    return low, high


def _step_max(table: Table, role: str) -> int | None:
    if "step_max" not in table.values:
        return None
    if not role:
        table.note("step_max", table.values["step_max"], "only a point with a role is watched")
    return table.whole("step_max", 1, VALUE_MAX)


def _sentinels(table: Table, kind_of: str) -> tuple[int, ...]:
    raw = table.take("sentinel", [])
    bits = WIDTH_BITS.get(kind_of, 0)
    if not isinstance(raw, list) or any(type(v) is not int or not 0 <= v < 1 << bits for v in raw):
        table.note("sentinel", raw, f"must be a list of raw values 0..{(1 << bits) - 1}" if bits else "not for f32")
        return ()
    signed = kind_of.startswith("s")
    return tuple(v - (1 << bits) if signed and v >> (bits - 1) else v for v in raw)


def read_block(table: Table, shift: int, link: Link, points: list[tuple[str, Point]]) -> Block:
    name = table.word("name")
    fc = table.whole("fc", 1, 4)
    of_bits = fc in COILS and table.values.get("fc") == fc
    start = max(0, table.whole("start", shift, ADDRESS_MAX) - shift)
    count = table.whole("count", 1, BITS_MAX if of_bits else 125)
    if count > link.max_regs and not of_bits:
        table.note("count", count, f"must be at most link.max_regs = {link.max_regs}")
    mine = sorted((p for block, p in points if block == name), key=lambda p: p.addr)
    if any(problem.value == BLANK for problem in table.problems):
        mine = []  # where they are is not known yet
    places = [(p, _size(p) if of_bits else REGISTERS[p.type]) for p in mine]
    end = start
    for point, size in places:
        if point.addr < start or point.addr + size > start + count:
            table.note("start", start + shift, f"point {point.name} at {point.addr + shift} is outside the block")
        if point.addr < end:
            table.note("start", start + shift, f"point {point.name} at {point.addr + shift} overlaps the one before it")
        if point.addr > end and not link.gaps_allowed:
            allowed = f"nothing is known of register {end + shift}, and link.gaps_allowed = false"
            table.note("start", start + shift, allowed, "name what is there as a point, or read two blocks")
        if of_bits and point.type != "bits":
            table.note("fc", fc, f"reads single bits, and point {point.name} is of type {point.type}")
        end = point.addr + size
    if end < start + count and not link.gaps_allowed:
        table.note("count", count, f"must be {end - start}: what is behind is not known, and link.gaps_allowed = false")
    mandatory = tuple(i for i, p in enumerate(mine) if p.flags or (p.role in ROLES and ROLES[p.role].mandatory))
    block = Block(
        name, cast(Any, fc), start, count, table.whole("period_ms", 50, 3_600_000), table.whole("priority", 2, 5),
        tuple(mine), mandatory,
    )  # fmt: skip
    table.close()
    return block


def _size(point: Point) -> int:
    """Inputs that a point of a block of bits covers: up to the last one that has a flag or a name."""
    return 1 + max((bit for bit, _ in (*point.flags, *point.names)), default=0)


def read_write(table: Table, kind: str, shift: int) -> Write:
    name = table.word("name", tuple(WRITES[kind]) or ("(this kind has no writes)",))
    addr = max(0, table.whole("addr", shift, ADDRESS_MAX) - shift)
    fc, kind_of = table.whole("fc", 5, 16), table.word("type", ("bit", "u16", "s16", "u32", "s32", "f32"))
    before, direction = _in_front(table)
    after = _constants(table, "after")
    if kind_of == "bit":
        if fc not in (5, 15) or before or direction or after:
            table.note("fc", fc, "must be 5 or 15 for a bit, and nothing stands around it")
    elif fc not in (6, 16) or (fc == 6 and (REGISTERS[kind_of] != 1 or before or direction or after)):
        table.note("fc", fc, "must be 6 (one register) or 16")
    if direction is not None and not kind_of.startswith("u"):
        table.note("type", kind_of, "must be u16 or u32: with `direction` the amount has no sign")
    factor, _ = _scaled(table, WRITES[kind].get(name, ""), name)
    sign = _sign(table)
    low, high, safe = (table.whole(key, -VALUE_MAX, VALUE_MAX) for key in ("min", "max", "safe"))
    is_blank = any(problem.value == BLANK for problem in table.problems)  # then there is nothing to compare yet
    if not low <= safe <= high and not is_blank:
        table.note("safe", safe, f"must be within min..max = {low}..{high}")
    if factor > 0 and not is_blank:
        signed = {"u16": "s16", "u32": "s32"}.get(kind_of, kind_of) if direction else kind_of
        _check_counts(table, signed, factor * sign, {"min": low, "max": high, "safe": safe})
    verify = _verify(table.table("verify"), kind_of, shift)
    order = cast(Any, table.word("word_order", ("big", "little"), "big"))
    interval = (table.whole("min_interval_ms", 0, 60_000), table.whole("max_interval_ms", 100, 600_000))
    flash = table.flag("flash", False)
    if flash and min(interval) < FLASH_INTERVAL_MIN_MS:
        allowed = (
            f"min_interval_ms and max_interval_ms must be at least {FLASH_INTERVAL_MIN_MS}: flash memory wears out"
        )
        table.note("flash", True, allowed, "a setpoint for every cycle needs a register that is not kept in flash")
    table.close()
    return Write(
        name, addr, cast(Any, fc), cast(Any, kind_of), order, factor, sign, low, high, safe, *interval, verify, before,
        direction, flash, after,
    )  # fmt: skip


def _in_front(table: Table) -> tuple[tuple[int, ...], Direction | None]:
    """What the frame of a write holds before the amount."""
    before = _constants(table, "before")
    words = table.table("direction")
    if words is None:
        return before, None
    direction = Direction(*(words.whole(key, 0, 0xFFFF) for key in ("charge", "discharge", "none")))
    if len({direction.charge, direction.discharge, direction.none}) != 3:
        words.note("none", direction.none, "charge, discharge and none must be three different values")
    words.close()
    return before, direction


def _constants(table: Table, key: str) -> tuple[int, ...]:
    raw = table.take(key, [])
    if not isinstance(raw, list) or len(raw) > 8 or any(type(v) is not int or not 0 <= v <= 0xFFFF for v in raw):
        table.note(key, raw, "must be a list of at most 8 raw values 0..65535")
        return ()
    return tuple(raw)


def _verify(table: Table | None, kind_of: str, shift: int) -> Verify | None:
    if table is None:
        return None
    fc = table.whole("fc", 1, 4)
    if fc not in ((1,) if kind_of == "bit" else (3, 4)):
        table.note("fc", fc, "must be 1 for a bit, 3 or 4 for registers")
    verify = Verify(
        max(0, table.whole("addr", shift, ADDRESS_MAX) - shift), cast(Any, fc), table.whole("delay_ms", 0, 5_000),
        table.whole("tol", 0, 100, 0),
    )  # fmt: skip
    table.close()
    return verify


def _check_counts(table: Table, kind_of: str, factor: Fraction, limits: dict[str, int]) -> None:
    """The limits must fit the register, and safe must be a whole count: otherwise it cannot be written."""
    bits = {"f32": 25, "bit": 1}.get(kind_of) or WIDTH_BITS[kind_of]  # an f32 holds whole numbers of 24 bits and a sign
    signed = kind_of in ("s16", "s32", "f32")
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    for key, limit in limits.items():
        if not least <= limit / factor <= most:
            table.note(key, limit, f"is {float(limit / factor):g} counts and does not fit {kind_of}")
    if (limits["safe"] / factor).denominator != 1:
        table.note("safe", limits["safe"], "must be a whole number of counts")


def read_command(table: Table, kind: str, shift: int) -> Command:
    name = table.word("name", COMMANDS[kind] or ("(this kind has no commands)",))
    fc = table.whole("fc", 5, 16, 6)
    if fc not in (5, 6, 16):
        table.note("fc", fc, "must be 5 (a coil), 6 or 16")
    raw = table.take("writes", [])
    good = isinstance(raw, list) and bool(raw)
    good = good and all(isinstance(w, list) and len(w) == 2 and all(type(n) is int for n in w) for w in raw)
    if not good or any(not shift <= a <= ADDRESS_MAX or not 0 <= v <= ADDRESS_MAX for a, v in raw):
        table.note("writes", raw, "must be a list of [address, value], both 0..65535")
        raw = []
    flags = []
    for key in ("unless", "until"):
        word = table.word(key, default="")
        if word.removeprefix("!") not in ("", *FLAGS[kind]):
            table.note(key, word, "must be a flag, one of " + ", ".join(FLAGS[kind]))
        flags.append(word)
    table.close()
    return Command(name, tuple((address - shift, value) for address, value in raw), flags[0], flags[1], cast(Any, fc))


def read_watchdog(table: Table | None, shift: int) -> Watchdog | None:
    if table is None:
        return None
    addr, fc = max(0, table.whole("addr", shift, ADDRESS_MAX) - shift), table.whole("fc", 6, 16)
    if fc not in (6, 16):
        table.note("fc", fc, "must be 6 or 16")
    seconds = table.number("seconds_per_count", 1)
    if seconds <= 0:
        table.note("seconds_per_count", str(seconds), "must be above 0")
    watchdog = Watchdog(
        addr, cast(Any, fc), table.whole("value", 1, 3_600), seconds, table.word("on_loss"),
        table.whole("rewrite_ms", 0, 600_000, 0), cast(Any, width_of(table, fc)), first_of(table, shift),
    )  # fmt: skip
    if watchdog.rewrite_ms >= 1000 * watchdog.value * seconds:
        table.note("rewrite_ms", watchdog.rewrite_ms, "must be shorter than the timer itself")
    table.close()
    return watchdog


def identity_payload(identify: Identify) -> bytes:
    """The registers of a device that says its example. Raises ValueError when it does not fit."""
    size_bytes = 2 * identify.count
    raw = identify.example.encode("ascii") if identify.type == "str" else None
    if raw is None:
        raw = int(identify.example, 16).to_bytes(size_bytes, "big")
    if len(raw) > size_bytes:
        raise ValueError(f"is {len(raw)} bytes, and {identify.count} registers hold {size_bytes}")
    return raw.ljust(size_bytes, b"\0")


def read_identify(table: Table | None, shift: int, link: Link) -> Identify | None:
    if table is None:
        return None
    identify = Identify(
        max(0, table.whole("addr", shift, ADDRESS_MAX) - shift), cast(Any, table.whole("fc", 3, 4)),
        table.whole("count", 1, min(60, link.max_regs)), cast(Any, table.word("type", ("str", "u16", "u32"), "str")),
        table.word("match"), table.word("example"),
    )  # fmt: skip
    if identify.type != "str" and identify.count != REGISTERS[identify.type]:
        table.note("count", identify.count, f"must be {REGISTERS[identify.type]} for {identify.type}")
    try:
        said = identity_text(identify, identity_payload(identify))
        if not re.search(identify.match, said):
            table.note("match", identify.match, f"does not match the example, which reads as {said!r}")
    except re.error as error:
        table.note("match", identify.match, f"is no regular expression: {error}")
    except (ValueError, OverflowError) as error:
        table.note("example", identify.example, f"cannot be what such a device says: {error}")
    table.close()
    return identify
