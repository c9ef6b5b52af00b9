"""The tables that a walked profile brings: constants, heartbeat, what a timer leads to, registers around a setpoint."""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigFault
from edge.field.encode import encode, raw_reader
from edge.field.profile import Constant
from edge.field.profiles.loader import parse_profile
from edge.field.upkeep import Identity, constant_runs, signed
from edge.model import Outcome
from hil.slave.registers import value_written

FILE = Path(__file__).resolve().parent.parent.parent / "deploy" / "profiles" / "sunspec-example-pcs.toml"


def tables() -> dict[str, Any]:
    return tomli.loads(FILE.read_text())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t["constant"][0].update(value=65_536), "constant[0].value = 65536: must be a whole number 0..65535"),
        (lambda t: t["constant"][0].pop("name"), "constant[0].name: is missing"),
        (lambda t: t["constant"][0].update(fc=4), "constant[0].fc = 4: unknown key"),
        (lambda t: t.update(constant=t["constant"] * 20), "at most 200"),
        (lambda t: t["heartbeat"].update(period_ms=10), "heartbeat.period_ms = 10: must be a whole number 200..60000"),
        (lambda t: t["heartbeat"].update(fc=6), "heartbeat.fc = 6: must be 16 for u32"),
        (lambda t: t["heartbeat"].update(type="f32"), "must be one of u16, u32"),
        (lambda t: t["watchdog"].update(first=[[1]]), "watchdog.first = [[1]]: must be a list of [address, register]"),
        (lambda t: t["watchdog"].update(first=[[1, 70_000]]), "must be a list of [address, register]"),
        (lambda t: t["watchdog"].update(fc=6), "watchdog.fc = 6: must be 16 for u32"),
        (lambda t: t["write"][0].update(after=["x"]), "must be a list of at most 8 raw values 0..65535"),
        (lambda t: t["write"][0].update(fc=6, type="s16", scale=1, after=[1]), "must be 6 (one register) or 16"),
    ],
)
def test_each_mistake_is_named(change: Callable[[dict[str, Any]], object], text: str) -> None:
    spoiled = tables()
    change(spoiled)
    with pytest.raises(ConfigFault) as caught:
        parse_profile(spoiled, "own.toml")
    assert text in str(caught.value)


def test_the_example_says_what_it_rests_on() -> None:
    profile = parse_profile(tables(), "own.toml")
    assert Constant("704.WSet_SF", 40_332, 1) in profile.constants and len(profile.constants) == 13
    assert profile.watchdog is not None and profile.watchdog.first == ((40_303, (0, 0)), (40_307, (1,)))
    assert profile.writes[0].before == (1, 1) and profile.writes[0].count == 4


@given(
    st.integers(-30_000, 30_000),
    st.lists(st.integers(0, 0xFFFF), max_size=3),
    st.lists(st.integers(0, 0xFFFF), max_size=3),
    st.sampled_from(["big", "little"]),
    st.integers(0, 4),
    st.data(),
)
def test_a_setpoint_is_read_back_only_between_its_own_registers(
    value: int, before: list[int], after: list[int], order: Any, offset: int, data: st.DataObject
) -> None:
    plain = parse_profile(tables(), "own.toml").writes[0]
    write = replace(plain, before=tuple(before), after=tuple(after), word_order=order)
    encoded = encode(write, value)
    assert len(encoded.registers) == write.count
    frame = struct.pack(f">{write.count}H", *encoded.registers)
    read = raw_reader(write, offset)
    assert read(bytes(2 * offset) + frame + b"\x12\x34") == encoded.raw
    assert value_written(write, frame) == encoded.raw * 10
    around = [*range(len(before)), *range(write.count - len(after), write.count)]
    if around:
        at = data.draw(st.sampled_from(around))
        spoiled = bytearray(frame)
        spoiled[2 * at] ^= 0x40
        assert read(bytes(2 * offset) + bytes(spoiled)) != encoded.raw


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 0xFFFF)), min_size=1, max_size=40, unique_by=lambda c: c[0]),
       st.integers(1, 60), st.booleans())  # fmt: skip
def test_constants_are_proven_in_reads_that_hold_them_all(
    found: list[tuple[int, int]], regs_max: int, no_gap: bool
) -> None:
    link = replace(parse_profile(tables(), "own.toml").link, max_regs=regs_max, gaps_allowed=not no_gap)
    constants = [Constant(f"c{addr}", addr, value) for addr, value in found]
    runs = constant_runs(constants, link)
    assert sorted(c.addr for run in runs for c in run) == sorted(addr for addr, _ in found)
    identity = Identity(1, None, runs)
    registers = dict(found)
    for _ in runs:
        assert not identity.proven and identity.expect is not None
        start, count = struct.unpack(">HH", identity.expect.request[2:6])
        assert count <= regs_max and (not no_gap or all(start + i in registers for i in range(count)))
        identity.note(Outcome.TIMEOUT)  # changes nothing
        identity.note(struct.pack(f">{count}H", *[registers.get(start + i, 7) for i in range(count)]))
    assert identity.proven and not identity.fault
    identity.refute("moved")
    assert not identity.proven and identity.step == 0


def test_registers_as_one_number_are_those_that_the_gate_judges() -> None:
    assert [signed(r) for r in ((1,), (0xFFFF,), (0, 5), (0xFFFF, 0xFFFE))] == [1, -1, 5, -2]
