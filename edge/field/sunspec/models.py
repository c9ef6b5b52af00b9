"""Layouts of SunSpec models, read from the generated models.json. Facts of the standard; nothing of a device.

A model begins with its ID and its length L (registers behind these two). Offsets count from the ID register.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("models.json")
HEAD_REGISTERS = 2  # ID and L
SCALE_TYPE = "sunssf"

# What a type holds when the device does not have the point (SunSpec Device Information Model): raw, unsigned.
# Counters and addresses say 0, texts NULs; of a float any NaN counts, of a bit field also its highest bit alone.
ABSENT: dict[str, int] = {
    "int16": 0x8000, "uint16": 0xFFFF, "count": 0xFFFF, "enum16": 0xFFFF, "bitfield16": 0xFFFF, "sunssf": 0x8000,
    "int32": 0x8000_0000, "uint32": 0xFFFF_FFFF, "enum32": 0xFFFF_FFFF, "bitfield32": 0xFFFF_FFFF,
    "int64": 0x8000_0000_0000_0000, "uint64": 0xFFFF_FFFF_FFFF_FFFF, "bitfield64": 0xFFFF_FFFF_FFFF_FFFF,
    "acc16": 0, "acc32": 0, "acc64": 0, "ipaddr": 0, "ipv6addr": 0, "eui48": 0xFFFF_FFFF_FFFF_FFFF, "string": 0,
    "pad": 0x8000,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PointLayout:
    """One point: where it is within its group, how wide, and which point scales it."""

    name: str
    offset: int  # registers from the beginning of its group
    kind: str  # the standard's type word
    size: int  # registers
    scale: str  # name of its scale factor point, or a power of ten in digits; "" for none
    unit: str
    symbols: tuple[tuple[int, str], ...]  # enumeration value or bit number: its name


@dataclass(frozen=True, slots=True)
class GroupLayout:
    """Points side by side, then inner groups. `count` names the point that says how often; "0": as many as fit."""

    name: str
    points: tuple[PointLayout, ...]
    groups: tuple["GroupLayout", ...]
    count: str = ""  # "": once

    @property
    def own_size(self) -> int:
        return sum(point.size for point in self.points)

    @property
    def size(self) -> int:
        """Registers of one repetition, inner groups once each; those that repeat count for nothing."""
        return self.own_size + sum(group.size for group in self.groups if not group.count)


@dataclass(frozen=True, slots=True)
class Placed:
    """A point of a model of a certain length, where it really is."""

    name: str  # with its group when that repeats: `string[2].StrSoC`
    offset: int  # from the ID register
    layout: PointLayout


@cache
def layouts() -> dict[int, GroupLayout]:
    """Model number to layout, of every model that is known here."""
    tables = json.loads(FILE.read_text(encoding="utf-8"))
    return {int(number): _layout(group) for number, group in tables["models"].items()}


def _layout(group: dict[str, Any]) -> GroupLayout:
    points, offset = [], 0
    for name, kind, size, scale, unit in group["points"]:
        symbols = tuple((int(value), word) for value, word in group.get("symbols", {}).get(name, {}).items())
        points.append(PointLayout(name, offset, kind, size, str(scale), unit, symbols))
        offset += size
    inner = tuple(_layout(child) for child in group.get("groups", ()))
    return GroupLayout(group["name"], tuple(points), inner, str(group.get("count", "")))


def placed(layout: GroupLayout, length: int) -> Iterator[Placed]:
    """Every point that lies wholly inside a model of `length` registers: what is beyond does not exist.

    A repeating group is repeated as often as it fits; what the device's own count says is for the reader to compare.
    """
    end = length + HEAD_REGISTERS
    yield from _placed(layout, "", 0, end)


def _placed(group: GroupLayout, prefix: str, start: int, end: int) -> Iterator[Placed]:
    for point in group.points:
        if start + point.offset + point.size <= end:
            yield Placed(prefix + point.name, start + point.offset, point)
    at = start + group.own_size
    for inner in group.groups:
        times = max(0, (end - at) // inner.size) if inner.count else 1
        for index in range(times):
            name = f"{inner.name}[{index}]." if inner.count else f"{inner.name}."
            yield from _placed(inner, prefix + name, at, end)
            at += inner.size
