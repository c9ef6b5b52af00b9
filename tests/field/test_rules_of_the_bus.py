"""What the bus refuses and reports: writes that are not taken, commands already done, plans that cannot be kept."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigFault
from edge.field.decode import BlockDecoder
from edge.field.encode import encode, raw_reader
from edge.field.line.rtu import with_crc
from edge.field.profiles.loader import FOLDER, load_profile, parse_profile, read_profile
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.field.test_bus import PCS_SET, PCS_STATUS, Bench


def play(seconds: float, prepare: Callable[[Bench], None], step: Callable[[Bench], None] = lambda bench: None) -> Bench:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> Bench:
        bench = Bench(clock)
        prepare(bench)
        task = asyncio.create_task(bench.bus.run())
        for _ in range(int(seconds * 10)):
            step(bench)
            await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait({task})
        return bench

    return run_virtual(main)


@pytest.mark.parametrize("how", ["exception", "silence"])
def test_a_write_that_is_refused_while_reads_go_on_is_reported(how: str) -> None:
    def refuse(bench: Bench) -> None:
        answer = [] if how == "silence" else [(0.005, with_crc(b"\x02\x86\x04"))]
        bench.line.spoil = lambda request, reply: answer if request[1] == 6 else [(0.005, reply)]
        bench.pcs.deaf_to = {PCS_SET, 327}
        bench.bus.set_value("pcs", "power_set", 5_000)

    assert play(8, refuse).bus.device("pcs").write_failed


def test_what_a_command_should_change_is_looked_at_often_until_it_has_changed_and_nothing_else_suffers() -> None:
    def ask(bench: Bench) -> None:
        bench.bus.command("pcs", "start")
        if len(bench.of("pcs", "state")) == 20:
            bench.pcs.registers[PCS_STATUS] = 4

    bench = play(10, lambda bench: None, ask)
    seen = [reading.taken_mono_ms for reading in bench.of("pcs", "state")]
    gaps_ms = [later - earlier for earlier, later in pairwise(seen)]
    assert all(140 <= gap_ms <= 260 for gap_ms in gaps_ms[2:18]), gaps_ms
    assert all(450 <= gap_ms <= 550 for gap_ms in gaps_ms[22:]), gaps_ms
    assert len(bench.of("poc", "power")) >= 95 and len(bench.of("pcs", "fast")) >= 95


def test_a_write_that_is_taken_again_is_no_longer_failed() -> None:
    def step(bench: Bench) -> None:
        if len(bench.pcs.writes) > 8:
            bench.pcs.deaf_to = set()

    def deaf(bench: Bench) -> None:
        bench.pcs.deaf_to = {PCS_SET}
        bench.bus.set_value("pcs", "power_set", 5_000)

    bench = play(4, deaf, step)
    assert not bench.bus.device("pcs").write_failed and bench.pcs.registers[PCS_SET] == 50


@pytest.mark.parametrize(("status", "least", "most"), [(4, 0, 0), (0, 4, 6)])
def test_a_start_is_sent_once_a_second_and_never_to_a_device_that_runs(status: int, least: int, most: int) -> None:
    def prepare(bench: Bench) -> None:
        bench.pcs.registers[PCS_STATUS] = status

    bench = play(5, prepare, lambda bench: bench.bus.command("pcs", "start"))
    assert least <= bench.pcs.writes.count((650, 1)) <= most


def test_a_stop_is_sent_before_a_setpoint() -> None:
    def prepare(bench: Bench) -> None:
        bench.bus.set_value("pcs", "power_set", 1_000)
        bench.bus.command("pcs", "stop")

    assert play(1, prepare).pcs.writes[0] == (651, 1)


def test_one_lost_answer_costs_less_than_the_age_that_stops_the_plant() -> None:
    def lose(bench: Bench) -> None:
        lost = iter([True])
        bench.line.spoil = lambda request, reply: (
            [] if bench.line.requests[-1][0] > 3 and request[0] == 2 and next(lost, False) else [(0.005, reply)]
        )

    taken = [r.taken_mono_ms for r in play(10, lose).of("pcs", "fast")]
    assert 300 < max(b - a for a, b in pairwise(taken)) < 700


@pytest.mark.parametrize("kind", ["u16", "s16", "u32", "s32", "f32"])
@pytest.mark.parametrize("order", ["big", "little"])
@given(st.integers(-40_000, 40_000), st.sampled_from([1, -1]))
def test_what_is_written_is_read_back_as_the_same_number(kind: str, order: str, value: int, sign: int) -> None:
    write = replace(load_profile("sinexcel-pcs-30").writes[0], type=kind, word_order=order, sign=sign)
    done = encode(write, value)
    payload = b"\x55\x55" + b"".join(register.to_bytes(2, "big") for register in done.registers)
    assert raw_reader(write, 1)(payload) == done.raw
    canonical = done.raw * write.factor * sign
    assert min(0, value, 0) <= canonical <= max(0, value) or canonical == 0


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.toml")))
@given(st.binary(max_size=60))
def test_a_payload_of_any_length_is_decoded_or_wholly_missing(name: str, payload: bytes) -> None:
    for block in load_profile(name).blocks:
        decoder = BlockDecoder(block, "x")
        reading = decoder.decode(payload, 1)
        if len(payload) != decoder.payload_bytes:
            assert not reading.complete and set(reading.values) == {None}


def test_all_ones_from_a_battery_are_never_a_permission() -> None:
    main = load_profile("soltaro-rack-c").blocks[0]
    reading = BlockDecoder(main, "x").decode(b"\xff" * 2 * main.count, 1)
    by_role = {point.role: value for point, value in zip(main.points, reading.values, strict=True)}
    assert not reading.complete
    assert by_role["bms.current_charge_max"] is None and by_role["bms.current_discharge_max"] is None


def test_a_sentinel_of_a_status_word_is_missing_not_healthy() -> None:
    block = load_profile("sinexcel-pcs-30").blocks[1]
    spoiled = replace(block, points=tuple(replace(point, sentinels=(0xFFFF,)) for point in block.points))
    reading = BlockDecoder(spoiled, "x").decode(b"\xff" * 2 * block.count, 1)
    assert set(reading.values) == {None} and not reading.complete


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", b"a = ", b"schema = " + b"9" * 5_000, b"schema = 0x" + b"f" * 5_000, b"[[profile]]", b"[link"]
)
def test_a_spoiled_file_is_a_list_of_problems(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigFault) as caught:
        read_profile(path)
    assert caught.value.problems and str(caught.value)


@given(st.binary(max_size=200))
def test_any_tables_are_a_list_of_problems(raw: bytes) -> None:
    with pytest.raises(ConfigFault):
        parse_profile({raw[:4].decode("latin-1"): raw.decode("latin-1")}, "x.toml")
