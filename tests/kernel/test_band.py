"""Wish, ramp, site band, unit band: who wins, and to the watt."""

from edge.control.kernel import Why
from tests.kernel.rig import Rig

NO_RAMP = {"ramp_up_max_w_per_s": 0, "ramp_down_max_w_per_s": 0}


def test_the_import_limit_discharges_without_any_wish() -> None:
    rig = Rig(**NO_RAMP).run()
    out = rig.step(poc_power_w=95_000)
    assert out.battery_w == 15_000 and out.why & Why.IMPORT_LIMIT


def test_a_charging_wish_is_cut_to_what_the_import_limit_leaves() -> None:
    rig = Rig(**NO_RAMP).run()
    rig.step(poc_power_w=70_000)
    assert rig.wish(-25_000).battery_w == -10_000


def test_zero_export_charges_what_the_sun_gives_too_much() -> None:
    rig = Rig(**NO_RAMP).run()
    out = rig.step(poc_power_w=-12_000)
    assert out.battery_w == -12_000 and out.why & Why.EXPORT_LIMIT
    assert rig.wish(20_000).battery_w == -12_000


def test_the_unit_band_has_the_last_word() -> None:
    rig = Rig(**NO_RAMP).run()
    out = rig.step(poc_power_w=200_000)
    assert out.battery_w == 30_000 and out.why & Why.DISCHARGE_BOUND
    assert rig.wish(-40_000, 1_000).battery_w == 30_000


def test_a_load_step_reaches_the_grid_at_the_ramp_only() -> None:
    rig = Rig().run()  # 500 W/s
    assert rig.step(poc_power_w=60_000).battery_w == 20_000 - 50
    battery_w = rig.out.battery_w
    for _ in range(100):  # the battery follows; the meter shows what is left
        rig.step(power_w=battery_w, poc_power_w=60_000 - battery_w)
        assert abs(battery_w - rig.out.battery_w) <= 50
        battery_w = rig.out.battery_w
    assert battery_w == 20_000 - 50 - 100 * 50
    assert rig.out.why & Why.RAMP


def test_a_slow_ramp_loses_no_milliwatt() -> None:
    rig = Rig(ramp_up_max_w_per_s=3, ramp_down_max_w_per_s=3).run()
    rig.step(100, poc_power_w=41_000)
    assert rig.out.battery_w == 1_000 - 30


def test_the_reference_does_not_wind_up_while_the_battery_cannot_follow() -> None:
    rig = Rig().run()
    rig.step(50, poc_power_w=100_000, current_discharge_max_da=0)
    assert rig.out.battery_w == 0
    out = rig.step(current_discharge_max_da=600, poc_power_w=80_000)
    assert out.battery_w <= 500, "nothing saved up is let loose"


def test_shares_add_up_and_have_one_sign() -> None:
    rig = Rig(units=3, **NO_RAMP).run()
    rig.input.unit[1].current_discharge_max_da = 130
    rig.step(10)
    for wish_w in (1, 2, 7, 19_999, 50_001, -1, -33_333):
        out = rig.wish(wish_w)
        shares = [out.unit[i].setpoint_w for i in range(3)]
        assert sum(shares) == out.battery_w
        assert all(share == 0 or (share > 0) == (wish_w > 0) for share in shares)
        assert all(-out.unit[i].charge_max_w <= shares[i] <= out.unit[i].discharge_max_w for i in range(3))
