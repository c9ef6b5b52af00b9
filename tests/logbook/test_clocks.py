"""Wrong clocks through uplink, rings and journal: samples as they are sent, events and quarters all get the true time.

A boot is told as phases: for so many seconds the wall clock was off by so much, and held to be synchronised or not.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.cloud.codec import decode_sample
from edge.model import AuditEntry
from edge.store.clockmap import ClockMap
from edge.store.db.journal import FILE
from edge.store.db.view import load_clock, read_events
from edge.store.disk import Disk
from edge.store.rollup import QUARTER_MS, Quarter, decode_quarter
from edge.uplink import Uplink
from tests.logbook.test_book import DAY_MS, TRUE_MS, Clock, Site

YEARS_MS = 56 * 365 * DAY_MS
LEVELS = ("info", "warning", "alarm")


@dataclass(frozen=True)
class Phase:
    seconds: int
    off_ms: int = 0
    synced: bool = True


@dataclass(frozen=True)
class Boot:
    """It began, on mono time 0, at `start_s` of true time; the controller started `mono_s` later."""

    start_s: int
    mono_s: int
    phases: tuple[Phase, ...]


class TrueClock(Clock):
    """The wall clock of one boot."""

    def __init__(self, boot: Boot, start_ms: int) -> None:
        super().__init__()
        self.now_ms = boot.mono_s * 1_000
        self.true_ms = start_ms + boot.start_s * 1_000  # at mono time 0

    def wall_ms(self) -> int:
        return self.true_ms + self.now_ms + self.off_ms


class Story:
    """What was taken when, truly: by the number of the sample, and by the text of the audit entry."""

    def __init__(self, folder: Path, start_ms: int = TRUE_MS) -> None:
        self._folder, self._start_ms = folder, start_ms
        self.sample_true_ms: dict[int, int] = {}
        self.event_true_ms: dict[str, int] = {}
        self.boot_of: dict[int, int] = {}
        self.uplink: Uplink | None = None

    def tell(self, boots: tuple[Boot, ...], monkeypatch: pytest.MonkeyPatch) -> None:
        """One boot after the other; each ends without a word."""
        for index, boot in enumerate(boots):
            monkeypatch.setattr(Disk, "boot_id", lambda _, index=index: bytes([index + 1]) * 16)
            clock = TrueClock(boot, self._start_ms)
            site = Site(self._folder, clock)
            self.uplink = site.uplink
            for number, phase in enumerate(boot.phases):
                clock.off_ms, clock.synced = phase.off_ms, phase.synced
                for _ in range(phase.seconds):
                    self._second(site, clock, index)
                text = f"boot {index} phase {number}"
                site.uplink.note_audit(AuditEntry(clock.mono_ms(), clock.wall_ms(), "test", "mark", text))
                self.event_true_ms[f"test: {text}"] = clock.true_ms + clock.now_ms
            self._second(site, clock, index)

    def _second(self, site: Site, clock: TrueClock, index: int) -> None:
        site.run(1)
        sync = site.uplink._sync
        assert sync is not None
        seq = sync.log.next_seq - 1
        self.sample_true_ms[seq], self.boot_of[seq] = clock.true_ms + clock.now_ms, index

    def sent_errors_ms(self) -> dict[int, int]:
        """By the number of the sample: how wrong the stamp is with which it would be sent now."""
        assert self.uplink is not None and self.uplink._sync is not None
        sync, found = self.uplink._sync, {}
        for entry in sync.log.read_from(1):
            sample = decode_sample(entry.body)
            assert sample is not None
            sent, _ = sync._stretches.stamp(entry.boot, sample)
            found[entry.seq] = sent.wall_ms - self.sample_true_ms[entry.seq]
        assert found.keys() == self.sample_true_ms.keys()
        return found

    def quarters(self) -> list[Quarter]:
        assert self.uplink is not None and self.uplink.logbook.rollup is not None
        rollup = self.uplink.logbook.rollup
        rollup.flush()
        found = [decode_quarter(entry.body) for entry in rollup.log.read_from(1)]
        assert all(found)
        return [one for one in found if one is not None]

    def clock(self) -> ClockMap:
        return load_clock(self._folder / "store" / FILE)

    def event_errors_ms(self) -> dict[str, int]:
        events = read_events(self._folder / "store" / FILE, 1_000, LEVELS, "asked.mark")
        found = {one.event.text: one.event.wall_ms - self.event_true_ms[one.event.text] for one in events}
        assert found.keys() == self.event_true_ms.keys()
        return found

    def judge_quarters(self) -> None:
        """Every sample is in one quarter, none mixes two boots, and each is stamped as its first sample is."""
        clock, covered = self.clock(), list[int]()
        sent = self.sent_errors_ms()
        for one in self.quarters():
            covered += range(one.first_seq, one.last_seq + 1)
            assert self.boot_of[one.first_seq] == self.boot_of[one.last_seq]
            stamp = clock.stamp(one.boot, one.first_mono_ms, one.first_wall_ms)
            assert stamp.wall_ms - self.sample_true_ms[one.first_seq] == sent[one.first_seq]
        assert covered == sorted(self.sample_true_ms)


@pytest.fixture
def zone() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


STORIES = {
    "no battery behind the clock": (Boot(0, 20, (Phase(1_000, -YEARS_MS, False), Phase(1_000))),),
    "a day late until it is told": (Boot(0, 20, (Phase(400, -DAY_MS, False), Phase(900))),),
    "a day early until it is told": (Boot(0, 20, (Phase(400, DAY_MS, False), Phase(900))),),
    "set wrong by hand": (Boot(0, 20, (Phase(400), Phase(400, DAY_MS, False), Phase(400, -DAY_MS, False), Phase(90))),),
    "set wrong until the power went": (Boot(0, 20, (Phase(400), Phase(400, -DAY_MS, False))), Boot(900, 20, (Phase(90),))),
    "each boot in the past": tuple(
        Boot(2_000 * index, 20, (Phase(300, -YEARS_MS - 7_777, False), Phase(200))) for index in range(3)
    ),
    "the second boot took longer to start": (Boot(0, 20, (Phase(200),)), Boot(300, 300, (Phase(150),))),
    "two wrong guesses before the time is known": (
        Boot(0, 20, (Phase(100, -YEARS_MS, False), Phase(100, -YEARS_MS + 5_000, False), Phase(100))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("boots", STORIES.values(), ids=STORIES)
def test_samples_events_and_quarters_have_the_true_time_whatever_the_clock_was(
    tmp_path: Path, boots: tuple[Boot, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(tmp_path)
    story.tell(boots, monkeypatch)
    assert set(story.sent_errors_ms().values()) == {0}
    assert set(story.event_errors_ms().values()) == {0}
    story.judge_quarters()


def test_of_a_boot_that_never_knew_the_time_its_own_clock_is_told_and_called_unsure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(tmp_path)
    story.tell(
        (Boot(0, 20, (Phase(100, -YEARS_MS, False),)), Boot(900, 20, (Phase(100, -YEARS_MS, False), Phase(10)))),
        monkeypatch,
    )
    errors = story.sent_errors_ms()
    assert {errors[seq] for seq, boot in story.boot_of.items() if boot == 0} == {-YEARS_MS}
    assert {errors[seq] for seq, boot in story.boot_of.items() if boot == 1} == {0}
    story.judge_quarters()
    events = read_events(tmp_path / "store" / FILE, 1_000, LEVELS, "asked.mark")
    assert [one.sure for one in events] == [False, True, True]


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
def test_the_changes_of_summer_time_change_nothing(
    tmp_path: Path, day: datetime, monkeypatch: pytest.MonkeyPatch, zone: None
) -> None:
    start_ms = int(day.timestamp()) * 1_000 + 1_800_000  # half an hour before the change at 01:00 UTC
    assert time.localtime(start_ms / 1_000).tm_isdst != time.localtime(start_ms / 1_000 + 3_600).tm_isdst
    story = Story(tmp_path, start_ms)
    story.tell((Boot(0, 0, (Phase(3_600),)),), monkeypatch)
    assert set(story.sent_errors_ms().values()) == {0}
    whole = story.quarters()[:-1]
    assert [one.count for one in whole] == [899, 900, 900, 900]
    assert [one.first_wall_ms % QUARTER_MS for one in whole] == [1_000, 0, 0, 0]


def test_a_leap_second_that_is_smeared_makes_no_step_and_no_short_quarter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_ms = TRUE_MS // QUARTER_MS * QUARTER_MS
    smear = tuple(Phase(10, -5 * index) for index in range(200))  # a second in 2 000: the fastest that chrony slews
    story = Story(tmp_path, start_ms)
    story.tell((Boot(0, 0, (Phase(600), *smear, Phase(400, -1_000))),), monkeypatch)
    errors = list(story.sent_errors_ms().values())
    assert errors == sorted(errors, reverse=True) and min(errors) == -1_000  # what the synchronised clock read
    assert [one.count for one in story.quarters()][1:-1] == [900, 900]
    assert len(story.clock()._marks[bytes([1]) * 16]) <= 3


def test_a_leap_second_that_is_inserted_is_a_step_that_no_stamp_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(tmp_path)
    story.tell((Boot(0, 20, (Phase(100), Phase(100, -1_000))),), monkeypatch)  # synchronised before and after
    errors = story.sent_errors_ms()
    assert [errors[seq] for seq in sorted(errors)] == [0] * 100 + [-1_000] * 101
    story.judge_quarters()
