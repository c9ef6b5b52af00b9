"""What the registers of a walked device say: every point with its address, raw value, scale factor, meaning.

value = raw * 10 ** scale factor, exactly. A point that says "not implemented", one whose scale factor says so, or one
beyond the length its model was read with, has no value.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from edge.field.sunspec.models import ABSENT, SCALE_TYPE, PointLayout, layouts, placed
from edge.field.sunspec.walk import Chain, Model

SCALE_MAX = 10  # sunssf is -10..10 by the standard
_FLOATS = {"float32": ">f", "float64": ">d"}


@dataclass(frozen=True, slots=True)
class Found:
    """One point of one device. `raw` is unsigned; `value` in `unit` (a text for strings), None when not implemented."""

    model: int
    name: str
    addr: int
    kind: str
    size: int
    raw: int
    scale: int | None  # power of ten as found; None: the point has none, or it is not implemented
    scale_name: str  # the point that holds it; "" for none
    value: Fraction | str | None
    unit: str
    symbols: tuple[tuple[int, str], ...]

    @property
    def meaning(self) -> str:
        """For people: the name of an enumeration's value, the names of the bits that are set, or ""."""
        if self.value is None:
            return ""
        if self.kind.startswith("bitfield"):
            return " ".join(name for bit, name in self.symbols if self.raw >> bit & 1)
        return dict(self.symbols).get(self.raw, "")


def found_points(chain: Chain) -> dict[int, dict[str, Found]]:
    """Model number -> point name -> what was found. Of a model that is there twice the first one counts."""
    found: dict[int, dict[str, Found]] = {}
    for model in chain.models:
        if model.payload and model.number not in found:
            found[model.number] = {point.name: point for point in points_of(model)}
    return found


def points_of(model: Model) -> Iterator[Found]:
    """Every point of one model that is known here, but ID, L and padding."""
    every = list(placed(layouts()[model.number], model.length))
    scales = {p.name: _scale(model, p.offset) for p in every if p.layout.kind == SCALE_TYPE}
    for point in every:
        layout = point.layout
        if layout.kind == "pad" or point.offset < 2:
            continue
        payload = model.payload[2 * point.offset : 2 * (point.offset + layout.size)]
        fixed = layout.scale.removeprefix("-").isdigit()
        scale = int(layout.scale) if fixed else scales.get(layout.scale)
        value = _value(layout, payload, scale)
        yield Found(
            model.number, point.name, model.addr + point.offset, layout.kind, layout.size, int.from_bytes(payload, "big"),
            scale, "" if fixed else layout.scale, value, layout.unit, layout.symbols,
        )  # fmt: skip


def _scale(model: Model, offset: int) -> int | None:
    (scale,) = struct.unpack_from(">h", model.payload, 2 * offset)
    return int(scale) if abs(scale) <= SCALE_MAX else None


def _value(layout: PointLayout, payload: bytes, scale: int | None) -> Fraction | str | None:
    kind = layout.kind
    if kind == "string":
        return payload.split(b"\0")[0].decode("ascii", "replace").strip() or None
    if kind in _FLOATS:
        (number,) = struct.unpack(_FLOATS[kind], payload)
        return Fraction(number) if math.isfinite(number) else None
    raw = int.from_bytes(payload, "big")
    if is_absent(kind, raw) or (layout.scale and scale is None):
        return None
    if kind.startswith("int") or kind == SCALE_TYPE:
        bits = 8 * len(payload)
        raw -= (raw >> bits - 1) << bits
    return raw * Fraction(10) ** (scale or 0)


def is_absent(kind: str, raw: int) -> bool:
    """Does this raw value, unsigned, say "not implemented"? A bit field does also by its highest bit."""
    bits = {"bitfield16": 16, "bitfield32": 32, "bitfield64": 64}.get(kind)
    return raw == ABSENT.get(kind) or (bits is not None and raw >> (bits - 1) == 1)
