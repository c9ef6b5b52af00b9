"""A profile as people read it: the list of all, the sheet of one, and the handbook's page. Text only; nothing is decided."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from edge.field.profile import COILS, REGISTERS, Block, Point, Profile, Write
from edge.roles import COMMANDS, FLAGS, FLAGS_MANDATORY, ROLES, WRITES

# canonical unit -> the one people read, and how many canonical ones it is
READ_AS = {"dV": ("V", 10), "dA": ("A", 10), "dC": ("°C", 10), "cpct": ("%", 100), "mHz": ("Hz", 1000)}
NAME_MAX = 40  # of make and model in the list: `show` has it whole
UNTOLD = ("count",)  # units that say nothing
LEFT_OUT = (
    "Sungrow SBR batteries (address 200 behind the inverter): cell values are known, limits of current are not.",
)


def listing(profiles: Sequence[Profile]) -> list[str]:
    """One line a profile."""
    rows: list[tuple[str, ...]] = [("id", "kind", "make and model", "baud", "fast block", "comm-loss timer", "tried")]
    for p in profiles:
        name = textwrap.shorten(f"{p.vendor} {p.model}", NAME_MAX, placeholder=" ...")
        rows.append((p.id, p.kind, name, _line(p), _fast(p), _timer(p), _tried(p)))
    return _aligned(rows)


def sheet(profile: Profile) -> list[str]:
    """Everything about one profile."""
    head = [
        ("id", profile.id), ("kind", profile.kind), ("make", profile.vendor), ("model", profile.model),
        ("source", profile.source), ("tried", _tried(profile)), ("line", _link(profile)),
        ("identity", _identity(profile)), ("comm-loss timer", _watchdog(profile)),
    ]  # fmt: skip
    lines = [f"{name:<17}{value}" for name, value in head]
    lines += [f"{'note' if index == 0 else '':<17}{note}" for index, note in enumerate(profile.notes)]
    lines += [f"{'missing':<17}{', '.join(missing(profile)) or 'nothing'}", ""]
    rows: list[tuple[str, ...]] = [("point", "role", "address", "", "read", "type", "scale", "unit", "period")]
    rows += [_point_row(block, point) for block in profile.blocks for point in block.points]
    lines += _aligned(rows)
    flags = [f"{point.name + '.' + str(number):<28}{text}" for point, number, text in _meanings(profile)]
    lines += ["", *flags] if flags else []
    orders = [_write_row(write) for write in profile.writes]
    if orders:
        head_row = ("write", "address", "", "with", "type", "scale", "unit", "from", "to", "least interval")
        lines += ["", *_aligned([head_row, *orders])]
    lines += [""] if profile.commands else []
    for command in profile.commands:
        parts = ", ".join(f"{addr} (0x{addr:04X}) = {value}" for addr, value in command.writes)
        lines.append(f"command {command.name}: FC{command.fc} {parts}")
    return lines


def page(profiles: Sequence[Profile]) -> list[str]:
    """The handbook's page of devices, in Markdown."""
    lines = [
        "# Devices",
        "",
        "Made by `edge profile list --markdown`; a test keeps it so. Every profile is facts with a named source, and none",
        "was tried on a device by us: `verified = false` until somebody has. `edge profile show ID` prints every address.",
        "",
        "| id | kind | make and model | line | fast block | comm-loss timer |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{p.id}` | {p.kind} | {p.vendor} {p.model} | {_line(p)} | {_fast(p)} | {_watchdog(p)} |" for p in profiles
    ]
    lines += ["", "Left out, because a fact is missing without which such a device cannot be used:", ""]
    lines += [f"* {text}" for text in LEFT_OUT]
    for profile in profiles:
        lines += ["", f"## {profile.id}", "", f"Source: {profile.source}.", ""]
        lines += [f"* {note[:1].upper()}{note[1:]}." for note in profile.notes]
        lines += [f"* Missing: {', '.join(missing(profile))}."] if missing(profile) else []
    return lines


def as_data(profile: Profile) -> dict[str, Any]:
    """For machines."""
    return {
        "id": profile.id, "kind": profile.kind, "vendor": profile.vendor, "model": profile.model,
        "source": profile.source, "verified": profile.verified, "baud": profile.link.baud, "notes": profile.notes,
        "missing": missing(profile),
        "points": [
            {"name": point.name, "role": point.role, "block": block.name, "fc": block.fc, "address": point.addr,
             "type": point.type, "word_order": point.word_order, "scale": _scale(point), "unit": _unit(point),
             "period_ms": block.period_ms}
            for block in profile.blocks for point in block.points
        ],
        "writes": [{"name": w.name, "address": w.addr, "fc": w.fc, "min": w.min, "max": w.max} for w in profile.writes],
        "commands": [command.name for command in profile.commands],
    }  # fmt: skip


def missing(profile: Profile) -> list[str]:
    """What others of its kind may have and this one has not."""
    points = [point for block in profile.blocks for point in block.points]
    has = {point.role for point in points}
    lacking = [role.name for role in ROLES.values() if role.kind == profile.kind and role.name not in has]
    words = [f"reading {role.partition('.')[2]}" for role in lacking]
    masks = {mask for point in points for _, mask in point.flags}
    # A remote I/O has the inputs that are wired: what it lacks is no lack.
    flags = [flag for flag, mask in FLAGS[profile.kind].items() if mask not in masks and profile.kind != "io"]
    words += [f"flag {flag}" for flag in flags if flag not in FLAGS_MANDATORY[profile.kind]]
    words += [f"write {name}" for name in WRITES[profile.kind] if name not in {w.name for w in profile.writes}]
    words += [f"command {name}" for name in COMMANDS[profile.kind] if name not in {c.name for c in profile.commands}]
    words += ["comm-loss timer"] if profile.watchdog is None and profile.kind in ("pcs", "bms") else []
    words += ["identity"] if profile.identify is None else []
    return [word.replace("_", " ") for word in words]


# ---- the parts of a line


def _tried(profile: Profile) -> str:
    return "yes" if profile.verified else "no"


def _line(profile: Profile) -> str:
    link = profile.link
    return f"{link.baud} 8{link.parity}{link.stopbits}"


def _link(profile: Profile) -> str:
    link = profile.link
    parts = [
        _line(profile), f"time-out {link.timeout_ms} ms", f"gap {link.min_gap_ms} ms", f"answers in {link.turnaround_ms} ms",
        f"{link.max_regs} registers a read",
    ]  # fmt: skip
    parts += [f"slowest {link.latency_max_ms} ms"] if link.latency_max_ms else []
    parts += [f"mean of {link.averaging_ms} ms"] if link.averaging_ms is not None else []
    parts += [] if link.gaps_allowed else ["no gaps"]
    return ", ".join(parts)


def _identity(profile: Profile) -> str:
    found = profile.identify
    return f"{found.addr} (0x{found.addr:04X}) FC{found.fc} matches {found.match}" if found else "none"


def _fast(profile: Profile) -> str:
    block = min(profile.blocks, key=lambda b: (not b.mandatory, b.period_ms))
    what = "bit" if block.fc in COILS else "register"
    size = f"{block.count} {what}{'s' * (block.count > 1)}"
    return f"{block.name}: {size} each {block.period_ms} ms"


def _timer(profile: Profile) -> str:
    found = profile.watchdog
    if found is None:
        return "none known" if profile.kind in ("pcs", "bms") else "-"
    return f"{_decimal(found.value * found.seconds_per_count)} s"


def _watchdog(profile: Profile) -> str:
    found = profile.watchdog
    if found is None:
        return _timer(profile)
    again = f", written again each {_decimal(Fraction(found.rewrite_ms, 1000))} s" if found.rewrite_ms else ""
    return f"{_timer(profile)}{again}; on loss: {found.on_loss}"


def _meanings(profile: Profile) -> Iterator[tuple[Point, int, str]]:
    """Each named bit or value: point, number, what it says."""
    by_mask = {mask: flag for flag, mask in FLAGS[profile.kind].items()}
    for block in profile.blocks:
        for point in block.points:
            flags, names = dict(point.flags), dict(point.names)
            for number in sorted({*flags, *names}):
                text = names.get(number, "")
                flag = f"flag {by_mask[flags[number]]}" if number in flags else ""
                low = "while 0" if point.low >> number & 1 and point.type == "bits" else ""
                yield point, number, ", ".join(part for part in (text, flag, low) if part)


def _point_row(block: Block, point: Point) -> tuple[str, ...]:
    kind: str = point.type
    if block.fc in COILS:
        kind = "inputs"
    elif point.word_order == "little" and REGISTERS[point.type] > 1:
        kind += " low first"
    scale = " x ".join([_scale(point), *point.times]) if point.role else ""
    return (
        point.name, point.role, str(point.addr), f"0x{point.addr:04X}", f"FC{block.fc} {block.name}", kind, scale,
        _unit(point), f"{block.period_ms} ms",
    )  # fmt: skip


def _unit(point: Point) -> str:
    unit = ROLES[point.role].unit if point.role in ROLES else ""
    return READ_AS.get(unit, (unit, 1))[0] if unit not in UNTOLD else ""


def _scale(point: Point) -> str:
    """What a count is in the unit that people read, with sign and offset."""
    if point.role not in ROLES:
        return ""
    per = READ_AS.get(ROLES[point.role].unit, ("", 1))[1]
    offset = f" {'+' if point.offset > 0 else '-'} {_decimal(Fraction(abs(point.offset), per))}" if point.offset else ""
    return _decimal(point.factor * point.sign / per) + offset


def _write_row(write: Write) -> tuple[str, ...]:
    kind = f"{write.type} with direction" if write.direction else write.type
    unit = next((units[write.name] for units in WRITES.values() if write.name in units), "")
    return (
        write.name, str(write.addr), f"0x{write.addr:04X}", f"FC{write.fc}", kind, _decimal(write.factor * write.sign),
        "" if unit in UNTOLD else unit, str(write.min), str(write.max), f"{write.min_interval_ms} ms",
    )  # fmt: skip


def _decimal(number: Fraction) -> str:
    return f"{float(number):.10g}"


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    table = list(rows)
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
