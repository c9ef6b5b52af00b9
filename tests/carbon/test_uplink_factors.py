"""The factors of a site on their way into its ledger, through the real uplink: annual, changed, and late."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.carbon.evidence.package import Period
from edge.carbon.evidence.verify import verify
from edge.carbon.ledger.body import import_mj
from edge.config.options import Config
from edge.errors import ConfigFault
from edge.plan.signals.base import Origin
from edge.plan.signals.live import Late
from edge.uplink import Uplink
from tests.carbon.evidence.kit import MemorySource, package_of
from tests.carbon.ledger_kit import START_MS, site
from tests.carbon.test_uplink_account import LIMITS, QUARTER_S, HandClock, entries, run


def config_of(folder: Path, factors: str, **more: Any) -> Config:
    signal = {"kind": "file", "path": str(folder / "none.csv"), "factors": factors}
    return site(store={"path": str(folder)}, cloud={}, signal=signal, console={}, limits=LIMITS, **more)


def signal_file(folder: Path, g_per_kwh: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "none.csv").write_text(f"utc,ci_direct_g\n2026-01-01T00:00:00Z,{g_per_kwh}\n")


def after_an_hour_that_nobody_saw(folder: Path, factors: str, g_per_kwh: int) -> list[Any]:
    signal_file(folder, g_per_kwh)
    clock = HandClock()
    uplink = Uplink(config_of(folder, factors), clock)
    run(uplink, clock, 2 * QUARTER_S + 1)
    uplink.close()
    clock.now_ms += 4 * QUARTER_S * 1000
    uplink = Uplink(config_of(folder, factors), clock)
    run(uplink, clock, 2 * QUARTER_S)
    uplink.close()
    return entries(folder)


def test_a_gap_is_filled_at_the_regions_annual_factor_when_that_is_the_highest(tmp_path: Path) -> None:
    found = after_an_hour_that_nobody_saw(tmp_path, "egrid2023-ercot", 100)
    filled = [one.body["factor"] for one in found if one.kind == "interval" and one.body["quality"] == "substituted"]
    assert [one["id"] for one in filled if one["kind"] == "annual"] == ["egrid2023-ercot/direct"] * 3
    assert {one["mg_per_kwh"] for one in filled if one["kind"] == "annual"} == {332_874}
    plan = found[0].body["plan"]["factors"]
    assert (plan["table"], plan["annual_mg_per_kwh"], plan["version"]) == ("egrid2023-ercot/direct", 332_874, "2023")
    assert "eGRID2023" in plan["source"]


def test_without_a_table_unknown_electricity_stands_in(tmp_path: Path) -> None:
    found = after_an_hour_that_nobody_saw(tmp_path, "", 100)
    annual = {one.body["factor"]["mg_per_kwh"] for one in found if one.kind == "interval"} - {100_000}
    assert annual == {700_000} and found[0].body["plan"]["factors"]["table"] == "unknown"


def test_another_table_or_region_between_two_runs_is_an_entry_of_its_own_and_verify_accepts_it(tmp_path: Path) -> None:
    signal_file(tmp_path, 100)
    clock = HandClock()
    evidence = {"region": "ERCOT"}
    for factors, region in (("egrid2022-ercot", "ERCOT"), ("egrid2022-ercot", "ERCOT"), ("egrid2023-ercot", "ERCOT"),
                            ("egrid2023-ercot", "ERCOT West")):  # fmt: skip
        uplink = Uplink(config_of(tmp_path, factors, evidence={**evidence, "region": region}), clock)
        run(uplink, clock, QUARTER_S)
        uplink.close()
    found = entries(tmp_path)
    first, second = [one.body["changes"] for one in found if one.kind == "factor_change"]
    assert first["table"] == ["egrid2022-ercot/direct", "egrid2023-ercot/direct"]
    assert first["annual_mg_per_kwh"] == [700_000, 332_874] and first["version"] == ["2022", "2023"]
    assert second == {"grid": ["ERCOT", "ERCOT West"]}
    files = package_of(SimpleNamespace(entries=found), Period(START_MS, START_MS + 86_400_000))
    report = verify(MemorySource(files))
    assert report.finding is None and files["changes.csv"].count(b"factor_change") == 2


def test_a_table_that_is_not_there_stops_the_start_with_its_name(tmp_path: Path) -> None:
    signal_file(tmp_path, 100)
    with pytest.raises(ConfigFault, match="moon"):
        Uplink(config_of(tmp_path, "moon"), HandClock())


def test_a_factor_that_the_source_publishes_later_revises_the_quarters_that_it_covers(tmp_path: Path) -> None:
    clock = HandClock()
    uplink = Uplink(
        site(store={"path": str(tmp_path)}, cloud={}, signal={}, console={}, limits=LIMITS), clock
    )  # no signal: 700 g/kWh
    run(uplink, clock, 3 * QUARTER_S + 1)
    origin = Origin("eia-us-2023/direct", "average_generation", "2023", START_MS, "cd" * 32)
    hour = Late(START_MS, START_MS + 2 * QUARTER_S * 1000, 300_000, "measured", "eia:ERCO", origin)
    uplink.mission.late._late.append(hour)
    uplink.mission.late._late.append(hour)  # said twice, noted once
    run(uplink, clock, 2)
    uplink.close()
    found = entries(tmp_path)
    noted = [one.body for one in found if one.kind == "factor_revised"]
    revised = {body["entry"]: body for body in noted}
    quarters = [one for one in found if one.kind == "interval"]
    assert [body["entry"] for body in noted] == [quarters[0].no, quarters[1].no]
    for one in quarters[:2]:
        assert one.body["location_ug"] + revised[one.no]["difference_ug"] == import_mj(one.body) * 300_000 // 3_600_000
        assert revised[one.no]["factor"]["payload_sha256"] == "cd" * 32
