"""Faults found in review of the first kernel; each of these tests failed before its fix."""

import pytest

from edge.control.kernel import Gate, Mode, Order, UnitWhy, Why, ffi, lib
from tests.kernel.rig import ESTOP, PCS_OK, RUN, Rig

INT_MIN, NEVER_MS = -(2**31), 2_147_483_647
NO_RAMP = {"ramp_up_max_w_per_s": 0, "ramp_down_max_w_per_s": 0}


@pytest.mark.parametrize(
    ("ramps", "load_w"),
    [
        ({"ramp_up_max_w_per_s": 0, "ramp_down_max_w_per_s": 1_000}, 60_000),
        ({"ramp_up_max_w_per_s": 1_000, "ramp_down_max_w_per_s": 0}, 20_000),
    ],
)
def test_a_ramp_of_zero_in_one_direction_is_no_limit_in_that_direction(ramps: dict[str, int], load_w: int) -> None:
    rig = Rig(**ramps).run()  # at 40 kW
    assert rig.step(poc_power_w=load_w).battery_w == 0


def test_a_limit_that_rises_less_than_a_watt_a_cycle_is_exact_over_time() -> None:
    rig = Rig(limit_rise_w_per_s=3, **NO_RAMP).run()
    before_w = rig.out.unit[0].discharge_max_w
    assert rig.step(1_000).unit[0].discharge_max_w - before_w == 300


def test_a_limit_does_not_rise_in_a_cycle_whose_time_is_unknown() -> None:
    rig = Rig(limit_rise_w_per_s=1_000).run()
    rig.step(current_discharge_max_da=0)
    rig.input.mono_ms -= 200
    assert rig.step(current_discharge_max_da=600).unit[0].discharge_max_w == 0


def test_the_reference_starts_at_the_net_load_when_run_is_entered() -> None:
    rig = Rig()
    rig.input.commands = 0
    rig.step(50, power_w=-300, poc_power_w=20_300)  # a PCS takes a little while it idles
    out = rig.step(commands=RUN)
    assert (out.mode, out.net_load_w, out.battery_w, out.poc_reference_w) == (Mode.RUN, 20_000, 0, 20_000)


def test_after_a_stale_meter_the_ramp_begins_again_at_the_net_load() -> None:
    rig = Rig().run()  # 500 W/s
    assert rig.step(poc_power_w=60_000).battery_w > 19_000
    assert rig.step(poc_age_ms=3_001).battery_w == 0
    assert rig.step(poc_age_ms=50, power_w=15_000, poc_power_w=45_000).battery_w == 0, "no leap back"


RULE = {
    "port_index": 0, "address": 1, "function": 6, "reg": 7, "count": 1, "unit_index": 0, "scale_w": 100,
    "value_min": -30_000, "value_max": 30_000, "kind": lib.TW_GATE_POWER,
}  # fmt: skip


def test_a_power_rule_without_a_scale_passes_nothing_but_zero() -> None:
    gate = Gate([RULE | {"scale_w": 0}], Rig().run().out)
    assert gate.allowed(0, 1, 6, 7, 1, 0) and not gate.allowed(0, 1, 6, 7, 1, 9)


@pytest.mark.parametrize("function", [0, 1, 2, 3, 4, 22, 23, 255])
def test_a_rule_for_a_function_that_is_no_plain_write_passes_nothing(function: int) -> None:
    gate = Gate([RULE | {"function": function, "kind": lib.TW_GATE_VALUE}], Rig().run().out)
    assert not gate.allowed(0, 1, function, 7, 1, 0)


@pytest.mark.parametrize("unit_index", [-1, 8, 2**31 - 1, INT_MIN])
def test_a_power_rule_for_a_unit_that_is_none_passes_nothing(unit_index: int) -> None:
    gate = Gate([RULE | {"unit_index": unit_index}], Rig().run().out)
    assert not gate.allowed(0, 1, 6, 7, 1, 1)


def test_the_sign_of_a_scale_decides_which_bound_holds() -> None:
    rig = Rig(**NO_RAMP).run()
    rig.step(current_charge_max_da=0)
    gate = Gate([RULE | {"scale_w": -100}], rig.out)  # this PCS writes charging as positive
    assert gate.allowed(0, 1, 6, 7, 1, -300) and not gate.allowed(0, 1, 6, 7, 1, 1)
    assert not gate.allowed(0, 1, 6, 7, 1, -301)


def test_a_device_that_was_seen_and_then_has_no_age_at_all_is_lost() -> None:
    assert Rig().run().step(bms_age_ms=NEVER_MS).unit[0].latched & UnitWhy.BMS_GONE
    assert Rig().run().step(pcs_age_ms=NEVER_MS).unit[0].latched & UnitWhy.PCS_LOST


def test_an_emergency_stop_prevails_over_local_control_and_a_trip_does_not() -> None:
    rig = Rig().run()
    assert rig.step(pcs_flags=PCS_OK | 4).unit[0].order == Order.NONE
    assert rig.step(cell_temp_max_dc=600).unit[0].order == Order.NONE
    assert rig.step(commands=RUN | ESTOP).unit[0].order == Order.OPEN


def test_cold_cells_never_stop_discharge_without_a_reason() -> None:
    rig = Rig(cell_temp_charge_min_dc=-150, cell_temp_min_dc=-100, **NO_RAMP).run()
    out = rig.step(cell_temp_min_dc=-120)
    assert out.unit[0].discharge_max_w == 0 and out.unit[0].why & UnitWhy.CELL_TEMP_LOW


def test_a_first_out_unit_that_is_none_is_not_passed_on() -> None:
    rig = Rig().run()
    rig.step(commands=RUN | ESTOP)
    for garbage in (77, -9):
        rig.kernel.state.first_out_unit = garbage
        assert rig.step().first_out_unit == -1


SITE_BAD = [
    ("abi", 0), ("unit_count", 0), ("unit_count", 9), ("cycle_ms", 49), ("cycle_ms", 1_001), ("import_max_w", -1),
    ("export_max_w", 100_000_001), ("ramp_up_max_w_per_s", -1), ("ramp_down_max_w_per_s", -1), ("poc_age_max_ms", 0),
    ("boot_settle_ms", -1), ("reset_hold_ms", -1),
]  # fmt: skip
UNIT_BAD = [
    ("power_charge_max_w", -1), ("power_discharge_max_w", 100_000_001), ("soc_min_cpct", 9_500),
    ("soc_max_cpct", 10_001), ("soc_max_cpct", INT_MIN), ("cell_voltage_min_mv", INT_MIN),
    ("cell_voltage_trip_low_mv", 2_950),
    ("cell_voltage_min_mv", 3_550), ("cell_voltage_trip_high_mv", 3_550), ("cell_temp_max_dc", INT_MIN),
    ("cell_temp_trip_dc", 500), ("cell_temp_charge_min_dc", 500), ("cell_temp_min_dc", 500),
    ("limit_rise_w_per_s", 0), ("bms_age_stop_ms", INT_MIN), ("bms_age_open_ms", 5_000), ("pcs_age_stop_ms", INT_MIN),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), SITE_BAD + UNIT_BAD)
def test_a_config_out_of_range_is_refused_and_then_nothing_moves(name: str, value: int) -> None:
    rig = Rig().run()
    rig.wish(10_000)
    config = rig.kernel.config
    setattr(config.unit[0] if (name, value) in UNIT_BAD else config, name, value)
    assert lib.tw_init(config, ffi.new("tw_state_t *")) == (lib.TW_BAD_ABI if name == "abi" else lib.TW_BAD_CONFIG)
    out = rig.out
    rig.kernel.step()
    assert (out.mode, out.battery_w, out.unit[0].setpoint_w) == (Mode.BOOT, 0, 0)
    assert out.why & lib.TW_WHY_CONFIG


def test_a_limit_that_was_low_lets_nothing_saved_up_loose_when_it_returns() -> None:
    rig = Rig(limit_rise_w_per_s=100_000_000).run()  # 500 W/s at the grid, 40 kW load; the slew must not hide a leap
    assert rig.step(poc_power_w=60_000, current_discharge_max_da=65).battery_w == 4_992
    rig.step(20)
    assert rig.step(current_discharge_max_da=600).battery_w <= 4_992


def test_the_import_limit_prevails_over_the_ramp() -> None:
    rig = Rig(limit_rise_w_per_s=100_000_000)
    rig.step(50, commands=0, poc_power_w=100_000)
    out = rig.step(commands=RUN)  # the ramp alone would ask for 50 W in the first cycle; the fuse needs 100 - 80 kW
    assert (out.mode, out.battery_w) == (Mode.RUN, 20_000) and out.why & Why.IMPORT_LIMIT


@pytest.mark.parametrize(
    "other", [{"port_index": 1}, {"address": 2}, {"function": 16}, {"reg": 8}, {"count": 2}, {"value": 30_001}]
)
def test_a_write_that_differs_from_its_rule_in_one_thing_does_not_pass(other: dict[str, int]) -> None:
    write = {"port_index": 0, "address": 1, "function": 6, "reg": 7, "count": 1, "value": 30_000}
    gate = Gate([RULE | {"kind": lib.TW_GATE_VALUE}], Rig().out)
    assert gate.allowed(**write) and not gate.allowed(**write | other)
