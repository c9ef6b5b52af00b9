"""The walk over a device's models: what it finds, and what it makes of devices that lie, end early or do not answer."""

import random
import struct
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.field.sunspec import generate
from edge.field.sunspec.models import FILE, layouts, placed
from edge.field.sunspec.points import found_points, points_of
from edge.field.sunspec.walk import BASES, MODELS_MAX, REGISTERS_MAX, Answer, Model, SunSpecFault, cuts, identify, walk
from edge.model import Outcome
from hil.lan.sunspec import Map, SunSpecSlave
from tests.field.sunspec_kit import BMS, DEVICES, METER, PCS, Asked, now, walked

KNOWN = sorted(layouts())
READS_MAX = 3 * (2 * MODELS_MAX + REGISTERS_MAX)


def garbage(registers: dict[int, int], count: list[int]) -> Asked:
    """A device of any registers; those that are not there are refused."""

    async def read(start: int, length: int) -> Answer:
        count[0] += 1
        words = [registers.get(addr) for addr in range(start, start + length)]
        return 2 if None in words else struct.pack(f">{length}H", *words)

    return read


def test_the_layouts_that_ship_are_those_of_pysunspec2() -> None:
    folder = generate.source_folder()
    if folder is None:
        pytest.skip('pysunspec2 is not installed: pip install ".[sunspec]"')
    version = FILE.read_text(encoding="utf-8").split("pysunspec2 ")[1].split(" ")[0]
    assert generate.generate(folder, version) == FILE.read_text(encoding="utf-8"), "run: make sunspec-models"


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("regs_max", [17, 60, 125])
def test_every_model_is_found_with_its_address_and_registers(kind: str, base: int, regs_max: int) -> None:
    image = Map(DEVICES[kind], base)
    chain = now(walk(Asked(SunSpecSlave(image, 1, regs_max=regs_max)).read, regs_max))
    assert chain.base == base and [model.number for model in chain.models] == [number for number, _ in DEVICES[kind]]
    for model in chain.models:
        assert model.addr == image.where[f"{model.number}.ID"]
        words = [image.registers[model.addr + index] for index in range(model.length + 2)]
        assert model.payload in (b"", struct.pack(f">{len(words)}H", *words))


def test_values_are_scaled_and_what_is_not_implemented_has_none() -> None:
    found = found_points(walked(BMS))
    battery, bank = found[802], found[803]
    assert battery["SoC"].value == Fraction(5512, 100) and battery["A"].value == Fraction(-55, 10)
    assert battery["State"].meaning == "CONNECTED" and battery["NCyc"].value is None and battery["W"].value is None
    assert bank["string[1].StrSoC"].value == 50 and bank["string[0].StrSoC"].value is None
    assert found[1]["Mn"].value == "Acme" and found[1]["Opt"].value is None


ABSENT_CASES = [
    ("int16", "8000"), ("uint16", "FFFF"), ("enum16", "FFFF"), ("bitfield16", "8001"), ("int32", "80000000"),
    ("uint32", "FFFFFFFF"), ("bitfield32", "80000000"), ("acc32", "00000000"), ("uint64", "FF" * 8), ("float32", "7FC00000"),
    ("float32", "FFC00001"), ("float32", "7F800000"), ("count", "FFFF"), ("acc64", "00" * 8), ("sunssf", "8000"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), ABSENT_CASES)
def test_each_type_has_its_own_word_for_not_implemented(kind: str, text: str) -> None:
    raw = bytes.fromhex(text)
    found = 0
    for number in KNOWN:
        length = layouts()[number].own_size - 2
        for point in placed(layouts()[number], length):
            if point.layout.kind == kind and point.layout.size * 2 == len(raw) and point.offset >= 2:
                payload = bytearray(struct.pack(">HH", number, length) + b"\0\1" * length)
                for scale in placed(layouts()[number], length):
                    if scale.layout.kind == "sunssf":
                        payload[2 * scale.offset : 2 * scale.offset + 2] = b"\0\0"
                payload[2 * point.offset : 2 * point.offset + len(raw)] = raw
                values = {one.name: one.value for one in points_of(Model(number, 0, length, bytes(payload)))}
                assert values.pop(point.name) is None
                found += 1
    assert found


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[tuple[int, dict[str, int]]], int]:
    numbers = draw(st.lists(st.sampled_from([*KNOWN, 9, 64_000, 65_534]), min_size=1, max_size=12))
    models: list[tuple[int, dict[str, int]]] = []
    for number in numbers:
        values = {"N": draw(st.integers(0, 4)), "NStr": draw(st.integers(0, 5)), "NPrt": draw(st.integers(0, 4))}
        if number not in KNOWN or draw(st.booleans()):
            values["L"] = draw(st.integers(1, 20 if number in KNOWN and layouts()[number].own_size < 24 else 40))
            if number in KNOWN:
                values["L"] = min(values["L"], layouts()[number].own_size - 2)
        models.append((number, {k: v for k, v in values.items() if k == "L" or number in (160, 714, 803)}))
    return models, draw(st.sampled_from(BASES))


@settings(max_examples=150, deadline=None)
@given(chains(), st.integers(20, 125), st.booleans(), st.integers(0, 1 << 30))
def test_any_chain_is_walked_as_it_is(
    built: tuple[list[tuple[int, dict[str, int]]], int], regs_max: int, has_end: bool, seed: int
) -> None:
    models, base = built
    image, dice = Map(models, base, has_end_length=has_end), random.Random(seed)
    asked = Asked(SunSpecSlave(image, 1, regs_max=regs_max), lambda _: dice.random() < 0.05)
    try:
        chain = now(walk(asked.read, regs_max))
    except SunSpecFault as fault:  # three losses in a row
        assert "no answer" in str(fault)
        return
    assert [model.number for model in chain.models] == [number for number, _ in models]
    for model in chain.models:
        words = [image.registers[model.addr + index] for index in range(model.length + 2)]
        assert words[:2] == [model.number, model.length]
        assert model.payload == (struct.pack(f">{len(words)}H", *words) if model.number in KNOWN else b"")
        if model.payload:
            assert len({point.name for point in points_of(model)}) == len(list(points_of(model)))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(BASES),
    st.lists(st.sampled_from([0, 1, 2, 66, 103, 160, 803, 0xFFFF, 0x8000, 50, 2_000]), min_size=1, max_size=300),
    st.binary(max_size=64),
)
def test_garbage_is_a_fault_in_words_or_a_chain_and_never_endless(base: int, words: list[int], tail: bytes) -> None:
    words += [word for (word,) in struct.iter_unpack(">H", tail[: len(tail) // 2 * 2])]
    registers = {base: 0x5375, base + 1: 0x6E53} | dict(enumerate(words, base + 2))
    count = [0]
    try:
        chain = now(walk(garbage(registers, count)))
        for model in chain.models:
            if model.payload:
                list(points_of(model))
    except SunSpecFault as fault:
        assert str(fault)
    assert count[0] < READS_MAX


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([0, 0], "there is no model 0"),
        ([103, 0], "its length 0"),
        ([103, 5_000], "its length 5000"),
        ([9, 4, 1, 2, 3, 4], "must end with the model 0xFFFF"),
        ([103, 50, 1], "exception 2"),
        ([0xFFFF, 0], "is empty"),
        ([9, 1, 0] * (MODELS_MAX + 1), "garbled"),
    ],
)
def test_each_way_to_garble_a_chain_is_said(words: list[int], text: str) -> None:
    registers = {40_000: 0x5375, 40_001: 0x6E53} | dict(enumerate(words, 40_002))
    with pytest.raises(SunSpecFault, match=text):
        now(walk(garbage(registers, [0])))


def test_a_chain_that_runs_over_the_last_register_is_said() -> None:
    registers = dict.fromkeys(range(65_536), 0) | {50_000: 0x5375, 50_001: 0x6E53}
    addr = 50_002
    while addr < 65_000:
        registers |= {addr: 9, addr + 1: 2_000}
        addr += 2_002
    with pytest.raises(SunSpecFault, match=r"garbled|leaves no register"):
        now(walk(garbage(registers, [0])))


def test_a_device_without_the_marker_is_none_and_one_that_is_silent_a_fault() -> None:
    assert now(identify(garbage(dict.fromkeys(range(10), 7), [0]))) is None

    async def silent(start: int, count: int) -> Answer:
        return Outcome.TIMEOUT

    with pytest.raises(SunSpecFault, match=r"no answer at 40000, 0, 50000 \(timeout\)"):
        now(identify(silent))


@pytest.mark.parametrize("seed", range(40))
def test_a_late_answer_is_never_taken_for_another(seed: int) -> None:
    """The device answers in order; a reply that comes after its time is what the next read of the same length gets."""
    dice, image = random.Random(seed), Map(PCS + METER[1:])
    slave = Asked(SunSpecSlave(image, 1))
    late: list[Answer] = []

    async def read(start: int, count: int) -> Answer:
        answer = await slave.read(start, count)
        late.append(answer)
        if dice.random() < 0.1:
            return Outcome.TIMEOUT  # its answer stays in the line
        while late:
            first = late.pop(0)
            if isinstance(first, bytes) and len(first) == 2 * count:
                return first
        return Outcome.MISMATCH

    try:
        chain = now(walk(read, 30))
    except SunSpecFault:
        return
    for model in chain.models:
        words = [image.registers[model.addr + index] for index in range(model.length + 2)]
        assert model.payload in (b"", struct.pack(f">{len(words)}H", *words)), f"seed {seed}"


@given(st.sampled_from(KNOWN), st.integers(1, 400), st.integers(1, 125))
def test_reads_cover_a_model_without_gaps_and_are_never_too_long(number: int, length: int, regs_max: int) -> None:
    at = 0
    for start, count in cuts(number, length, regs_max):
        assert start == at and 1 <= count <= regs_max
        at += count
    assert at == length + 2


def test_progress_is_told_model_by_model() -> None:
    seen: list[tuple[int, int, int]] = []
    chain = now(walk(Asked(SunSpecSlave(Map(BMS), 1)).read, 60, lambda *step: seen.append(step)))
    assert [(number, addr) for number, addr, _ in seen] == [(model.number, model.addr) for model in chain.models]
    assert seen[-1][2] == sum(model.length + 2 for model in chain.models)
