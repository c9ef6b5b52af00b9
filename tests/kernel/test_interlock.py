"""Each interlock: what it does, when it lets go. Tables with time leaps."""

import pytest

from edge.control.kernel import Mode, Order, UnitWhy, Why
from tests.kernel.rig import BMS_OK, ESTOP, HOLD, PCS_OK, RESET, RUN, SERVICE, Rig

NO_RAMP = {"ramp_up_max_w_per_s": 0, "ramp_down_max_w_per_s": 0}
NEVER_MS = 2_147_483_647


def discharging(**limits: int) -> Rig:
    rig = Rig(**{**NO_RAMP, **limits}).run()
    assert rig.wish(10_000).unit[0].setpoint_w == 10_000
    return rig


@pytest.mark.parametrize(
    ("spoiled", "cause", "direction"),
    [
        ({"bms_age_ms": 2_001}, UnitWhy.BMS_STALE, "both"),
        ({"pcs_age_ms": 2_001}, UnitWhy.PCS_STALE, "both"),
        ({"bms_age_ms": -1}, UnitWhy.BMS_STALE, "both"),
        ({"bms_age_ms": NEVER_MS}, UnitWhy.BMS_STALE, "both"),
        ({"pcs_flags": PCS_OK | 4}, UnitWhy.PCS_LOCAL, "both"),
        ({"pcs_flags": 16}, UnitWhy.PCS_STOPPED, "both"),
        ({"pcs_flags": 2}, UnitWhy.UNGUARDED, "both"),
        ({"bms_flags": 1}, UnitWhy.UNGUARDED, "both"),
        ({"bms_flags": BMS_OK | 2}, UnitWhy.BMS_ALARM, "both"),
        ({"bms_flags": 32}, UnitWhy.BMS_OPEN, "both"),
        ({"bms_flags": BMS_OK | 8}, UnitWhy.CHARGE_FORBIDDEN, "charge"),
        ({"bms_flags": BMS_OK | 16}, UnitWhy.DISCHARGE_FORBIDDEN, "discharge"),
        ({"soc_cpct": 1_000}, UnitWhy.SOC_LOW, "discharge"),
        ({"soc_cpct": 9_500}, UnitWhy.SOC_HIGH, "charge"),
        ({"cell_voltage_min_mv": 2_950}, UnitWhy.CELL_VOLTAGE_LOW, "discharge"),
        ({"cell_voltage_max_mv": 3_550}, UnitWhy.CELL_VOLTAGE_HIGH, "charge"),
        ({"cell_temp_min_dc": 0}, UnitWhy.CELL_TEMP_LOW, "charge"),
        ({"cell_temp_min_dc": -100}, UnitWhy.CELL_TEMP_LOW, "both"),
        ({"cell_temp_max_dc": 500}, UnitWhy.CELL_TEMP_HIGH, "both"),
        ({"soc_cpct": 10_001}, UnitWhy.VALUE_MISSING, "both"),
        ({"pack_voltage_dv": 0}, UnitWhy.VALUE_MISSING, "both"),
        ({"cell_voltage_min_mv": 3_400}, UnitWhy.VALUE_MISSING, "both"),
        ({"current_discharge_max_da": -1}, UnitWhy.VALUE_MISSING, "both"),
        ({"current_discharge_max_da": 0}, UnitWhy.CURRENT_LIMIT, "discharge"),
    ],
)
def test_a_cause_forbids_its_direction_at_once(spoiled: dict[str, int], cause: UnitWhy, direction: str) -> None:
    rig = discharging()
    unit = rig.step(**spoiled).unit[0]
    assert unit.why & cause
    assert unit.discharge_max_w == (30_000 if direction == "charge" else 0)
    assert unit.charge_max_w == (30_000 if direction == "discharge" else 0)
    assert unit.setpoint_w == (10_000 if direction == "charge" else 0)


@pytest.mark.parametrize(
    ("spoiled", "cause", "order"),
    [
        ({"bms_age_ms": 5_001}, UnitWhy.BMS_LOST, Order.STOP),
        ({"bms_age_ms": 10_001}, UnitWhy.BMS_GONE, Order.OPEN),
        ({"pcs_age_ms": 5_001}, UnitWhy.PCS_LOST, Order.STOP),
        ({"pcs_flags": PCS_OK | 1}, UnitWhy.PCS_FAULT, Order.STOP),
        ({"pcs_flags": PCS_OK | 32}, UnitWhy.WRITE_FAILED, Order.STOP),
        ({"bms_flags": BMS_OK | 4}, UnitWhy.BMS_TRIP, Order.OPEN),
        ({"cell_voltage_min_mv": 2_750}, UnitWhy.CELL_VOLTAGE_TRIP, Order.OPEN),
        ({"cell_voltage_max_mv": 3_650}, UnitWhy.CELL_VOLTAGE_TRIP, Order.OPEN),
        ({"cell_temp_max_dc": 600}, UnitWhy.CELL_TEMP_TRIP, Order.OPEN),
    ],
)
def test_a_trip_latches_until_gone_held_and_reset(spoiled: dict[str, int], cause: UnitWhy, order: Order) -> None:
    rig = discharging()
    good = {name: getattr(rig.input.unit[0], name) for name in spoiled}
    out = rig.step(**spoiled)
    assert (out.mode, out.unit[0].setpoint_w, out.unit[0].order) == (Mode.FAULT, 0, order)
    assert out.unit[0].latched & cause and out.first_out_unit == 0
    first = out.first_out
    out = rig.step(50, **good)  # 5 s of peace: not enough for a reset
    rig.step(commands=RUN | RESET)
    assert rig.step(commands=RUN).mode == Mode.FAULT and rig.out.first_out == first
    rig.step(60)
    assert rig.step(commands=RUN | RESET).mode == Mode.STANDBY, "a reset leads to STANDBY, never straight to RUN"
    assert rig.step(commands=RUN).mode == Mode.RUN and rig.out.first_out == 0


def test_a_reset_is_an_edge_held_down_it_does_nothing() -> None:
    rig = discharging()
    rig.step(pcs_flags=PCS_OK | 1, commands=RUN | RESET)
    assert rig.step(300, pcs_flags=PCS_OK).mode == Mode.FAULT


def test_an_emergency_stop_opens_everything_and_stays() -> None:
    for spoiled in ({"commands": RUN | ESTOP}, {"pcs_flags": PCS_OK | 8}):
        rig = discharging()
        out = rig.step(**spoiled)
        assert (out.mode, out.unit[0].setpoint_w, out.unit[0].order) == (Mode.FAULT, 0, Order.OPEN)
        assert out.latched & Why.ESTOP and out.first_out == Why.ESTOP
        assert rig.step(200, commands=RUN, pcs_flags=PCS_OK).mode == Mode.FAULT


def test_hysteresis_keeps_a_direction_closed_until_well_clear() -> None:
    rig = discharging()
    rig.step(soc_cpct=1_000)
    assert rig.step(soc_cpct=1_199).unit[0].discharge_max_w == 0
    assert rig.step(soc_cpct=1_200).unit[0].discharge_max_w > 0


def test_limits_fall_at_once_and_rise_slowly() -> None:
    rig = discharging(limit_rise_w_per_s=5_000)
    assert rig.step(current_discharge_max_da=100).unit[0].discharge_max_w == 7_680
    assert rig.step(current_discharge_max_da=600).unit[0].discharge_max_w == 7_680 + 500
    assert rig.out.unit[0].why & UnitWhy.SLEW
    assert rig.step(60).unit[0].discharge_max_w == 30_000


def test_a_stale_meter_means_nothing_and_comes_back_by_itself() -> None:
    rig = discharging()
    out = rig.step(poc_age_ms=3_001)
    assert (out.mode, out.unit[0].setpoint_w) == (Mode.RUN, 0) and out.why & Why.POC_STALE
    assert rig.step(poc_age_ms=50).unit[0].setpoint_w == 10_000


@pytest.mark.parametrize("leap_ms", [0, -100, 201, 10**12, -(10**12)])
def test_a_clock_that_jumps_costs_one_cycle_of_power(leap_ms: int) -> None:
    rig = discharging()
    rig.input.mono_ms += leap_ms - rig.config.cycle_ms
    out = rig.step()
    assert out.unit[0].setpoint_w == 0 and out.why & Why.CLOCK
    assert rig.step().unit[0].setpoint_w == 10_000


def test_a_wish_dies_with_its_lease() -> None:
    rig = discharging()
    out = rig.wish(10_000, left_ms=0)
    assert out.unit[0].setpoint_w == 0 and out.why & Why.WISH_EXPIRED


def test_modes_follow_the_words_of_the_console() -> None:
    rig = discharging()
    out = rig.step(commands=RUN | HOLD)
    assert (out.mode, out.unit[0].setpoint_w, out.unit[0].order) == (Mode.STANDBY, 0, Order.STOP)
    assert rig.step(commands=RUN | SERVICE).mode == Mode.SERVICE
    assert rig.step(100, bms_age_ms=20_000).mode == Mode.SERVICE, "a cable pulled in service is no trip"
    assert rig.step(bms_age_ms=300, commands=RUN).mode == Mode.STANDBY
    assert rig.step().mode == Mode.RUN
    assert rig.step(commands=0).mode == Mode.STANDBY


def test_nothing_runs_before_everything_has_been_fresh_for_a_second() -> None:
    rig = Rig()
    rig.input.unit[0].bms_age_ms = NEVER_MS
    assert rig.step(600).mode == Mode.BOOT and rig.out.unit[0].latched == 0, "never seen is not lost"
    rig.step(9, bms_age_ms=300)
    assert rig.out.mode == Mode.BOOT
    assert rig.step(2).mode in (Mode.STANDBY, Mode.RUN)


def test_a_stopped_unit_is_started_only_when_asked_and_guarded() -> None:
    rig = Rig()
    rig.step(20, pcs_flags=16, bms_flags=32)
    assert (rig.out.mode, rig.out.unit[0].order) == (Mode.STANDBY, Order.START)
    assert rig.step(pcs_flags=0).unit[0].order == Order.NONE, "no start without its own watchdog"
    assert rig.step(pcs_flags=16, commands=0).unit[0].order == Order.STOP


def test_one_tripped_unit_of_two_leaves_the_other_working() -> None:
    rig = Rig(units=2, **NO_RAMP).run()
    rig.wish(20_000)
    assert [rig.out.unit[i].setpoint_w for i in (0, 1)] == [10_000, 10_000]
    out = rig.step(pcs_flags=PCS_OK | 1)
    assert (out.mode, out.unit[0].setpoint_w, out.unit[1].setpoint_w) == (Mode.RUN, 0, 20_000)
    assert out.unit[0].order == Order.STOP
