"""What must hold for any bytes at all, and for any plausible site. The oracle is written from the specification."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.control.kernel import Mode, ffi, lib
from tests.kernel.rig import BMS_OK, PCS_OK, RUN, Rig

SIZES = {name: ffi.sizeof(f"tw_{name}_t") for name in ("config", "state", "input", "output")}
WILD = st.integers(-(2**31), 2**31 - 1)


def wild_struct(draw: Any, name: str) -> Any:
    """A struct of any bytes, with a bias to small and extreme words."""
    words = draw(st.lists(WILD | st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)]), min_size=8, max_size=24))
    struct = ffi.new(f"tw_{name}_t *")
    view = ffi.buffer(struct)
    raw = b"".join(word.to_bytes(4, "little", signed=True) for word in words)
    view[:] = (raw * (len(view) // len(raw) + 1))[: len(view)]
    return struct


@given(st.data())
@settings(max_examples=300)
def test_no_bytes_whatever_make_power_beyond_the_rating(data: Any) -> None:
    rig = Rig(units=data.draw(st.integers(1, 8)))
    config = rig.config if data.draw(st.booleans()) else wild_struct(data.draw, "config")
    state, tw_input = wild_struct(data.draw, "state"), wild_struct(data.draw, "input")
    out = ffi.new("tw_output_t *")
    for _ in range(3):
        lib.tw_step(config, state, tw_input, out)
        total = 0
        for index in range(8):
            unit = out.unit[index]
            assert -unit.charge_max_w <= unit.setpoint_w <= unit.discharge_max_w
            assert 0 <= unit.discharge_max_w <= max(0, config.unit[index].power_discharge_max_w)
            assert 0 <= unit.charge_max_w <= max(0, config.unit[index].power_charge_max_w)
            assert not (unit.setpoint_w and out.mode != Mode.RUN)
            total += unit.setpoint_w
        assert total == out.battery_w
        tw_input.mono_ms = state.mono_ms + 100 if abs(state.mono_ms) < 2**62 else 0


def allowed_by_specification(unit: Any, config: Any) -> bool:
    """May this unit carry power at all? From the interlock table, not from the C."""
    return (
        0 <= unit.pcs_age_ms <= config.pcs_age_max_ms
        and 0 <= unit.bms_age_ms <= config.bms_age_max_ms
        and unit.pcs_flags & PCS_OK == PCS_OK
        and not unit.pcs_flags & (1 | 4 | 8 | 32)
        and unit.bms_flags & BMS_OK == BMS_OK
        and not unit.bms_flags & (2 | 4)
        and 0 <= unit.soc_cpct <= 10_000
        and 0 < unit.pack_voltage_dv <= 20_000
        and config.cell_voltage_trip_low_mv < unit.cell_voltage_min_mv <= unit.cell_voltage_max_mv
        and unit.cell_voltage_max_mv < config.cell_voltage_trip_high_mv
        and unit.cell_temp_min_dc <= unit.cell_temp_max_dc < config.cell_temp_max_dc
    )


SPOILS = st.dictionaries(
    st.sampled_from(
        ["pcs_age_ms", "bms_age_ms", "pcs_flags", "bms_flags", "soc_cpct", "pack_voltage_dv", "cell_voltage_min_mv",
         "cell_voltage_max_mv", "cell_temp_min_dc", "cell_temp_max_dc", "current_charge_max_da", "power_w"]
    ),
    st.integers(-200, 12_000) | st.sampled_from([0, 1, 2, 3, 18, 33, 3_300, 2**31 - 1]),
    max_size=3,
)  # fmt: skip


@given(st.lists(st.tuples(SPOILS, st.integers(-60_000, 60_000), st.integers(-90_000, 150_000)), max_size=8))
@settings(max_examples=300)
def test_power_flows_only_where_the_specification_allows(steps: list[tuple[dict[str, int], int, int]]) -> None:
    rig = Rig().run()
    for spoils, wish_w, poc_w in steps:
        for name, value in spoils.items():
            setattr(rig.input.unit[0], name, value & 0xFFFFFFFF if name.endswith("flags") else value)
        unit = rig.input.unit[0]
        out = rig.step(wish_w=wish_w, wish_left_ms=1_000, poc_power_w=poc_w).unit[0]
        if not allowed_by_specification(unit, rig.config.unit[0]):
            assert out.setpoint_w == 0
        if out.setpoint_w > 0:
            assert unit.soc_cpct > rig.config.unit[0].soc_min_cpct
            assert out.setpoint_w <= unit.current_discharge_max_da * unit.pack_voltage_dv / 100
        if out.setpoint_w < 0:
            assert unit.soc_cpct < rig.config.unit[0].soc_max_cpct
            assert -out.setpoint_w <= unit.current_charge_max_da * unit.pack_voltage_dv / 100


@given(st.lists(st.integers(0, 110_000), min_size=2, max_size=40), st.integers(-30_000, 30_000))
def test_where_the_battery_can_the_grid_keeps_its_limits_and_its_ramp(loads: list[int], wish_w: int) -> None:
    """A perfect battery: it does at once what it is told, so the meter shows the controller's own doing."""
    rig = Rig(import_max_w=80_000, export_max_w=0).run()
    grid_w, battery_w = 40_000, 0
    for load_w in loads:
        for _ in range(3):
            rig.step(power_w=battery_w, poc_power_w=load_w - battery_w, wish_w=wish_w, wish_left_ms=1_000,
                     commands=RUN)  # fmt: skip
            battery_w = rig.out.battery_w
            could = -30_000 < battery_w < 30_000
            if could:
                assert 0 <= load_w - battery_w <= 80_000
                assert abs(load_w - battery_w - grid_w) <= 50 or grid_w in (0, 80_000) or not 0 <= grid_w <= 80_000
            grid_w = load_w - battery_w
