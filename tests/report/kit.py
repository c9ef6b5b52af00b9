"""A store as a site leaves it: a day of quarters in the rollup ring, intervals in the ledger, events in the journal."""

from collections.abc import Sequence
from dataclasses import replace
from math import exp, pi, sin
from pathlib import Path
from random import Random

from edge.carbon.book import IntervalBook
from edge.carbon.flow import SiteFlow
from edge.carbon.interval import INTERVAL_MS, ClockState, FactorUse, Interval
from edge.carbon.ledger.ledger import Ledger
from edge.carbon.ledger.seal import Sealer
from edge.carbon.pool import PoolState, StoredPool
from edge.config.options import Config
from edge.config.reader import load_config
from edge.model import SAMPLE_FIELDS, Event, EventLevel
from edge.store.db.journal import Journal
from edge.store.rollup import KIND_QUARTER, Column, Quarter, encode_quarter
from edge.store.segments import SegmentLog
from tests.carbon.ledger_kit import SITE, START_MS
from tests.carbon.test_flow import flows

CAPACITY_WH = 400_000
BOOT = bytes(range(16))
NAMES = [field[0] for field in SAMPLE_FIELDS]
STEP_MS = 60_000


class Day:
    """A site of some 500 kW with 300 kW of PV; its battery takes sun at noon and gives in the evening."""

    def __init__(self, seed: int = 4) -> None:
        self._chance = Random(seed)
        self._flow = SiteFlow(
            StoredPool(CAPACITY_WH, PoolState(80_000 * 3_600_000_000, 22_000_000_000)), step_max_ms=STEP_MS
        )
        self._book = IntervalBook()
        self.intervals: list[Interval] = []
        self.quarters: list[tuple[int, Quarter]] = []  # (start, quarter)
        self._minutes: list[dict[str, int]] = []
        self.wall_ms = START_MS

    def run(self, minutes: int) -> None:
        for _ in range(minutes):
            self._minute()

    def _minute(self) -> None:
        hour = (self.wall_ms - START_MS) / 3_600_000 % 24
        cloud = 1 - 0.5 * (self._chance.random() < 0.2)
        pv_w = int(max(0.0, 330_000 * sin(pi * (hour - 6.5) / 12)) * cloud) if 6.5 < hour < 18.5 else 0
        it_w = int(230_000 + 90_000 * exp(-(((hour - 15) / 4) ** 2)) + self._chance.randint(-8_000, 8_000))
        load_w = int(it_w * 1.18 + 15_000 + 20_000 * sin(pi * hour / 24))
        battery_w = -90_000 if 10 < hour < 13.5 else 100_000 if 18 < hour < 20.5 else 0
        poc_w = load_w - pv_w - battery_w
        mg = int(390_000 - 130_000 * max(0.0, sin(pi * (hour - 7) / 11)) + 40_000 * exp(-(((hour - 20) / 2) ** 2)))
        quality = "substituted" if 3 <= hour < 4.5 else "measured"
        self.wall_ms += STEP_MS
        use = FactorUse("ercot/1", "average_generation", mg, "ERCOT", "eGRID 2023", START_MS, "ab" * 32, quality)
        before = self._flow.pool.freeze_state()
        soc_cpct = before.stored_uj * 10_000 // self._flow.pool.capacity_uj
        one = flows(poc_w, pv_w, battery_w, it_w)
        step = self._flow.step(replace(one, wall_ms=self.wall_ms), STEP_MS, mg)
        closed = self._book.note(step, before, self._flow.pool.freeze_state(), use, ClockState("ntp", 2, synced=True))
        if closed is not None:
            self.intervals.append(closed)
        values = {
            "poc_power_w": poc_w,
            "load_power_w": it_w,
            "pv_power_w": pv_w,
            "battery_power_w": battery_w,
            "soc_cpct": soc_cpct,
        }
        self._minutes.append(values)
        if self.wall_ms % INTERVAL_MS == 0:
            self._end_quarter()

    def _end_quarter(self) -> None:
        start_ms, number = self.wall_ms - INTERVAL_MS, len(self.quarters)
        columns = [
            _column([one[name] for one in self._minutes]) if name in self._minutes[0] else None for name in NAMES
        ]
        mono_ms = start_ms - START_MS + 1_000
        quarter = Quarter(
            7, BOOT, number * 900 + 1, number * 900 + 900, len(self._minutes), mono_ms, mono_ms + 899_000, start_ms + 1_000,
            tuple(columns),
        )  # fmt: skip
        self.quarters.append((start_ms, quarter))
        self._minutes = []

    def finish(self) -> None:
        closed = self._book.close()
        if closed is not None:
            self.intervals.append(closed)


def _column(values: Sequence[int]) -> Column:
    return Column(len(values), sum(values), min(values), max(values))


EVENTS: list[tuple[float, EventLevel, str, str]] = [
    (0.01, "info", "start", "site demo"),
    (3.0, "warning", "signal.stale", "ERCOT has not answered for 3 intervals; the mean of the same hour stands in"),
    (4.5, "info", "signal.fresh", "ERCOT answers again"),
    (13.2, "alarm", "poc_stale", "POC meter not read for 3 s: 0 kW until it is back <check A-B>"),
    (13.25, "warning", "mode", "RUN to FAULT"),
    (13.4, "info", "mode", "STANDBY to RUN"),
]


def write_store(folder: Path, days: int = 1, absent: range = range(0)) -> Config:
    """A store of `days`; the quarters whose number is in `absent` are neither in telemetry nor in the ledger."""
    file = folder / "site.toml"
    file.write_text(SITE.read_text().replace("/var/lib/tidewatt-edge", str(folder / "store")))
    config = load_config(file)
    day = Day()
    day.run(days * 1_440)
    day.finish()
    journal = Journal(folder / "store", max_bytes=64 << 20)
    ledger = Ledger(config, journal.ledger_rows, journal.append_ledger, sealer=Sealer("", ""))
    for number, interval in enumerate(day.intervals):
        if number not in absent:
            ledger.note(interval, interval.stop_wall_ms - START_MS)
            ledger.step(interval.stop_wall_ms - START_MS, interval.stop_wall_ms)
            assert journal.flush()
    ledger.close()
    for hour, level, name, text in EVENTS:
        at_ms = int(hour * 3_600_000)
        journal.note_event(Event(at_ms, START_MS + at_ms, name, text, level))
    assert journal.flush()
    journal.close()
    ring = SegmentLog(folder / "store" / "rollup", max_bytes=16 << 20, stream="rollup", segment_bytes=1 << 18)
    for number, (_, quarter) in enumerate(day.quarters):
        if number not in absent:
            ring.append(KIND_QUARTER, encode_quarter(quarter))
    ring.close()
    return config
