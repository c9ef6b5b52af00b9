"""The page of a day and of a month: its numbers by hand, its gaps as gaps, its words, and how it looks in a browser."""

import html
import re
import sqlite3
from itertools import pairwise
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.report.kpi import KpiRules
from edge.report.reading import read_material
from edge.report.sheet.battery import without_battery
from edge.report.sheet.material import Material, day_of, month_of
from edge.report.sheet.page import page
from tests.report import browser
from tests.report.kit import write_store

HEADINGS = [
    "Power", "State of charge", "Carbon intensity", "Interim PUE by hour", "Interim CUE by hour", "Data-centre figures",
    "Who fed whom", "What the battery did", "Events", "How good the data are", "What this page cannot say",
]  # fmt: skip
# What is said of each text of the page: overlaps with another text of the same picture, or stands out of the window.
PROBE = """<script>
const out = [], wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
if (wide > 0) out.push("page wider by " + wide);
for (const svg of document.querySelectorAll("figure>svg")) {
  const box = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].map(t => [t.textContent, t.getBoundingClientRect()]);
  for (const [text, a] of texts) {
    if (a.left < box.left - 1 || a.right > box.right + 1 || a.top < box.top - 1 || a.bottom > box.bottom + 1)
      out.push("cut: " + text);
    for (const [other, b] of texts)
      if (a !== b && a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2)
        out.push("over each other: " + text + " / " + other);
  }
}
document.body.dataset.found = "seen:" + out.join("; ");
</script>"""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """A day with an hour that nobody recorded, from 12:30."""
    config = write_store(tmp_path_factory.mktemp("day"), absent=range(50, 54))
    return read_material(config, day_of("2026-01-01", "UTC"), KpiRules(annual_mg_per_kwh=334_100))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Material:
    config = write_store(tmp_path_factory.mktemp("whole"))
    return read_material(config, day_of("2026-01-01", "UTC"), KpiRules())


def text_of(made: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", made, flags=re.S)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def test_every_part_is_there_and_nothing_comes_from_outside(day: Material) -> None:
    made = page(day)
    assert re.findall(r"<h2>([^<]+)</h2>", made) == HEADINGS
    links = re.findall(r"(?:src|href)=|@import|url\((?!#)|<script|<link|https?://(?!www\.w3\.org/2000/svg)", made)
    assert not links and len(made) < 60_000
    said = text_of(made)
    for words in (
        "92 intervals of the ledger",
        "95.8 % of the day",
        "no data",
        "poc_stale",
        "<check A-B>",
        "334 g/kWh of the region",
    ):
        assert words in said, words
    assert "<check" not in made  # text of a device never becomes a tag
    assert made.count('class="gap"') == 3  # power, charge, intensity; hours of PUE are known in part


def test_the_sums_are_those_of_the_ledger(whole: Material) -> None:
    load_mj = sum(flow["mj"] for row in whole.rows for flow in row.body["flows"] if flow["to"] == "load")
    load_ug = sum(flow["ug"] for row in whole.rows for flow in row.body["flows"] if flow["to"] == "load")
    said = text_of(page(whole))
    assert f"site load {load_mj / 3.6e9:,.0f} kWh".replace(",", " ") in said
    assert f"its mean intensity {load_ug * 3.6e3 / load_mj:.0f} g/kWh" in said
    assert "hatched" not in said and "100.0 % of the day" in said
    pue = whole.rows[0].body["facility_mj"] / whole.rows[0].body["it_mj"]
    assert 1.2 < pue < 1.4 and re.search(r"interim PUE 1\.[23]\d", said)


def test_without_a_battery_by_hand(whole: Material) -> None:
    """Sun into the battery at noon would have met import of the same quarter; what it gave in the evening was import."""
    found = without_battery(whole.rows)
    charged_mj, given_mj = (
        sum(
            flow["mj"]
            for row in whole.rows
            for flow in row.body["flows"]
            if flow[key] == "battery" and flow["to"] != "losses"
        )
        for key in ("to", "from")
    )
    assert found.without_export_mj == found.export_mj == 0
    assert found.import_mj - found.without_import_mj == charged_mj - given_mj
    evening = [
        row
        for row in whole.rows
        if any(flow["from"] == "battery" and flow["to"] == "load" for flow in row.body["flows"])
    ]
    (only,) = {len(evening)}
    part = without_battery(evening)
    assert only == 10 and part.difference_ug < 0 and part.without_import_mj - part.import_mj == given_mj
    assert found.difference_ug == found.import_ug - found.without_import_ug


def test_a_ledger_without_its_beginning_is_a_note_and_no_crash(tmp_path: Path) -> None:
    config = write_store(tmp_path)
    with sqlite3.connect(tmp_path / "store" / "journal.db") as database:
        database.execute("DELETE FROM ledger WHERE seq <= 2")
    said = text_of(page(read_material(config, day_of("2026-01-01", "UTC"), KpiRules())))
    assert "the beginning of the ledger is not there" in said and "State of charge" in said


def test_a_day_without_the_battery_at_work_shows_no_difference(whole: Material) -> None:
    night = [row for row in whole.rows[:30]]
    found = without_battery(night)
    assert found.difference_ug == 0 and found.import_mj == found.without_import_mj


def test_a_ledger_that_is_absent_is_said_and_power_is_drawn_all_the_same(day: Material) -> None:
    bare = Material(
        day.site, "", day.period, day.capacity_wh, stretches=day.stretches, notes=["The ledger is not there."]
    )
    said = text_of(page(bare))
    assert (
        "The ledger is not there." in said
        and "Nothing was charged or discharged" in said
        and 'class="pv"' in page(bare)
    )


@pytest.mark.parametrize(("label", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-06-01", 24)])
def test_a_local_day_has_its_hours(label: str, hours: int) -> None:
    assert len(day_of(label, "America/Chicago").bounds()) == hours + 1


def test_a_local_month_has_its_days() -> None:
    month = month_of("2026-03", "America/Chicago")
    bounds = month.bounds()
    assert len(bounds) == 32 and bounds[-1] == month.stop_ms and month.label == "2026-03"
    assert min(b - a for a, b in pairwise(bounds)) == 23 * 3_600_000


def test_the_word_writes_a_month_or_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_store(tmp_path, days=3)
    site, out = str(tmp_path / "site.toml"), tmp_path / "page.html"
    assert main(["report", "-c", site, "--month", "2026-01", "--zone", "Europe/Berlin", "--out", str(out)]) == 0
    made = out.read_text()
    assert "Interim PUE by day" in made and "9.6 % of the month" in text_of(made) and len(made) < 120_000
    assert "month 2026-01 Europe/Berlin" in capsys.readouterr().out
    for words, why in (
        (["--day", "2026-02-30"], "such as 2026-01-31"), (["--day", "2025-01-01"], "has nothing of 2025-01-01"),
        (["--day", "2026-01-01", "--zone", "Mars/Base"], "no such zone"),
        (["--day", "2026-01-01", "--out", str(tmp_path / "no" / "x")], "No such file"),
    ):  # fmt: skip
        assert main(["report", "-c", site, *words]) == 2
        assert why in capsys.readouterr().err


@pytest.mark.skipif(not browser.CHROMIUM, reason=browser.WHY_NOT)
def test_it_looks_right_in_a_browser_by_day_and_by_night(day: Material, tmp_path: Path) -> None:
    """The colours of the sources are seen, the ground is light or dark, texts neither overlap nor are cut."""
    file = tmp_path / "page.html"
    file.write_text(page(day))
    width, height, light = browser.picture(file, tmp_path / "light.png", 1000, 1300)
    assert (width, height) == (1000, 1300) and {(255, 255, 255), (0x2F, 0x6D, 0xB5), (0xE3, 0xA0, 0x08)} <= light
    _, _, dark = browser.picture(file, tmp_path / "dark.png", 1000, 1300, dark=True)
    assert {(0x14, 0x17, 0x1B), (0x6B, 0xA6, 0xE8), (0xF2, 0xC1, 0x4B)} <= dark and (255, 255, 255) not in dark
    file.write_text(page(day).replace("</body>", PROBE + "</body>"))
    for wide in (1280, 760, 500):
        shown = browser.document(file, wide)
        (found,) = re.findall(r'data-found="([^"]*)"', shown)
        assert found == "seen:", f"{wide} px: {html.unescape(found)}"
        assert "What the battery did" in shown
