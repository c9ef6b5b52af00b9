"""The five rungs in virtual time, what the evidence is told on each, and a signal over restarts and wrong clocks."""

import json
from pathlib import Path

import pytest

from edge.carbon.factors.use import factor_use
from edge.carbon.factors.weights import load_weights
from edge.config.options import Config, Signal
from edge.errors import ConfigFault
from edge.plan.forecast import HOUR_MS, HourlyHistory
from edge.plan.signals.base import Origin
from edge.plan.signals.fetch.worker import Fetched
from edge.plan.signals.grid import ercot
from edge.plan.signals.ladder import Known, choose_rung
from edge.plan.signals.live import GridSignal, signal_problems, site_source
from edge.plan.signals.read.source import reply_of
from edge.plan.signals.relayed import electricitymaps, watttime
from edge.plan.signals.samples import Sample
from tests.plan.signals.test_ercot import FUEL, answer
from tests.plan.signals.test_sources import watttime_answer

WEIGHTS = load_weights("egrid2023-ercot", "direct")
ANNUAL = WEIGHTS.annual_mg_per_kwh
DAY_MS = 24 * HOUR_MS
NOW_MS = 1_759_899_900_000  # 2025-10-08T05:05:00Z, the end of the first interval of the answers below
MINUTE_MS = 60_000


class Queue:
    """What a fetching thread has handed over."""

    def __init__(self) -> None:
        self.waiting: list[Fetched] = []

    def poll(self) -> Fetched | None:
        return self.waiting.pop(0) if self.waiting else None

    def put(self, samples: tuple[Sample, ...], at_ms: int, fault: str = "") -> None:
        self.waiting.append(Fetched(at_ms, at_ms, "x", samples, fault=fault))


def ercot_samples(*minutes: int, updated: str = "2025-10-08 00:05:00-0500", **fuel: object) -> tuple[Sample, ...]:
    stamps = {f"2025-10-08 00:{minute:02}:56-0500": {**FUEL, **fuel} for minute in minutes}
    body = answer(stamps, lastUpdated=updated).encode()
    return ercot.parse(reply_of(body, "US-TEX-ERCO", NOW_MS))


VALUE = (100 * 1_062_400 + 200 * 391_700) // 600


def test_a_value_goes_down_the_rungs_as_it_ages_and_the_ledger_is_told_each() -> None:
    queue = Queue()
    signal = GridSignal(queue, WEIGHTS, "ercot:US-TEX-ERCO")
    nothing = signal.poll(NOW_MS, NOW_MS)
    assert (nothing.value_mg_per_kwh, nothing.quality) == (ANNUAL, "default")
    queue.put(ercot_samples(4), NOW_MS)
    table = [
        (0, VALUE, "measured", "average_generation"),
        (10, VALUE, "measured", "average_generation"),
        (11, VALUE, "stale", "average_generation"),
        (60, VALUE, "stale", "average_generation"),
        (61, ANNUAL, "default", "annual"),
    ]
    for minutes, value, quality, kind in table:
        at_ms = NOW_MS + minutes * MINUTE_MS
        reading = signal.poll(at_ms, at_ms)
        assert (reading.value_mg_per_kwh, reading.quality) == (value, quality), minutes
        told = factor_use(reading)
        assert (told.kind, told.quality, told.version) == (kind, quality, "2023")
        assert bool(told.payload_sha256) == (kind != "annual") and told.factor_id == "egrid2023-ercot/direct"


def test_an_answer_that_comes_now_but_was_written_long_ago_is_old() -> None:
    for updated, quality in (("2025-10-08 00:05:00-0500", "measured"), ("2025-10-07 23:30:00-0500", "stale")):
        queue = Queue()
        queue.put(ercot_samples(4, updated=updated), NOW_MS)
        assert GridSignal(queue, WEIGHTS, "x").poll(NOW_MS, NOW_MS).quality == quality


def history_of(days: int, value: int, last_ms: int) -> HourlyHistory:
    history = HourlyHistory()
    for hour in range(days * 24):
        history.note(last_ms - (days * 24 - 1 - hour) * HOUR_MS, 3600, value)
    return history


@pytest.mark.parametrize(
    ("days", "value", "hours_after", "found", "quality", "factor"),
    [
        (28, 400_000, 3, 400_000, "substituted", "/forecast-28d"),
        (28, 200_000, 3, ANNUAL, "default", ""),  # an estimate below the annual factor must not flatter
        (28, 400_000, 72, 400_000, "substituted", "/week-mean"),
        (2, 400_000, 3, ANNUAL, "default", ""),
        (28, 400_000, 24 * 9, ANNUAL, "default", ""),
    ],
)
def test_the_lower_rungs_are_conservative(
    days: int, value: int, hours_after: int, found: int, quality: str, factor: str
) -> None:
    at_ms = NOW_MS + hours_after * HOUR_MS
    reading = choose_rung(None, history_of(days, value, NOW_MS), WEIGHTS, "x", at_ms, at_ms, "status 500")
    assert (reading.value_mg_per_kwh, reading.quality, reading.fault) == (found, quality, "status 500")
    assert factor_use(reading).factor_id == "egrid2023-ercot/direct" + factor


def test_the_age_of_a_value_does_not_follow_a_wall_clock_that_leaps() -> None:
    origin = Origin("f", "average_generation", "1", None, "")
    known = Known(1, "measured", 300, NOW_MS - 300_000, NOW_MS, NOW_MS + 60_000, 5_000, origin)
    assert known.age_ms(5_000) == 60_000 and known.age_ms(65_000) == 120_000
    reading = choose_rung(known, HourlyHistory(), WEIGHTS, "x", 65_000, NOW_MS + 365 * DAY_MS)
    assert reading.quality == "measured"


def test_a_gateway_whose_clock_is_behind_believes_nothing_and_says_why() -> None:
    queue = Queue()
    queue.put(ercot_samples(4), NOW_MS - DAY_MS)
    reading = GridSignal(queue, WEIGHTS, "ercot:x").poll(NOW_MS - DAY_MS, NOW_MS - DAY_MS)
    assert reading.quality == "default" and "check this gateway's clock" in reading.fault


def test_faults_come_and_go_and_unknown_fuels_are_told_until_they_are_gone() -> None:
    queue = Queue()
    signal = GridSignal(queue, WEIGHTS, "ercot:x")
    told = []
    for samples, fault in (
        (ercot_samples(4), ""),
        ((), "status 500"),
        ((), ""),
        (ercot_samples(9, updated="2025-10-08 00:10:00-0500", Fusion=3), ""),
        ((), ""),
        (ercot_samples(14, updated="2025-10-08 00:15:00-0500"), ""),
    ):
        queue.put(samples, NOW_MS, fault)
        told.append(signal.poll(NOW_MS, NOW_MS).fault)
    assert told[:3] == ["", "status 500", ""] and told[-1] == ""
    assert "fusion" in told[3] and told[4] == told[3]


def test_the_hours_come_back_after_a_restart_but_not_under_other_factors(tmp_path: Path) -> None:
    file = tmp_path / "signal" / "history"
    queue = Queue()
    queue.put(ercot_samples(4, 9, 14), NOW_MS)
    GridSignal(queue, WEIGHTS, "ercot:x", file).poll(NOW_MS, NOW_MS)
    kept = file.read_text()
    assert kept.startswith("ercot:x egrid2023-ercot/direct\n") and f"{VALUE * 900} 900" in kept
    again = GridSignal(Queue(), WEIGHTS, "ercot:x", file)
    other = GridSignal(Queue(), load_weights("eia-us-2023", "direct"), "ercot:x", file)
    assert list(again._history.lines()) and not list(other._history.lines())
    file.write_text(kept + " rubbish")
    assert not list(GridSignal(Queue(), WEIGHTS, "ercot:x", file)._history.lines())


def test_an_estimate_of_the_source_is_called_one() -> None:
    body = json.dumps(
        {"zone": "DE", "carbonIntensity": 216, "datetime": "2025-10-08T05:00:00Z", "updatedAt": "2025-10-08T05:01:00Z",
         "emissionFactorType": "lifecycle", "isEstimated": True}
    )  # fmt: skip
    queue = Queue()
    queue.put(electricitymaps.parse(reply_of(body.encode(), "DE", NOW_MS)), NOW_MS)
    reading = GridSignal(queue, load_weights("ipcc-ar5-2014", "lifecycle"), "x").poll(NOW_MS, NOW_MS)
    assert (reading.value_mg_per_kwh, reading.quality) == (216_000, "estimated_by_source")
    told = factor_use(reading)
    assert (told.factor_id, told.kind) == ("electricitymaps/lifecycle", "average_consumption")


def test_a_marginal_sample_never_becomes_the_intensity_of_an_inventory() -> None:
    queue = Queue()
    queue.put(watttime.parse(reply_of(watttime_answer().encode(), "CAISO_NORTH", NOW_MS)), NOW_MS + 365 * DAY_MS)
    reading = GridSignal(queue, WEIGHTS, "x").poll(NOW_MS, NOW_MS)
    assert (reading.value_mg_per_kwh, reading.quality) == (ANNUAL, "default")


# ---- from the site file


def config(**signal: object) -> Config:
    return Config(file="site.toml", site=None, limits=None, port=(), device=(), unit=(), signal=Signal(**signal))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("signal", "says"),
    [
        ({"kind": "entsoe", "key_file": "k"}, "signal.region: is needed"),
        ({"kind": "eia"}, "signal.key_file: is needed for kind = 'eia': free, from eia.gov"),
        ({"kind": "eia", "key_file": "k", "base_url": "http://far.example"}, "a key never goes over plain http"),
        ({"kind": "ercot", "base_url": "ftp://x"}, "must be https://HOST"),
        ({"kind": "ercot", "base_url": "https://["}, "must be https://HOST"),
        ({"kind": "ercot", "base_url": "https://x/?key=1"}, "without key or query"),
        ({"kind": "ercot", "factors": "egrid1999"}, "signal.factors = 'egrid1999': no such table"),
        ({"kind": "ercot", "basis": "lifecycle"}, "signal.factors = 'egrid2023-ercot': has no lifecycle values"),
        ({"kind": "eia", "key_file": "/none/key"}, "signal.key_file: /none/key: No such file"),
    ],
)
def test_what_is_wrong_with_a_site_file_is_said_before_anything_starts(signal: dict[str, object], says: str) -> None:
    problems = signal_problems(config(**signal), load_weights)
    assert any(says in str(problem) for problem in problems), problems


def test_a_good_signal_and_the_others_have_no_problems(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    for signal in (
        {"kind": "none"},
        {"kind": "ercot"},
        {"kind": "gb"},
        {"kind": "eia", "key_file": str(tmp_path / "key"), "base_url": "http://127.0.0.1:8080"},
    ):
        assert signal_problems(config(**signal), load_weights) == []
    assert site_source(Signal(kind="ercot"), "f")[1] == "US-TEX-ERCO"
    with pytest.raises(ConfigFault):
        site_source(Signal(kind="electricitymaps"), "f")
