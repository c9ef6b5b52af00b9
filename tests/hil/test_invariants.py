"""Each invariant: silent over a good cycle, loud over the one thing that it forbids."""

import pytest

from edge.config.options import Config
from hil.day.image import day_config
from hil.scenario import invariants
from hil.scenario.model import Look, UnitLook

CONFIG: Config = day_config()


def unit(**changes: object) -> UnitLook:
    values: dict[str, object] = {
        "setpoint_w": 5_000, "charge_max_w": 30_000, "discharge_max_w": 30_000, "order": "NONE",
        "latched": frozenset(), "pcs_age_ms": 100, "bms_age_ms": 500, "soc_cpct": 5_000, "cell_voltage_min_mv": 3_200,
        "cell_voltage_max_mv": 3_300, "cell_temp_min_dc": 200, "cell_temp_max_dc": 250,
        "bms_flags": frozenset({"CONNECTED"}),
    }  # fmt: skip
    return UnitLook(**(values | changes))  # type: ignore[arg-type]


def look(seen: UnitLook | None = None, **changes: object) -> Look:
    seen = seen or unit()
    values: dict[str, object] = {
        "at_s": 1.0, "seq": 10, "late_us": 0, "mode": "RUN", "reasons": frozenset(), "latched": frozenset(),
        "first_out": "", "commands": frozenset({"RUN"}), "setpoint_w": seen.setpoint_w, "poc_age_ms": 100,
        "load_age_ms": 100, "pv_age_ms": 100,
        "units": (seen,),
    }  # fmt: skip
    return Look(**(values | changes))  # type: ignore[arg-type]


TRIP = frozenset({"unit bms_lost"})
BROKEN = [
    (invariants.setpoints_stay_inside_the_band, look(unit(setpoint_w=30_001, discharge_max_w=30_000))),
    (invariants.setpoints_stay_inside_the_band, look(unit(setpoint_w=-1, charge_max_w=0))),
    (invariants.setpoints_stay_inside_the_band, look(unit(discharge_max_w=30_001))),
    (invariants.setpoints_stay_inside_the_band, look(setpoint_w=4_999)),
    (invariants.power_only_in_run, look(mode="STANDBY")),
    (invariants.power_only_in_run, look(commands=frozenset({"RUN", "HOLD"}))),
    (invariants.no_power_on_old_data, look(poc_age_ms=3_001)),
    (invariants.no_power_on_old_data, look(unit(bms_age_ms=2_001))),
    (invariants.no_power_on_old_data, look(unit(pcs_age_ms=2_147_483_647))),
    (invariants.no_power_on_old_data, look(unit(soc_cpct=-1))),
    (invariants.no_charge_beyond_the_stops, look(unit(setpoint_w=-1, soc_cpct=9_500))),
    (invariants.no_charge_beyond_the_stops, look(unit(setpoint_w=-1, cell_voltage_max_mv=3_550))),
    (invariants.no_charge_beyond_the_stops, look(unit(setpoint_w=-1, cell_temp_min_dc=0))),
    (invariants.no_charge_beyond_the_stops, look(unit(setpoint_w=-1, bms_flags=frozenset({"CHARGE_FORBIDDEN"})))),
    (invariants.no_discharge_beyond_the_stops, look(unit(soc_cpct=1_000))),
    (invariants.no_discharge_beyond_the_stops, look(unit(cell_voltage_min_mv=2_950))),
    (invariants.no_discharge_beyond_the_stops, look(unit(cell_temp_max_dc=550))),
    (invariants.no_discharge_beyond_the_stops, look(unit(bms_flags=frozenset({"ALARM"})))),
    (invariants.latches_wait_for_a_person, look(unit(latched=TRIP))),
    (invariants.nothing_starts_blind, look(unit(order="START", bms_age_ms=2_001))),
    (invariants.nothing_starts_blind, look(unit(order="START", latched=TRIP, setpoint_w=0))),
    (invariants.nothing_starts_blind, look(unit(order="START"), commands=frozenset())),
]


@pytest.mark.parametrize("invariant", invariants.INVARIANTS, ids=lambda i: i.__name__)
def test_a_good_cycle_breaks_nothing(invariant: invariants.Invariant) -> None:
    assert invariant(CONFIG, look(seq=9), look()) == "" and invariant(CONFIG, None, look()) == ""


@pytest.mark.parametrize(("invariant", "broken"), BROKEN)
def test_a_broken_cycle_is_seen(invariant: invariants.Invariant, broken: Look) -> None:
    assert invariant(CONFIG, None, broken)


def test_a_latch_that_clears_by_itself_is_seen_and_one_that_a_person_reset_is_not() -> None:
    before = look(unit(setpoint_w=0), latched=TRIP)
    assert "unit bms_lost" in invariants.latches_wait_for_a_person(CONFIG, before, look())
    reset = look(commands=frozenset({"RUN", "RESET"}))
    assert invariants.latches_wait_for_a_person(CONFIG, before, reset) == ""


def test_every_invariant_has_a_cycle_that_breaks_it() -> None:
    assert {invariant for invariant, _ in BROKEN} == set(invariants.INVARIANTS)
