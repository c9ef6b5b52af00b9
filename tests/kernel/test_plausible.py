"""A value that cannot be is a missing value: both directions closed, nothing latched, back by itself."""

import pytest

from edge.control.kernel import Mode, Order, UnitWhy, Why
from tests.kernel.rig import ESTOP, PCS_OK, RESET, RUN, Rig

NO_RAMP = {"ramp_up_max_w_per_s": 0, "ramp_down_max_w_per_s": 0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("soc_cpct", -1), ("soc_cpct", 10_001), ("pack_voltage_dv", 0), ("pack_voltage_dv", -1),
        ("pack_voltage_dv", 20_001), ("current_charge_max_da", -1), ("current_discharge_max_da", -1),
        ("current_charge_max_da", 100_001), ("current_discharge_max_da", 100_001), ("cell_voltage_min_mv", -1),
        ("cell_voltage_max_mv", 5_001), ("cell_voltage_max_mv", 3_289), ("cell_temp_min_dc", -601),
        ("cell_temp_max_dc", 1_501), ("cell_temp_max_dc", 239),
    ],
)  # fmt: skip
def test_an_impossible_value_closes_both_directions_without_a_latch(name: str, value: int) -> None:
    rig = Rig(**NO_RAMP).run()
    rig.wish(10_000)
    good = getattr(rig.input.unit[0], name)
    unit = rig.step(**{name: value}).unit[0]
    assert (unit.setpoint_w, unit.charge_max_w, unit.discharge_max_w, unit.latched) == (0, 0, 0, 0)
    assert unit.why & UnitWhy.VALUE_MISSING
    assert rig.step(100, **{name: good}).unit[0].setpoint_w == 10_000


@pytest.mark.parametrize(
    ("name", "value"),
    [("soc_cpct", 10_000), ("pack_voltage_dv", 20_000), ("current_charge_max_da", 100_000), ("cell_voltage_min_mv", 0),
     ("cell_voltage_max_mv", 5_000), ("cell_temp_min_dc", -600), ("cell_temp_max_dc", 1_500), ("soc_cpct", 0)],
)  # fmt: skip
def test_an_extreme_value_is_still_a_value(name: str, value: int) -> None:
    assert not Rig().run().step(**{name: value}).unit[0].why & UnitWhy.VALUE_MISSING


def test_an_emergency_stop_is_reset_only_after_release_and_its_hold_time() -> None:
    rig = Rig().run()
    rig.step(commands=RUN | ESTOP)
    assert rig.step(200, commands=RUN | ESTOP).mode == Mode.FAULT
    rig.step(commands=RUN | ESTOP | RESET)
    assert rig.step(90, commands=RUN).mode == Mode.FAULT
    assert rig.step(commands=RUN | RESET).mode == Mode.FAULT, "9 s: too early"
    rig.step(20, commands=RUN)
    out = rig.step(commands=RUN | RESET)
    assert (out.mode, out.latched, out.first_out) == (Mode.STANDBY, 0, 0)


def test_the_first_cause_stays_the_first_while_others_follow() -> None:
    rig = Rig().run()
    began_ms = rig.step(pcs_flags=PCS_OK | 1).mono_ms
    out = rig.step(20, cell_temp_max_dc=600, commands=RUN | ESTOP)
    assert (out.first_out, out.first_out_unit) == (UnitWhy.PCS_FAULT, 0)
    assert out.first_out_mono_ms == began_ms and out.latched & Why.ESTOP


def test_an_alarm_stops_the_pcs_and_starts_it_again_when_it_clears() -> None:
    rig = Rig(**NO_RAMP).run()
    rig.wish(10_000)
    out = rig.step(bms_flags=1 | 32 | 2)
    assert (out.mode, out.unit[0].order, out.unit[0].setpoint_w, out.unit[0].latched) == (Mode.RUN, Order.STOP, 0, 0)
    assert rig.step(pcs_flags=16).unit[0].order == Order.STOP
    assert rig.step(bms_flags=1 | 32).unit[0].order == Order.START
    assert rig.step(100, pcs_flags=PCS_OK).unit[0].setpoint_w == 10_000


@pytest.mark.parametrize("spoiled", [{"pcs_age_ms": 2_001}, {"bms_age_ms": 2_001}, {"soc_cpct": -1}])
def test_a_stopped_unit_that_is_not_known_to_be_well_gets_no_start(spoiled: dict[str, int]) -> None:
    rig = Rig()
    rig.step(20, pcs_flags=16)
    assert rig.out.unit[0].order == Order.START
    assert rig.step(**spoiled).unit[0].order == Order.NONE


def test_only_when_every_unit_is_latched_is_the_site_in_fault() -> None:
    rig = Rig(units=2).run()
    assert rig.step(pcs_flags=PCS_OK | 1).mode == Mode.RUN
    rig.input.unit[1].bms_flags |= 4
    out = rig.step()
    assert (out.mode, out.unit[0].order, out.unit[1].order) == (Mode.FAULT, Order.STOP, Order.OPEN)


def test_service_is_entered_from_standby_only_and_a_fault_does_not_yield_to_it() -> None:
    rig = Rig()
    assert rig.step(commands=RUN | 4).mode == Mode.BOOT
    rig.step(20, commands=RUN)
    assert rig.out.mode == Mode.RUN
    assert rig.step(commands=RUN | 4).mode == Mode.STANDBY
    assert rig.step().mode == Mode.SERVICE and rig.out.unit[0].order == Order.NONE
    assert rig.step(commands=RUN | 4 | ESTOP).mode == Mode.FAULT
    assert rig.step(50, commands=RUN | 4).mode == Mode.FAULT
