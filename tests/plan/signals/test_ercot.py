"""ERCOT: both forms of the answer, the recorded days against the oracle, splits, disorder, what is not believed."""

import json

import pytest

from edge.carbon.factors.weights import load_weights
from edge.errors import DataFault
from edge.plan.signals.grid.ercot import parse
from edge.plan.signals.samples import FUELS, MixSample
from tests.plan.signals.kit import needs_data, recorded, reply

FUEL: dict[str, object] = {"Coal and Lignite": 100, "Natural Gas": 200, "Wind": 300, "Power Storage": 50}


def answer(stamps: dict[str, dict[str, object]], **top: object) -> str:
    data = {"day": {text: {fuel: {"gen": mw} for fuel, mw in row.items()} for text, row in stamps.items()}}
    return json.dumps({"lastUpdated": "2025-10-08 00:10:00-0500", "data": data, **top})


def mg(samples: tuple[MixSample, ...]) -> list[int]:
    weights = load_weights("egrid2023-ercot", "direct")
    found = [weights.weigh(dict(sample.power_kw)) for sample in samples]
    return [pair[0] for pair in found if pair is not None]


@needs_data
@pytest.mark.parametrize(
    ("file", "count", "schema", "mean", "low", "high"),
    [
        ("ERCOT.json", 386, "ercot-fuel-mix-2024", 176, 111, 278),
        ("ERCOT_generation.json", 369, "ercot-fuel-mix-2025", 399, 313, 462),
    ],
)
def test_the_recorded_days_give_the_known_intensity(
    file: str, count: int, schema: str, mean: int, low: int, high: int
) -> None:
    samples = parse(recorded(file))
    assert len(samples) == count
    assert {len(sample.power_kw) for sample in samples} == {8}
    assert {sample.schema_id for sample in samples} == {schema}
    assert not any(sample.unknown for sample in samples) and {f for s in samples for f, _ in s.power_kw} <= set(FUELS)
    grams = [value / 1000 for value in mg(samples)]
    assert len(grams) == count
    assert sum(grams) / count == pytest.approx(mean, abs=1)
    assert min(grams) == pytest.approx(low, abs=1)
    assert max(grams) == pytest.approx(high, abs=1)


@needs_data
def test_counting_storage_as_clean_would_understate_the_recorded_day_by_up_to_42_grams() -> None:
    samples = parse(recorded("ERCOT_generation.json"))
    weights = load_weights("egrid2023-ercot", "direct")
    without = mg(samples)
    assert weights.weigh({"gas": 1000, "storage": 1000}) == weights.weigh({"gas": 1000})
    totals = [sum(kw for fuel, kw in s.power_kw if fuel != "storage") for s in samples]
    stored = [max(0, dict(s.power_kw)["storage"]) for s in samples]
    gap = [value * kw / (kw + total) / 1000 for value, total, kw in zip(without, totals, stored, strict=True)]
    assert max(gap) == pytest.approx(42, abs=1)
    assert sum(gap) / len(gap) == pytest.approx(4.7, abs=0.2)


def test_an_interval_split_over_two_stamps_is_one_and_days_may_come_out_of_order() -> None:
    late = {"2025-10-08 00:09:56-0500": FUEL}
    split: dict[str, dict[str, object]] = {
        "2025-10-08 00:04:56-0500": {"Coal and Lignite": 90, "Natural Gas": 200},
        "2025-10-08 00:04:59-0500": {"Coal and Lignite": 100, "Wind": 300, "Power Storage": 50},
    }
    data = {"b": json.loads(answer(late))["data"]["day"], "a": json.loads(answer(split))["data"]["day"]}
    samples = parse(reply(json.dumps({"lastUpdated": "2025-10-08 00:10:00-0500", "data": data})))
    assert [dict(s.power_kw)["coal"] for s in samples] == [100_000, 100_000]
    assert samples[1].start_wall_ms - samples[0].start_wall_ms == 300_000
    assert samples[0].start_wall_ms == 1_759_899_600_000  # 2025-10-08T05:00:00Z


def test_the_end_of_daylight_saving_repeats_no_interval() -> None:
    stamps = {f"2025-11-02 01:04:57-0{offset}00": FUEL for offset in (5, 6)}
    first, second = parse(reply(answer(stamps)))
    assert second.start_wall_ms - first.start_wall_ms == 3_600_000


def test_a_new_fuel_counts_as_unknown_and_is_told_and_a_small_negative_counts_nothing() -> None:
    stamps = {"2025-10-08 00:04:56-0500": {**FUEL, "Fusion": 10, "Solar": -0.4}}
    (sample,) = parse(reply(answer(stamps)))
    assert sample.unknown == ("fusion",)
    assert dict(sample.power_kw)["unknown"] == 10_000 and dict(sample.power_kw)["solar"] == 0


def test_an_interval_without_a_fuel_that_the_others_have_is_left_out() -> None:
    stamps: dict[str, dict[str, object]] = {f"2025-10-08 00:{m:02}:56-0500": dict(FUEL) for m in (4, 9, 14)}
    del stamps["2025-10-08 00:14:56-0500"]["Natural Gas"]
    assert len(parse(reply(answer(stamps)))) == 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("<!DOCTYPE html><html>", "a web page; expected data"),
        ("", "nothing; expected JSON"),
        ("[]", "a list; expected a JSON object"),
        ("{}", "data: None; expected a JSON object"),
        (answer({"noon": FUEL}), "noon; expected a time"),
        (answer({"2025-10-08 00:04:56": FUEL}), "expected a time with its offset"),
        (answer({"2025-10-08 00:04:56-0500": {"Wind": "much"}}), "much; expected a number"),
        (answer({"2025-10-08 00:04:56-0500": {"Wind": 3e9}}), "expected MW, at most 2000000"),
        (answer({}), "no whole interval among 0"),
        (answer({"2025-10-08 00:04:56-0500": {"Power Storage": 3}}), "no whole interval among 1"),
        (answer({"2025-10-08 00:04:56-0500": FUEL}, lastUpdated=None), "lastUpdated: None; expected a text"),
        (answer({"2025-10-08 00:04:56-0500": FUEL})[:-20], "expected JSON"),
    ],
)
def test_what_is_not_believed_is_named(body: str, says: str) -> None:
    with pytest.raises(DataFault) as fault:
        parse(reply(body))
    assert says in str(fault.value)
