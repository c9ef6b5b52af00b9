"""Every shipped profile through its simulated device and back: values within one count, writes as they were, no more."""

from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import options
from edge.field.decode import decoder_of
from edge.field.device import BusDevice
from edge.field.encode import encode, raw_reader
from edge.field.line.rtu import Expect, read_request, write_request
from edge.field.profile import COILS, REGISTERS, Block, Point, Profile
from edge.field.profiles.loader import load_profile, shipped
from edge.field.rules import GATE_ORDER, GATE_POWER, _rows
from edge.roles import FLAGS
from hil.plant.faces import Face
from hil.slave import Slave

ADDRESS = 7
load = cache(load_profile)
few = settings(max_examples=20)  # of each of some two hundred points


def counts_of(point: Point) -> tuple[int, int]:
    """The lowest and highest raw number of a point within its range, sentinels aside."""
    if point.type == "f32":
        low, high = -(10**6), 10**6
    else:
        bits = 16 * REGISTERS[point.type]
        low, high = (0, (1 << bits) - 2) if point.type[0] == "u" else (-(1 << bits - 1) + 1, (1 << bits - 1) - 2)
    factor = point.factor * point.sign * ratio_of(point)
    ends = [None if end is None else (end - point.offset) / factor for end in (point.min, point.max)]
    least, most = ends if factor > 0 else ends[::-1]
    low = low if least is None else max(low, -(-least.numerator // least.denominator))
    high = high if most is None else min(high, most.numerator // most.denominator)
    return low, high


def ratio_of(point: Point) -> int:
    return 40 if len(point.times) == 2 else 1  # of the simulated meter: PT 1, CT 40


def ask(slave: Slave, block: Block, ratios: dict[str, int]) -> dict[str, int | None]:
    """A block as the driver reads it."""
    request = read_request(ADDRESS, block.fc, block.start, block.count)
    payload = Expect(request).match(slave.receive(request) or b"")
    assert isinstance(payload, bytes)
    values = decoder_of(block, "x", ratios).decode(payload, 0).values
    return {point.name: value for point, value in zip(block.points, values, strict=True)}


NUMBERS = [
    (name, block.name, point.name)
    for name in shipped()
    for block in load(name).blocks
    for point in block.points
    if point.role
]


def found(name: str, block_name: str, point_name: str) -> tuple[Profile, Block, Point]:
    profile = load(name)
    block = next(b for b in profile.blocks if b.name == block_name)
    return profile, block, next(p for p in block.points if p.name == point_name)


@pytest.mark.parametrize(("name", "block_name", "point_name"), NUMBERS)
@few
@given(st.data())
def test_a_value_comes_back_from_the_simulated_device_within_one_count(
    name: str, block_name: str, point_name: str, data: Any
) -> None:
    profile, block, point = found(name, block_name, point_name)
    low, high = counts_of(point)
    assert low < high, "the range of the point leaves nothing"
    raw = data.draw(st.integers(low, high).filter(lambda number: number not in point.sentinels))
    canonical = raw * point.factor * point.sign * ratio_of(point) + point.offset
    slave = Slave(profile, ADDRESS, Face({point.role: float(canonical)}, lambda: 0))
    ratios: dict[str, int] = {}
    for other in profile.blocks:
        ask(slave, other, ratios)
    value = ask(slave, block, ratios)[point.name]
    slack = max(point.factor * ratio_of(point), Fraction(1)) + abs(canonical) / 2**22  # a float has 24 bits
    assert value is not None and abs(value - canonical) <= slack


FLAGGED = [(name, flag) for name in shipped() for flag in sorted(FLAGS[load(name).kind])]


@pytest.mark.parametrize(("name", "flag"), FLAGGED)
def test_a_flag_that_the_profile_has_comes_back_and_no_other_does(name: str, flag: str) -> None:
    profile = load(name)
    mask = FLAGS[profile.kind][flag]
    known = {m for b in profile.blocks for p in b.points for _, m in p.flags}
    slave = Slave(profile, ADDRESS, Face({}, lambda: 0, lambda: frozenset({flag})))
    points = {p.name: p for b in profile.blocks for p in b.points if p.flags}
    read = [v for b in profile.blocks for n, v in ask(slave, b, {}).items() if n in points]
    seen = 0
    for value in read:
        assert value is not None
        seen |= value
    assert seen == (mask if mask in known else 0)


def raw_of(registers: tuple[int, ...]) -> bytes:
    return b"".join(register.to_bytes(2, "big") for register in registers)


WRITES = [(name, write.name) for name in shipped() for write in load(name).writes]


@pytest.mark.parametrize(("name", "write_name"), WRITES)
@few
@given(st.data())
def test_a_write_reaches_the_face_and_reads_back_as_what_was_sent(name: str, write_name: str, data: Any) -> None:
    profile = load(name)
    write = next(w for w in profile.writes if w.name == write_name)
    value = data.draw(st.integers(write.min, write.max))
    got: list[float] = []
    shown = {"pcs.power_set": lambda: got[-1] if got else 0.0}  # a read-back may be a point of its own
    slave = Slave(profile, ADDRESS, Face(shown, lambda: 0, writes={write.name: got.append}))
    done = encode(write, value)
    frame = write_request(ADDRESS, write.fc, write.addr, done.registers)
    assert Expect(frame).match(slave.receive(frame) or b"") is not None
    (seen,) = got
    assert abs(seen) <= abs(value) and abs(seen - value) < max(write.factor, 1)
    verify = write.verify
    if verify is not None:
        request = read_request(ADDRESS, verify.fc, verify.addr, write.count)
        payload = Expect(request).match(slave.receive(request) or b"")
        assert isinstance(payload, bytes) and raw_reader(write, 0)(payload) == done.raw


@pytest.mark.parametrize("name", shipped())
def test_the_gate_lists_what_the_profile_writes_and_nothing_else(name: str) -> None:
    profile = load(name)
    use = {"meter": "poc"}.get(profile.kind, profile.kind)
    device = BusDevice(options.Device(name="x", profile=name, port="p", address=ADDRESS, use=use), profile)
    rows = list(_rows(device))
    wanted = {(w.fc, w.addr) for w in profile.writes}
    wanted |= {(c.fc, addr) for c in profile.commands for addr, _ in c.writes}
    if profile.watchdog:
        wanted |= {(profile.watchdog.fc, profile.watchdog.addr), *((16, addr) for addr, _ in profile.watchdog.first)}
    assert {(row["function"], row["reg"]) for row in rows} == wanted
    for write in profile.writes:
        mine = [row for row in rows if (row["function"], row["reg"]) == (write.fc, write.addr)]
        ends = sorted(encode(write, end).raw for end in (write.min, write.max))
        assert all(row.get("count", 1) == write.count for row in mine if row.get("kind") != GATE_ORDER)
        assert (min(r["value_min"] for r in mine), max(r["value_max"] for r in mine)) == tuple(ends)
        assert (write.name == "power_set") == any(row.get("kind") == GATE_POWER for row in mine)


def test_a_setpoint_that_says_its_direction_is_one_frame() -> None:
    """Sungrow SH: mode 3, then 0xBB discharge, 0xAA charge or 0xCC, then watts."""
    profile = load("sungrow-sh")
    write = profile.writes[0]
    assert encode(write, 2_500).registers == (3, 0xBB, 2_500)
    assert encode(write, -2_500).registers == (3, 0xAA, 2_500)
    assert encode(write, 0).registers == (3, 0xCC, 0)
    assert encode(write, 99_999).raw == 10_000 and encode(write, -99_999).raw == -10_000
    read = raw_reader(write, 1)
    assert read(raw_of((9, 3, 0xAA, 2_500))) == -2_500
    for other in ((9, 0, 0xAA, 2_500), (9, 3, 0xAB, 2_500)):  # another mode, another word: not what was sent
        assert not abs(read(raw_of(other)) - (-2_500)) <= 100


@pytest.mark.parametrize("name", shipped())
def test_a_device_that_was_lost_is_probed_with_answers_that_look_like_no_other_where_that_is_possible(
    name: str,
) -> None:
    profile = load(name)
    sizes = {(b.fc, size_of(b.fc, b.count)) for b in profile.blocks}
    sizes |= {(w.verify.fc, size_of(w.verify.fc, w.count)) for w in profile.writes if w.verify}
    sizes |= {(i.fc, 2 * i.count) for i in (profile.identify,) if i} | {(3, 2) for _ in (profile.watchdog,) if _}
    free = {(b.fc, size_of(b.fc, count)) for b in profile.blocks for count in range(1, b.count)} - sizes
    device = BusDevice(options.Device(name="x", profile=name, port="p", address=ADDRESS, use="poc"), profile)
    probe = device.probes.take(0.0)
    assert (probe.request[1], probe.size_bytes - 5) in (free or sizes)


def size_of(fc: int, count: int) -> int:
    return (count + 7) // 8 if fc in COILS else 2 * count
