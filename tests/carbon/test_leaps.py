"""A register that counts more than can have been is not believed, and says so in an entry."""

import pytest

from edge.carbon.evidence.account import Account, Amendments, Row, rows_of
from edge.carbon.evidence.verify import verify
from edge.carbon.interval import INTERVAL_MS
from edge.carbon.ledger.body import import_mj
from edge.carbon.ledger.plan import plan_of, power_max_w
from edge.errors import DataFault
from tests.carbon.evidence.kit import WHOLE, MemorySource, package_of
from tests.carbon.ledger_kit import START_MS, Kept, Plant, site

MILLION_WH = 1_000_000


def leap(kept: Kept, plant: Plant, missing_ms: int = 0) -> None:
    """The import register of the next quarter has a digit too many."""
    made = plant.interval(missing_ms=missing_ms)
    span = made.registers[0]
    assert span.stop_wh is not None and span.delta_wh is not None
    wrong = type(span)(
        span.meter, span.register, span.start_wh, span.stop_wh + MILLION_WH, span.delta_wh + MILLION_WH, "measured"
    )
    plant.registers_wh[span.meter, span.register] += MILLION_WH
    kept.note(
        type(made)(**({n: getattr(made, n) for n in made.__slots__} | {"registers": (wrong, *made.registers[1:])}))
    )


def test_the_most_a_register_can_count_is_twice_what_is_behind_its_device() -> None:
    config = site()
    (poc,) = [one for one in config.device if one.use == "poc"]
    (pcs,) = [one for one in config.device if one.use == "pcs"]
    unit, limits = config.unit[0], config.limits
    assert power_max_w(config, pcs) == 2 * max(unit.power_charge_max_w, unit.power_discharge_max_w)
    assert power_max_w(config, poc) == 2 * (limits.import_max_w + unit.power_discharge_max_w + limits.pv_rated_w)
    assert all(meter["power_max_w"] > 0 for meter in plan_of(config)["meters"])


def test_a_leap_is_substituted_by_the_integrated_power_and_told_by_entry_and_event() -> None:
    kept, plant = Kept(), Plant()
    kept.note(plant.interval())
    leap(kept, plant)
    kept.note(plant.interval())
    body = kept.of("interval")[1].body
    span = body["registers"][0]
    assert span["quality"] == body["quality"] == "substituted"
    assert span["delta_wh"] * 3_600_000 == import_mj(body) and span["stop_wh"] - span["start_wh"] > MILLION_WH
    (entry,) = kept.of("leap")
    assert entry.body["entry"] == kept.of("interval")[1].no and "at most" in entry.body["reason"]
    assert [note.level for note in kept.ledger.notes if note.name == "ledger.leap"] == ["warning"]
    assert kept.of("interval")[2].body["registers"][0]["quality"] == "measured"  # the next goes on from there
    report = verify(MemorySource(package_of(kept, WHOLE)))
    assert report.finding is None and report.account is not None
    assert report.account.import_mj == sum(import_mj(one.body) for one in kept.of("interval"))


def test_a_leap_while_powers_were_missing_is_no_energy_at_all() -> None:
    kept, plant = Kept(), Plant()
    kept.note(plant.interval())
    leap(kept, plant, missing_ms=300_000)
    body = kept.of("interval")[1].body
    assert body["gap"] is None and body["registers"][0]["delta_wh"] is None


def test_a_leap_over_an_outage_fills_no_gap() -> None:
    kept, plant = Kept(), Plant()
    kept.note(plant.interval())
    plant.skip(4)
    plant.registers_wh[("poc", "meter.energy_import")] += MILLION_WH
    kept.note(plant.interval())
    assert kept.kinds().count("interval") == 2
    assert any("and no register" in note.text for note in kept.ledger.notes)


def test_the_largest_true_quarter_is_no_leap() -> None:
    kept, plant = Kept(site(limits={"import_max_w": 80_000, "export_max_w": 0})), Plant()
    kept.note(*(plant.interval() for _ in range(20)))  # up to 72 kW
    assert not kept.of("leap") and {one.body["quality"] for one in kept.of("interval")} == {"measured"}


def test_an_interval_before_any_plan_is_a_fault_with_its_number() -> None:
    kept, plant = Kept(), Plant()
    kept.note(plant.interval(), plant.interval())
    rows = list(rows_of(kept.entries[1:], Amendments(), START_MS, START_MS + 10 * INTERVAL_MS))
    assert isinstance(rows[0], Row) and rows[0].plan == {}
    with pytest.raises(DataFault, match="entry 2: an interval before any plan"):
        Account(START_MS, START_MS + 10 * INTERVAL_MS).add(rows[0])
