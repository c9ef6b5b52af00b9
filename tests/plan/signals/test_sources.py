"""Every other publisher: recorded replies where there are some, else the documented form; what is not believed."""

import io
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from edge.carbon.factors.weights import load_weights
from edge.errors import DataFault
from edge.plan.signals.grid import caiso, eia, entsoe, miso, nyiso, pjm
from edge.plan.signals.read.source import Ask
from edge.plan.signals.relayed import electricitymaps, gb, watttime
from edge.plan.signals.samples import IntensitySample, MarginalSample, MixSample
from edge.plan.signals.sources import AVERAGE, MARGINAL, SOURCES
from tests.plan.signals.kit import FIXTURES, needs_data, recorded, reply

HOUR_MS = 3_600_000


def utc_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def mw(sample: MixSample) -> dict[str, float]:
    return {fuel: kw / 1000 for fuel, kw in sample.power_kw}


# ---- EIA


def eia_answer(rows: Sequence[tuple[str, str, float | None]], **more: object) -> str:
    data = [{"period": p, "respondent": "ERCO", "fueltype": f, "value": v} for p, f, v in rows]
    return json.dumps({"response": {"total": len(data), "data": data, **more}})


@needs_data
def test_eia_periods_end_their_hour_and_a_null_hour_is_no_hour() -> None:
    (sample,) = eia.parse(recorded("EIA_US-NW-PGE-with-nulls.json"))
    assert sample.start_wall_ms == utc_ms("2022-10-31T11:00") and sample.interval_s == 3600
    assert mw(sample) == {"gas": 400.0}
    first, second = eia.parse(recorded("EIA_US_NW_BPAT-wind.json"))
    assert (mw(first), mw(second)) == ({"wind": 20.0}, {"wind": 40.0})


@needs_data
def test_eia_storage_alone_is_no_mix() -> None:
    with pytest.raises(DataFault, match="no whole interval"):
        eia.parse(recorded("EIA_US_CAL_IID-battery_storage.json"))


def test_eia_new_fuels_add_up_and_storage_keeps_its_sign() -> None:
    rows = [("2026-01-01T05", fuel, 10.0) for fuel in ("COL", "SUN", "SNB", "WNB", "GEO", "OES", "XYZ")]
    (sample,) = eia.parse(reply(eia_answer([*rows, ("2026-01-01T05", "BAT", -30.0)])))
    assert mw(sample) == {"coal": 10, "solar": 20, "wind": 10, "geothermal": 10, "storage": -20, "unknown": 10}
    assert sample.unknown == ("xyz",)


def test_eia_an_hour_still_without_gas_is_left_out_and_order_does_not_matter() -> None:
    rows = [(f"2026-01-01T{hour:02}", fuel, 5.0 + hour) for hour in (7, 5, 6) for fuel in ("NG", "WND")]
    samples = eia.parse(reply(eia_answer([r for r in rows if r[:2] != ("2026-01-01T07", "NG")])))
    assert [mw(sample)["gas"] for sample in samples] == [10.0, 11.0]


def test_eia_a_full_page_loses_its_oldest_hour_which_may_be_cut() -> None:
    hours = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(eia.ROWS_MAX // 2)]
    rows = [(f"{at:%Y-%m-%dT%H}", fuel, 5.0) for at in reversed(hours) for fuel in ("NG", "WND")]
    samples = eia.parse(reply(eia_answer(rows)))
    assert len(samples) == len(hours) - 1


def test_eia_asks_sorted_and_keeps_its_key_out_of_the_url() -> None:
    request = eia.request(Ask("https://x", "ERCO", "direct", utc_ms("2026-01-04T00:30"), "SECRET"))
    assert "start=2026-01-01T00" in request.url and "sort%5B0%5D%5Bcolumn%5D=period" in request.url
    assert "SECRET" not in request.url + request.shown and ("X-Api-Key", "SECRET") in request.headers


# ---- CAISO

HEAD = (
    "Time,Solar,Wind,Geothermal,Biomass,Biogas,Small hydro,Coal,Nuclear,Natural Gas,Large Hydro,Batteries,Imports,Other"
)
ROW = "1000,2000,900,300,200,100,0,2200,5000,3000,-1500,7000,0"


def caiso_day(times: list[str], row: str = ROW) -> str:
    return "\n".join([HEAD, *(f"{time},{row}" for time in times)]) + "\n"


def clock(first_hour: int, last_hour: int) -> list[str]:
    return [f"{hour:02}:{minute:02}" for hour in range(first_hour, last_hour) for minute in range(0, 60, 5)]


def test_caiso_times_are_those_of_california_and_imports_and_batteries_keep_their_sign() -> None:
    now_ms = utc_ms("2026-07-01T20:02")  # 13:02 there
    samples = caiso.parse(reply(caiso_day(clock(0, 13)), received_wall_ms=now_ms))
    assert samples[0].start_wall_ms == utc_ms("2026-07-01T07:00") and samples[-1].end_wall_ms == utc_ms(
        "2026-07-01T20:00"
    )
    assert mw(samples[0])["storage"] == -1500 and mw(samples[0])["imports"] == 7000 and mw(samples[0])["hydro"] == 3100
    clean = load_weights("egrid2023-camx", "direct").weigh(dict(samples[0].power_kw))
    assert clean == (5000 * 435_000 // 14_700, 0)


def test_caiso_a_last_row_of_midnight_belongs_to_the_next_day() -> None:
    samples = caiso.parse(reply(caiso_day([*clock(0, 24), "00:00"]), received_wall_ms=utc_ms("2026-07-02T07:01")))
    assert len(samples) == 289 and samples[-1].start_wall_ms == utc_ms("2026-07-02T07:00")


def test_caiso_the_file_of_yesterday_after_midnight_is_of_yesterday() -> None:
    samples = caiso.parse(reply(caiso_day(clock(0, 24)), received_wall_ms=utc_ms("2026-07-02T07:03")))
    assert samples[-1].end_wall_ms == utc_ms("2026-07-02T07:00")


def test_caiso_spring_has_a_blank_hour_and_autumn_one_twice() -> None:
    blank = "," * 12
    spring = "\n".join([HEAD, *(f"{t},{blank if t[:2] == '02' else ROW}" for t in clock(0, 24))])
    samples = caiso.parse(reply(spring, received_wall_ms=utc_ms("2026-03-09T06:58")))
    assert len(samples) == 276
    steps = {b.start_wall_ms - a.start_wall_ms for a, b in pairwise(samples)}
    assert steps == {300_000}
    filled = caiso.parse(reply(caiso_day(clock(0, 24)), received_wall_ms=utc_ms("2026-03-09T06:58")))
    assert [s.start_wall_ms for s in filled] == [s.start_wall_ms for s in samples]  # a filled hour that never was
    twice = [*clock(0, 2), *clock(1, 24)]
    samples = caiso.parse(reply(caiso_day(twice), received_wall_ms=utc_ms("2026-11-02T07:58")))
    assert len(samples) == 300
    assert {b.start_wall_ms - a.start_wall_ms for a, b in pairwise(samples)} == {300_000}


def test_caiso_headers_in_any_case_and_a_web_page_is_refused() -> None:
    samples = caiso.parse(reply(caiso_day(["00:00"]).replace("Natural Gas", "Natural gas"), received_wall_ms=0))
    assert mw(samples[0])["gas"] == 5000
    with pytest.raises(DataFault, match="a web page"):
        caiso.parse(reply("<html><body>maintenance</body></html>"))
    with pytest.raises(DataFault, match=r":3: 2 cells; expected 14|expected 14"):
        caiso.parse(reply(caiso_day(["00:00"]) + "00:05,1\n"))


# ---- PJM, NYISO, MISO


@needs_data
def test_pjm_hours_begin_at_their_stamp() -> None:
    samples = pjm.parse(recorded("US_PJM_gen_by_fuel.json"))
    assert len(samples) == 22 and samples[0].start_wall_ms == utc_ms("2025-02-09T00:00")
    assert mw(samples[0])["coal"] == 16_908 and mw(samples[0])["unknown"] == 1_179 and not samples[0].unknown


@needs_data
def test_nyiso_a_recorded_month_has_every_interval_and_says_what_dual_fuel_hides() -> None:
    with zipfile.ZipFile(io.BytesIO((FIXTURES / "US_NY_20250201rtfuelmix_csv.zip").read_bytes())) as month:
        first = nyiso.parse(reply(month.read("20250201rtfuelmix.csv")))
    assert len(first) == 288 and first[0].start_wall_ms == utc_ms("2025-02-01T05:00")
    assert first[-1].end_wall_ms == utc_ms("2025-02-02T05:00")
    assert mw(first[0])["gas"] == 4_613 + 3_487 and "gas or oil" in first[0].note


def test_nyiso_summer_and_winter_time_are_told_apart_in_the_hour_that_comes_twice() -> None:
    rows = [f"11/02/2025 01:05:00,{zone},Natural Gas,100" for zone in ("EDT", "EST")]
    samples = nyiso.parse(reply("Time Stamp,Time Zone,Fuel Category,Gen MW\n" + "\n".join(rows)))
    assert samples[1].start_wall_ms - samples[0].start_wall_ms == HOUR_MS


def test_nyiso_asks_for_the_day_there() -> None:
    table = {"2026-07-01T05:30": "20260701", "2026-07-01T05:10": "20260630", "2026-07-02T03:00": "20260701"}
    for at, day in table.items():
        assert day in nyiso.request(Ask("http://x", "", "direct", utc_ms(at))).url, at


@needs_data
def test_miso_stamps_are_standard_time_all_year_and_antimatter_is_told() -> None:
    (sample,) = miso.parse(recorded("MISO.html"))
    assert sample.start_wall_ms == utc_ms("2018-01-25T09:30")
    assert mw(sample)["unknown"] == 531 + 256 and sample.unknown == ("antimatter",)
    summer = (FIXTURES / "MISO.html").read_text().replace("2018-01-25 4:30:00 AM", "2018-07-25 12:30:00 PM")
    (sample,) = miso.parse(reply(summer))
    assert sample.start_wall_ms == utc_ms("2018-07-25T17:30")


# ---- ENTSO-E


@needs_data
@pytest.mark.parametrize(
    ("file", "step_s", "fuels"),
    [
        (
            "ENTSOE_FI_production.xml",
            900,
            {"biomass", "coal", "gas", "hydro", "nuclear", "oil", "solar", "unknown", "wind"},
        ),
        ("ENTSOE_NO-NO5_production-negatives.xml", 3600, {"gas", "hydro", "storage", "unknown"}),
        ("ENTSOE_SE-SE4_production.xml", 3600, {"gas", "hydro", "solar", "unknown", "wind"}),
    ],
)
def test_entsoe_recorded_documents_give_whole_intervals(file: str, step_s: int, fuels: set[str]) -> None:
    samples = entsoe.parse(recorded(file))
    assert {sample.interval_s for sample in samples} == {step_s}
    assert {fuel for sample in samples for fuel, _ in sample.power_kw} == fuels
    starts = [sample.start_wall_ms for sample in samples]
    assert starts == sorted(set(starts)) and len(starts) > 20
    assert all(kw >= 0 for s in samples for fuel, kw in s.power_kw if fuel != "storage")
    assert not any(sample.unknown for sample in samples)


@needs_data
def test_entsoe_a_curve_repeats_what_it_leaves_out_to_the_end_of_its_period() -> None:
    samples = entsoe.parse(recorded("ENTSOE_fake_time_series.xml"))
    by_start = {sample.start_wall_ms: mw(sample)["gas"] for sample in samples}
    start_ms = utc_ms("2025-10-20T11:00")
    found = [by_start.get(start_ms + hour * HOUR_MS) for hour in range(71)]
    assert found[3:6] == [0.4, 0.4, 0.5] and found[29:33] == [0.4] * 4 and found[-1] == 0.9
    assert found[14] is None  # nothing ran: no average


def entsoe_document(points: str, curve: str = "A03", resolution: str = "PT60M", more: str = "") -> str:
    return (
        f'<GL_MarketDocument xmlns="urn:x">{more}<TimeSeries><curveType>{curve}</curveType><MktPSRType><psrType>B04'
        "</psrType></MktPSRType><Period><timeInterval><start>2026-01-01T00:00Z</start><end>2026-01-01T04:00Z</end>"
        f"</timeInterval><resolution>{resolution}</resolution>{points}</Period></TimeSeries></GL_MarketDocument>"
    )


POINT = "<Point><position>{}</position><quantity>{}</quantity></Point>"


def test_entsoe_without_a_curve_of_gaps_nothing_is_repeated() -> None:
    points = POINT.format(1, 5) + POINT.format(3, 7)
    assert [mw(s)["gas"] for s in entsoe.parse(reply(entsoe_document(points, "A01")))] == [5, 7]
    assert [mw(s)["gas"] for s in entsoe.parse(reply(entsoe_document(points)))] == [5, 5, 7, 7]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            "<Acknowledgement_MarketDocument><Reason><code>999</code><text>No matching data found</text></Reason>"
            "</Acknowledgement_MarketDocument>",
            "No matching data found; expected a GL_MarketDocument",
        ),
        ('<!DOCTYPE a [<!ENTITY b "c">]><GL_MarketDocument>&b;</GL_MarketDocument>', "a document type declaration"),
        ("<GL_MarketDocument>", "not XML"),
        ("<GL_MarketDocument/>", "no points"),
        ("{}", "not XML"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "not XML"),
        (entsoe_document(POINT.format(5, 1)), "position: 5; expected 1..4"),
        (entsoe_document(POINT.format("x", 1)), "position: x; expected a whole number"),
        (entsoe_document(POINT.format(1, "nan")), "quantity"),
        (entsoe_document(POINT.format(1, 1), resolution="P1Y"), "resolution: P1Y"),
        ("<a>" * 40, "at most 32 levels"),
    ],
)
def test_entsoe_what_is_not_believed_is_named(body: str, says: str) -> None:
    with pytest.raises(DataFault) as fault:
        entsoe.parse(reply(body))
    assert says in str(fault.value)


# ---- relayed


def test_gb_a_half_hour_that_has_not_closed_is_an_estimate() -> None:
    rows = [
        {"from": "2026-01-20T12:30Z", "to": "2026-01-20T13:00Z", "intensity": {"forecast": 266, "actual": None}},
        {"from": "2026-01-20T12:00Z", "to": "2026-01-20T12:30Z", "intensity": {"forecast": 260, "actual": 263}},
    ]
    closed, running = gb.parse(reply(json.dumps({"data": rows}), "GB"))
    assert (closed.value_mg_per_kwh, closed.quality) == (263_000, "measured")
    assert (running.value_mg_per_kwh, running.quality, running.interval_s) == (266_000, "estimated_by_source", 1_800)


@needs_data
def test_electricity_maps_says_what_it_estimates_and_another_zone_is_refused() -> None:
    (sample,) = electricitymaps.parse(recorded("electricitymaps_latest_carbon_intensity.json", "US-CAR-DUK"))
    assert (sample.value_mg_per_kwh, sample.quality, sample.method) == (216_000, "estimated_by_source", "lifecycle")
    assert sample.as_of_wall_ms == utc_ms("2024-03-06T18:48:27.926")  # not the end of the hour that it foresees
    history = electricitymaps.parse(recorded("electricitymaps_carbon_intensity_history.json", "DE"))
    assert len(history) == 24 and history[0].quality == "measured"
    for file in ("latest_carbon_intensity", "latest_power_breakdown", "no-data-response"):
        with pytest.raises(DataFault, match="Electricity Maps"):
            electricitymaps.parse(recorded(f"electricitymaps_{file}.json", "US-TEX-ERCO"))


def watttime_answer(**meta: object) -> str:
    told = {"region": "CAISO_NORTH", "signal_type": "co2_moer", "units": "lbs_co2_per_mwh", "warnings": [],
            "data_point_period_seconds": 300, "model": {"date": "2026-03-01"}, **meta}  # fmt: skip
    return json.dumps({"data": [{"point_time": "2026-04-01T00:00:00+00:00", "value": 1000}], "meta": told})


def test_watttime_pounds_become_grams_in_a_type_of_their_own() -> None:
    (sample,) = watttime.parse(reply(watttime_answer(), "CAISO_NORTH"))
    assert sample.marginal_mg_per_kwh == 453_592
    assert isinstance(sample, MarginalSample) and not isinstance(sample, MixSample | IntensitySample)
    assert not hasattr(sample, "value_mg_per_kwh") and not hasattr(sample, "power_kw")
    for wrong in ({"units": "kg"}, {"region": "X"}, {"signal_type": "co2_aoer"}, {"data_point_period_seconds": 0}):
        with pytest.raises(DataFault, match="WattTime"):
            watttime.parse(reply(watttime_answer(**wrong), "CAISO_NORTH"))


def test_watttime_logs_in_with_two_lines_and_shows_neither() -> None:
    login = watttime.login(Ask("https://x", "", "", 0, "me\npass:word"))
    assert login.headers == (("Authorization", "Basic bWU6cGFzczp3b3Jk"),) and "pass" not in login.url + login.shown
    assert watttime.token_of(b'{"token":"abc"}') == "abc"
    with pytest.raises(DataFault, match="token"):
        watttime.token_of(b'{"token":"a\\nb"}')


# ---- all


def test_no_marginal_source_is_among_the_averages() -> None:
    assert {source.kind for source in MARGINAL.values()} == {"marginal"}
    assert not any(source.kind == "marginal" for source in AVERAGE.values()) and set(AVERAGE) & set(MARGINAL) == set()


@pytest.mark.parametrize("name", SOURCES)
def test_a_key_is_in_no_text_for_people_and_never_over_plain_http(name: str) -> None:
    source = SOURCES[name]
    request = source.request(Ask(source.base_url, source.region or "X", "direct", 1_780_000_000_000, "S3CRET"))
    assert "S3CRET" not in request.shown and "?" not in request.shown
    assert source.base_url.startswith("https://") or not source.key
    assert source.licence and source.doubt and source.interval_s >= 300
