"""Every cause of the site, by the handbook's section 3.2: threshold, delays, what keeps it, what it does, who resets it."""

from dataclasses import dataclass, field

import pytest

from edge.control.kernel import UNKNOWN, Level, Mode, Order, Safe, SiteCause, SiteFlag, lib
from tests.kernel.rig import ESTOP, HOLD, PCS_OK, RESET, RUN, SERVICE, Rig

C, F = SiteCause, SiteFlag
IO_OLD, IO_BACK = {"io_age_ms": 2_001}, {"io_age_ms": 100}
NEVER_MS = 2**31 - 1


@dataclass(frozen=True)
class Case:
    cause: SiteCause
    trip: dict[str, int]
    quiet: dict[str, int]
    held: dict[str, int]
    level: Level
    latch: bool = False
    on_ms: int = 0
    off_ms: int = 0
    config: dict[str, int] = field(default_factory=dict)


def flag(cause: SiteCause, bits: int, level: Level, on_ms: int = 0, off_ms: int = 0, latch: bool = False) -> Case:
    """A cause of the remote I/O: kept while the I/O is silent."""
    return Case(cause, {"flags": bits}, {"flags": 0} | IO_BACK, {"flags": 0} | IO_OLD, level, latch, on_ms, off_ms)


GOOD = {"poc_voltage_dv": 2_300, "poc_frequency_mhz": 50_000, "poc_age_ms": 50, "flags": 0} | IO_BACK
LOST_HELD = GOOD | {"poc_age_ms": 3_001}
CASES = [
    Case(C.NOT_ASKED, {"commands": 0}, {"commands": RUN}, {}, Level.INFO),
    Case(C.HOLD, {"commands": RUN | HOLD}, {"commands": RUN}, {}, Level.INFO),
    Case(C.SERVICE, {"commands": RUN | SERVICE}, {"commands": RUN}, {}, Level.INFO),
    Case(C.ESTOP, {"commands": RUN | ESTOP}, {"commands": RUN}, {"commands": RUN} | IO_OLD, Level.OPEN, True),
    flag(C.ESTOP, F.ESTOP, Level.OPEN, latch=True),
    Case(C.ESTOP, {"pcs_flags": PCS_OK | 8}, {"pcs_flags": PCS_OK}, {"pcs_flags": PCS_OK} | IO_OLD, Level.OPEN, True),
    flag(C.SMOKE, F.SMOKE_1 | F.SMOKE_2, Level.OPEN, latch=True),
    Case(C.SMOKE, {"flags": 6}, {"flags": 4}, {"flags": 4} | IO_OLD, Level.OPEN, True),
    flag(C.SMOKE_WARN, F.SMOKE_1, Level.WARN),
    flag(C.SMOKE_WARN, F.SMOKE_2, Level.WARN),
    flag(C.WATER, F.WATER, Level.STOP, 1_000, latch=True),
    flag(C.DOOR, F.DOOR, Level.WARN, 1_000, 1_000),
    flag(C.AIRCON, F.AIRCON, Level.DERATE, 60_000, 60_000),
    flag(C.SURGE, F.SURGE, Level.WARN, 1_000, 1_000),
    flag(C.LOCAL, F.LOCAL, Level.ZERO),
    Case(C.IO_STALE, IO_OLD, {"io_age_ms": 2_000}, {}, Level.ZERO, off_ms=1_000),
    Case(C.IO_STALE, {"io_age_ms": -1}, {"io_age_ms": 0}, {}, Level.ZERO, off_ms=1_000),
    Case(C.POC_STALE, {"poc_age_ms": 3_001}, {"poc_age_ms": 3_000}, {}, Level.ZERO, off_ms=2_000),
    Case(C.POC_FADE, {"poc_age_ms": 1_501}, {"poc_age_ms": 1_500}, {}, Level.INFO),
    Case(C.CHANGED, {"flags": F.CHANGED}, {"flags": 0}, {}, Level.ZERO),
    Case(C.SELF_TEST, {"flags": F.SELF_TEST}, {"flags": 0}, {}, Level.STOP, True),
    Case(C.GRID_LOST, {"flags": F.GRID_LOST}, GOOD, LOST_HELD, Level.ZERO),
    Case(C.GRID_LOST, {"poc_voltage_dv": 1_949}, {"poc_voltage_dv": 1_950}, LOST_HELD, Level.ZERO),
    Case(C.GRID_LOST, {"poc_voltage_dv": 2_601}, {"poc_voltage_dv": 2_600}, LOST_HELD, Level.ZERO),
    Case(C.GRID_LOST, {"poc_frequency_mhz": 47_499}, {"poc_frequency_mhz": 47_500}, GOOD | IO_OLD, Level.ZERO),
    Case(C.GRID_LOST, {"poc_frequency_mhz": 51_501}, {"poc_frequency_mhz": 51_500}, GOOD | IO_OLD, Level.ZERO),
]  # fmt: skip
ELSEWHERE = {
    C.BOOT, C.CLOCK, C.OVERRUN, C.CONFIG, C.GRID_WAIT, C.LATCHED, C.NO_UNIT, C.IMPORT_LIMIT, C.FUSE_LIMIT,
    C.EXPORT_LIMIT, C.RAMP, C.CHARGE_BOUND, C.DISCHARGE_BOUND, C.WISH_EXPIRED, C.PV_CURTAILED,
}  # fmt: skip
every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.cause.name)


def tripped(case: Case, rig: Rig) -> Rig:
    rig.step(max(1, case.on_ms // 100), **case.trip)
    assert rig.has(case.cause), rig.told()
    return rig


def test_every_cause_has_a_case_or_a_test_of_its_own() -> None:
    assert {case.cause for case in CASES} | ELSEWHERE == set(SiteCause)


@every
def test_the_row_of_the_kernel_is_that_of_the_handbook(case: Case) -> None:
    row = lib.tw_site_row(case.cause)
    assert (row.level, row.latch, row.reset) == (case.level, int(case.latch), int(case.latch))
    assert (row.on_ms, row.off_ms) == (case.on_ms, case.off_ms)


@every
def test_one_step_before_the_threshold_nothing_happens(case: Case) -> None:
    rig = Rig().run()
    rig.step(case.on_ms // 100 + 20, **case.quiet)
    assert not rig.has(case.cause)


@every
def test_it_acts_after_its_on_delay_and_ends_after_its_off_delay(case: Case) -> None:
    rig = Rig().run()
    rig.put(**case.trip)
    for _ in range(case.on_ms // 100 - 1):
        rig.step()
        assert not rig.has(case.cause)
    rig.step()
    assert rig.has(case.cause)
    rig.put(**case.quiet)
    for _ in range(case.off_ms // 100 - 1):
        rig.step()
        assert rig.has(case.cause)
    rig.step()
    assert not rig.has(case.cause)


@pytest.mark.parametrize("case", [case for case in CASES if case.held], ids=lambda case: case.cause.name)
def test_what_cannot_be_judged_stays(case: Case) -> None:
    rig = tripped(case, Rig().run())
    rig.step(650, **case.held)
    assert rig.has(case.cause)


@every
def test_it_does_what_its_level_says(case: Case) -> None:
    rig = Rig(obedient=True).run()
    rig.wish(10_000)
    tripped(case, rig)
    if case.level in (Level.WARN, Level.DERATE) or case.cause == C.POC_FADE:
        assert rig.out.battery_w > 0 and rig.out.mode == Mode.RUN
    else:
        assert rig.out.battery_w == 0
    if case.level == Level.DERATE:
        assert rig.out.band_max_w == 15_000
    if case.level >= Level.STOP:
        opens = case.level == Level.OPEN
        assert rig.out.mode == (Mode.ESTOP if opens else Mode.FAULT)
        assert rig.unit().order == (Order.OPEN if opens else Order.STOP)
    assert rig.latched(case.cause) == case.latch and rig.has(C.LATCHED) == case.latch


@pytest.mark.parametrize("case", [case for case in CASES if case.latch], ids=lambda case: case.cause.name)
def test_a_latch_needs_the_cause_gone_the_hold_time_and_a_person(case: Case) -> None:
    rig = tripped(case, Rig(obedient=True).run())
    rig.step(150, **case.trip)
    rig.reset()
    assert rig.latched(case.cause), "its cause is still there"
    rig.step(95, **case.quiet)
    rig.reset()
    assert rig.latched(case.cause), "it is not gone for 10 s"
    rig.step(5)
    rig.reset()
    assert not rig.out.latched and not rig.has(C.LATCHED)
    assert rig.out.mode != Mode.RUN, "a reset leads to STANDBY"
    rig.step(20)
    if case.cause in (C.ESTOP, C.SMOKE):
        assert rig.has(C.HOLD) and rig.out.mode == Mode.STANDBY, "a reset after an emergency starts nothing"
        rig.reset()
        assert not rig.has(C.HOLD)
        rig.step(20)
    assert rig.out.mode == Mode.RUN


def test_a_reset_is_an_edge() -> None:
    rig = Rig().run()
    rig.step(flags=F.SELF_TEST, commands=RUN | RESET)
    rig.step(200, flags=0)
    assert rig.latched(C.SELF_TEST), "held down since before"
    rig.step(commands=RUN)
    rig.step(commands=RUN | RESET)
    assert not rig.latched(C.SELF_TEST)


@pytest.mark.parametrize("leap_ms", [0, -1, -100, 201, 10**9, -(2**62)])
def test_a_clock_that_stands_leaps_or_runs_backwards_makes_a_zero_cycle(leap_ms: int) -> None:
    rig = Rig().run()
    rig.wish(10_000)
    rig.input.mono_ms += leap_ms
    rig.kernel.step()
    assert rig.has(C.CLOCK) and rig.out.battery_w == 0 and rig.out.mode == Mode.RUN
    assert rig.step().battery_w == 10_000 and not rig.has(C.CLOCK)


@pytest.mark.parametrize("gap_ms", [1, 100, 200])
def test_up_to_two_cycles_are_time(gap_ms: int) -> None:
    rig = Rig().run()
    rig.input.mono_ms += gap_ms
    rig.kernel.step()
    assert not rig.has(C.CLOCK)


def test_the_third_bad_clock_within_an_hour_is_an_overrun() -> None:
    rig = Rig().run()
    for times in (1, 2, 3):
        rig.input.mono_ms += 1_000
        rig.step()
        assert rig.has(C.CLOCK) and rig.latched(C.OVERRUN) == rig.has(C.OVERRUN) == (times == 3)
        rig.step(5)
    assert rig.latched(C.OVERRUN) and rig.out.mode == Mode.FAULT
    row = lib.tw_site_row(C.OVERRUN)
    assert (row.level, row.latch, row.reset) == (Level.STOP, 1, 1)


def test_a_bad_clock_that_lasts_is_one() -> None:
    rig = Rig().run()
    for _ in range(10):
        rig.kernel.step()  # the clock stands
    assert not rig.latched(C.OVERRUN)


def test_boot_and_no_unit_and_not_asked_are_said() -> None:
    rig = Rig()
    rig.step(commands=0)
    assert rig.has(C.BOOT) and rig.has(C.NO_UNIT) and rig.has(C.NOT_ASKED)
    rig.step(commands=RUN)
    assert not rig.run().has(C.BOOT) and not rig.has(C.NO_UNIT)


def test_a_configuration_that_became_bad_gives_zero_and_leaves_the_state_alone() -> None:
    rig = Rig().run()
    rig.wish(10_000)
    state = rig.kernel.images()[1]
    rig.config.unit[0].soc_min_cpct = 9_600
    out = rig.step()
    assert out.why == 1 << C.CONFIG | 1 << C.BOOT and (out.first_out, out.first_out_unit) == (-1, -1)
    assert rig.kernel.images()[1] == state and out.cycle_count == rig.state.cycle_count
    assert (out.mono_ms, out.battery_w, out.unit[0].order) == (rig.input.mono_ms, 0, 0)
    for name in ("mono_ms", "why", "first_out", "first_out_unit", "cycle_count"):
        setattr(out, name, 0)
    assert not any(rig.kernel.images()[2]), "nothing else is told"


def test_every_unit_latched_latches_the_site_and_one_does_not() -> None:
    rig = Rig(units=2, obedient=True).run()
    rig.step(bms_flags=33 | 4)
    assert rig.out.mode == Mode.RUN and not rig.has(C.LATCHED)
    rig.input.unit[1].bms_flags = 33 | 4
    rig.step()
    assert rig.out.mode == Mode.FAULT and rig.has(C.LATCHED) and rig.out.latched == 0


def test_the_meter_may_come_late_while_the_site_boots() -> None:
    rig = Rig(safe_poc=Safe.HOLD)
    rig.step(5, poc_age_ms=NEVER_MS)
    assert rig.has(C.POC_STALE)
    rig.step(1, poc_age_ms=50)
    assert not rig.has(C.POC_STALE) and not rig.state.held
    rig.step(20)
    assert rig.out.mode == Mode.RUN


HOLDING = [("safe_poc", {"poc_age_ms": 3_001}, 1), ("safe_grid", {"flags": F.GRID_LOST}, 1),
           ("safe_door", {"flags": F.DOOR}, 10)]  # fmt: skip


@pytest.mark.parametrize(("option", "trouble", "cycles"), HOLDING)
def test_the_safe_action_hold_waits_for_a_person(option: str, trouble: dict[str, int], cycles: int) -> None:
    rig = Rig(obedient=True, **{option: Safe.HOLD}).run()
    rig.step(cycles, **trouble)
    assert rig.has(C.HOLD) and rig.out.mode == Mode.STOPPING
    rig.reset()
    assert rig.has(C.HOLD), "it still lasts"
    rig.step(200, poc_age_ms=50, flags=0)
    assert rig.has(C.HOLD) and rig.out.mode == Mode.STANDBY
    rig.reset()
    rig.step(100)
    assert not rig.has(C.HOLD) and rig.out.mode == Mode.RUN


@pytest.mark.parametrize(("option", "trouble", "cycles"), HOLDING)
def test_the_safe_action_zero_returns_by_itself(option: str, trouble: dict[str, int], cycles: int) -> None:
    rig = Rig(obedient=True, **{option: Safe.ZERO}).run()
    rig.wish(5_000)
    rig.step(cycles, **trouble)
    assert rig.out.battery_w == 0 and not rig.has(C.HOLD)
    rig.step(200, poc_age_ms=50, flags=0)
    assert rig.out.battery_w == 5_000


def test_the_grid_must_be_good_for_a_while() -> None:
    rig = Rig(obedient=True).run()
    rig.step(10, poc_voltage_dv=1_000)
    assert rig.has(C.GRID_LOST) and rig.has(C.GRID_WAIT)
    rig.step(49, poc_voltage_dv=2_300)
    assert not rig.has(C.GRID_LOST) and rig.has(C.GRID_WAIT)
    rig.step()
    assert not rig.has(C.GRID_WAIT)


@pytest.mark.parametrize("values", [{"poc_voltage_dv": UNKNOWN}, {"poc_frequency_mhz": UNKNOWN}])
def test_a_grid_value_that_is_not_measured_is_not_lost(values: dict[str, int]) -> None:
    rig = Rig().run()
    rig.step(5, **values)
    assert not rig.has(C.GRID_LOST)


def test_what_is_not_watched_is_not_lost() -> None:
    rig = Rig(voltage_min_dv=0, voltage_max_dv=0, frequency_min_mhz=0, frequency_max_mhz=0).run()
    rig.step(5, poc_voltage_dv=0, poc_frequency_mhz=0)
    assert not rig.has(C.GRID_LOST)


def test_without_a_remote_io_its_silence_does_not_count() -> None:
    rig = Rig(io_required=0)
    rig.put(io_age_ms=NEVER_MS)
    rig.run().step(5, flags=F.WATER)
    assert not rig.has(C.IO_STALE)
    rig.step(10)
    assert rig.latched(C.WATER), "what it reports does"


def test_first_out_is_the_first_and_goes_with_the_last() -> None:
    rig = Rig(units=2, obedient=True).run()
    rig.input.unit[1].bms_flags = 33 | 4
    rig.step()
    first = (rig.out.first_out, rig.out.first_out_unit, rig.out.first_out_mono_ms)
    assert first == (14, 1, rig.input.mono_ms)
    rig.step(20, flags=F.SELF_TEST, pcs_flags=PCS_OK | 1)
    assert (rig.out.first_out, rig.out.first_out_unit, rig.out.first_out_mono_ms) == first
    rig.input.unit[1].bms_flags = 33
    rig.step(120, flags=0, pcs_flags=PCS_OK)
    rig.reset()
    assert (rig.out.first_out, rig.out.first_out_unit, rig.out.first_out_mono_ms) == (-1, -1, 0)


def test_the_site_is_named_before_its_units() -> None:
    rig = Rig().run()
    rig.step(flags=F.SELF_TEST, pcs_flags=PCS_OK | 1)
    assert (rig.out.first_out, rig.out.first_out_unit) == (C.SELF_TEST, -1)
