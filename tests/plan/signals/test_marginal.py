"""The marginal rate: asked, kept, shown apart, and in no figure of the inventory."""

from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from edge.console.screens import marginal_lines
from edge.mission.second import Mission
from edge.model import UplinkStatus
from edge.plan.signals.apart.marginal import (
    FILE_MAX_BYTES,
    MarginalSignal,
    kept_rates,
    marginal_problems,
    open_marginal,
)
from edge.plan.signals.fetch.worker import Fetched
from edge.plan.signals.samples import MarginalSample
from edge.report.kpi import KpiRules
from edge.report.reading import read_material
from edge.report.sheet.material import day_of
from edge.report.sheet.page import page
from tests.carbon.ledger_kit import START_MS, site
from tests.carbon.test_flow import flows
from tests.carbon.test_uplink_account import HandClock
from tests.plan.signals.server import Behaviour, publisher
from tests.plan.signals.test_sources import watttime_answer
from tests.report.kit import write_store

STEP_MS = 300_000


class Arrivals:
    """The queue between the threads, filled by hand."""

    def __init__(self) -> None:
        self.waiting: deque[Fetched] = deque()

    def poll(self) -> Fetched | None:
        return self.waiting.popleft() if self.waiting else None

    def bring(self, *values_mg: int, first_ms: int = START_MS) -> None:
        samples = tuple(
            MarginalSample(
                source="watttime", region="R", start_wall_ms=first_ms + index * STEP_MS, interval_s=300,
                received_wall_ms=first_ms, updated_wall_ms=None, raw_sha256="", schema_id="watttime-v3",
                quality="estimated_by_source", marginal_mg_per_kwh=value, model="2026 03",
            )
            for index, value in enumerate(values_mg)
        )  # fmt: skip
        self.waiting.append(Fetched(0, first_ms, "", samples))


def store_of(folder: Path) -> tuple[Arrivals, MarginalSignal]:
    arrivals = Arrivals()
    return arrivals, MarginalSignal(arrivals, "watttime:R", folder / "signal" / "marginal")


def test_a_forecast_is_shown_when_its_time_has_come_and_not_longer_than_two_intervals(tmp_path: Path) -> None:
    arrivals, signal = store_of(tmp_path)
    assert signal.poll(START_MS) is None
    arrivals.bring(400_000, 500_000)
    seen = [signal.poll(START_MS + minute * 60_000) for minute in (0, 4, 5, 15, 16)]
    assert [one and one.marginal_mg_per_kwh for one in seen] == [400_000, 400_000, 500_000, 500_000, None]


def test_what_it_was_is_kept_over_a_restart_once_each_and_a_torn_line_costs_one(tmp_path: Path) -> None:
    arrivals, signal = store_of(tmp_path)
    arrivals.bring(1, 2)
    signal.poll(START_MS + STEP_MS)
    arrivals, signal = store_of(tmp_path)
    arrivals.bring(7, 8, 9)
    signal.poll(START_MS + 2 * STEP_MS)
    with (tmp_path / "signal" / "marginal").open("a") as out:
        out.write("17672256")
    found = kept_rates(tmp_path, START_MS, START_MS + 10 * STEP_MS)
    assert [(one.marginal_mg_per_kwh, one.model) for one in found] == [(1, "2026_03"), (2, "2026_03"), (9, "2026_03")]
    assert kept_rates(tmp_path / "none", 0, 1 << 60) == []


def test_the_file_begins_anew_when_it_is_full(tmp_path: Path) -> None:
    arrivals, signal = store_of(tmp_path)
    path = tmp_path / "signal" / "marginal"
    path.parent.mkdir()
    path.write_text("x\n" * (FILE_MAX_BYTES // 2 + 1))
    arrivals.bring(5)
    signal.poll(START_MS)
    assert path.stat().st_size < 100 and path.with_suffix(".old").stat().st_size > FILE_MAX_BYTES
    assert [one.marginal_mg_per_kwh for one in kept_rates(tmp_path, 0, 1 << 60)] == [5]


def test_it_reaches_the_status_and_nothing_else_of_a_second(tmp_path: Path) -> None:
    one = replace(flows(3_600, 0, -1_000, 2_600, 5_000), mono_ms=1_000, wall_ms=START_MS + 1_000)
    plain, asked = Mission(site(), HandClock()), Mission(site(), HandClock())
    arrivals, asked.marginal = store_of(tmp_path)
    arrivals.bring(1)
    without, with_it = plain.second(one), asked.second(one)
    assert with_it == without  # wish, booked carbon, message to the cluster
    told = asked.status
    assert (told.marginal_source, told.marginal_mg_per_kwh) == ("watttime:R", 1)
    assert replace(told, marginal_source="", marginal_mg_per_kwh=None) == plain.status


def test_the_console_has_a_line_of_its_own_that_says_what_it_is() -> None:
    line = " ".join(marginal_lines(UplinkStatus(marginal_source="watttime:R", marginal_mg_per_kwh=412_000)))
    assert "412 g/kWh" in line and "an estimate, in no figure above" in line
    assert "refused" in " ".join(marginal_lines(UplinkStatus(marginal_source="w", marginal_fault="401 refused")))


def test_it_is_asked_over_http_as_the_site_file_says(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("name\nword\n")
    with publisher(Behaviour(body=b'{"token":"t1"}'), Behaviour(body=watttime_answer().encode())) as there:
        asked = {"kind": "watttime", "key_file": str(tmp_path / "key"), "base_url": there.url}
        config = site(marginal=asked, store={"path": str(tmp_path)}, cloud={}, signal={}, console={})
        assert marginal_problems(config) == []
        signal = open_marginal(config, HandClock())
        assert signal is not None and signal.name == "watttime:CAISO_NORTH"
        fetcher = signal._fetching
        arrivals = Arrivals()
        arrivals.waiting.append(fetcher.fetch())  # type: ignore[attr-defined]  # its thread waits for minutes
        signal._fetching = arrivals
        rate = signal.poll(1_775_001_600_000)
        assert signal.fault == "" and rate is not None and rate.marginal_mg_per_kwh == 453_592


@pytest.mark.parametrize(
    ("asked", "key"),
    [({"kind": "watttime"}, "marginal.key_file"), ({"kind": "watttime", "key_file": "/none"}, "marginal.key_file")],
)
def test_what_is_wrong_with_the_table_is_named(asked: dict[str, str], key: str) -> None:
    assert [problem.key for problem in marginal_problems(site(marginal=asked))] == [key]
    assert marginal_problems(site()) == []


def test_the_report_has_a_picture_apart_only_where_the_site_asked_for_it(tmp_path: Path) -> None:
    config = write_store(tmp_path)

    def drawn() -> str:
        return page(read_material(config, day_of("2026-01-01", "UTC"), KpiRules()))

    before = drawn()
    assert "Marginal rate of the grid" not in before
    arrivals, signal = store_of(tmp_path / "store")
    arrivals.bring(*range(300_000, 380_000, 1_000))
    signal.poll(START_MS + 80 * STEP_MS)
    after = drawn()
    start, stop = after.index("<figure><h2>Marginal"), after.index("</figure>", after.index("<figure><h2>Marginal"))
    assert "part of no figure of this page" in after[start:stop]
    assert after[:start] + after[stop + len("</figure>") :] == before  # nothing else of the page changed
