"""Start, stop, time-outs, retries, cool-down, island: what a unit is told, in which order, and what stops it for good."""

import pytest

from edge.control.kernel import UNKNOWN, Event, Mode, Order, Safe, SiteCause, SiteFlag, UnitCause
from tests.kernel.rig import BMS_OK, PCS_OK, RESET, RUN, SERVICE, Rig

C = UnitCause
GUARDED_PCS, GUARDED_BMS = 16, 32


def cold(**changes: int) -> Rig:
    """A rig in STANDBY whose devices are up, guarded and open, and do nothing by themselves."""
    rig = Rig(**changes)
    rig.put(pcs_flags=GUARDED_PCS, bms_flags=GUARDED_BMS, commands=0, pcs_dc_voltage_dv=0)
    rig.step(20)
    assert rig.unit().mode == Mode.STANDBY, rig.told()
    return rig


def now(rig: Rig) -> tuple[Mode, Order]:
    return Mode(rig.unit().mode), Order(rig.unit().order)


def test_a_start_asks_the_devices_at_every_step() -> None:
    rig = cold()
    rig.step(commands=RUN)
    assert now(rig) == (Mode.CONNECT, Order.CONNECT)
    rig.step(20, pcs_dc_voltage_dv=7_000, bms_flags=BMS_OK)
    assert now(rig) == (Mode.CONNECT, Order.CONNECT), "the link is not precharged: 7680 / 20 = 384 apart at most"
    rig.step(1, pcs_dc_voltage_dv=7_296)
    assert now(rig) == (Mode.START, Order.START)
    rig.step(20)
    assert now(rig) == (Mode.START, Order.START)
    rig.step(1, pcs_flags=PCS_OK)
    assert now(rig) == (Mode.RUN, Order.NONE)
    assert rig.wish(10_000).battery_w == 10_000


@pytest.mark.parametrize(("dc_dv", "pack_dv", "connects"), [
    (1_200, 1_000, True), (1_201, 1_000, False), (UNKNOWN, 1_000, True), (799, 1_000, False), (800, 1_000, True),
])  # fmt: skip
def test_a_small_pack_may_be_20_v_apart(dc_dv: int, pack_dv: int, connects: bool) -> None:
    rig = cold(pack_voltage_trip_low_dv=100, pack_voltage_min_dv=200)
    rig.step(commands=RUN)
    rig.step(1, bms_flags=BMS_OK, pcs_dc_voltage_dv=dc_dv, pack_voltage_dv=pack_dv)
    assert (now(rig)[0] == Mode.START) == connects


def test_boot_waits_until_all_have_been_fresh_for_a_while() -> None:
    rig = Rig()
    rig.step(8)
    rig.step(1, poc_age_ms=3_001)
    rig.step(1, poc_age_ms=50)
    rig.step(8)
    assert rig.unit().mode == Mode.BOOT
    rig.step()
    assert rig.unit().mode == Mode.INIT and rig.unit().event == Event.DONE


def test_init_waits_for_guards_and_values() -> None:
    rig = Rig()
    rig.step(20, pcs_flags=PCS_OK & ~GUARDED_PCS)
    assert rig.unit().mode == Mode.INIT
    rig.step(5, pcs_flags=PCS_OK, soc_cpct=-1)
    assert rig.unit().mode == Mode.INIT
    rig.step(30, soc_cpct=5_000)
    assert rig.unit().mode == Mode.RUN


def test_a_stop_waits_until_the_pcs_is_off_and_the_current_gone() -> None:
    rig = Rig().run()
    rig.step(commands=0)
    assert now(rig) == (Mode.STOPPING, Order.STOP)
    rig.step(10, pack_current_da=21, pcs_flags=GUARDED_PCS)
    assert now(rig)[0] == Mode.STOPPING
    rig.step(1, pack_current_da=-20, soc_cpct=-1)
    assert now(rig)[0] == Mode.STOPPING, "a current among values that cannot be is no current"
    rig.step(1, soc_cpct=5_500)
    assert now(rig) == (Mode.STANDBY, Order.STOP)
    assert rig.state.unit[0].cooldown_ms == 0, "asked for, so nothing to cool down from"


def test_a_stop_that_does_not_come_opens_the_contactor() -> None:
    rig = Rig().run()
    rig.step(commands=0)
    rig.step(60 + 49)  # stop_max, then 5 s more
    assert now(rig)[0] == Mode.STOPPING
    rig.step()
    assert now(rig) == (Mode.FAULT, Order.OPEN) and rig.latched(C.STOP_FAILED)


def test_a_silent_pcs_cannot_be_said_not_to_stop() -> None:
    rig = Rig().run()
    rig.step(commands=0)
    rig.step(600, pcs_age_ms=9_000)
    assert now(rig)[0] == Mode.STOPPING and not rig.latched(C.STOP_FAILED)
    rig.step(pcs_age_ms=50, pcs_flags=GUARDED_PCS)
    assert now(rig)[0] == Mode.STANDBY


@pytest.mark.parametrize(("cause", "limit_ms", "flags"), [
    (C.CONNECT_FAILED, 10_000, GUARDED_BMS), (C.START_FAILED, 8_000, BMS_OK),
])  # fmt: skip
def test_a_start_is_tried_three_times_with_a_pause_between(cause: UnitCause, limit_ms: int, flags: int) -> None:
    rig = cold()
    rig.put(bms_flags=flags, pcs_dc_voltage_dv=UNKNOWN, commands=RUN)
    mode = Mode.CONNECT if cause == C.CONNECT_FAILED else Mode.START
    for tries in (1, 2):
        rig.step(1 if mode == Mode.CONNECT else 2)
        assert now(rig)[0] == mode
        rig.step(limit_ms // 100)
        assert now(rig)[0] == mode
        rig.step()
        assert now(rig) == (Mode.STOPPING, Order.STOP) and rig.unit().event == Event.TIMEOUT
        assert rig.state.unit[0].tries == tries and rig.has(C.COOLDOWN)
        rig.step()
        assert now(rig)[0] == Mode.STANDBY
        rig.step(38)
        assert now(rig)[0] == Mode.STANDBY and rig.has(C.COOLDOWN)
    rig.step(2 + (mode == Mode.START) + limit_ms // 100)
    order = Order.OPEN if cause == C.CONNECT_FAILED else Order.STOP
    assert now(rig) == (Mode.FAULT, order) and rig.latched(cause), rig.told()
    rig.step(110)
    rig.reset()
    assert rig.state.unit[0].tries == 0 and not rig.latched(cause)


def test_a_start_that_succeeds_forgets_its_tries() -> None:
    rig = cold()
    rig.state.unit[0].tries = 2
    rig.step(commands=RUN)
    rig.step(3, bms_flags=BMS_OK, pcs_flags=PCS_OK, pcs_dc_voltage_dv=7_680)
    assert now(rig)[0] == Mode.RUN and rig.state.unit[0].tries == 0


def test_a_halt_out_of_run_makes_a_pause() -> None:
    rig = Rig(obedient=True).run()
    rig.step(bms_flags=BMS_OK | 2)
    assert rig.unit().event == Event.HALT and rig.has(C.COOLDOWN) and not rig.unit().latched
    rig.step(99, bms_flags=BMS_OK)
    assert rig.has(C.BMS_ALARM) and now(rig)[0] == Mode.STANDBY
    rig.step(2)
    assert now(rig)[0] == Mode.START, "the pause of 4 s was over before the alarm's 10 s"


def test_a_contactor_that_opens_during_the_start_ends_it() -> None:
    rig = cold()
    rig.step(commands=RUN)
    rig.step(bms_flags=BMS_OK, pcs_dc_voltage_dv=7_680)
    assert now(rig)[0] == Mode.START
    rig.step(bms_flags=GUARDED_BMS)
    assert now(rig)[0] == Mode.STOPPING and rig.unit().event == Event.HALT


def test_after_a_reset_the_way_is_through_standby_and_a_start() -> None:
    rig = Rig(obedient=True).run()
    rig.step(pcs_flags=PCS_OK | 1)
    rig.step(110, pcs_flags=PCS_OK)
    rig.step(commands=RUN | RESET)
    assert rig.unit().mode == Mode.STANDBY and rig.unit().latched == 0
    modes = [Mode(rig.step(commands=RUN).unit[0].mode).name for _ in range(3)]
    assert modes == ["CONNECT", "START", "RUN"]


def test_service_is_passive_and_leads_to_standby() -> None:
    rig = Rig().run()
    rig.wish(10_000)
    rig.step(5, commands=RUN | SERVICE)
    assert now(rig) == (Mode.SERVICE, Order.NONE) and rig.out.battery_w == 0
    rig.step(commands=0)
    assert now(rig) == (Mode.STANDBY, Order.STOP)


def test_a_lost_grid_stops_and_comes_back_by_itself() -> None:
    rig = Rig(obedient=True).run()
    rig.step(flags=SiteFlag.GRID_LOST)
    assert now(rig) == (Mode.STOPPING, Order.STOP) and rig.unit().event == Event.GRID_LOST
    rig.step(20)
    assert now(rig)[0] == Mode.STANDBY
    rig.step(49, flags=0)
    assert now(rig)[0] == Mode.STANDBY
    rig.step(4)
    assert now(rig)[0] == Mode.RUN


def test_an_island_is_entered_from_run_and_left_break_before_make() -> None:
    rig = Rig(obedient=True, safe_grid=Safe.ISLAND, soc_reserve_cpct=6_000).run()
    assert rig.has(C.RESERVE), "5500 is below"
    rig.step(flags=SiteFlag.GRID_LOST)
    assert now(rig) == (Mode.ISLAND, Order.ISLAND) and rig.out.mode == Mode.ISLAND and rig.unit().event == Event.ISLAND
    rig.step()
    assert not rig.has(C.RESERVE), "an island is what the reserve is for"
    assert list(rig.unit().discharge_after_w)[4:] == [30_000, 30_000, 0, 0], "but the setpoint is the PCS's own"
    rig.step(49, flags=0)
    assert now(rig)[0] == Mode.ISLAND and rig.has(SiteCause.GRID_WAIT)
    rig.step()
    assert now(rig) == (Mode.STOPPING, Order.STOP) and rig.unit().event == Event.DONE
    modes = [Mode(rig.step().unit[0].mode).name for _ in range(4)]
    assert modes == ["STANDBY", "CONNECT", "START", "RUN"]


def test_a_unit_that_forms_the_grid_has_no_band_whatever_the_site_says() -> None:
    rig = Rig(obedient=True, safe_grid=Safe.ISLAND).run()
    rig.wish(10_000)
    rig.step(3, flags=SiteFlag.GRID_LOST, poc_age_ms=2**31 - 1, io_age_ms=100)
    assert now(rig)[0] == Mode.ISLAND and rig.has(SiteCause.POC_STALE)
    rig.step(3, flags=0, poc_age_ms=50)
    assert now(rig)[0] == Mode.ISLAND and not rig.has(SiteCause.GRID_LOST)
    unit = rig.unit()
    assert (unit.setpoint_w, unit.charge_max_w, unit.discharge_max_w, rig.out.battery_w) == (0, 0, 0, 0)


def test_an_island_ends_when_nobody_wants_it_or_the_battery_alarms() -> None:
    for values, event in (({"commands": 0}, Event.STOP), ({"bms_flags": BMS_OK | 2}, Event.HALT)):
        rig = Rig(obedient=True, safe_grid=Safe.ISLAND).run()
        rig.step(2, flags=SiteFlag.GRID_LOST)
        rig.step(**values)
        assert now(rig)[0] == Mode.STOPPING and rig.unit().event == event


def test_a_bms_whose_counter_stands_still_is_as_old_as_its_last_movement() -> None:
    rig = Rig().run()
    for beat in range(30):
        rig.step(bms_heartbeat=beat)
    rig.step(50)
    assert not rig.has(C.BMS_FROZEN) and not rig.has(C.BMS_STALE)
    rig.step()
    assert rig.has(C.BMS_FROZEN) and rig.has(C.BMS_STALE) and rig.unit().discharge_max_w == 0
    assert rig.latched(C.BMS_LOST), "5.1 s is past its 5 s"
    rig.step(49)
    assert not rig.has(C.BMS_GONE)
    rig.step()
    assert rig.latched(C.BMS_GONE)
    for beat in range(99):
        rig.step(bms_heartbeat=beat)
    assert rig.has(C.BMS_FROZEN)
    rig.step(1, bms_heartbeat=100)
    assert not rig.has(C.BMS_FROZEN)


def test_a_bms_without_a_counter_is_never_frozen() -> None:
    rig = Rig().run()
    rig.step(200, bms_heartbeat=UNKNOWN)
    assert not rig.has(C.BMS_FROZEN)


def disobeyed(told_w: int, does_w: int, cause: C, cycles: int, trips: bool) -> None:
    """A PCS that does another power than it is told: whether the cause latches in exactly that cycle."""
    rig = Rig().run()
    rig.wish(told_w)
    rig.put(power_w=does_w, poc_power_w=40_000 - does_w)
    rig.step(cycles - 1)
    assert not rig.has(cause)
    rig.step()
    assert rig.latched(cause) == trips, rig.told()


@pytest.mark.parametrize(("told_w", "does_w", "trips"), [
    (10_000, 8_500, False), (10_000, 8_499, True), (-10_000, -11_501, True), (30_000, 27_000, False),
    (30_000, 26_999, True), (0, 1_501, True), (0, -1_500, False),
])  # fmt: skip
def test_a_pcs_that_does_something_else_is_stopped(told_w: int, does_w: int, trips: bool) -> None:
    disobeyed(told_w, does_w, C.DEVIATION, 50, trips)


@pytest.mark.parametrize(("told_w", "does_w", "trips"), [
    (10_000, -1_501, True), (-10_000, 1_501, True), (10_000, -1_500, False), (1_500, -5_000, False), (10_000, 10_000, False),
])  # fmt: skip
def test_a_pcs_that_goes_the_other_way_is_stopped_sooner(told_w: int, does_w: int, trips: bool) -> None:
    disobeyed(told_w, does_w, C.WRONG_SIGN, 20, trips)


def test_warm_cells_are_compared_with_a_minute_ago() -> None:
    rig = Rig(temp_charge_max_dc=540).run()
    for minute in range(3):
        rig.step(600, cell_temp_max_dc=260 + 50 * minute, cell_temp_min_dc=240 + 50 * minute)
        assert not rig.unit().latched
    rig.step(1, cell_temp_max_dc=411, cell_temp_min_dc=390)
    assert rig.latched(C.TEMP_RISE)
    assert rig.has(C.LATCHED)
