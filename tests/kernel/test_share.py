"""Sharing: to the last watt, one sign, few units at a good load, the fuller first, and no hunting."""

from random import Random
from typing import Any

import pytest

from tests.kernel.rig import BMS_OK, Rig


def shares(rig: Rig) -> list[int]:
    return [rig.unit(index).setpoint_w for index in range(rig.config.unit_count)]


def rig_of(*socs_cpct: int, **changes: int) -> Rig:
    wide = {name: 1_000_000 for name in ("export_max_w", "import_max_w", "fuse_max_w")}
    rig = Rig(units=len(socs_cpct), **wide, setpoint_ramp_w_per_s=100_000_000, **changes)
    for index, soc_cpct in enumerate(socs_cpct):
        rig.input.unit[index].soc_cpct = soc_cpct
    return rig.run()


def test_equal_units_share_equally_and_the_rest_of_the_division_goes_to_the_first() -> None:
    rig = rig_of(5_500, 5_500, 5_500)
    rig.wish(30_000)
    assert shares(rig) == [10_000] * 3
    rig.wish(30_002)
    assert sum(shares(rig)) == 30_002 and max(shares(rig)) - min(shares(rig)) <= 1


def test_a_fuller_unit_discharges_more_and_charges_less() -> None:
    rig = rig_of(3_000, 5_000)  # 20 and 40 % above their 10 %
    rig.wish(30_000)
    assert shares(rig) == [10_000, 20_000]
    rig.wish(-11_000)  # 65 and 45 % below their 95 %
    assert shares(rig) == [-6_500, -4_500]


def test_what_one_cannot_take_another_tops_up() -> None:
    rig = rig_of(5_500, 5_500, 5_500)
    rig.input.unit[1].current_discharge_max_da = 26
    rig.wish(60_000)
    assert shares(rig)[1] <= rig.unit(1).discharge_max_w == 1_996 and sum(shares(rig)) == 60_000
    rig.wish(61_996)
    assert shares(rig) == [30_000, 1_996, 30_000]


def test_few_units_work_at_a_good_load() -> None:
    rig = rig_of(5_000, 6_000, 5_000, power_efficient_min_w=8_000)
    rig.wish(5_000)
    assert shares(rig) == [0, 5_000, 0], "the fullest alone"
    rig.wish(19_999)
    assert shares(rig).count(0) == 2
    rig.wish(20_000)
    assert shares(rig).count(0) == 1 and shares(rig)[0] > 0, "two at 8 kW and a quarter more"
    rig.wish(16_000)
    assert shares(rig).count(0) == 1, "it stays, above 2 * 8 kW"
    rig.wish(15_999)
    assert shares(rig) == [0, 15_999, 0]


def test_a_unit_leaves_only_if_the_others_have_a_quarter_to_spare() -> None:
    rig = rig_of(5_500, 5_500, power_efficient_min_w=20_000)
    rig.wish(60_000)
    rig.wish(24_001)
    assert shares(rig).count(0) == 0, "30 kW is less than 24 kW and a quarter"
    rig.wish(24_000)
    assert shares(rig) == [24_000, 0]


def test_a_unit_takes_the_turn_of_another_that_has_clearly_less() -> None:
    rig = rig_of(6_000, 5_900, power_efficient_min_w=10_000)
    rig.wish(5_000)
    assert shares(rig) == [5_000, 0]
    rig.step(1, soc_cpct=5_400)
    assert shares(rig) == [5_000, 0], "5 % is not more than 5 %"
    rig.step(1, soc_cpct=5_399)
    assert shares(rig) == [0, 5_000]
    rig.step(1, soc_cpct=6_000)
    assert shares(rig) == [0, 5_000], "and not back at once"


def test_a_tripped_unit_is_replaced_in_the_same_cycle() -> None:
    rig = rig_of(6_000, 5_000, power_efficient_min_w=20_000)
    rig.wish(15_000)
    assert shares(rig) == [15_000, 0]
    rig.step(bms_flags=BMS_OK | 4)
    assert shares(rig) == [0, 15_000] and rig.out.battery_w == 15_000
    assert rig.state.sharing == 2


def test_at_rest_too_only_the_able_share() -> None:
    rig = rig_of(5_500, 5_500)
    rig.wish(40_000)
    assert rig.state.sharing == 3
    rig.wish(0)
    rig.step(1, soc_cpct=1_000)
    assert rig.state.sharing == 2, "at rest the direction is discharge"


def test_a_unit_that_may_do_nothing_gets_nothing() -> None:
    rig = rig_of(5_500, 5_500)
    rig.step(1, soc_cpct=1_000)
    rig.wish(20_000)
    assert shares(rig) == [0, 20_000]
    rig.wish(-20_000)
    assert all(share < 0 for share in shares(rig))


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_wish_moves_no_unit_in_or_out(seed: int) -> None:
    draw = Random(seed)
    socs = [draw.randint(2_000, 9_000) for _ in range(8)]
    rig = rig_of(*socs, power_efficient_min_w=7_000)
    rig.wish(draw.randint(1_000, 200_000), cycles=40)
    before, changes = rig.state.sharing, 0
    for _ in range(300):
        for index in range(8):
            rig.input.unit[index].soc_cpct = socs[index] + draw.randint(-50, 50)
            rig.input.unit[index].power_w = rig.unit(index).setpoint_w
        rig.step()
        changes += rig.state.sharing != before
        before = rig.state.sharing
    assert changes <= 8, "each may find its place once"


@pytest.mark.parametrize("seed", range(20))
def test_shares_add_up_and_have_one_sign_whatever_the_units_may_do(seed: int) -> None:
    draw = Random(seed)
    count = draw.randint(1, 8)
    rig = rig_of(*[5_500] * count, power_efficient_min_w=draw.choice([0, 5_000, 30_000]))
    for _ in range(60):
        unit: Any = rig.input.unit[draw.randrange(count)]
        unit.soc_cpct = draw.randint(900, 9_600)
        unit.current_discharge_max_da, unit.current_charge_max_da = draw.randint(0, 600), draw.randint(0, 600)
        rig.state.sharing = draw.getrandbits(32)
        wish_w = draw.choice([draw.randint(-250_000, 250_000), draw.randint(-9, 9)])
        out = rig.wish(wish_w)
        found = shares(rig)
        assert sum(found) == out.battery_w == max(out.band_min_w, min(out.band_max_w, wish_w))
        assert all(share * wish_w >= 0 for share in found)
        for index, share in enumerate(found):
            assert -rig.unit(index).charge_max_w <= share <= rig.unit(index).discharge_max_w


def test_a_battery_at_rest_keeps_who_shares() -> None:
    rig = rig_of(5_500, 5_600, power_efficient_min_w=30_000)
    rig.wish(1_000)
    assert shares(rig) == [0, 1_000] and rig.state.sharing == 2
    rig.wish(0)
    assert shares(rig) == [0, 0] and rig.state.sharing == 2
