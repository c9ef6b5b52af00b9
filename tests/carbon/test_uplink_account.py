"""The whole uplink, second by second: quarters reach the ledger once each, a killed process goes on from there."""

import itertools
from dataclasses import replace
from pathlib import Path

from edge.carbon.ledger.balance import interval_fault
from edge.carbon.ledger.entry import Entry, inflate, parse_line
from edge.config.options import Config
from edge.model import RegisterValue
from edge.store.db.journal import FILE
from edge.store.db.view import read_ledger
from edge.uplink import Uplink
from hil.virtual import StepClock
from tests.carbon.ledger_kit import START_MS, site
from tests.carbon.test_flow import flows

QUARTER_S = 900
LIMITS = {"import_max_w": 5_000_000}  # what the registers below count, a kWh a second, must be possible


class HandClock(StepClock):
    """It begins when the ledger's tests do."""

    def __init__(self) -> None:
        super().__init__(START_MS)


def config_of(folder: Path) -> Config:
    return site(store={"path": str(folder)}, cloud={}, signal={}, console={}, limits=LIMITS)


def run(uplink: Uplink, clock: HandClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.now_ms += 1_000
        second = clock.now_ms // 1_000
        counted = RegisterValue("poc", "meter.energy_import", 1_000 * second)
        now = replace(flows(3_600_000, 0, -1_000_000, 2_600_000, 5_000), registers=(counted,))
        uplink.note_flows(replace(now, mono_ms=clock.now_ms, wall_ms=clock.wall_ms()))
        uplink.step()


def entries(folder: Path) -> list[Entry]:
    return [parse_line(inflate(row)) for row in read_ledger(folder / FILE)]


def test_quarters_reach_the_ledger_once_each_over_kills_at_any_second(tmp_path: Path) -> None:
    clock = HandClock()
    for seconds in (QUARTER_S - 1, 3, 700, QUARTER_S, 1):  # killed: never closed
        run(Uplink(config_of(tmp_path), clock), clock, seconds)
    uplink = Uplink(config_of(tmp_path), clock)
    run(uplink, clock, QUARTER_S)
    uplink.close()
    bodies = [one.body for one in entries(tmp_path) if one.kind == "interval"]
    starts = [body["start_ms"] for body in bodies]
    assert starts == [START_MS + index * QUARTER_S * 1_000 for index in range(len(starts))] and len(starts) >= 3
    plan = next(one.body["plan"] for one in entries(tmp_path) if one.kind == "opening")
    assert [interval_fault(body, plan) for body in bodies] == [None] * len(bodies)
    for before, after in itertools.pairwise(bodies):
        was, now = before["pool"], after["pool"]
        assert (now["open_uj"], now["open_ug"]) == (was["close_uj"], was["close_ug"])
        assert after["registers"][0]["start_wh"] == before["registers"][0]["stop_wh"]
    assert not any(one.kind == "pool_step" for one in entries(tmp_path))
    assert sum(body["missing_ms"] for body in bodies) <= 6 * 61_000
