"""What must hold for any bytes at all, and in every cycle of any site: the invariants that every simulation asks."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.control.kernel import Mode, ffi, lib
from hil import invariants
from tests.kernel.rig import RUN, Rig, heal

WILD = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31), 100, 100_000_000])
UNSIGNED = ("pcs_flags", "bms_flags", "commands", "flags")
NEAR = {
    "soc_cpct": [0, 999, 1_000, 1_001, 1_100, 9_400, 9_499, 9_500, 10_000], "pcs_age_ms": [50, 1_000, 1_001, 5_001, 20_001],
    "bms_age_ms": [300, 2_000, 2_001, 5_001, 10_001], "pcs_flags": [18, 16, 2, 19, 22, 26, 50],
    "bms_flags": [33, 32, 1, 35, 37, 41, 49], "cell_voltage_min_mv": [1_999, 2_500, 2_800, 2_801, 2_900, 3_290],
    "cell_voltage_max_mv": [3_290, 3_500, 3_549, 3_550, 3_650], "cell_temp_min_dc": [-201, -1, 0, 1, 50, 240],
    "cell_temp_max_dc": [260, 450, 499, 500, 549, 550, 601], "pack_current_da": [0, 20, 21, 640, -640, 700],
    "commands": [0, 1, 3, 5, 9, 17, 33], "flags": [0, 1, 6, 8, 16, 32, 128, 256, 512, 1_024],
    "poc_age_ms": [50, 1_501, 3_001], "poc_power_w": [-90_000, 0, 40_000, 79_999, 120_000],
    "wish_w": [-60_000, -1, 1, 60_000], "power_w": [0, 30_000, -30_000],
    "current_charge_max_da": [0, 1, 600], "current_discharge_max_da": [0, 1, 600],
}  # fmt: skip


def wild_struct(draw: Any, name: str) -> Any:
    """A struct of any bytes, with a bias to small and extreme words."""
    struct = ffi.new(f"tw_{name}_t *")
    view = ffi.buffer(struct)
    words = draw(st.lists(WILD, min_size=8, max_size=24))
    raw = b"".join(word.to_bytes(4, "little", signed=True) for word in words)
    view[:] = (raw * (len(view) // len(raw) + 1))[: len(view)]
    return struct


def put(tw_input: Any, unit: int, name: str, value: int) -> None:
    where = tw_input.unit[unit] if hasattr(tw_input.unit[unit], name) else tw_input
    setattr(where, name, value % 2**32 if name in UNSIGNED else value)


def stepped(rig: Rig) -> list[str]:
    """One cycle; what it broke."""
    before = bytes(ffi.buffer(rig.state))
    rig.kernel.step()
    return invariants.broken(rig.config, before, rig.input, rig.state, rig.out)


CHANGE = st.sampled_from(sorted(NEAR)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(NEAR[name]) | WILD)
)
CYCLE = st.tuples(st.lists(st.tuples(st.integers(0, 7), CHANGE), max_size=3), st.integers(1, 6), st.booleans())


@given(st.integers(1, 8), st.lists(CYCLE, max_size=25), st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_invariants_hold_whatever_happens_to_a_site(units: int, cycles: list[Any], obedient: bool) -> None:
    rig = Rig(units=units, pv_rated_w=20_000, soc_reserve_cpct=1_200).run()
    rig.put(wish_kind=1, wish_left_ms=9_000, wish_w=20_000)
    for changes, count, healed in cycles:
        if healed:
            heal(rig.input)
        for unit, (name, value) in changes:
            put(rig.input, unit, name, value)
        for _ in range(count):
            rig.input.mono_ms += 100
            assert stepped(rig) == []
            if obedient:
                rig.obey()


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_the_invariants_hold_for_any_state_and_any_input(data: Any) -> None:
    rig = Rig(units=data.draw(st.integers(1, 8)))
    ffi.buffer(rig.state)[:] = ffi.buffer(wild_struct(data.draw, "state"))[:]
    ffi.buffer(rig.input)[:] = ffi.buffer(wild_struct(data.draw, "input"))[:]
    for cycle in range(30):
        assert stepped(rig) == []
        if cycle == 2 and data.draw(st.booleans()):
            heal(rig.input)
        rig.input.mono_ms = (rig.input.mono_ms + 100 + 2**63) % 2**64 - 2**63


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_configuration_is_refused_or_kept(data: Any) -> None:
    config, state = wild_struct(data.draw, "config"), wild_struct(data.draw, "state")
    tw_input, out = wild_struct(data.draw, "input"), ffi.new("tw_output_t *")
    if data.draw(st.booleans()):
        config.abi, config.unit_count, config.cycle_ms = lib.TW_ABI, 1, 100
    accepted = lib.tw_init(config, ffi.new("tw_state_t *")) == lib.TW_OK
    lib.tw_step(config, state, tw_input, out)
    assert accepted or (out.battery_w == 0 and out.why == 1 << 16 | 1 and not any(unit.order for unit in out.unit))


@pytest.mark.parametrize("seed", range(12))
def test_a_long_and_troubled_life_breaks_no_invariant(seed: int) -> None:
    """2 000 cycles with obedient devices, a trouble every second, healed and reset now and then; most of it in RUN."""
    draw = Random(seed)
    rig = Rig(units=draw.randint(1, 8), safe_grid=draw.randint(0, 2), setpoint_ramp_w_per_s=200_000).run()
    rig.put(wish_kind=1, wish_left_ms=9_000)
    running = 0
    for cycle in range(2_000):
        if cycle % 200 == 150:
            heal(rig.input)
        rig.input.commands = RUN | (8 if cycle % 200 > 180 else 0)
        if draw.random() < 0.1:
            rig.input.wish_w = draw.randint(-250_000, 250_000)
        if draw.random() < 0.03:
            name = draw.choice(sorted(NEAR))
            put(rig.input, draw.randrange(8), name, draw.choice(NEAR[name]))
        rig.input.mono_ms += 100 if draw.random() < 0.999 else 500
        assert stepped(rig) == [], f"seed {seed} cycle {cycle}: {rig.told()}"
        rig.obey()
        running += rig.out.mode == Mode.RUN
    assert running > 100, "a life that never runs shows nothing"


@given(st.lists(st.integers(0, 110_000), min_size=2, max_size=40), st.integers(-30_000, 30_000))
@settings(deadline=None)
def test_where_the_battery_can_the_grid_keeps_its_limits(loads: list[int], wish_w: int) -> None:
    """A perfect battery: it does at once what it is told, so the meter shows the controller's own doing."""
    rig = Rig().run()
    battery_w = 0
    for load_w in loads:
        for _ in range(3):
            rig.step(power_w=battery_w, poc_power_w=load_w - battery_w, wish_kind=1, wish_w=wish_w, wish_left_ms=1_000)
            battery_w = rig.out.battery_w
            if -30_000 < battery_w < 30_000:
                assert 0 <= load_w - battery_w <= 80_000
