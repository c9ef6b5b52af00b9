"""The ledger over days: the chain, the roots, and everything that goes wrong with meters and clocks."""

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.carbon.interval import INTERVAL_MS, ClockState, RegisterSpan
from edge.carbon.ledger.balance import interval_fault
from edge.carbon.ledger.body import energy_mj, import_mj
from edge.carbon.ledger.entry import FIRST_PREVIOUS, leaf_of, merkle_root
from edge.carbon.ledger.gaps import spread
from edge.carbon.ledger.ledger import Correction
from edge.carbon.ledger.market import LocationUg, market_of
from edge.carbon.ledger.plan import plan_of
from tests.carbon.ledger_kit import METERS, START_MS, Kept, Plant, factor, site, year_of

DAY_MS = 96 * INTERVAL_MS


def test_each_entry_names_the_one_before_and_a_day_ends_with_its_root() -> None:
    kept = year_of(2)
    entries = kept.entries
    assert [entry.no for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[0].previous == FIRST_PREVIOUS
    assert all(b.previous == a.digest for a, b in itertools.pairwise(entries))
    day = ["interval"] * 96
    assert kept.kinds() == ["opening", *day, "day_root", "plan", *day, "day_root"]
    for root in kept.of("day_root"):
        covered = entries[root.body["first_no"] - 1 : root.body["last_no"]]
        assert root.body["root"] == merkle_root([leaf_of(entry.line) for entry in covered])
        assert root.no == root.body["last_no"] + 1 and root.body["count"] == len(covered)
    assert [root.body["day"] for root in kept.of("day_root")] == ["2026-01-01", "2026-01-02"]


def test_every_interval_balances_and_a_changed_number_does_not() -> None:
    kept = year_of(1)
    plan = kept.entries[0].body["plan"]
    for entry in kept.of("interval"):
        assert interval_fault(entry.body, plan) is None
    body = kept.of("interval")[7].body
    for path in ("location_ug", "quality"):
        changed = {**body, path: "estimated" if path == "quality" else body[path] + 1}
        assert interval_fault(changed, plan).field == path
    pool = {**body, "pool": {**body["pool"], "close_ug": body["pool"]["close_ug"] + 1}}
    assert interval_fault(pool, plan).field == "pool.close_ug"


def test_a_killed_process_goes_on_where_the_rows_end() -> None:
    plant = Plant()
    kept = Kept()
    for count in (3, 1, 100, 60):
        kept.note(*(plant.interval() for _ in range(count)))
        kept = Kept(rows=kept.rows)  # no close: what was in memory is gone
    entries = kept.entries
    assert all(b.previous == a.digest for a, b in itertools.pairwise(entries))
    assert kept.kinds().count("opening") == 1 and kept.kinds().count("day_root") == 1
    root = kept.of("day_root")[0]
    covered = entries[root.body["first_no"] - 1 : root.body["last_no"]]
    assert root.body["root"] == merkle_root([leaf_of(entry.line) for entry in covered])


def test_rows_that_cannot_be_read_hold_the_ledger_until_they_can() -> None:
    kept = Kept()
    kept.ledger._rows = lambda count: None
    kept.ledger.note(Plant().interval(), 5)
    kept.ledger.step(1, START_MS)
    assert kept.rows == [] and kept.ledger.waiting_count == 1
    kept.ledger._rows = kept._newest
    kept.settle()
    assert kept.kinds() == ["opening", "interval"]


# ---- meters


def test_a_register_that_rolls_over_is_said_with_its_modulus() -> None:
    kept, plant = Kept(site(meter=[{**METERS[0], "register_max_wh": 100_000_000}, *METERS[1:]])), Plant()
    made = plant.interval()
    imported_wh = made.registers[0].delta_wh
    assert imported_wh is not None
    start = 100_000_000 - 500
    rolled = RegisterSpan("poc", "meter.energy_import", start, imported_wh - 500, imported_wh, "measured", "rollover")
    kept.note(Plant().interval(registers=(rolled, *made.registers[1:])))
    (entry,) = kept.of("rollover")
    assert entry.body["start_wh"] == start and entry.body["stop_wh"] == imported_wh - 500
    assert entry.body["entry"] == kept.of("interval")[0].no and entry.body["delta_wh"] == imported_wh
    assert not [note for note in kept.ledger.notes if "unbalanced" in note.name]


def test_a_gap_over_a_rollover_loses_no_energy() -> None:
    kept = Kept(site(meter=[{**METERS[0], "register_max_wh": 1_100_000}, *METERS[1:]]))
    plant = Plant()
    kept.note(plant.interval())
    before_wh = plant.registers_wh[("poc", "meter.energy_import")]
    plant.skip(8)
    passed_wh = plant.registers_wh[("poc", "meter.energy_import")] - before_wh
    assert before_wh + passed_wh > 1_100_000
    plant.registers_wh[("poc", "meter.energy_import")] -= 1_100_000
    kept.note(plant.interval())
    bodies = [entry.body for entry in kept.of("interval")]
    assert len(bodies) == 10 and sum(import_mj(body) for body in bodies[1:-1]) == passed_wh * 3_600_000


def test_an_exchanged_meter_is_noted_with_both_numbers() -> None:
    plant = Plant()
    kept = Kept()
    kept.note(plant.interval())
    changed = [{**METERS[0], "serial": "A2", "calibrated": "2026-01-01"}, *METERS[1:]]
    kept = Kept(site(meter=changed), rows=kept.rows)
    plant.registers_wh[("poc", "meter.energy_import")] = 7
    kept.note(plant.interval())
    (entry,) = kept.of("meter_exchange")
    assert entry.body["meter"] == "poc" and entry.body["changes"]["serial"] == ["A1", "A2"]
    assert kept.kinds() == ["opening", "interval", "meter_exchange", "plan", "interval"]


def test_a_new_calibration_is_noted_and_the_same_site_file_is_not() -> None:
    plant = Plant()
    kept = Kept()
    kept.note(plant.interval())
    kept = Kept(rows=kept.rows)
    kept.note(plant.interval())
    assert kept.kinds() == ["opening", "interval", "interval"]
    kept = Kept(
        site(meter=[{**METERS[0], "calibrated": "2026-02-01", "ct_primary_a": 400}, *METERS[1:]]), rows=kept.rows
    )
    kept.note(plant.interval())
    (entry,) = kept.of("calibration_change")
    assert entry.body["changes"] == {"calibrated": ["2025-03-01", "2026-02-01"], "ct": [[1, 1], [400, 1]]}


def test_a_meter_behind_transformers_is_multiplied() -> None:
    meters = [{**METERS[0], "registers": "secondary", "ct_primary_a": 400, "ct_secondary_a": 5}, *METERS[1:]]
    plan = plan_of(site(meter=meters))
    kept = Kept(site(meter=meters))
    made = Plant().interval()
    counted = RegisterSpan("poc", "meter.energy_import", 100, 300, 200 * 80, "measured")
    kept.note(Plant().interval(registers=(counted, *made.registers[1:])))
    assert interval_fault(kept.of("interval")[0].body, plan) is None
    wrong = RegisterSpan("poc", "meter.energy_import", 100, 300, 200, "measured")
    kept.note(Plant(start_ms=START_MS + INTERVAL_MS).interval(registers=(wrong,)))
    assert any("delta_wh" in note.text for note in kept.ledger.notes)


# ---- gaps


@given(st.integers(0, 10**15), st.lists(st.integers(0, 10**12), min_size=1, max_size=50))
def test_spreading_loses_nothing(total: int, weights: list[int]) -> None:
    parts = spread(total, weights)
    assert sum(parts) == total and len(parts) == len(weights) and min(parts) >= 0


def test_two_hours_without_data_are_spread_evenly_at_the_worst_factor() -> None:
    kept, plant = Kept(annual=factor(333, kind="annual")), Plant()
    kept.note(plant.interval())
    before = dict(plant.registers_wh)
    plant.skip(8)
    passed_wh = {key: plant.registers_wh[key] - before[key] for key in before}
    kept.note(plant.interval())
    bodies = [entry.body for entry in kept.of("interval")]
    filled = bodies[1:-1]
    assert len(filled) == 8 and {body["quality"] for body in filled} == {"substituted"}
    assert sum(import_mj(body) for body in filled) == passed_wh[("poc", "meter.energy_import")] * 3_600_000
    assert sum(energy_mj(body, "pv") for body in filled) == passed_wh[("pv1", "pv.energy")] * 3_600_000
    imports = [import_mj(body) for body in filled]
    assert max(imports) - min(imports) <= 3_600_000  # a watt-hour
    worst = max(333_000, bodies[0]["factor"]["mg_per_kwh"], bodies[-1]["factor"]["mg_per_kwh"])
    assert {body["factor"]["mg_per_kwh"] for body in filled} == {worst}
    plan = kept.entries[0].body["plan"]
    assert all(interval_fault(body, plan) is None for body in bodies)
    assert [(body["start_ms"] - START_MS) // INTERVAL_MS for body in bodies] == list(range(10))


def test_a_longer_gap_has_the_shape_of_the_same_weekday() -> None:
    kept, plant = Kept(), Plant()
    for _ in range(96 * 8):
        kept.note(plant.interval())
    plant.skip(20)
    kept.note(plant.interval())
    bodies = [entry.body for entry in kept.of("interval")]
    filled = bodies[96 * 8 : 96 * 8 + 20]
    assert {body["registers"][0]["reason"].split(",")[0] for body in filled} == {"substituted: same weekday"}
    a_week_before = [import_mj(body) for body in bodies[96 : 96 + 20]]
    given = [import_mj(body) for body in filled]
    assert max(range(20), key=given.__getitem__) == max(range(20), key=a_week_before.__getitem__)


def test_without_a_register_nothing_is_made_up() -> None:
    kept, plant = Kept(), Plant()
    kept.note(plant.interval(registers=()))
    plant.skip(8)
    kept.note(plant.interval(registers=()))
    assert kept.kinds().count("interval") == 2
    assert any("no register" in note.text for note in kept.ledger.notes)


def test_a_month_without_data_is_one_entry() -> None:
    kept, plant = Kept(), Plant()
    kept.note(plant.interval())
    plant.skip(96 * 30)
    kept.note(plant.interval())
    assert kept.kinds().count("interval") == 3 and kept.kinds().count("day_root") == 1
    assert kept.of("pool_step")  # what the battery held is another now, and that is said


def test_powers_that_were_missing_are_made_up_from_the_register() -> None:
    kept, plant = Kept(), Plant()
    whole = plant.interval()
    flows = tuple(flow for flow in whole.flows if flow.sink != "load")  # the powers of the load were not seen
    kept.note(Plant().interval(flows=flows, missing_ms=600_000))
    body = kept.of("interval")[0].body
    assert body["gap"]["rule"] == "register_difference" and body["quality"] == "substituted"
    delta_wh = whole.registers[0].delta_wh
    assert delta_wh is not None and import_mj(body) == delta_wh * 3_600_000


def test_a_register_that_jumps_while_nothing_was_missing_is_a_doubt_and_no_energy() -> None:
    for missing_ms, wh in ((0, 0), (5_000, 400_000)):
        kept, plant = Kept(), Plant()
        kept.note(plant.interval())
        plant.registers_wh[("poc", "meter.energy_import")] += 400_000
        kept.note(plant.interval(missing_ms=missing_ms))
        body = kept.of("interval")[1].body
        assert (body["gap"] or {"import_mj": 0})["import_mj"] == wh * 3_600_000


# ---- clocks


def test_a_clock_found_wrong_moves_the_intervals_before_it_by_new_entries() -> None:
    kept, plant = Kept(), Plant(start_ms=START_MS - 10 * DAY_MS)
    wrong = ClockState("rtc", None, False)
    for index in range(3):
        kept.note(plant.interval(clock=wrong), mono_ms=1_000 + index * INTERVAL_MS)
    lines = [entry.line for entry in kept.entries]
    plant.start_ms += 10 * DAY_MS
    kept.note(plant.interval(), mono_ms=1_000 + 3 * INTERVAL_MS)
    assert [entry.line for entry in kept.entries[:4]] == lines
    corrections = kept.of("clock_correction")
    assert [entry.body["offset_ms"] for entry in corrections] == [10 * DAY_MS] * 3
    assert [entry.body["entry"] for entry in corrections] == [2, 3, 4]
    assert kept.kinds().count("interval") == 4  # the days between never were: no gap is filled


def test_a_clock_that_was_right_without_knowing_is_not_corrected() -> None:
    kept, plant = Kept(), Plant()
    kept.note(plant.interval(clock=ClockState("rtc", None, False)))
    kept.note(plant.interval())
    assert not kept.of("clock_correction")


def test_the_days_of_the_ledger_are_utc_whatever_the_season() -> None:
    """2026-03-08 has 23 hours in Texas, 2026-11-01 has 25; in UTC each has 96 quarters."""
    for start_ms, day in ((1_772_928_000_000, "2026-03-08"), (1_793_491_200_000, "2026-11-01")):
        kept, plant = Kept(), Plant(start_ms=start_ms)
        kept.note(*(plant.interval() for _ in range(96)))
        (root,) = kept.of("day_root")
        assert root.body["day"] == day and kept.kinds().count("interval") == 96


def test_a_leap_second_is_an_interval_of_901_seconds_in_900() -> None:
    """2016-12-31T23:59:60Z: the stamps have no name for it; the registers count it, and nothing is missing."""
    kept, plant = Kept(), Plant(start_ms=1_483_228_800_000 - INTERVAL_MS)
    kept.ledger.note(plant.interval(), 901_000)
    kept.settle()
    kept.ledger.note(plant.interval(), 901_000 + 900_000)
    kept.settle()
    assert kept.kinds() == ["opening", "interval", "day_root", "plan", "interval"]
    assert kept.of("day_root")[0].body["day"] == "2016-12-31"
    assert not kept.of("clock_correction")


# ---- what is found later


def test_a_late_factor_is_a_new_entry_with_the_difference() -> None:
    kept, plant = Kept(), Plant()
    kept.note(plant.interval(factor=factor(700, quality="default"), flows=()))
    made = plant.interval()
    kept.note(made)
    kept.ledger.note_factor(made.start_wall_ms, factor(250, quality="measured"), "late")
    kept.settle()
    (entry,) = kept.of("factor_revised")
    before = kept.of("interval")[1]
    assert entry.body["entry"] == before.no and entry.body["digest"] == before.digest
    assert before.body["location_ug"] + entry.body["difference_ug"] == import_mj(before.body) * 250_000 // 3_600_000
    kept.ledger.note_factor(5, factor(), "late")
    kept.settle()
    assert any("no interval" in note.text for note in kept.ledger.notes)


def test_a_correction_names_the_old_entry_who_and_why() -> None:
    kept, plant = Kept(), Plant()
    kept.note(plant.interval(), plant.interval())
    old = kept.of("interval")[0]
    instead = Plant(Random(2)).interval()
    kept.ledger.correct(
        Correction(old.no, old.digest, instead, "A. Auditor", "the PV meter was wired to the wrong phase")
    )
    kept.settle()
    (entry,) = kept.of("correction")
    assert entry.body["entry"] == old.no and entry.body["digest"] == old.digest
    assert entry.body["who"] == "A. Auditor" and entry.body["interval"]["quality"] == "corrected"


# ---- two figures


def test_location_and_market_stand_side_by_side() -> None:
    contracts = [
        {"name": "wind", "kind": "ppa", "share_permille": 500, "intensity_mg_per_kwh": 0},
        {"name": "old", "kind": "ppa", "share_permille": 500, "intensity_mg_per_kwh": 9, "last": "2025-12-31"},
        {"name": "goo", "kind": "certificate", "share_permille": 800, "intensity_mg_per_kwh": 10_000},
    ]
    evidence = {"residual_mg_per_kwh": 600_000}
    plan = plan_of(site(contract=contracts, evidence=evidence))
    energy_mj = 3_600_000_000
    market, parts = market_of(plan, "2026-01-01", energy_mj, 0, LocationUg(400_000_000))
    assert [(part["name"], part["mj"]) for part in parts] == [
        ("wind", energy_mj // 2),
        ("goo", energy_mj // 2),
        ("residual", 0),
    ]
    assert market == 5_000_000
    plan = plan_of(site(contract=contracts[:1], evidence=evidence))
    assert market_of(plan, "2026-01-01", energy_mj, 0, LocationUg(400_000_000))[0] == 300_000_000
    without = plan_of(site(contract=contracts[:1]))
    assert market_of(without, "2026-01-01", energy_mj, 0, LocationUg(400_000_000))[0] == 200_000_000


def test_ones_own_sun_whose_certificates_are_sold_counts_as_residual() -> None:
    plan = plan_of(site(evidence={"residual_mg_per_kwh": 600_000, "pv_certificates_sold": True}))
    assert market_of(plan, "2026-01-01", 0, 3_600_000_000, LocationUg(0))[0] == 600_000_000


def test_a_marginal_factor_is_no_factor_of_this_ledger() -> None:
    kept = Kept()
    kept.note(Plant().interval(factor=factor(kind="marginal")))
    assert any("factor.kind" in note.text for note in kept.ledger.notes)


@pytest.mark.parametrize("stop", ["2026-01-01", "2027-01-01"])
def test_a_contract_counts_on_its_days_only(stop: str) -> None:
    contract = {"name": "wind", "kind": "ppa", "share_permille": 1000, "intensity_mg_per_kwh": 0, "last": stop}
    plan = plan_of(site(contract=[contract]))
    market, _ = market_of(plan, "2026-06-01", 3_600_000, 0, LocationUg(400))
    assert market == (0 if stop > "2026-06-01" else 400)
