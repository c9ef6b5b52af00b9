"""`edge kpi` on a ledger that a real uplink has kept; intervals read back as they were booked."""

import json
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.report.intervals import read_intervals
from edge.uplink import Uplink
from tests.carbon.ledger_kit import SITE, START_MS
from tests.carbon.test_uplink_account import HandClock, config_of, run


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A site file whose store has three quarters."""
    store, clock = tmp_path / "store", HandClock()
    uplink = Uplink(config_of(store), clock)
    run(uplink, clock, 2_702)
    uplink.close()
    text = SITE.read_text()
    head, _, tail = text.partition("[store]")
    _, _, rest = tail.partition("\npath =")
    file = tmp_path / "site.toml"
    file.write_text(f'{head}[store]\npath = "{store}"{rest[rest.index(chr(10)) :]}')
    return file


def test_intervals_come_back_as_they_were_booked(kept: Path) -> None:
    found = list(read_intervals(kept.parent / "store"))
    assert [one.start_wall_ms - START_MS for one in found] == [0, 900_000, 1_800_000]
    assert found[0].registers[0].register == "meter.energy_import"
    assert found[1].facility_mj == 2_600_000 * 900_000 and found[1].it_mj == 2_600_000 * 900_000
    assert len(list(read_intervals(kept.parent / "store", START_MS + 900_000, START_MS + 1_800_000))) == 1


def test_the_table_has_units_coverage_and_says_interim(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kpi", "-c", str(kept), "--by", "hour"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "period",
        "known",
        "IT",
        "kWh",
        "site",
        "kWh",
        "PUE",
        "CUE",
        "g/kWh",
        "annual",
        "REF",
        "CFE",
    ]
    assert lines[1].split()[:2] == ["2026-01-01T00:00Z", "75"] and " 1.000 " in lines[1]
    assert len(lines[0]) == len(lines[1]) and any("Interim" in line for line in lines)


def test_json_and_the_annual_factor(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kpi", "-c", str(kept), "--by", "day", "--json", "--annual", "egrid2023-ercot"]) == 0
    (day,) = json.loads(capsys.readouterr().out)
    assert day["pue_permille"] == 1_000 and day["cue_annual_mg_per_kwh"] > 0 and day["interim"] is True


def test_a_table_that_is_not_there_is_named_with_those_that_are(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kpi", "-c", str(kept), "--annual", "moon"]) == 2
    assert "moon" in (told := capsys.readouterr().err) and "there are" in told
