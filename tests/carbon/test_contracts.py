"""What contracts cover: by interval never more than was delivered or imported, by year never more than the volume."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.__main__ import main
from edge.carbon.contracts.delivered import Delivery, delivery_body, delivery_fault, read_deliveries
from edge.carbon.contracts.volume import years_of
from edge.carbon.evidence.account import Account, Amendments, rows_of
from edge.carbon.evidence.verify import verify
from edge.carbon.interval import INTERVAL_MS
from edge.carbon.ledger.body import import_mj
from edge.carbon.ledger.plan import plan_of
from edge.errors import ConfigFault, DataFault
from edge.uplink import Uplink
from tests.carbon.evidence.kit import CONTRACTS, DELIVERED, WHOLE, MemorySource, package_of, rich
from tests.carbon.ledger_kit import START_MS, Kept, Plant, site
from tests.carbon.test_uplink_account import LIMITS, QUARTER_S, HandClock, entries, run

WH = 3_600_000
HEAD = "start_utc,stop_utc,wh\n"
WIND: dict[str, Any] = {"name": "wind", "kind": "ppa", "intensity_mg_per_kwh": 0, "document": "P"}


def account_of(kept: Kept, first_ms: int = WHOLE.first_ms, stop_ms: int = WHOLE.stop_ms) -> Account:
    amendments = Amendments()
    for entry in kept.entries:
        amendments.note(entry)
    account = Account(first_ms, stop_ms)
    for row in rows_of(kept.entries, amendments, first_ms, stop_ms):
        account.add(row)
    return account.end()


# ---- the table


def test_an_hour_is_spread_over_its_quarters_and_days_are_apart() -> None:
    raw = HEAD + "2026-01-01T23:00Z,2026-01-02T00:00Z,10\n2026-01-02T00:00+00:00,2026-01-02T00:15,7\n"
    first, second = read_deliveries(raw.encode(), "wind.csv", "wind", "B")
    assert (first.start_ms, first.wh) == (START_MS + 92 * INTERVAL_MS, (2, 3, 2, 3))
    assert (second.start_ms, second.wh) == (START_MS + 96 * INTERVAL_MS, (7,))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2026-01-01T00:00Z,2026-01-01T01:00Z", "t.csv:2: 2 columns"),
        ("2026-01-01T00:00Z,2026-01-01T01:15Z,5", "15 to 60 minutes"),
        ("2026-01-01T00:00Z,2026-01-01T00:00Z,5", "15 to 60 minutes"),
        ("2026-01-01T00:01Z,2026-01-01T00:15Z,5", "start_utc '2026-01-01T00:01Z': must be at a whole quarter"),
        ("noon,2026-01-01T00:15Z,5", "must be a time such as"),
        ("2026-01-01T00:00Z,2026-01-01T00:15Z,1.5", "wh '1.5': must be whole watt-hours"),
        ("2026-01-01T00:00Z,2026-01-01T00:15Z,-5", "whole watt-hours"),
        ("2026-01-01T00:00Z,2026-01-01T00:30Z,5\n2026-01-01T00:15Z,2026-01-01T00:45Z,5", "t.csv:3: start_utc"),
    ],
)
def test_a_row_that_cannot_be_trusted_is_named(row: str, said: str) -> None:
    with pytest.raises(DataFault, match=r"t\.csv:[23]: ") as fault:
        read_deliveries((HEAD + row + "\n").encode(), "t.csv", "wind", "B")
    assert said in str(fault.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_deliveries_or_a_fault(raw: bytes) -> None:
    for prefix in (b"", HEAD.encode()):
        try:
            found = read_deliveries(prefix + raw, "t.csv", "wind", "B")
        except DataFault:
            continue
        plan = plan_of(site(contract=[WIND]))
        assert all(delivery_fault(delivery_body(one), plan) is None for one in found)


# ---- the site file


@pytest.mark.parametrize(
    ("contract", "key", "said"),
    [
        ({"kind": "ppa", "share_permille": 300}, "contract[0].share_permille", "must be 0 for kind = 'ppa'"),
        ({"kind": "ppa", "energy_wh": 5}, "contract[0].energy_wh", "must be 0 for kind = 'ppa'"),
        ({"kind": "supplier"}, "contract[0].share_permille", "must be 1..1000"),
        ({"kind": "certificate", "energy_wh": 5}, "contract[0].first", "of one calendar year, not open"),
        ({"kind": "certificate", "energy_wh": 5, "first": "2025-06-01", "last": "2026-05-31"}, "contract[0].first",
         "of one calendar year, not 2026-05-31"),
        ({"kind": "ppa", "name": "residual"}, "contract[0].name", "is what a part of the figure is called"),
    ],
)  # fmt: skip
def test_a_contract_that_does_not_say_what_it_covers_is_refused(contract: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(ConfigFault) as fault:
        site(contract=[{"name": "wind", "intensity_mg_per_kwh": 0, **contract}])
    (problem,) = fault.value.problems
    assert problem.key == key and said in f"{problem.allowed}"


# ---- by interval


@given(st.lists(st.tuples(st.sampled_from(["wind", "sun"]), st.integers(0, 95), st.integers(0, 40_000)), max_size=60))
def test_by_interval_no_contract_covers_more_than_it_delivered_nor_all_more_than_the_import(
    told: list[tuple[str, int, int]],
) -> None:
    kept, plant = Kept(site(contract=[WIND, {**WIND, "name": "sun", "intensity_mg_per_kwh": 20_000}])), Plant()
    kept.note(*(plant.interval() for _ in range(96)))
    for contract, quarter, wh in told:
        kept.ledger.deliver(Delivery(contract, START_MS + quarter * INTERVAL_MS, (wh,), "", "B"))
    kept.settle(plant.start_ms)
    amendments = Amendments()
    for entry in kept.entries:
        amendments.note(entry)
    newest = {(contract, quarter): wh for contract, quarter, wh in told}
    total_ug = 0
    for number, row in enumerate(rows_of(kept.entries, amendments, WHOLE.first_ms, WHOLE.stop_ms)):
        used = {match.name: match.mj for match in row.matches}
        assert sum(used.values()) <= import_mj(row.body)
        assert all(mj <= newest.get((name, number), 0) * WH for name, mj in used.items())
        assert 0 <= row.market_ug <= row.body["market"]["ug"] + sum(used.values()) * 20_000 // WH + 1
        total_ug += row.market_ug
    account = account_of(kept)
    assert account.market_ug == total_ug == sum(ug for _, ug in account.market.values())
    assert sum(mj for mj, _ in account.market.values()) == account.import_mj


def test_what_is_delivered_at_another_time_covers_nothing_by_interval_and_its_volume_by_year() -> None:
    kept, plant = Kept(site(contract=[WIND])), Plant()
    kept.note(*(plant.interval() for _ in range(96)))
    kept.ledger.deliver(Delivery("wind", START_MS, (50_000_000,), "", "B"))  # all the day's import in its first quarter
    kept.settle(plant.start_ms)
    account = account_of(kept, START_MS, START_MS + 96 * INTERVAL_MS)
    first_mj = import_mj(kept.of("interval")[0].body)
    assert account.market["wind"] == (first_mj, 0)
    assert account.market_ug == account.location_ug - kept.of("interval")[0].body["location_ug"]
    assert account.volumes()["wind"].mj == account.import_mj and account.market_year_ug == 0
    assert account.delivered_mj["wind"] == 50_000_000 * WH


def test_a_delivery_of_the_future_or_of_another_contract_is_not_taken() -> None:
    kept, plant = Kept(site(contract=CONTRACTS)), Plant()
    kept.note(plant.interval())
    for contract, start_ms in (("wind", plant.start_ms), ("goo", START_MS), ("none", START_MS)):
        kept.ledger.deliver(Delivery(contract, start_ms, (1,), "", "B"))
    kept.settle(plant.start_ms)
    assert kept.of("delivery") == [] and len([one for one in kept.ledger.notes if "not taken" in one.text]) == 3


def test_a_quarter_that_two_intervals_claim_after_a_step_of_the_clock_is_used_once() -> None:
    kept, plant = Kept(site(contract=[WIND])), Plant()
    kept.note(plant.interval())
    plant.start_ms = START_MS  # the clock went back: the same quarter once more
    kept.note(plant.interval())
    kept.ledger.deliver(Delivery("wind", START_MS, (500,), "", "B"))
    kept.settle(START_MS + 10 * INTERVAL_MS)
    account = account_of(kept)
    assert account.overlap_count == 1 and account.interval_count == 2
    assert account.delivered_mj["wind"] == account.market["wind"][0] == 500 * WH


# ---- by year


def test_a_certificate_covers_its_part_of_the_time_and_never_more_than_the_import() -> None:
    certificate = {"name": "goo", "kind": "certificate", "intensity_mg_per_kwh": 0, "first": "2026-01-01",
                   "last": "2026-12-31"}  # fmt: skip
    for energy_wh in (365_000_000, 365_000_000_000):
        kept, plant = Kept(site(contract=[{**certificate, "energy_wh": energy_wh}])), Plant()
        kept.note(*(plant.interval() for _ in range(96)))
        account = account_of(kept, START_MS, START_MS + 96 * INTERVAL_MS)
        covered = account.volumes()["goo"]
        assert covered.volume_mj == energy_wh * WH // 365
        assert covered.mj == min(covered.volume_mj, account.import_mj)
        assert account.market_ug == account.location_ug  # nothing of it counts by interval


def test_twelve_months_of_a_certificate_are_never_more_than_the_certificate() -> None:
    plan = plan_of(site(contract=[{**CONTRACTS[2], "energy_wh": 365_000_001}]))
    total = 0
    for day in range(365):
        (year,) = years_of(START_MS + day * 86_400_000, START_MS + (day + 1) * 86_400_000).values()
        year.plan, year.rest_mj = plan, 1 << 50
        total += year.covered()[0].mj
    assert 0 <= 365_000_001 * WH - total < 365
    assert list(years_of(START_MS - 1, START_MS + 1)) == ["2025", "2026"]


# ---- the package


def test_both_ways_stand_beside_location_based_and_verify_makes_them_anew() -> None:
    files = package_of(rich(), WHOLE)
    report = verify(MemorySource(files))
    assert report.finding is None and report.account is not None
    account = report.account
    used = defaultdict(int, {name: mj for name, (mj, _) in account.market.items()})
    assert 0 < used["wind"] < account.delivered_mj["wind"] == sum(DELIVERED.wh) * WH and used["goo"] == 0
    year = account.volumes()
    assert year["goo"].mj == 200_000 * WH and year["wind"].mj == sum(DELIVERED.wh) * WH
    assert len({account.location_ug, account.market_ug, account.market_year_ug}) == 3
    page = files["statement.html"].decode()
    assert "matched by interval" in page and "by volume of the year" in page and "never mixed or added" in page


def test_deliveries_go_through_the_word_and_the_real_uplink(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = HandClock()
    config = site(store={"path": str(tmp_path)}, cloud={}, signal={}, console={}, contract=[WIND], limits=LIMITS)
    uplink = Uplink(config, clock)
    run(uplink, clock, QUARTER_S + 1)
    file = tmp_path / "site.toml"
    text = (Path(__file__).resolve().parents[2] / "deploy" / "site.example.toml").read_text()
    text = text.replace("/var/lib/tidewatt-edge", str(tmp_path))
    file.write_text(f'{text}\n[[contract]]\nname = "wind"\nkind = "ppa"\nintensity_mg_per_kwh = 0\ndocument = "P"\n')
    table = tmp_path / "wind.csv"
    table.write_text(HEAD + "2026-01-01T00:00Z,2026-01-01T00:15Z,500000\n")
    words = ["ledger", "deliver", "-c", str(file), "--who", "B. Buyer", str(table), "--contract"]
    assert main([*words, "sun"]) == 2 and "must be one that counts by interval: wind" in capsys.readouterr().err
    assert main([*words, "wind"]) == 0 and "1 days, 500 kWh" in capsys.readouterr().out
    run(uplink, clock, 12)
    uplink.close()
    (entry,) = [one for one in entries(tmp_path) if one.kind == "delivery"]
    assert entry.body["wh"] == [500_000] and entry.body["who"] == "B. Buyer"
    assert not list((tmp_path / "corrections").glob("*"))
