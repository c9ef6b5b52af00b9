"""Wish, fade, ramp, site band, unit band: who wins, and to the watt; what is said of it."""

import pytest

from edge.control.kernel import Band, Mode, SiteCause, Stage, WishKind
from tests.kernel.rig import RUN, SERVICE, Rig

C = SiteCause


def stages(rig: Rig) -> list[int]:
    return list(rig.out.stage_w)[Stage.WISH :]


def test_a_wish_inside_every_band_is_done() -> None:
    rig = Rig().run()
    out = rig.wish(12_345)
    assert out.battery_w == out.wish_w == out.unit[0].setpoint_w == 12_345
    assert stages(rig) == [12_345] * 5 and not rig.has(C.RAMP)


def test_a_wish_of_the_grid_is_turned_by_the_net_load() -> None:
    rig = Rig().run()
    out = rig.step(wish_kind=WishKind.GRID, wish_w=25_000, wish_left_ms=5_000, power_w=1_000, poc_power_w=39_000)
    assert (out.net_load_w, out.battery_w) == (40_000, 15_000)


@pytest.mark.parametrize("kind", [WishKind.BATTERY, WishKind.MANUAL])
def test_a_wish_ends_with_its_lease_and_that_is_said(kind: WishKind) -> None:
    rig = Rig().run()
    assert rig.step(wish_kind=kind, wish_w=10_000, wish_left_ms=1).battery_w == 10_000 and not rig.has(C.WISH_EXPIRED)
    assert rig.step(wish_left_ms=0).battery_w == 0 and rig.has(C.WISH_EXPIRED)
    rig.step(wish_w=0)
    assert rig.has(C.WISH_EXPIRED)
    rig.step(wish_kind=WishKind.NONE)
    assert not rig.has(C.WISH_EXPIRED)
    rig.step(wish_w=-1)
    assert rig.has(C.WISH_EXPIRED)


def test_the_import_limit_discharges_without_any_wish() -> None:
    rig = Rig().run()
    out = rig.step(poc_power_w=95_000)
    assert out.battery_w == 15_000 and rig.has(C.IMPORT_LIMIT) and not rig.has(C.FUSE_LIMIT)
    assert stages(rig) == [0, 0, 0, 15_000, 15_000]


def test_a_fuse_below_the_contract_is_named() -> None:
    rig = Rig(fuse_max_w=60_000).run()
    assert rig.step(poc_power_w=65_000).battery_w == 5_000
    assert rig.has(C.FUSE_LIMIT) and not rig.has(C.IMPORT_LIMIT)
    assert list(rig.out.low_after_w) == [-30_000, -30_000, -15_000, 5_000]


def test_a_charging_wish_is_cut_to_what_the_import_limit_leaves() -> None:
    rig = Rig().run()
    rig.step(poc_power_w=70_000)
    assert rig.wish(-25_000).battery_w == -10_000
    assert list(rig.out.low_after_w) == [-30_000, -30_000, -10_000, -10_000]


def test_zero_export_charges_what_the_sun_gives_too_much() -> None:
    rig = Rig().run()
    assert rig.step(poc_power_w=-12_000).battery_w == -12_000 and rig.has(C.EXPORT_LIMIT)
    assert rig.wish(20_000).battery_w == -12_000
    assert rig.out.high_after_w[Band.UNITS] == 30_000 and rig.out.high_after_w[Band.EXPORT] == -12_000


def test_the_unit_band_has_the_last_word() -> None:
    rig = Rig().run()
    assert rig.step(poc_power_w=200_000).battery_w == 30_000 and rig.has(C.DISCHARGE_BOUND)
    assert rig.step(poc_power_w=-200_000).battery_w == -30_000 and rig.has(C.CHARGE_BOUND)
    assert rig.step(soc_cpct=9_500).battery_w == 0 and rig.has(C.CHARGE_BOUND)
    assert rig.out.stage_w[Stage.SITE_BAND] == -200_000


def test_the_ramp_counts_from_the_last_setpoints() -> None:
    rig = Rig(setpoint_ramp_w_per_s=10_000).run()
    assert [rig.wish(10_000).battery_w for _ in range(3)] == [1_000, 2_000, 3_000] and rig.has(C.RAMP)
    assert [rig.wish(1_500).battery_w for _ in range(3)] == [2_000, 1_500, 1_500] and not rig.has(C.RAMP)
    assert rig.wish(-5_000).battery_w == 500


def test_a_limit_that_forbids_breaks_the_ramp_and_a_wish_does_not() -> None:
    rig = Rig(setpoint_ramp_w_per_s=10_000).run()
    rig.wish(10_000, cycles=10)
    assert rig.step(poc_power_w=4_000).battery_w == 4_000, "export is forbidden now, not at the ramp"
    assert rig.step(poc_power_w=40_000).battery_w == 5_000
    assert rig.step(current_discharge_max_da=0).battery_w == 0
    assert rig.step(poc_power_w=95_000, current_discharge_max_da=600).battery_w == 15_000


def test_a_ramp_begins_where_the_bands_still_allow() -> None:
    rig = Rig(setpoint_ramp_w_per_s=10_000).run()
    rig.wish(20_000, cycles=20)
    rig.step(poc_power_w=3_000, wish_w=-20_000)
    assert rig.out.battery_w == 2_000 and rig.has(C.RAMP)


def test_an_old_meter_fades_the_battery_at_a_quarter_of_its_rating_a_second() -> None:
    rig = Rig(units=2).run()
    rig.wish(20_000)
    assert rig.step(poc_age_ms=1_501).battery_w == 18_500 and rig.has(C.POC_FADE)
    assert [rig.step(wish_w=-50_000).battery_w for _ in range(13)][-1] == 0
    assert stages(rig)[1:] == [0, 0, 0, 0]
    rig.step(poc_age_ms=50)
    assert rig.out.battery_w < 0 and not rig.has(C.POC_FADE)


def test_a_fade_up_from_charging_ends_at_zero() -> None:
    rig = Rig().run()
    rig.wish(-1_000)
    assert rig.step(poc_age_ms=2_000).battery_w == -250
    assert rig.step().battery_w == 0


def test_a_fade_waits_for_no_ramp() -> None:
    rig = Rig(obedient=True, setpoint_ramp_w_per_s=1_000).run()
    rig.wish(20_000, cycles=100)
    assert rig.out.battery_w == 10_000 and rig.has(C.RAMP)
    assert [rig.step(poc_age_ms=2_000).battery_w for _ in range(14)] == [*range(9_250, 0, -750), 0]
    assert not rig.has(C.RAMP) and stages(rig)[1:] == [0, 0, 0, 0]
    assert rig.step(poc_age_ms=50).battery_w == 100 and rig.has(C.RAMP), "and the way back is the ramp's"


def test_the_bands_of_the_last_reading_hold_through_a_fade() -> None:
    rig = Rig().run()
    assert rig.step(poc_power_w=95_000).battery_w == 15_000
    assert [rig.step(poc_age_ms=2_000).battery_w for _ in range(3)] == [15_000] * 3
    assert rig.has(C.IMPORT_LIMIT) and stages(rig)[1:] == [14_250, 14_250, 15_000, 15_000]


def test_a_site_that_is_not_usable_says_the_net_load_all_the_same() -> None:
    rig = Rig().run()
    rig.wish(10_000)
    out = rig.step(commands=RUN | SERVICE)
    assert (out.mode, out.battery_w, out.net_load_w, out.wish_w) == (Mode.SERVICE, 0, 40_000, 10_000)
    assert stages(rig) == [10_000, 0, 0, 0, 0] and rig.out.reactive_permille == 0


def test_the_net_load_takes_the_battery_power_that_belongs_to_the_meters_reading() -> None:
    rig = Rig().run()
    assert rig.step(power_w=9_000, power_at_poc_w=1_000, poc_power_w=39_000).net_load_w == 40_000


def test_only_fresh_pcs_count_in_the_net_load_and_absurd_powers_are_clamped() -> None:
    rig = Rig(units=2).run()
    rig.input.unit[1].power_w = 5_000
    assert rig.step(power_w=3_000).net_load_w == 48_000
    assert rig.step(pcs_age_ms=1_001).net_load_w == 45_000
    assert rig.step(pcs_age_ms=50, power_w=2**31 - 1, poc_power_w=-(2**31)).net_load_w == 5_000


def test_a_bad_clock_is_a_cycle_without_power_and_the_ramp_begins_at_zero() -> None:
    rig = Rig(setpoint_ramp_w_per_s=10_000).run()
    rig.wish(5_000, cycles=10)
    rig.input.mono_ms += 5_000
    assert rig.step().battery_w == 0
    assert rig.step().battery_w == 1_000
