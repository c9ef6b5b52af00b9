"""Every cause of a unit: what trips it, what keeps and ends it, after how long, what it does, who resets it.

`CASES` is written by hand from deploy/handbook/kernel.md, section 3.1, with the thresholds of the rig. Causes that come
from a sequence or from power have tests of their own (`ELSEWHERE`).
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from edge.control.kernel import UNKNOWN, Level, Mode, Order, UnitCause, lib
from tests.kernel.rig import BMS_OK, PCS_OK, RUN, SERVICE, Rig

C = UnitCause
OLD_PCS = {"pcs_age_ms": 1_001}
OLD_BMS = {"bms_age_ms": 2_001}
ABSURD = {"soc_cpct": -1}


@dataclass(frozen=True)
class Case:
    """Input of unit 0. `held` neither trips nor clears; `latch` is no, yes, service, or the index of the hourly history."""

    cause: UnitCause
    trip: dict[str, int]
    quiet: dict[str, int]
    clear: dict[str, int]
    held: dict[str, int]
    level: Level
    latch: str | int = "no"
    on_ms: int = 0
    off_ms: int = 0
    base: dict[str, int] = field(default_factory=dict)
    config: dict[str, int] = field(default_factory=dict)

    def rig(self, obedient: bool = False) -> Rig:
        rig = Rig(obedient=obedient, **self.config)
        rig.put(**self.base)
        return rig.run()


def cells(low_mv: int, high_mv: int) -> dict[str, int]:
    return {"cell_voltage_min_mv": low_mv, "cell_voltage_max_mv": high_mv}


def temps(low_dc: int, high_dc: int) -> dict[str, int]:
    return {"cell_temp_min_dc": low_dc, "cell_temp_max_dc": high_dc}


def pack(voltage_dv: int) -> dict[str, int]:
    return {"pack_voltage_dv": voltage_dv, "pcs_dc_voltage_dv": UNKNOWN}


STEADY = {"temp_rise_max_dc_per_min": 1_500}  # so that a test may jump
PCS, BMS = {"pcs_flags": PCS_OK}, {"bms_flags": BMS_OK}
PCS_BACK, BMS_BACK = {"pcs_age_ms": 50}, {"bms_age_ms": 300}
FINE = {"soc_cpct": 5_500}
CASES = [
    Case(C.BMS_STALE, OLD_BMS, {"bms_age_ms": 2_000}, BMS_BACK, {}, Level.ZERO, off_ms=10_000),
    Case(C.BMS_STALE, {"bms_age_ms": -1}, BMS_BACK, BMS_BACK, {}, Level.ZERO, off_ms=10_000),
    Case(C.BMS_LOST, {"bms_age_ms": 5_001}, {"bms_age_ms": 5_000}, {"bms_age_ms": 2_000}, OLD_BMS, Level.STOP, "yes"),
    Case(C.BMS_GONE, {"bms_age_ms": -(2**31)}, {"bms_age_ms": 10_000}, {"bms_age_ms": 2_000}, OLD_BMS, Level.OPEN, "yes"),
    Case(C.BMS_GONE, {"bms_age_ms": 10_001}, {"bms_age_ms": 10_000}, {"bms_age_ms": 2_000}, OLD_BMS, Level.OPEN, "yes"),
    Case(C.PCS_STALE, OLD_PCS, {"pcs_age_ms": 1_000}, PCS_BACK, {}, Level.ZERO, off_ms=2_000),
    Case(C.PCS_LOST, {"pcs_age_ms": 5_001}, {"pcs_age_ms": 5_000}, PCS_BACK, OLD_PCS, Level.STOP, 0, off_ms=10_000),
    Case(C.PCS_LOST, {"pcs_age_ms": -1}, {"pcs_age_ms": 5_000}, PCS_BACK, OLD_PCS, Level.STOP, 0, off_ms=10_000),
    Case(C.PCS_GONE, {"pcs_age_ms": -1, "pack_current_da": 21}, {"pcs_age_ms": -1, "pack_current_da": 20},
         PCS_BACK | {"pack_current_da": 0}, OLD_PCS, Level.OPEN, "yes"),
    Case(C.PCS_GONE, {"pcs_age_ms": 20_001, "pack_current_da": 21}, {"pcs_age_ms": 20_001, "pack_current_da": 20},
         PCS_BACK, OLD_PCS, Level.OPEN, "yes"),
    Case(C.PCS_GONE, {"pcs_age_ms": 20_001, "pack_current_da": -21}, {"pcs_age_ms": 20_000, "pack_current_da": -99},
         PCS_BACK, OLD_PCS, Level.OPEN, "yes"),
    Case(C.PCS_FAULT, {"pcs_flags": PCS_OK | 1}, PCS, PCS | PCS_BACK, PCS | OLD_PCS, Level.STOP, "yes"),
    Case(C.PCS_LOCAL, {"pcs_flags": PCS_OK | 4}, PCS, PCS | PCS_BACK, PCS | OLD_PCS, Level.ZERO),
    Case(C.PCS_STOPPED, {"pcs_flags": 16}, PCS, PCS | PCS_BACK, PCS | OLD_PCS, Level.ZERO),
    Case(C.BMS_OPEN, {"bms_flags": 32}, BMS, BMS | BMS_BACK, BMS | OLD_BMS, Level.ZERO),
    Case(C.UNGUARDED, {"pcs_flags": 2}, PCS, PCS | PCS_BACK, PCS | OLD_PCS, Level.ZERO),
    Case(C.UNGUARDED, {"bms_flags": 1}, BMS, BMS | BMS_BACK, BMS | OLD_BMS, Level.ZERO),
    Case(C.WRITE_FAILED, {"pcs_flags": PCS_OK | 32}, PCS, PCS | PCS_BACK, PCS | OLD_PCS, Level.STOP, 1, off_ms=1_000),
    Case(C.BMS_ALARM, {"bms_flags": BMS_OK | 2}, BMS, BMS | BMS_BACK, BMS | OLD_BMS, Level.STOP, off_ms=10_000),
    Case(C.BMS_TRIP, {"bms_flags": BMS_OK | 4}, BMS, BMS | BMS_BACK, BMS | OLD_BMS, Level.OPEN, "yes"),
    Case(C.CHARGE_FORBIDDEN, {"bms_flags": BMS_OK | 8}, BMS, BMS | FINE, BMS | ABSURD, Level.NO_CHARGE),
    Case(C.CHARGE_FORBIDDEN, {"current_charge_max_da": 0}, {"current_charge_max_da": 1},
         {"current_charge_max_da": 600} | FINE, {"current_charge_max_da": 600} | ABSURD, Level.NO_CHARGE),
    Case(C.DISCHARGE_FORBIDDEN, {"bms_flags": BMS_OK | 16}, BMS, BMS | FINE, BMS | ABSURD, Level.NO_DISCHARGE),
    Case(C.DISCHARGE_FORBIDDEN, {"current_discharge_max_da": 0}, {"current_discharge_max_da": 1},
         {"current_discharge_max_da": 600} | FINE, {"current_discharge_max_da": 600} | ABSURD, Level.NO_DISCHARGE),
    Case(C.VALUE_MISSING, ABSURD, {"soc_cpct": 0}, FINE | BMS_BACK, FINE | OLD_BMS, Level.ZERO, off_ms=2_000),
    Case(C.SOC_LOW, {"soc_cpct": 1_000}, {"soc_cpct": 1_001}, {"soc_cpct": 1_100}, {"soc_cpct": 1_099},
         Level.NO_DISCHARGE),
    Case(C.SOC_HIGH, {"soc_cpct": 9_500}, {"soc_cpct": 9_499}, {"soc_cpct": 9_400}, {"soc_cpct": 9_401},
         Level.NO_CHARGE),
    Case(C.RESERVE, {"soc_cpct": 3_000}, {"soc_cpct": 3_001}, {"soc_cpct": 3_100}, {"soc_cpct": 3_099},
         Level.NO_DISCHARGE, config={"soc_reserve_cpct": 3_000}),
    Case(C.CELL_VOLTAGE_LOW, cells(2_800, 2_810), cells(2_801, 2_810), cells(2_850, 2_860), cells(2_849, 2_860),
         Level.NO_DISCHARGE, on_ms=10_000, off_ms=60_000),
    Case(C.CELL_VOLTAGE_HIGH, cells(3_540, 3_550), cells(3_540, 3_549), cells(3_490, 3_500), cells(3_490, 3_501),
         Level.NO_CHARGE, on_ms=10_000, off_ms=60_000),
    Case(C.CELL_VOLTAGE_TRIP, cells(2_500, 2_510), cells(2_501, 2_510), cells(2_501, 2_510) | FINE,
         cells(2_501, 2_510) | ABSURD, Level.OPEN, "yes", on_ms=2_000),
    Case(C.CELL_VOLTAGE_TRIP, cells(3_640, 3_650), cells(3_640, 3_649), cells(3_640, 3_649) | FINE,
         cells(3_640, 3_649) | ABSURD, Level.OPEN, "yes", on_ms=2_000),
    Case(C.CELL_DEAD, cells(2_000, 2_010), cells(2_001, 2_010), cells(2_001, 2_010) | FINE, cells(2_001, 2_010) | ABSURD,
         Level.OPEN, "service", on_ms=2_000),
    Case(C.PACK_VOLTAGE_LOW, pack(6_720), pack(6_721), pack(7_020), pack(7_019), Level.NO_DISCHARGE, on_ms=2_000,
         off_ms=60_000),
    Case(C.PACK_VOLTAGE_HIGH, pack(8_520), pack(8_519), pack(8_220), pack(8_221), Level.NO_CHARGE, on_ms=2_000,
         off_ms=60_000),
    Case(C.PACK_VOLTAGE_TRIP, pack(6_000), pack(6_001), pack(6_001) | FINE, pack(6_001) | ABSURD, Level.OPEN, "yes",
         on_ms=2_000),
    Case(C.PACK_VOLTAGE_TRIP, pack(8_760), pack(8_759), pack(8_759) | FINE, pack(8_759) | ABSURD, Level.OPEN, "yes",
         on_ms=2_000),
    Case(C.TEMP_LOW_CHARGE, temps(0, 40), temps(1, 40), temps(20, 40), temps(19, 40), Level.NO_CHARGE,
         base=temps(30, 40)),
    Case(C.TEMP_LOW, temps(-200, -150), temps(-199, -150), temps(-180, -150), temps(-181, -150), Level.ZERO,
         base=temps(-170, -150)),
    Case(C.TEMP_HIGH_CHARGE, temps(460, 500), temps(460, 499), temps(460, 480), temps(460, 481), Level.NO_CHARGE,
         base=temps(460, 470)),
    Case(C.TEMP_HIGH, temps(500, 550), temps(500, 549), temps(500, 530), temps(500, 531), Level.ZERO,
         base=temps(500, 520)),
    Case(C.TEMP_TRIP, temps(540, 600), temps(540, 599), temps(540, 599) | FINE, temps(540, 599) | ABSURD, Level.OPEN,
         "yes", on_ms=2_000, config=STEADY, base=temps(500, 540)),
    Case(C.TEMP_RISE, temps(240, 311), temps(240, 310), temps(240, 260) | FINE, temps(240, 311) | ABSURD, Level.STOP,
         "yes"),
    Case(C.CELL_SPREAD_WARN, cells(3_290, 3_370), cells(3_290, 3_369), cells(3_290, 3_359), cells(3_290, 3_360),
         Level.WARN, on_ms=10_000, off_ms=10_000),
    Case(C.CELL_SPREAD, cells(3_290, 3_450), cells(3_290, 3_449), cells(3_290, 3_429), cells(3_290, 3_430),
         Level.DERATE, on_ms=10_000, off_ms=10_000),
    Case(C.CELL_SPREAD_TRIP, cells(3_050, 3_450), cells(3_051, 3_450), cells(3_051, 3_450) | FINE,
         cells(3_051, 3_450) | ABSURD, Level.STOP, "yes", on_ms=10_000),
    Case(C.TEMP_SPREAD_WARN, temps(220, 300), temps(221, 300), temps(231, 300), temps(230, 300), Level.WARN,
         on_ms=10_000, off_ms=10_000),
    Case(C.TEMP_SPREAD, temps(180, 300), temps(181, 300), temps(196, 300), temps(195, 300), Level.DERATE,
         on_ms=10_000, off_ms=10_000),
    Case(C.TEMP_SPREAD_TRIP, temps(100, 300), temps(101, 300), temps(101, 300) | FINE, temps(101, 300) | ABSURD,
         Level.STOP, "yes", on_ms=10_000),
    Case(C.OVERCURRENT, {"pack_current_da": 631}, {"pack_current_da": 630}, {"pack_current_da": 630} | FINE,
         {"pack_current_da": 630} | ABSURD, Level.STOP, 2, on_ms=5_000, off_ms=60_000),
    Case(C.OVERCURRENT, {"pack_current_da": -421, "current_charge_max_da": 400},
         {"pack_current_da": -420, "current_charge_max_da": 400}, {"pack_current_da": 0} | FINE,
         {"pack_current_da": 0} | ABSURD, Level.STOP, 2, on_ms=5_000, off_ms=60_000),
    Case(C.OVERCURRENT_FAST, {"pack_current_da": 661}, {"pack_current_da": 660}, {"pack_current_da": 630} | FINE,
         {"pack_current_da": 630} | ABSURD, Level.STOP, 2, on_ms=1_000, off_ms=60_000),
    Case(C.OVERCURRENT_FAST, {"pack_current_da": -341, "current_charge_max_da": 300},
         {"pack_current_da": -340, "current_charge_max_da": 300}, {"pack_current_da": 0} | FINE,
         {"pack_current_da": 0} | ABSURD, Level.STOP, 2, on_ms=1_000, off_ms=60_000),
    Case(C.INSULATION_WARN, {"insulation_kohm": 499}, {"insulation_kohm": 500}, {"insulation_kohm": 500} | FINE,
         {"insulation_kohm": 500} | ABSURD, Level.WARN, on_ms=10_000, off_ms=10_000),
    Case(C.INSULATION, {"insulation_kohm": 99}, {"insulation_kohm": 100}, {"insulation_kohm": 100} | FINE,
         {"insulation_kohm": UNKNOWN} | ABSURD, Level.OPEN, "yes", on_ms=5_000),
    Case(C.DISAGREE, {"pcs_dc_voltage_dv": 8_065}, {"pcs_dc_voltage_dv": 8_064}, {"pcs_dc_voltage_dv": UNKNOWN} | PCS_BACK,
         {"pcs_dc_voltage_dv": 7_680} | OLD_PCS, Level.DERATE, on_ms=10_000, off_ms=10_000),
]  # fmt: skip
ELSEWHERE = {C.BMS_FROZEN, C.CONNECT_FAILED, C.START_FAILED, C.STOP_FAILED, C.DEVIATION, C.WRONG_SIGN, C.LATCHED,
             C.COOLDOWN}  # fmt: skip
every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.cause.name)
HOURLY = [case for case in CASES if isinstance(case.latch, int)]
LATCHING = [case for case in CASES if case.latch in ("yes", "service")]


def tripped(case: Case, rig: Rig) -> Rig:
    rig.step(max(1, case.on_ms // 100), **case.trip)
    assert rig.has(case.cause), rig.told()
    return rig


@every
def test_the_row_of_the_kernel_is_that_of_the_handbook(case: Case) -> None:
    row = lib.tw_unit_row(case.cause)
    latch = {"no": 0, "yes": 1, "service": 1}.get(str(case.latch), 2)
    reset = {"no": 0, "service": 2}.get(str(case.latch), 1)
    assert (row.level, row.latch, row.reset, row.on_ms, row.off_ms) == (
        case.level, latch, reset, case.on_ms, case.off_ms,
    )  # fmt: skip
    assert row.hourly_index == (case.latch if isinstance(case.latch, int) else 0)


def test_every_cause_has_a_case_or_a_test_of_its_own() -> None:
    assert {case.cause for case in CASES} | ELSEWHERE == set(UnitCause)


@every
def test_one_step_before_the_threshold_nothing_happens(case: Case) -> None:
    rig = case.rig()
    rig.step(case.on_ms // 100 + 20, **case.quiet)
    assert not rig.has(case.cause)


@every
def test_it_acts_after_its_on_delay_and_not_a_cycle_earlier(case: Case) -> None:
    rig = case.rig()
    rig.put(**case.trip)
    for _ in range(case.on_ms // 100 - 1):
        rig.step()
        assert not rig.has(case.cause)
    rig.step()
    assert rig.has(case.cause)


@pytest.mark.parametrize("case", [case for case in CASES if case.on_ms], ids=lambda case: case.cause.name)
def test_a_condition_that_goes_away_begins_its_delay_again(case: Case) -> None:
    rig = case.rig()
    rig.step(case.on_ms // 100 - 1, **case.trip)
    rig.step(1, **case.quiet)
    rig.step(case.on_ms // 100 - 1, **case.trip)
    assert not rig.has(case.cause)
    rig.step()
    assert rig.has(case.cause)


@pytest.mark.parametrize("case", [case for case in CASES if case.held], ids=lambda case: case.cause.name)
def test_inside_its_hysteresis_or_unjudged_it_stays(case: Case) -> None:
    rig = tripped(case, case.rig())
    rig.step(650, **case.held)
    assert rig.has(case.cause)


@every
def test_it_ends_after_its_off_delay_and_not_a_cycle_earlier(case: Case) -> None:
    rig = tripped(case, case.rig())
    rig.put(**case.clear)
    for _ in range(case.off_ms // 100 - 1):
        rig.step()
        assert rig.has(case.cause)
    rig.step()
    assert not rig.has(case.cause)


def band(rig: Rig) -> tuple[int, int]:
    unit: Any = rig.unit()
    return unit.charge_max_w, unit.discharge_max_w


@every
def test_it_does_what_its_level_says(case: Case) -> None:
    rig = case.rig()
    before = band(rig)
    tripped(case, rig)
    charge_w, discharge_w = band(rig)
    if case.level >= Level.ZERO:
        assert (charge_w, discharge_w) == (0, 0)
    if case.level == Level.NO_CHARGE:
        assert charge_w == 0 < discharge_w
    if case.level == Level.NO_DISCHARGE:
        assert discharge_w == 0 < charge_w
    if case.level == Level.DERATE:
        chain = list(rig.unit().charge_after_w)
        assert 0 < charge_w == chain[4] // 2 and 0 < discharge_w <= before[1] // 2
    if case.level == Level.WARN:
        assert (charge_w, discharge_w) == before == (30_000, 30_000)
    if case.level >= Level.STOP:
        latched = case.latch in ("yes", "service")
        assert rig.unit().mode == (Mode.FAULT if latched else Mode.STOPPING)
        assert rig.unit().order == (Order.OPEN if case.level == Level.OPEN else Order.STOP)


@every
def test_only_what_the_handbook_says_latches(case: Case) -> None:
    rig = tripped(case, case.rig())
    assert rig.latched(case.cause) == (case.latch in ("yes", "service"))


@pytest.mark.parametrize("case", LATCHING, ids=lambda case: case.cause.name)
def test_a_latch_needs_the_cause_gone_the_hold_time_and_a_person(case: Case) -> None:
    rig = tripped(case, case.rig(obedient=True))
    rig.step(150, **case.trip)
    rig.reset()
    assert rig.latched(case.cause), "its cause is still there"
    gone = healthy() | case.base
    rig.step(150, **gone)
    assert rig.latched(case.cause) and rig.unit().mode == Mode.FAULT, "nobody has asked"
    tripped(case, rig)
    rig.step(90, **gone)
    rig.reset()
    assert rig.latched(case.cause), "it is not gone for 10 s"
    rig.step(100)
    rig.reset()
    assert rig.latched(case.cause) == (case.latch == "service")


def healthy() -> dict[str, int]:
    unit: Any = Rig().input.unit[0]
    names = [
        name for name in dir(unit) if not name.startswith("_") and name not in ("pcs_flags", "bms_flags", "reserved")
    ]
    return {name: getattr(unit, name) for name in names} | {"pcs_flags": 16, "bms_flags": 33}


def test_a_dead_cell_is_reset_in_service_only() -> None:
    case = next(case for case in CASES if case.cause == C.CELL_DEAD)
    rig = tripped(case, case.rig(obedient=True))
    rig.step(150, **healthy())
    rig.reset()
    assert rig.latched(C.CELL_DEAD)
    rig.step(5, commands=RUN | SERVICE)
    assert rig.unit().mode == Mode.SERVICE
    rig.reset()
    assert not rig.latched(C.CELL_DEAD)
    rig.step(30, commands=RUN)
    assert rig.unit().mode == Mode.RUN


@pytest.mark.parametrize("case", HOURLY, ids=lambda case: case.cause.name)
def test_an_hourly_cause_is_forgiven_twice_and_not_a_third_time(case: Case) -> None:
    rig = case.rig(obedient=True)
    for times in (1, 2, 3):
        tripped(case, rig)
        assert rig.latched(case.cause) == (times == 3)
        rig.step(case.off_ms // 100 + 60, **case.clear)
        assert not rig.has(case.cause)


@pytest.mark.parametrize("case", HOURLY, ids=lambda case: case.cause.name)
def test_three_times_in_more_than_an_hour_are_forgiven(case: Case) -> None:
    rig = case.rig(obedient=True)
    for _ in range(3):
        tripped(case, rig)
        assert not rig.latched(case.cause)
        rig.step(case.off_ms // 100 + 60, **case.clear)
        history = rig.state.unit[0].recent_ms[case.latch]
        history[0] = max(history[0], 1_800_000)  # half an hour later
        history[1] = min(history[1] + 1_800_000, 2**31 - 1)


def test_both_overcurrents_in_one_cycle_count_once() -> None:
    rig = Rig(obedient=True).run()
    rig.state.unit[0].timer_ms[C.OVERCURRENT] = 4_000
    rig.step(10, pack_current_da=700)
    assert rig.has(C.OVERCURRENT) and rig.has(C.OVERCURRENT_FAST)
    assert list(rig.state.unit[0].recent_ms[2]) == [0, 2**31 - 1]


def test_the_short_delays_of_a_start_are_none_in_boot() -> None:
    rig = Rig()
    rig.step(3, bms_age_ms=2**31 - 1, pcs_age_ms=2**31 - 1)
    assert rig.has(C.BMS_STALE) and rig.has(C.PCS_STALE) and not rig.unit().latched
    rig.step(1, bms_age_ms=300, pcs_age_ms=50)
    assert not rig.has(C.BMS_STALE) and not rig.has(C.PCS_STALE)


@pytest.mark.parametrize("age_ms", [-1, -(2**31), 2**31 - 1])
def test_an_age_that_is_none_is_older_than_every_step_of_the_ladder(age_ms: int) -> None:
    rig = Rig().run()
    rig.step(bms_age_ms=age_ms)
    assert rig.has(C.BMS_STALE) and rig.latched(C.BMS_LOST) and rig.latched(C.BMS_GONE)
    rig = Rig().run()
    rig.step(pcs_age_ms=age_ms, pack_current_da=21)
    assert rig.has(C.PCS_STALE) and rig.has(C.PCS_LOST) and rig.latched(C.PCS_GONE)


@pytest.mark.parametrize("age_ms", [-1, 2**31 - 1])
def test_a_device_that_never_answered_is_only_not_ready(age_ms: int) -> None:
    rig = Rig()
    rig.step(200, bms_age_ms=age_ms, pcs_age_ms=age_ms, pack_current_da=99)
    assert rig.unit().latched == 0 and rig.unit().mode == Mode.BOOT


def test_in_service_silence_latches_nothing() -> None:
    rig = Rig().run()
    rig.step(2, commands=RUN | SERVICE)
    rig.step(5, bms_age_ms=60_000, pcs_age_ms=60_000)
    assert rig.unit().latched == 0 and rig.has(C.BMS_STALE) and rig.has(C.PCS_STALE)
