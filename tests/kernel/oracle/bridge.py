"""Between the C structs and the oracle's own data: layouts from ffi.typeof, one struct format a struct.

Both ways are one pack or unpack of the whole struct. Nested structs are skipped here and visited one by one.
"""

import struct
from collections.abc import Iterable
from typing import Any

from edge._kernel import ffi
from tests.kernel.oracle import records as r
from tests.kernel.oracle.words import STAGES, UNITS

CODES = {
    "uint8_t": "B", "uint16_t": "H", "int16_t": "h", "int32_t": "i", "uint32_t": "I", "int64_t": "q", "uint64_t": "Q",
}  # fmt: skip


class Layout:
    """One C struct as a flat row of numbers: format, names, and (name, start, stop) of each field; stop -1: one number."""

    def __init__(self, name: str, skip: Iterable[str] = ()) -> None:
        ctype = ffi.typeof(name)
        self.size, at, form = ffi.sizeof(ctype), 0, "="
        self.names: list[str] = []
        self.codes: list[str] = []
        self.fields: list[tuple[str, int, int]] = []
        self.offset = {field: info.offset for field, info in ctype.fields}
        for field, info in ctype.fields:
            if field in skip:
                continue
            item, count = innermost(info.type)
            form += f"{info.offset - at}x{count}{CODES[item.cname]}"
            at = info.offset + count * ffi.sizeof(item)
            start = len(self.names)
            single = info.type.kind == "primitive"
            self.names += [field] if single else [f"{field}[{n}]" for n in range(count)]
            self.codes += [CODES[item.cname]] * count
            self.fields.append((field, start, -1 if single else start + count))
        self.struct = struct.Struct(form)
        self.unpack_from, self.pack, self.pack_into = (
            self.struct.unpack_from,
            self.struct.pack,
            self.struct.pack_into,
        )

    def load(self, target: Any, values: tuple[int, ...]) -> None:
        for field, start, stop in self.fields:
            setattr(target, field, values[start] if stop < 0 else list(values[start:stop]))

    def flat(self, source: Any) -> list[int]:
        row: list[int] = []
        for field, _, stop in self.fields:
            value = getattr(source, field)
            if stop < 0:
                row.append(value)
            else:
                row += value
        return row


def innermost(ctype: Any) -> tuple[Any, int]:
    count = 1
    while ctype.kind == "array":
        ctype, count = ctype.item, count * ctype.length
    return ctype, count


CONFIG, UNIT_CONFIG = Layout("tw_config_t", ("wish", "unit")), Layout("tw_unit_config_t")
INPUT, UNIT_INPUT = Layout("tw_input_t", ("announcement", "unit")), Layout("tw_unit_input_t")
STATE, UNIT_STATE = Layout("tw_state_t", ("wish", "unit")), Layout("tw_unit_state_t")
OUTPUT, UNIT_OUTPUT = Layout("tw_output_t", ("unit",)), Layout("tw_unit_output_t")
WISH, RULE, WRITE = Layout("tw_wish_t"), Layout("tw_gate_rule_t"), Layout("tw_write_t")
UNIT_AT = {id(outer): outer.offset["unit"] for outer in (CONFIG, INPUT, STATE, OUTPUT)}
UNIT_STATES_AT, UNIT_OUTPUTS_AT = STATE.offset["unit"], OUTPUT.offset["unit"]


def unit_rows(outer: Layout, inner: Layout, raw: Any) -> list[tuple[int, ...]]:
    first = UNIT_AT[id(outer)]
    return [inner.unpack_from(raw, first + n * inner.size) for n in range(UNITS)]


def read_config(raw: Any) -> Any:
    units = tuple(map(r.UnitConfig._make, unit_rows(CONFIG, UNIT_CONFIG, raw)))
    return r.Config._make((*CONFIG.unpack_from(raw), units))


def read_input(raw: Any) -> Any:
    units = tuple(map(r.UnitInput._make, unit_rows(INPUT, UNIT_INPUT, raw)))
    return r.Input._make((*INPUT.unpack_from(raw), units))


def busy(timers: list[int]) -> int:
    return sum(1 << n for n, ms in enumerate(timers) if ms)


def read_state(raw: Any) -> r.State:
    state = r.State(UNITS)
    STATE.load(state, STATE.unpack_from(raw))
    state.busy = busy(state.timer_ms)
    for unit, values in zip(state.unit, unit_rows(STATE, UNIT_STATE, raw), strict=True):
        UNIT_STATE.load(unit, values)
        unit.busy = busy(unit.timer_ms)
    return state


def make_wish(values: tuple[int, ...]) -> Any:
    return r.Wish._make((*values[:8], values[8:]))


def read_door(raw: Any) -> Any:
    """What crossed the door, as far as the output tells: it reports the wish clamped, and no reactive wish when unusable."""
    row = OUTPUT.unpack_from(raw)
    value = {name: row[start] if stop < 0 else row[start:stop] for name, start, stop in OUTPUT.fields}
    head = (value["wish_w"], *(value[name] for name in r.Wish._fields[1:8]))
    return make_wish((*head, *value["stage_w"][: len(STAGES)]))


def state_bytes(state: r.State) -> bytes:
    """The site's part, without the clever half's and the units'."""
    return STATE.pack(*STATE.flat(state))


def unit_state_bytes(unit: r.UnitState) -> bytes:
    return UNIT_STATE.pack(*UNIT_STATE.flat(unit))


def output_bytes(o: Any) -> bytes:
    return OUTPUT.pack(*o[:22], *o.low_after_w, *o.high_after_w, *o.stage_w)


def unit_output_bytes(u: Any) -> bytes:
    return UNIT_OUTPUT.pack(*u[:10], *u.charge_after_w, *u.discharge_after_w)


def differences(layout: Layout, theirs: bytes, ours: bytes) -> list[str]:
    """Field by field: what the C says, what the oracle says."""
    rows = zip(layout.names, layout.unpack_from(theirs), layout.unpack_from(ours), strict=True)
    return [
        f"{name}: C {c:#x} oracle {o:#x}" if c > 2**20 else f"{name}: C {c} oracle {o}" for name, c, o in rows if c != o
    ]


def read_output(raw: Any) -> r.Output:
    def lists(layout: Layout, row: tuple[int, ...]) -> list[Any]:
        return [row[start] if stop < 0 else list(row[start:stop]) for _, start, stop in layout.fields]

    units = [r.UnitOutput(*lists(UNIT_OUTPUT, row)) for row in unit_rows(OUTPUT, UNIT_OUTPUT, raw)]
    return r.Output(*lists(OUTPUT, OUTPUT.unpack_from(raw)), units)


def read_write(raw: Any) -> Any:
    return r.Write._make(WRITE.unpack_from(raw))
