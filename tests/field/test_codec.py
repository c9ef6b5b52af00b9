"""Registers to values and back; frames and rubbish; profiles and rubbish."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigFault
from edge.field.decode import BlockDecoder
from edge.field.encode import encode
from edge.field.line.rtu import Expect, read_request, with_crc, write_request
from edge.field.profiles.loader import FOLDER, load_profile, parse_profile, read_profile
from edge.model import Outcome

PROFILES = sorted(path.stem for path in FOLDER.glob("*.toml"))


@pytest.mark.parametrize("name", PROFILES)
def test_a_shipped_profile_is_whole_and_says_it_is_untried(name: str) -> None:
    profile = load_profile(name)
    assert profile.id == name and profile.source and not profile.verified


@pytest.mark.parametrize("name", PROFILES)
@given(st.data())
def test_any_registers_decode_to_values_in_range_or_none(name: str, data: Any) -> None:
    for block in load_profile(name).blocks:
        payload = data.draw(st.binary(min_size=2 * block.count, max_size=2 * block.count))
        reading = BlockDecoder(block, "x").decode(payload, 1)
        assert len(reading.values) == len(block.points)
        for value, point in zip(reading.values, block.points, strict=True):
            assert value is None or isinstance(value, int)
            if value is not None and point.max is not None:
                assert value <= point.max
        assert reading.complete == all(reading.values[i] is not None for i in block.mandatory)


def payload_of(name: str, block: str, registers: dict[int, int]) -> bytes:
    found = next(b for b in load_profile(name).blocks if b.name == block)
    words = [registers.get(found.start + i, 0) for i in range(found.count)]
    return b"".join(word.to_bytes(2, "big") for word in words)


@pytest.mark.parametrize(
    ("name", "block", "registers", "index", "expected"),
    [
        ("sinexcel-pcs-30", "fast", {122: 0x10000 - 150}, 0, -1_500),
        ("abb-b23", "power", {0x5B14: 0xFFFF, 0x5B15: 0xFFFF - 149}, 0, -2),  # -150 counts of 0.01 W: away from zero
        ("abb-b23", "power", {0x5B14: 0x7FFF, 0x5B15: 0xFFFF}, 0, None),
        ("sungrow-sg", "main", {5030: 0x0001, 5031: 0x0001}, 0, 65_537),
        ("sungrow-sg", "main", {5030: 0xFFFF, 5031: 0xFFFF}, 0, None),
        ("eastron-sdm630", "power", {0x34: 0x42F6, 0x35: 0xE979}, 0, 123),
        ("eastron-sdm630", "power", {0x34: 0x7FC0, 0x35: 0}, 0, None),
        ("soltaro-rack-c", "main", {0x2103: 55}, 2, 5_500),
        ("soltaro-rack-c", "main", {0x210C: 0x10000 - 55}, 7, -55),
        ("soltaro-rack-c", "alarms", {0x2140: 1}, 0, 4),
        ("soltaro-rack-c", "precharge", {0x2010: 3}, 0, 1),
        ("soltaro-rack-c", "precharge", {0x2010: 2}, 0, 0),
    ],
)
def test_known_registers_have_known_values(
    name: str, block: str, registers: dict[int, int], index: int, expected: int | None
) -> None:
    found = next(b for b in load_profile(name).blocks if b.name == block)
    reading = BlockDecoder(found, "x").decode(payload_of(name, block, registers), 1)
    assert reading.values[index] == expected


@given(st.integers(-(2**40), 2**40))
def test_a_written_power_is_never_larger_than_wished(power_w: int) -> None:
    write = load_profile("sinexcel-pcs-30").writes[0]
    done = encode(write, power_w)
    assert abs(done.raw * 100) <= min(abs(power_w), 30_000)
    assert done.raw * power_w >= 0 and abs(min(abs(power_w), 30_000) - abs(done.raw * 100)) < 100
    assert done.registers == (done.raw & 0xFFFF,)


REQUESTS = st.one_of(
    st.builds(read_request, st.integers(1, 247), st.sampled_from([3, 4]), st.integers(0, 65_535), st.integers(1, 125)),
    st.builds(write_request, st.integers(1, 247), st.just(6), st.integers(0, 65_535), st.tuples(st.integers(0, 65_535))),
    st.builds(write_request, st.integers(1, 247), st.just(16), st.integers(0, 65_535),
              st.tuples(st.integers(0, 65_535), st.integers(0, 65_535))),
)  # fmt: skip


@given(REQUESTS, st.binary(max_size=300))
def test_rubbish_is_never_an_answer(request: bytes, rubbish: bytes) -> None:
    expect = Expect(request)
    answer = expect.match(rubbish)
    if answer is not None:  # possible only if a right frame with a right CRC is inside
        assert request[:1] in rubbish and len(rubbish) >= 5
    assert expect.verdict(rubbish) in (Outcome.TIMEOUT, Outcome.CRC, Outcome.MISMATCH)


@given(REQUESTS, st.binary(max_size=8), st.data())
def test_a_right_answer_is_found_after_noise_and_not_after_any_flipped_bit(
    request: bytes, noise: bytes, data: Any
) -> None:
    expect = Expect(request)
    if request[1] in (3, 4):
        payload = bytes(2 * (request[4] << 8 | request[5]))
        reply = with_crc(request[:2] + bytes([len(payload)]) + payload)
    else:
        payload = request[2:6]
        reply = with_crc(request[:6])
    assert expect.match(reply) == payload
    assert expect.match(noise + reply) is not None
    bit = data.draw(st.integers(0, 8 * len(reply) - 1))
    flipped = bytearray(reply)
    flipped[bit // 8] ^= 1 << bit % 8
    assert expect.match(flipped) is None


def test_every_mistake_in_a_profile_is_named_at_once() -> None:
    tables = tomli.loads((FOLDER / "abb-b23.toml").read_text())
    tables["point"][0]["unit"] = "kV"
    tables["point"][1]["scale"] = 0
    tables["block"][0]["count"] = 1
    tables["block"][2]["colour"] = "red"
    with pytest.raises(ConfigFault) as caught:
        parse_profile(tables, "meter.toml")
    text = str(caught.value)
    for expected in (
        "point[0].unit = 'kV'",
        "scale = 0",
        "is outside the block",
        "block[2].colour = 'red': unknown key",
    ):
        assert expected in text


def test_facts_of_a_link_and_a_point_are_read_and_their_mistakes_named() -> None:
    tables = tomli.loads((FOLDER / "abb-b23.toml").read_text())
    tables["link"] |= {"averaging_ms": 500, "gaps_allowed": False}
    tables["point"][0]["step_max"] = 200_000
    profile = parse_profile(tables, "meter.toml")
    assert (profile.link.averaging_ms, profile.link.gaps_allowed) == (500, False)
    assert profile.blocks[0].points[0].step_max == 200_000
    tables["link"] |= {"averaging_ms": 0}
    assert parse_profile(tables, "meter.toml").link.averaging_ms == 0, "of one moment is something to say"
    del tables["link"]["averaging_ms"]
    assert parse_profile(tables, "meter.toml").link.averaging_ms is None, "and nothing said is not 0"
    tables["link"] |= {"averaging_ms": 60_001, "gaps_allowed": 1}
    tables["point"][0]["step_max"] = 0
    del tables["point"][1]["role"]
    tables["point"][1]["step_max"] = 5
    with pytest.raises(ConfigFault) as caught:
        parse_profile(tables, "meter.toml")
    assert [problem.key for problem in caught.value.problems] == [
        "link.averaging_ms", "link.gaps_allowed", "point[0].step_max", "point[1].step_max",
    ]  # fmt: skip


def test_a_profile_that_lacks_what_its_kind_needs_is_refused() -> None:
    tables = tomli.loads((FOLDER / "sinexcel-pcs-30.toml").read_text())
    tables["point"] = [point for point in tables["point"] if point["name"] not in ("power_total", "status")]
    del tables["write"]
    with pytest.raises(ConfigFault) as caught:
        parse_profile(tables, "pcs.toml")
    assert all(word in str(caught.value) for word in ("pcs.power", "'running'", "'power_set'"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "bits", "0", "addr"]), inner),
    max_leaves=6,
)


@given(st.sampled_from(PROFILES), st.sampled_from(["profile", "link", "block", "point", "write", "command", "watchdog"]),
       st.sampled_from(["", "addr", "fc", "bits", "values", "unit", "scale", "writes", "kind", "verify", "count", "sign"]),
       VALUES)  # fmt: skip
def test_any_spoiled_profile_is_a_profile_or_a_list_of_problems(name: str, table: str, key: str, value: Any) -> None:
    tables = tomli.loads((FOLDER / f"{name}.toml").read_text())
    if not key:
        tables[table] = value
    else:
        target = tables.get(table, {})
        (target[0] if isinstance(target, list) and target else target if isinstance(target, dict) else {})[key] = value
    try:
        profile = parse_profile(tables, f"{name}.toml")
    except ConfigFault as fault:
        assert fault.problems
    else:
        assert all(isinstance(point.factor, Fraction) for block in profile.blocks for point in block.points)


@given(st.binary(max_size=200))
def test_any_file_is_a_profile_or_a_list_of_problems(raw: bytes) -> None:
    with pytest.raises(ConfigFault):
        path = Path("/nonexistent/profile.toml")
        if raw:
            try:
                tables = tomli.loads(raw.decode())
            except (ValueError, RecursionError) as error:
                raise ConfigFault([]) from error
            parse_profile(tables, "x.toml")
        else:
            read_profile(path)
