"""From what a walk found to a profile of that very device: addresses, scale factors and ratings as they were found.

The result is the tables of a profile file, to be looked at by a person and then used by the bus like any other. What the
profile rests on (heads of the models, scale factors, the rating behind a percentage) is written down as constants.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from edge.field.sunspec.layout import Item, blocks_of
from edge.field.sunspec.meaning import FLAG_SOURCES, INVERTERS, METERS, ROLE_SOURCES, UNIT_WORDS, Source
from edge.field.sunspec.models import ABSENT
from edge.field.sunspec.orders import add_orders
from edge.field.sunspec.points import Found, found_points
from edge.field.sunspec.walk import Chain
from edge.roles import ROLES

TYPES = {
    "int16": "s16", "uint16": "u16", "count": "u16", "acc16": "u16", "int32": "s32", "uint32": "u32", "acc32": "u32",
    "int64": "s64", "uint64": "u64", "acc64": "u64", "float32": "f32", "enum16": "value",
}  # fmt: skip
# kind -> period in ms and priority of what control needs
FAST = {"pcs": (500, 2), "bms": (500, 2), "meter": (500, 3), "pv": (1_000, 3)}
SIGN_DOUBTS = {
    "bms.pack_current": "the standard does not say which sign of the current is discharge",
    "meter.power": "the standard does not say which sign of a meter's power is import",
}


@dataclass(slots=True)
class Draft:
    """A profile being made. `tables` is what its TOML says; `notes` are for the person who reads it."""

    chain: Chain
    kind: str
    regs_max: int
    points: dict[int, dict[str, Found]]
    items: list[Item] = field(default_factory=list)
    constants: dict[int, tuple[str, int]] = field(default_factory=dict)  # address -> (name, raw)
    tables: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def pick(self, sources: Iterable[Source]) -> Found | None:
        """The first of these points that the device has; one that is not implemented right now is only taken if alone."""
        found = [
            self.points[number][name]
            for numbers, name in sources
            for number in numbers
            if name in self.points.get(number, {})
        ]
        present = [point for point in found if point.value is not None]
        return next(iter(present or found), None)

    def rest_on(self, point: Found) -> bool:
        """Notes the head of the point's model and its scale factor as constants; False when it cannot be scaled."""
        if point.scale_name and point.scale is None:
            self.notes.append(
                f"{point.model}.{point.name} is left out: its scale factor {point.scale_name} is not -10..10"
            )
            return False
        for model in self.chain.models:
            if model.number == point.model:
                self.constants.setdefault(model.addr, (f"{model.number}.ID", model.number))
                self.constants.setdefault(model.addr + 1, (f"{model.number}.L", model.length))
                break
        if point.scale_name:
            self.fix(self.points[point.model][point.scale_name])
        return True

    def fix(self, point: Found) -> None:
        """A register whose value as found is part of the profile's arithmetic."""
        self.constants.setdefault(point.addr, (f"{point.model}.{point.name}", point.raw))


def guess_kind(chain: Chain) -> str:
    """What the models say the device is: bms, meter, pcs or pv."""
    numbers = {model.number for model in chain.models}
    if 802 in numbers:
        return "bms"
    if numbers & set(METERS) and not numbers & {701, *INVERTERS}:
        return "meter"
    return "pcs" if {704, 713} <= numbers or {704, 714, 715} <= numbers else "pv"


def draft(chain: Chain, kind: str = "", profile_id: str = "", regs_max: int = 60, baud: int = 19_200) -> Draft:
    """A profile for the device as `kind` (guessed when ""). `parse_profile(draft.tables, ...)` says what it lacks."""
    one = Draft(chain, kind or guess_kind(chain), regs_max, found_points(chain))
    _head(one, profile_id, baud)
    for role, sources in ROLE_SOURCES.items():
        if ROLES[role].kind == one.kind:
            _add_value(one, role, sources)
    for source, flags in FLAG_SOURCES[one.kind]:
        _add_flags(one, source, flags)
    add_orders(one)
    doubts = one.notes[1:]  # the first says what was walked
    if doubts:
        one.tables["profile"]["notes"] = doubts
    one.tables["block"], one.tables["point"] = blocks_of(one.items, one.constants, regs_max, FAST[one.kind])
    one.tables["constant"] = [
        {"name": name, "addr": addr, "value": raw} for addr, (name, raw) in sorted(one.constants.items())
    ]
    return one


def _head(one: Draft, profile_id: str, baud: int) -> None:
    common = one.points.get(1, {})
    texts = {name: str(common[name].value or "") if name in common else "" for name in ("Mn", "Md", "Vr", "SN")}
    maker, model = texts["Mn"] or "unknown", texts["Md"] or "unknown"
    chain = " ".join(str(model.number) for model in one.chain.models)
    one.tables |= {
        "schema": 1,
        "profile": {
            "id": profile_id or slug(f"sunspec-{maker}-{model}-{one.kind}"),
            "vendor": maker,
            "model": model,
            "kind": one.kind,
            "version": "1",
            "source": f"SunSpec walk of serial number {texts['SN'] or '?'}, firmware {texts['Vr'] or '?'}",
            "verified": False,
            "addressing": "wire0",
        },
        "link": {"baud": baud, "timeout_ms": 1_000, "min_gap_ms": 20, "turnaround_ms": 30, "max_regs": one.regs_max},
    }
    one.notes.append(f"map at {one.chain.base}, models {chain}")
    numbers = [model.number for model in one.chain.models if model.payload]
    for number in sorted({n for n in numbers if numbers.count(n) > 1}):
        one.notes.append(f"model {number} is there more than once: the first one is used")
    if texts["Md"] and texts["Md"].isascii() and texts["Md"].isprintable():
        point = common["Md"]
        one.tables["identify"] = {
            "addr": point.addr, "fc": 3, "count": point.size, "type": "str",
            "match": f"^{re.escape(texts['Md'])}$", "example": texts["Md"],
        }  # fmt: skip


def slug(text: str) -> str:
    """A profile's id from any text: small letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]


def _add_value(one: Draft, role: str, sources: tuple[Source, ...]) -> None:
    point, wanted = one.pick(sources), ROLES[role]
    if point is None:
        return
    if point.value is None and not wanted.mandatory and not point.kind.startswith("acc"):
        one.notes.append(f"{role} is left out: {point.model}.{point.name} says not implemented")
        return
    if not one.rest_on(point):
        return
    unit, factor = UNIT_WORDS[wanted.unit]
    table: dict[str, Any] = {
        "name": f"{point.model}.{point.name}", "role": role, "addr": point.addr, "type": TYPES[point.kind],
        "scale": plain(Fraction(10) ** (point.scale or 0) * factor), "unit": unit,
    }  # fmt: skip
    if point.kind in ABSENT:
        table["sentinel"] = [ABSENT[point.kind]]
    if role in SIGN_DOUBTS:
        one.notes.append(f"{role}: {SIGN_DOUBTS[role]}; compare once, else sign = -1 at {table['name']}")
    is_fast = wanted.mandatory or role.endswith(".heartbeat")
    one.items.append(Item(point.model, point.addr, point.size, is_fast, table))


def _add_flags(one: Draft, source: Source, flags: dict[str, str]) -> None:
    point = one.pick([source])
    if point is None:
        return
    if point.value is None:
        one.notes.append(f"{point.model}.{point.name} is left out: it says not implemented")
        return
    one.rest_on(point)
    words = {number: {"name": name.lower()} | _flag(flags.get(name, "")) for number, name in point.symbols}
    name = f"{point.model}.{point.name}"
    if point.kind == "enum16":
        table = {"name": name, "addr": point.addr, "type": "value", "sentinel": [ABSENT["enum16"]]}
        table["values"] = {str(number): word for number, word in words.items()}
        one.items.append(Item(point.model, point.addr, 1, True, table))
        return
    for half, addr in ((1, point.addr), (0, point.addr + 1)):  # a bit field of two registers, the high one first
        bits = {str(bit - 16 * half): word for bit, word in words.items() if bit // 16 == half}
        if bits:
            table = {"name": f"{name}.{'high' if half else 'low'}", "addr": addr, "type": "bits", "sentinel": [0xFFFF]}
            one.items.append(Item(point.model, addr, 1, True, table | {"bits": bits}))


def _flag(flag: str) -> dict[str, str]:
    return {"flag": flag} if flag else {}


def plain(number: Fraction) -> int | float:
    """A number as it is written in a file: exact, because its denominator is a power of ten."""
    return int(number) if number.denominator == 1 else float(number)
