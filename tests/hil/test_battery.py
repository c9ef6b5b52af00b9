"""Pack, BMS and PCS: energy is conserved, limits taper, sequences take their time."""

from dataclasses import replace
from itertools import pairwise

import pytest

from hil.plant.pack import Pack, PackSpec, ocv_v
from hil.plant.pcs import Pcs, PcsSpec
from hil.plant.site import Site, SiteSpec, Unit, UnitSpec


def unit(soc: float = 0.5, ambient_c: float = 25.0, connected: bool = True) -> Unit:
    return Unit(UnitSpec(PackSpec(soc_start=soc), connected=connected), ambient_c)


def run(unit: Unit, seconds: float, dt_s: float = 0.1, ambient_c: float = 25.0) -> None:
    for _ in range(round(seconds / dt_s)):
        unit.step(dt_s, ambient_c)


def running(power_w: float, soc: float = 0.5) -> Unit:
    one = unit(soc)
    one.pcs.comm_timeout_s = 0.0
    one.pcs.start()
    run(one, 2.0)
    one.pcs.set_power_w(power_w)
    return one


def test_the_rest_voltage_rises_with_soc_flat_in_the_middle_and_steep_at_the_ends() -> None:
    volts = [ocv_v(soc / 1000) for soc in range(-20, 1021)]
    assert all(b > a for a, b in pairwise(volts))
    assert ocv_v(0.9) - ocv_v(0.4) < 0.06
    assert ocv_v(0.05) - ocv_v(0.0) > 0.4


@pytest.mark.parametrize("power_w", [-25_000.0, -3_000.0, 0.0, 8_000.0, 30_000.0])
@pytest.mark.parametrize("dt_s", [0.1, 1.0])
def test_energy_is_conserved_to_a_millionth(power_w: float, dt_s: float) -> None:
    pack = Pack(PackSpec(), 25.0)
    before_wh, out_ws = pack.stored_wh, 0.0
    for index in range(2_000):
        out_ws += pack.step(power_w if index % 300 < 200 else 0.0, dt_s, 25.0) * dt_s
    left_wh = before_wh - pack.stored_wh - out_ws / 3600 - pack.loss_ws / 3600
    assert abs(left_wh) <= 1e-6 * max(abs(out_ws) / 3600, 1.0)
    assert pack.loss_ws >= 0.0


def test_a_round_trip_costs_what_a_battery_costs() -> None:
    one = running(-20_000.0, soc=0.3)
    run(one, 5_400, 1.0)
    one.pcs.set_power_w(20_000.0)
    while one.pack.soc > 0.3:
        one.step(1.0, 25.0)
    assert 0.90 < one.discharge_wh / one.charge_wh < 0.97


def test_a_pack_cannot_give_more_than_it_can() -> None:
    pack = Pack(PackSpec(cell_resistance_ohm=0.1), 25.0)
    moved_w = pack.step(30_000.0, 1.0, 25.0)
    assert 0.0 < moved_w < 10_000.0


def test_the_weak_cell_is_lowest_on_discharge_and_highest_on_charge() -> None:
    pack = Pack(PackSpec(), 25.0)
    for power_w in (25_000.0, -25_000.0):
        for _ in range(60):
            pack.step(power_w, 1.0, 25.0)
        assert pack.cell_voltage_min_v < pack.voltage_v / 240 < pack.cell_voltage_max_v


def test_losses_warm_the_pack_and_ambient_cools_it() -> None:
    one = running(28_000.0, soc=0.95)
    run(one, 3_600, 1.0)
    warm_c = one.pack.temp_c
    assert 25.5 < warm_c < 35.0
    one.pcs.stop()
    run(one, 3_600, 1.0)
    assert 25.0 < one.pack.temp_c < warm_c


@pytest.mark.parametrize(("soc", "charge", "discharge"), [(0.5, 1, 1), (0.95, 0, 1), (0.05, 1, 0)])
def test_current_limits_taper_at_both_ends(soc: float, charge: int, discharge: int) -> None:
    bms, middle = unit(soc).bms, unit(0.5).bms
    assert (bms.charge_limit_a == middle.charge_limit_a) == bool(charge)
    assert (bms.discharge_limit_a == middle.discharge_limit_a) == bool(discharge)
    assert bms.charge_limit_a > 0.0 and bms.discharge_limit_a > 0.0


def test_full_and_empty_forbid_and_have_hysteresis() -> None:
    assert unit(0.99).bms.full and unit(0.99).bms.charge_limit_a == 0.0
    one = unit(0.02)
    assert one.bms.empty and one.bms.discharge_limit_a == 0.0
    one.pack.soc = 0.05
    run(one, 1.0)
    assert one.bms.empty
    one.pack.soc = 0.07
    run(one, 1.0)
    assert not one.bms.empty


def test_a_frozen_or_hot_pack_takes_no_charge() -> None:
    assert unit(0.5, ambient_c=-2.0).bms.charge_limit_a == 0.0
    assert unit(0.5, ambient_c=55.0).bms.discharge_limit_a == 0.0


def test_the_contactor_closes_after_the_precharge_and_opens_at_once() -> None:
    one = unit(connected=False)
    assert one.bms.charge_limit_a == 0.0
    one.bms.connect()
    run(one, 1.8)
    assert one.bms.contactor == "precharge"
    run(one, 0.3)
    assert one.bms.connected and one.bms.charge_limit_a > 0.0
    one.bms.disconnect()
    assert not one.bms.connected


def test_charging_past_the_limits_alarms_then_trips_then_the_pcs_faults_and_all_of_it_can_be_cleared() -> None:
    one = running(-30_000.0, soc=0.97)
    seen: list[str] = []
    for _ in range(36_000):
        one.step(0.1, 25.0)
        if one.bms.alarm_names and "alarm" not in seen:
            seen.append("alarm")
        if one.bms.trip_names:
            seen.append("trip")
            break
    assert seen == ["alarm", "trip"]
    assert not one.bms.connected
    run(one, 0.2)
    assert one.pcs.state == "fault" and one.pcs.power_w == 0.0
    one.bms.connect()
    assert one.bms.contactor == "open", "a latched trip refuses"
    run(one, 60.0)
    one.bms.disconnect()
    one.bms.connect()
    run(one, 3.0)
    one.pcs.clear()
    one.pcs.start()
    run(one, 2.0)
    assert one.bms.connected and one.pcs.state == "running"


def test_the_bms_limits_are_zero_after_comm_loss_until_it_hears_again() -> None:
    one = unit()
    one.bms.set_comm_timeout_s(5.0)
    run(one, 5.5)
    assert one.bms.comm_lost and one.bms.discharge_limit_a == 0.0 and one.bms.connected
    one.bms.hear()
    run(one, 0.1)
    assert one.bms.discharge_limit_a > 0.0


def test_the_pcs_reaches_its_setpoint_after_dead_time_and_lag() -> None:
    one = running(20_000.0)
    run(one, 0.04, 0.01)
    assert one.pcs.power_w == 0.0
    run(one, 0.06, 0.01)
    assert 8_000 < one.pcs.power_w < 18_000
    run(one, 0.4, 0.01)
    assert one.pcs.power_w == pytest.approx(20_000, rel=0.01)


def test_the_setpoint_is_clipped_and_the_ramp_limited() -> None:
    one = running(99_000.0)
    assert one.pcs.set_w == 30_000.0
    slow = Pcs(replace(PcsSpec(), ramp_w_per_s=1_000.0, start_s=0.0), 25.0)
    slow.dc_voltage_v = 780.0
    slow.start()
    slow.ask(0.1, 780.0)
    slow.set_power_w(10_000.0)
    for _ in range(20):
        slow.ask(0.1, 780.0)
    assert slow.power_w == pytest.approx(2_000, abs=101)


def test_comm_loss_drops_to_zero_and_the_next_setpoint_revives() -> None:
    one = running(15_000.0)
    one.pcs.set_comm_timeout_s(5.0)
    run(one, 4.0)
    assert one.pcs.power_w == pytest.approx(15_000)
    run(one, 1.6)
    assert one.pcs.comm_lost and abs(one.pcs.power_w) < 1.0 and one.pcs.state == "running"
    one.pcs.set_power_w(3_000.0)
    run(one, 1.0)
    assert not one.pcs.comm_lost and one.pcs.power_w == pytest.approx(3_000)


def test_a_start_without_dc_voltage_is_an_under_voltage_fault() -> None:
    one = unit(connected=False)
    run(one, 0.1)
    one.pcs.start()
    assert one.pcs.state == "fault" and one.pcs.fault_names == {"dc_under_voltage"}
    one.pcs.clear()
    assert one.pcs.state == "standby"


def test_an_estop_cannot_be_cleared_while_pressed() -> None:
    one = running(5_000.0)
    one.pcs.set_estop(True)
    one.pcs.clear()
    assert one.pcs.state == "fault" and one.pcs.power_w == 0.0
    one.pcs.set_estop(False)
    one.pcs.clear()
    assert one.pcs.state == "standby"


def test_several_units_share_one_site() -> None:
    site = Site(SiteSpec(units=(UnitSpec(), UnitSpec(PackSpec(soc_start=0.8)))))
    for one, power_w in zip(site.units, (4_000.0, -9_000.0), strict=True):
        one.pcs.start()
        site.step(1.0)
        one.pcs.set_power_w(power_w)
    for _ in range(5):
        site.step(1.0)
    assert site.battery_power_w == pytest.approx(-5_000.0, abs=1.0)
