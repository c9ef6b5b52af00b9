"""Profile TOML to Profile: every mistake at once, each with file, key, value, allowed. The grammar is here."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import tomli

from edge.errors import ConfigFault, Problem
from edge.field.decode import identity_text
from edge.field.profile import (
    REGISTERS,
    Block,
    Command,
    Identify,
    Link,
    Point,
    Profile,
    Verify,
    Write,
)
from edge.field.profiles.table import Table
from edge.field.profiles.upkeep import constants_of, heartbeat_of, registers_of, watchdog_of
from edge.roles import COMMANDS, FLAGS, FLAGS_MANDATORY, ROLES, WRITES, WRITES_MANDATORY
from edge.units import CANONICAL

FOLDER = Path(__file__).parent
WIDTH_BITS = {"u16": 16, "s16": 16, "bits": 16, "value": 16, "u32": 32, "s32": 32, "u64": 64, "s64": 64}
KINDS = ("pcs", "bms", "pv", "meter")
ADDRESS_MAX = 65_535
VALUE_MAX = 2_000_000_000  # a canonical value beyond this does not fit the kernel's image: a wrong scale, or rubbish
ENERGY_MAX_WH = 10**15


def load_profile(profile_id: str) -> Profile:
    """The profile that ships under this id. Raises ConfigFault."""
    path = FOLDER / f"{profile_id}.toml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.toml")))
        raise ConfigFault([Problem(str(path.name), "profile", profile_id, f"is not known; there are: {known}")])
    return read_profile(path)


def read_profile(path: Path) -> Profile:
    """A profile from any file. Raises ConfigFault with every problem found."""
    try:
        tables = tomli.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigFault([Problem(path.name, "file", None, f"cannot be read: {error.strerror}")]) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or a number of thousands of digits
        raise ConfigFault([Problem(path.name, "file", None, f"not TOML: {error}")]) from error
    return parse_profile(tables, path.name)


def parse_profile(tables: dict[str, Any], file: str) -> Profile:
    """Tables of a profile file to Profile. Raises ConfigFault with every problem found."""
    problems: list[Problem] = []
    top = Table(file, "", tables, problems)
    top.whole("schema", 1, 1)
    head = top.table("profile") or Table(file, "profile", {}, problems)
    kind = head.word("kind", KINDS)
    names = [head.word(key) for key in ("id", "vendor", "model", "version", "source")]
    verified = head.flag("verified", False)
    shift = 1 if head.word("addressing", ("wire0", "doc1"), "wire0") == "doc1" else 0
    head.close()
    link = _link(top.table("link") or Table(file, "link", {}, problems))
    points = [_point(table, kind, shift) for table in top.tables("point")]
    blocks = tuple(_block(table, shift, link, points) for table in top.tables("block"))
    writes = tuple(_write(table, kind, shift) for table in top.tables("write"))
    commands = tuple(_command(table, kind, shift) for table in top.tables("command"))
    watchdog = watchdog_of(top.table("watchdog"), shift)
    heartbeat = heartbeat_of(top.table("heartbeat"), shift)
    constants = constants_of(top.tables("constant"), shift)
    identify = _identify(top.table("identify"), shift, link)
    top.close()
    _whole_profile(top, kind, blocks, points, writes, commands)
    if problems:
        raise ConfigFault(problems)
    profile_id, vendor, model, version, source = names
    return Profile(
        profile_id, vendor, model, cast(Any, kind), version, source, verified, link, blocks, writes, commands, watchdog,
        identify, heartbeat, constants,
    )  # fmt: skip


def _link(table: Table) -> Link:
    link = Link(
        baud=table.whole("baud", 1_200, 115_200, 19_200),
        parity=table.word("parity", ("N", "E", "O"), "N"),
        stopbits=table.whole("stopbits", 1, 2, 1),
        timeout_ms=table.whole("timeout_ms", 20, 2_000),
        min_gap_ms=table.whole("min_gap_ms", 0, 500, 20),
        turnaround_ms=table.whole("turnaround_ms", 0, 500, 10),
        max_regs=table.whole("max_regs", 1, 125, 60),
        averaging_ms=table.whole("averaging_ms", 0, 60_000, 0),
        latency_max_ms=table.whole("latency_max_ms", 0, 2_000, 0),
        gaps_allowed=table.flag("gaps_allowed", True),
    )
    table.close()
    return link


def _flag_pairs(table: Table, kind: str) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, str], ...]]:
    """Flags (number, mask) and names (number, name) of [point.bits] and [point.values]."""
    flags: list[tuple[int, int]] = []
    names: list[tuple[int, str]] = []
    for key, highest in (("bits", 15), ("values", 0xFFFF)):
        for number, (flag, name) in table.pairs(key).items():
            mask = FLAGS[kind].get(flag)
            if number > highest or (flag and mask is None):
                allowed = f"must be 0..{highest} and one of " + (", ".join(FLAGS[kind]) or "(this kind has no flags)")
                table.note(f"{key}.{number}", flag, allowed)
                continue
            if mask is not None:
                flags.append((number, mask))
            if name:
                names.append((number, name))
    return tuple(flags), tuple(names)


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


def _point(table: Table, kind: str, shift: int) -> tuple[str, Point]:
    """(block name, point)."""
    name, block = table.word("name"), table.word("block")
    role = table.word("role", default="")
    if role and (role not in ROLES or ROLES[role].kind != kind):
        table.note("role", role, "must be one of " + ", ".join(r for r in ROLES if ROLES[r].kind == kind))
        role = ""
    kind_of = table.word("type", tuple(t for t in REGISTERS if t != "str"))
    factor, offset = _scaled(table, ROLES[role].unit if role else "", role)
    flags, names = _flag_pairs(table, kind)
    wanted = {"bits": "bits", "value": "values"}.get(kind_of, "")
    if {key for key in ("bits", "values") if table.values.get(key)} != ({wanted} if wanted else set()):
        table.note("type", kind_of, "bits needs [point.bits], value needs [point.values]; other types have neither")
    sign = _sign(table)
    low, high = _range(table, role)
    point = Point(
        name, role, max(0, table.whole("addr", shift, ADDRESS_MAX) - shift), cast(Any, kind_of),
        cast(Any, table.word("word_order", ("big", "little"), "big")), factor, sign * offset, sign,
        _sentinels(table, kind_of), low, high, flags, names, _step_max(table, role),
    )  # fmt: skip
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


def _block(table: Table, shift: int, link: Link, points: list[tuple[str, Point]]) -> Block:
    name = table.word("name")
    fc = table.whole("fc", 3, 4)
    start = max(0, table.whole("start", shift, ADDRESS_MAX) - shift)
    count = table.whole("count", 1, 125)
    if count > link.max_regs:
        table.note("count", count, f"must be at most link.max_regs = {link.max_regs}")
    mine = sorted((p for block, p in points if block == name), key=lambda p: p.addr)
    end = start
    for point in mine:
        size = REGISTERS[point.type]
        if point.addr < start or point.addr + size > start + count:
            table.note("start", start + shift, f"point {point.name} at {point.addr + shift} is outside the block")
        if point.addr < end:
            table.note("start", start + shift, f"point {point.name} at {point.addr + shift} overlaps the one before it")
        end = point.addr + size
    mandatory = tuple(i for i, p in enumerate(mine) if p.flags or (p.role in ROLES and ROLES[p.role].mandatory))
    block = Block(
        name, cast(Any, fc), start, count, table.whole("period_ms", 50, 3_600_000), table.whole("priority", 2, 5),
        tuple(mine), mandatory,
    )  # fmt: skip
    table.close()
    return block


def _write(table: Table, kind: str, shift: int) -> Write:
    name = table.word("name", tuple(WRITES[kind]) or ("(this kind has no writes)",))
    addr = max(0, table.whole("addr", shift, ADDRESS_MAX) - shift)
    fc, kind_of = table.whole("fc", 6, 16), table.word("type", ("u16", "s16", "u32", "s32", "f32"))
    if fc not in (6, 16) or (fc == 6 and REGISTERS[kind_of] != 1):
        table.note("fc", fc, "must be 6 (one register) or 16")
    factor, _ = _scaled(table, WRITES[kind].get(name, ""), name)
    sign = _sign(table)
    low, high, safe = (table.whole(key, -VALUE_MAX, VALUE_MAX) for key in ("min", "max", "safe"))
    if not low <= safe <= high:
        table.note("safe", safe, f"must be within min..max = {low}..{high}")
    if factor > 0:
        _check_counts(table, kind_of, factor * sign, {"min": low, "max": high, "safe": safe})
    verify_table = table.table("verify")
    verify = None
    if verify_table:
        verify = Verify(
            max(0, verify_table.whole("addr", shift, ADDRESS_MAX) - shift), cast(Any, verify_table.whole("fc", 3, 4)),
            verify_table.whole("delay_ms", 0, 5_000), verify_table.whole("tol", 0, 100, 0),
        )  # fmt: skip
        verify_table.close()
    order = cast(Any, table.word("word_order", ("big", "little"), "big"))
    interval = (table.whole("min_interval_ms", 0, 60_000), table.whole("max_interval_ms", 100, 600_000))
    before, after = registers_of(table, "before"), registers_of(table, "after")
    if fc == 6 and (before or after):
        table.note("fc", fc, "must be 16 with before or after: they go out together")
    table.close()
    return Write(
        name, addr, cast(Any, fc), cast(Any, kind_of), order, factor, sign, low, high, safe, *interval, verify, before,
        after,
    )  # fmt: skip


def _check_counts(table: Table, kind_of: str, factor: Fraction, limits: dict[str, int]) -> None:
    """The limits must fit the register, and safe must be a whole count: otherwise it cannot be written."""
    bits = 25 if kind_of == "f32" else WIDTH_BITS[kind_of]  # an f32 holds whole numbers of 24 bits and a sign
    signed = kind_of in ("s16", "s32", "f32")
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    for key, limit in limits.items():
        if not least <= limit / factor <= most:
            table.note(key, limit, f"is {float(limit / factor):g} counts and does not fit {kind_of}")
    if (limits["safe"] / factor).denominator != 1:
        table.note("safe", limits["safe"], "must be a whole number of counts")


def _command(table: Table, kind: str, shift: int) -> Command:
    name = table.word("name", COMMANDS[kind] or ("(this kind has no commands)",))
    raw = table.take("writes", [])
    good = isinstance(raw, list) and bool(raw)
    good = good and all(isinstance(w, list) and len(w) == 2 and all(type(n) is int for n in w) for w in raw)
    if not good or any(not shift <= a <= ADDRESS_MAX or not 0 <= v <= ADDRESS_MAX for a, v in raw):
        table.note("writes", raw, "must be a list of [address, value], both 0..65535")
        raw = []
    fc = table.whole("fc", 6, 16, 6)
    if fc not in (6, 16):
        table.note("fc", fc, "must be 6 or 16")
    flags = []
    for key in ("unless", "until"):
        word = table.word(key, default="")
        if word.removeprefix("!") not in ("", *FLAGS[kind]):
            table.note(key, word, "must be a flag, one of " + ", ".join(FLAGS[kind]))
        flags.append(word)
    table.close()
    writes = tuple((address - shift, value) for address, value in raw)
    return Command(name, writes, flags[0], flags[1], cast(Any, fc))


def identity_payload(identify: Identify) -> bytes:
    """The registers of a device that says its example. Raises ValueError when it does not fit."""
    size_bytes = 2 * identify.count
    raw = identify.example.encode("ascii") if identify.type == "str" else None
    if raw is None:
        raw = int(identify.example, 16).to_bytes(size_bytes, "big")
    if len(raw) > size_bytes:
        raise ValueError(f"is {len(raw)} bytes, and {identify.count} registers hold {size_bytes}")
    return raw.ljust(size_bytes, b"\0")


def _identify(table: Table | None, shift: int, link: Link) -> Identify | None:
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


def _whole_profile(
    top: Table, kind: str, blocks: tuple[Block, ...], points: list[tuple[str, Point]],
    writes: tuple[Write, ...], commands: tuple[Command, ...],
) -> None:  # fmt: skip
    """What only the whole shows: names and roles that are there once, and those that must be there."""
    block_names = [block.name for block in blocks]
    for block, point in points:
        if block not in block_names:
            top.note(f"point.{point.name}", block, "block is not one of " + ", ".join(block_names))
    for what, names in (
        ("block", block_names),
        ("point", [p.name for _, p in points]),
        ("role", [p.role for _, p in points if p.role]),
        ("write", [w.name for w in writes]),
        ("command", [c.name for c in commands]),
    ):
        for name in sorted({n for n in names if names.count(n) > 1}):
            top.note(what, name, "is there more than once")
    roles = {p.role for _, p in points}
    for role in ROLES.values():
        if role.kind == kind and role.mandatory and role.name not in roles:
            top.note("point", role.name, f"is missing: a {kind} is useless without it")
    masks = {mask for _, p in points for _, mask in p.flags}
    for flag in FLAGS_MANDATORY[kind]:
        if FLAGS[kind][flag] not in masks:
            top.note("point", flag, f"flag is missing: a {kind} cannot be judged without it")
    for name in WRITES_MANDATORY[kind]:
        if name not in {w.name for w in writes}:
            top.note("write", name, f"is missing: a {kind} cannot be controlled without it")
