"""The limit of curtailable PV: what the battery cannot take of an export that is not allowed."""

from edge.control.kernel import SiteCause
from tests.kernel.rig import Rig

C = SiteCause


def sunny(**changes: int) -> Rig:
    rig = Rig(pv_rated_w=60_000, pv_lost_max_w=5_000, **changes).run()
    rig.put(pv_age_ms=100, pv_power_w=50_000)
    return rig


def test_without_curtailable_pv_nothing_is_said() -> None:
    rig = Rig().run()
    assert rig.step(poc_power_w=-100_000).pv_limit_w == 0 and not rig.has(C.PV_CURTAILED)


def test_what_the_battery_takes_is_not_curtailed() -> None:
    rig = sunny()
    assert rig.step(poc_power_w=-30_000).pv_limit_w == 60_000 and not rig.has(C.PV_CURTAILED)
    assert rig.out.battery_w == -30_000


def test_the_rest_is_taken_from_what_the_pv_gives_now() -> None:
    rig = sunny(export_max_w=3_000)
    assert rig.step(poc_power_w=-38_000).pv_limit_w == 50_000 - 5_000 and rig.has(C.PV_CURTAILED)


def test_of_a_pv_that_is_not_measured_it_is_taken_from_the_limit() -> None:
    rig = sunny()
    assert rig.step(poc_power_w=-31_000, pv_age_ms=3_001).pv_limit_w == 59_000
    assert rig.step().pv_limit_w == 58_000


def test_the_limit_is_back_in_a_minute() -> None:
    rig = sunny()
    rig.step(poc_power_w=-200_000)
    assert rig.out.pv_limit_w == 0
    assert rig.step(poc_power_w=0, power_w=0).pv_limit_w == 100
    rig.step(598)
    assert rig.out.pv_limit_w == 59_900 and rig.has(C.PV_CURTAILED)
    rig.step()
    assert rig.out.pv_limit_w == 60_000 and not rig.has(C.PV_CURTAILED)


def test_a_small_plant_comes_back_by_a_watt_a_cycle() -> None:
    rig = Rig(pv_rated_w=300).run()
    rig.state.pv_limit_w = 10
    assert rig.step().pv_limit_w == 11


def test_without_its_meter_the_site_gives_what_was_agreed() -> None:
    rig = sunny()
    assert rig.step(poc_age_ms=3_001).pv_limit_w == 5_000 and rig.has(C.PV_CURTAILED)
    big = Rig(pv_rated_w=4_000, pv_lost_max_w=5_000).run()
    assert big.step(poc_age_ms=3_001).pv_limit_w == 4_000 and big.has(C.PV_CURTAILED)


def test_a_state_out_of_range_is_brought_back() -> None:
    for limit_w in (-(2**31), 2**31 - 1):
        rig = sunny()
        rig.state.pv_limit_w = limit_w
        assert 0 <= rig.step().pv_limit_w <= 60_000
