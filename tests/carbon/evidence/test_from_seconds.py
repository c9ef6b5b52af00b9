"""From seconds on the uplink to a package that verifies: three hours of a site, a kill, an hour that nobody saw."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from edge.__main__ import main
from edge.carbon.desk.acts import FolderSource
from edge.carbon.evidence.verify import verify
from edge.config.reader import load_config
from edge.model import RegisterValue
from edge.uplink import Uplink
from tests.carbon.ledger_kit import SITE
from tests.carbon.test_flow import flows
from tests.carbon.test_uplink_account import HandClock


class Site:
    """Powers that wander and registers that count them, in whole Wh as meters do."""

    def __init__(self) -> None:
        self.random, self.counted_mj = (
            Random(4),
            {"import": 0, "export": 0, "pv": 0, "charge": 0, "discharge": 0, "it": 0},
        )
        self.soc_cpct = 5_000

    def second(self) -> tuple[dict[str, int], tuple[RegisterValue, ...]]:
        load_w, pv_w, battery_w = (
            self.random.randint(30, 60) * 1_000,
            self.random.randint(0, 40) * 1_000,
            self.random.choice((-15_000, 0, 14_000)),
        )
        poc_w = load_w - pv_w - battery_w
        seen = {
            "import": max(0, poc_w), "export": max(0, -poc_w), "pv": pv_w, "charge": max(0, -battery_w),
            "discharge": max(0, battery_w), "it": load_w * 8 // 10,
        }  # fmt: skip
        for name, power_w in seen.items():
            self.counted_mj[name] += power_w * 1_000
        counted = {name: value // 3_600_000 + 5_000_000 for name, value in self.counted_mj.items()}
        registers = (
            RegisterValue("poc", "meter.energy_import", counted["import"]),
            RegisterValue("poc", "meter.energy_export", counted["export"]),
            RegisterValue("pv1", "pv.energy", counted["pv"]),
            RegisterValue("pcs1", "pcs.energy_charge", counted["charge"]),
            RegisterValue("pcs1", "pcs.energy_discharge", counted["discharge"]),
            RegisterValue("it1", "meter.energy_import", counted["it"]),
        )
        return {"poc": poc_w, "pv": pv_w, "battery": battery_w, "it": load_w * 8 // 10}, registers


def live(folder: Path, clock: HandClock, site: Site, seconds: int, *, seen: bool = True) -> None:
    """So many seconds; not `seen`: the controller is off, the meters go on. No close: a killed process."""
    uplink = Uplink(load_config(folder / "site.toml"), clock)
    for _ in range(seconds):
        clock.now_ms += 1_000
        now, registers = site.second()
        if seen:
            made = flows(now["poc"], now["pv"], now["battery"], now["it"], site.soc_cpct)
            uplink.note_flows(replace(made, mono_ms=clock.now_ms, wall_ms=clock.wall_ms(), registers=registers))
            uplink.step()


@pytest.mark.hil
@pytest.mark.parametrize("off_s", [60, 900, 3_600])
def test_seconds_become_a_package_that_verifies(tmp_path: Path, off_s: int) -> None:
    """Off within a quarter, over one boundary, and for whole quarters: nothing that the meters counted is lost."""
    text = SITE.read_text().replace("/var/lib/tidewatt-edge", str(tmp_path / "store"))
    text = text.replace('kind = "mqtt"', 'kind = "none"').replace('host = "127.0.0.1"', 'host = ""')
    (tmp_path / "site.toml").write_text(text)
    clock, site = HandClock(), Site()
    live(tmp_path, clock, site, 3_700)
    live(tmp_path, clock, site, off_s, seen=False)
    live(tmp_path, clock, site, 3_700)
    words = ["-c", str(tmp_path / "site.toml"), "--from", "2026-01-01", "--to", "2026-01-01"]
    assert main(["ledger", "export", *words, str(tmp_path / "package")]) == 0
    report = verify(FolderSource(tmp_path / "package"))
    assert report.finding is None, str(report.finding)
    account = report.account
    assert account is not None and account.residual_ug == 0 and account.interval_count == (7_400 + off_s) // 900
    told = json.loads((tmp_path / "package" / "statement.json").read_text())
    counted_wh = told["exact"]["registers_wh"]["poc meter.energy_import"]
    booked_wh = told["exact"]["import_mj"] / 3_600_000
    assert abs(counted_wh - booked_wh) < counted_wh * 0.01, (counted_wh, booked_wh)
    assert account.doubts == []
