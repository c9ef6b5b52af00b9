"""The figures by hand on small cases: ratios, coverage, what is interim, what does not count."""

from dataclasses import replace

from edge.carbon.interval import INTERVAL_MS, ClockState, FactorUse, Flow, Interval
from edge.report.kpi import KpiRules, kpis, period_of

START_MS = 1_735_689_600_000  # 2025-01-01T00:00Z
KWH = 3_600_000_000  # mJ
FACTOR = FactorUse("ercot/1", "average_generation", 400_000, "ERCOT", "2023", None, "", "measured")


def interval(index: int, grid_kwh: int = 100, pv_kwh: int = 50, it_kwh: int | None = 120) -> Interval:
    """Everything to the load; the grid at 400 g/kWh."""
    start_ms = START_MS + index * INTERVAL_MS
    flows = (
        Flow("grid", "load", grid_kwh * KWH, grid_kwh * 400 * 1_000_000),
        Flow("pv", "load", pv_kwh * KWH, 0),
    )
    return Interval(
        start_ms, start_ms + INTERVAL_MS, "m", flows, (), FACTOR, None if it_kwh is None else it_kwh * KWH,
        (grid_kwh + pv_kwh) * KWH, 0, 0, 0, 0, 0, 0, ClockState("ntp", 0, synced=True),
    )  # fmt: skip


def test_an_hour_by_hand() -> None:
    rules = KpiRules(annual_mg_per_kwh=334_100, contract_cfe_permille=200, grid_cfe_permille=300)
    (hour,) = kpis([interval(index) for index in range(4)], "hour", rules)
    assert (hour.label, hour.covered_permille, hour.interim) == ("2025-01-01T00:00Z", 1000, True)
    assert hour.pue_permille == 1_250  # 150 / 120
    assert hour.cue_mg_per_kwh == 333_333  # 40 kg / 120 kWh
    assert hour.cue_annual_mg_per_kwh == 278_416  # 100 * 334.1 / 120
    assert hour.ref_permille == 333
    assert hour.cfe_permille == 626  # (50 + 20 + 0.3 * 80) / 150, the tenths cut


def test_sold_certificates_and_an_unknown_grid_count_for_nothing() -> None:
    (day,) = kpis([interval(0)], "day", KpiRules(pv_certificates_sold=True))
    assert (day.ref_permille, day.cfe_permille, day.cue_annual_mg_per_kwh) == (0, 0, None)


def test_carbon_free_energy_beyond_the_load_of_the_same_interval_is_no_credit() -> None:
    rules = KpiRules(contract_cfe_permille=1000, grid_cfe_permille=0)
    much, none = interval(0, grid_kwh=100, pv_kwh=100), interval(1, grid_kwh=100, pv_kwh=0)
    (hour,) = kpis([replace(much, facility_mj=150 * KWH), replace(none, facility_mj=150 * KWH)], "hour", rules)
    assert hour.cfe_permille == 833  # 150 + 100 of 300


def test_an_interval_without_the_it_meter_is_in_no_ratio_but_in_the_coverage() -> None:
    (hour,) = kpis([interval(0), interval(1, it_kwh=None), interval(2), interval(3)], "hour", KpiRules())
    assert (hour.pue_permille, hour.covered_permille) == (1_250, 750)
    (dark,) = kpis([interval(0, it_kwh=None)], "hour", KpiRules())
    assert (dark.pue_permille, dark.cfe_permille, dark.covered_permille) == (None, None, 0)


def test_only_a_whole_year_is_not_interim() -> None:
    year = [interval(index) for index in range(365 * 96)]
    (whole,) = kpis(year, "year", KpiRules())
    assert (whole.interim, whole.covered_permille, whole.label) == (False, 1000, "2025")
    (part,) = kpis(year[: 300 * 96], "year", KpiRules())
    assert part.interim and part.covered_permille == 821
    months = kpis(year, "month", KpiRules())
    assert len(months) == 12 and all(month.interim and month.covered_permille == 1000 for month in months)


def test_periods_are_utc() -> None:
    assert period_of(START_MS - 1, "year") == "2024" and period_of(START_MS, "month") == "2025-01"
