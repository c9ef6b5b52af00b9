"""The guard against an oracle written from deploy/handbook/kernel.md alone: both step, every field is compared.

`make oracle STEPS=1000000` runs longer; here ORACLE_STEPS says how long.
"""

import os
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge._kernel import ffi, lib
from tests.kernel.duel.__main__ import run
from tests.kernel.duel.coverage import NEVER_TAKEN
from tests.kernel.duel.duel import Duel, draw_config
from tests.kernel.duel.gate import play_gate
from tests.kernel.duel.plant import Plant, U
from tests.kernel.duel.poke import garbage_state
from tests.kernel.duel.sites import EXTREMES, points_of_site, points_of_unit
from tests.kernel.duel.trouble import COMMANDS, FLAGS, UNSIGNED, S
from tests.kernel.duel.weather import Weather
from tests.kernel.oracle import bridge as b
from tests.kernel.oracle import modes, records
from tests.kernel.oracle import words as w
from tests.kernel.oracle.accept import accepts
from tests.kernel.oracle.site_rows import DOOR_WARNS
from tests.kernel.oracle.unit_rows import UNIT

STEPS = int(os.environ.get("ORACLE_STEPS", "200000"))
ENOUGH_STEPS = 150_000  # below, not everything need be reached


def test_a_long_drawn_run_agrees_in_every_field_and_reaches_everything() -> None:
    report = run(STEPS, seed=0)
    assert not report.found, "\n".join(report.found[:5])
    if report.steps >= ENOUGH_STEPS:
        assert not report.coverage.missing()


def test_the_gate_agrees_on_rules_and_writes_that_are_almost_alike() -> None:
    passed = set().union(*(play_gate(seed, writes=40) for seed in range(2_000)))
    assert passed == {w.KIND_VALUE, w.KIND_POWER, w.KIND_ORDER}


@pytest.mark.parametrize("hostile", [True, False])
def test_one_step_from_any_bits_agrees(hostile: bool) -> None:
    for seed in range(1_500):
        rng = Random(seed)
        duel = Duel(draw_config(rng, tight=seed % 2 == 0), hostile)
        duel.load_state(garbage_state(rng, bytes(duel.raw_state)))
        site, units = Weather(rng, duel.c).step([records.UnitOutput(*[0] * 12)] * w.UNITS, latched=True)
        if seed % 3 == 0:
            site, units = garbage_input(rng, site, units)
        wish = b.WISH.unpack_from(rng.randbytes(b.WISH.size))
        duel.step(site, units, list(wish))


def garbage_input(rng: Random, site: list[int], units: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    raw = rng.randbytes(b.INPUT.size)
    return list(b.INPUT.unpack_from(raw)), [
        list(b.UNIT_INPUT.unpack_from(rng.randbytes(b.UNIT_INPUT.size))) for _ in units
    ]


# ---- what init accepts


def test_a_configuration_is_refused_exactly_where_the_handbook_says() -> None:
    refused = 0
    for seed in range(300):
        rng = Random(seed)
        config = draw_config(rng, tight=seed % 2 == 0)
        for _ in range(25):
            spoiled = ffi.new("tw_config_t *", config[0])
            spoil(rng, spoiled, count=rng.choice((1, 1, 2)))
            duel = Duel(spoiled, hostile=True)  # compares the verdict, and the state that tw_init leaves
            refused += not duel.accepted
            if not duel.accepted:
                duel.step([rng.randint(-5, 5)] + [1] * (len(S) - 1), [], [0] * 18)
    assert 2_000 < refused < 7_000


def spoil(rng: Random, config: Any, count: int) -> None:
    """Some numbers at an edge: of the field's own, of another's, or of the type's."""
    for _ in range(count):
        unit = rng.random() < 0.7
        struct, layout = (config.unit[0], b.UNIT_CONFIG) if unit else (config, b.CONFIG)
        name, other = rng.choice(layout.names), rng.choice(layout.names)
        tops = (w.LIMIT, 600_000, 3_600_000, 10_000, 5_000, 20_000, 1_500, 2_100, 1_000_000, 1_000, 50, 20)
        value = rng.choice((getattr(struct, name), getattr(struct, other), 0, *EXTREMES, *tops)) + rng.choice(
            (-1, 0, 1)
        )
        top = w.U32 if name == "abi" else w.INT32_MAX
        setattr(struct, name, w.clamp(value, 0 if name == "abi" else w.INT32_MIN, top))


def test_one_number_changed_in_a_running_configuration_is_judged_in_the_next_step() -> None:
    verdicts = []
    for seed in range(500):
        rng = Random(seed)
        duel = Duel(draw_config(rng, tight=seed % 2 == 0), hostile=True)
        site = Weather(rng, duel.c).base
        units = [Plant(rng, duel.c.unit[n]).measure(0) for n in duel.units] + [[0] * len(U)] * (
            w.UNITS - len(duel.units)
        )
        before = bytes(ffi.buffer(duel.config))
        for turn in range(12):
            if turn in (3, 6, 9):
                ffi.buffer(duel.config)[:] = before
                if turn != 6:
                    spoil(rng, duel.config, count=1)
                duel.adopt_config()
            site[S["mono_ms"]] += 50
            duel.step(site, units, [0] * 18)
            verdicts.append(duel.accepted)
    assert verdicts.count(False) > 1_000


# ---- tables


def test_the_words_of_the_oracle_are_those_of_the_header() -> None:
    for prefix, names in (
        ("MODE", w.MODES), ("EVENT", w.EVENTS), ("ORDER", w.ORDERS), ("LEVEL", w.LEVELS), ("SITE_C", w.SITE_CAUSES),
        ("UNIT_C", w.UNIT_CAUSES), ("BOUND", w.BOUNDS), ("BAND", w.BANDS), ("STAGE", w.STAGES),
    ):  # fmt: skip
        assert [getattr(lib, f"TW_{prefix}_{name}") for name in names] == list(range(len(names)))
    counts = [int(getattr(lib, f"TW_{name}")) for name in ("MODES", "SITE_CAUSES", "UNIT_CAUSES", "STAGES")]
    assert counts == [len(w.MODES), len(w.SITE_CAUSES), len(w.UNIT_CAUSES), len(w.STAGES)]
    limits = [int(getattr(lib, f"TW_{name}")) for name in ("AGE_NEVER", "UNKNOWN", "POWER_LIMIT_W", "UNITS", "HOURLY")]
    assert limits == [w.NEVER, w.UNKNOWN, w.LIMIT, w.UNITS, w.HOURLY]


def test_the_records_of_the_oracle_are_the_structs_of_the_header() -> None:
    for layout, fields in (
        (b.CONFIG, records.Config._fields[:-1]), (b.UNIT_CONFIG, records.UnitConfig._fields),
        (b.INPUT, records.Input._fields[:-1]), (b.UNIT_INPUT, records.UnitInput._fields),
        (b.STATE, records.State.FIELDS), (b.UNIT_STATE, records.UnitState.FIELDS),
        (b.OUTPUT, records.Output._fields[:-1]), (b.UNIT_OUTPUT, records.UnitOutput._fields),
        (b.WISH, records.Wish._fields), (b.RULE, records.Rule._fields), (b.WRITE, records.Write._fields),
    ):  # fmt: skip
        assert [name for name, _, _ in layout.fields] == list(fields)


def test_the_transition_table_is_that_of_the_handbook() -> None:
    for mode in (*range(14), w.U32):
        for event in (*range(14), w.U32):
            assert lib.tw_next_mode(mode, event) == modes.next_mode(mode, event)
    assert all(modes.NEXT[w.MODES.index(m)][w.EVENTS.index(e)] != w.MODES.index(m) for m, e in NEVER_TAKEN)


def test_the_tables_of_causes_are_those_of_the_handbook() -> None:
    for table, row_of in ((UNIT, lib.tw_unit_row), (DOOR_WARNS, lib.tw_site_row)):
        for index, row in enumerate(table.rows):
            c = row_of(index)
            assert (c.level, c.latch, c.reset, c.on_ms, c.off_ms) == (
                row.level,
                row.latch,
                row.reset,
                row.on_ms,
                row.off_ms,
            )
            assert c.hourly_index == row.hourly or row.latch != w.LATCH_HOURLY
        for index in (-1, len(table.rows), w.INT32_MIN, w.INT32_MAX):
            c = row_of(index)
            assert (c.level, c.latch, c.reset, c.hourly_index, c.on_ms, c.off_ms) == (0,) * 6


# ---- few cycles, made small when they fail


class Block:
    """Some equal cycles: how many, how far apart, what is changed in them, what is wished."""

    def __init__(self, count: int, dt: int, changes: list[tuple[int, int, int]], wish: int) -> None:
        self.count, self.dt, self.changes, self.wish = count, dt, changes, wish

    def __repr__(self) -> str:
        return f"{self.count} x {self.dt} ms, (unit, field, value) {self.changes}, wish {self.wish}"


@st.composite
def changes_of(draw: Any, c: Any) -> tuple[int, int, int]:
    unit = draw(st.integers(-1, c.unit_count - 1))
    index_of, points = (S, points_of_site(c)) if unit < 0 else (U, points_of_unit(c.unit[unit]))
    name = draw(st.sampled_from(sorted(name for name in index_of if name != "mono_ms")))
    index = index_of[name]
    if (unit < 0 and index in (COMMANDS, FLAGS)) or (unit >= 0 and index in UNSIGNED):
        return unit, index, draw(st.integers(0, 4_095))
    return unit, index, draw(st.sampled_from(sorted({*EXTREMES, *points.get(name, ())})))


@st.composite
def runs(draw: Any) -> tuple[Any, list[Block]]:
    config = draw_config(Random(draw(st.integers(0, 500))), tight=draw(st.booleans()))
    c = b.read_config(ffi.buffer(config))
    times = st.sampled_from((c.cycle_ms, 2 * c.cycle_ms, 2 * c.cycle_ms + 1, 1, 0, -1))
    wishes = st.sampled_from((0, 1, -1, 30_000, -30_000, *EXTREMES))
    block = st.builds(Block, st.integers(1, 30), times, st.lists(changes_of(c), max_size=3), wishes)
    return config, draw(st.lists(block, min_size=1, max_size=8))


@settings(max_examples=150)
@given(runs())
def test_a_few_cycles_at_the_thresholds_agree(drawn: tuple[Any, list[Block]]) -> None:
    config, blocks = drawn
    duel = Duel(config, hostile=True)
    weather = Weather(Random(0), duel.c)
    plants, mono_ms = [Plant(Random(0), duel.c.unit[n]) for n in duel.units], 0
    for block in blocks:
        for _ in range(block.count):
            mono_ms += block.dt
            site = [mono_ms, *weather.base[1:]]
            units = [plant.measure(setpoint_of(duel, n)) for n, plant in enumerate(plants)]
            for unit, index, value in block.changes:
                (site if unit < 0 else units[unit])[index] = value
            output = duel.step(site, units, [block.wish] + [0] * 17)
            for plant, shown in zip(plants, output.unit, strict=False):
                plant.follow(shown.order)


def setpoint_of(duel: Duel, n: int) -> int:
    return duel.last.unit[n].setpoint_w if duel.last else 0


def test_what_is_drawn_is_accepted() -> None:
    for seed in range(300):
        assert accepts(b.read_config(ffi.buffer(draw_config(Random(seed), tight=seed % 2 == 0)))) == 0
