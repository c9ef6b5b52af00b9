"""The torture of the store in short; `python -m tests.torture store` is the long form."""

import pytest

from edge.store.ring.pen import Pen
from tests.torture import replay
from tests.torture.memory import MemoryDisk


@pytest.mark.parametrize("aside", replay.ASIDE)
def test_no_power_cut_at_any_call_loses_what_was_synced(aside: str) -> None:
    tally = replay.replay(80, 1, aside=aside)
    assert tally.cut_count > 500
    assert (tally.lost_count, tally.wrong_count, tally.failed_count) == (0, 0, 0)


def test_the_newest_segment_cut_at_every_byte_stops_no_start() -> None:
    tally = replay.every_byte(25)
    assert tally.cut_count > 1_000
    assert (tally.lost_count, tally.wrong_count, tally.failed_count) == (0, 0, 0)


@pytest.mark.parametrize("call", ["sync", "sync_folder"])
def test_the_torture_sees_a_disk_that_only_says_it_has_synced(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryDisk, call, lambda self, *_: None)
    tally = replay.replay(80, 1)
    assert tally.lost_count + tally.wrong_count > 0


def test_the_torture_sees_records_that_count_as_synced_by_a_sync_that_began_before_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settle = Pen._settle

    def careless(self: Pen) -> None:
        if self._work is not None and self._work.done:
            self._work.last_seq = self.next_seq - 1
        settle(self)

    monkeypatch.setattr(Pen, "_settle", careless)
    assert replay.replay(80, 1, aside="early").lost_count > 0
