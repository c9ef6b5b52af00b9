"""A ring over several lives, some of which end badly: no number twice, and nothing thrown away that is still readable."""

import errno
import os
import random
from pathlib import Path

import pytest

from edge.store.disk import Disk
from edge.store.segments import MEMORY_SKIP_COUNT, SegmentLog
from edge.store.survey import view_ring
from tests.store.test_reopen import damage
from tests.store.test_segments import SEGMENT, FailingDisk, OtherBoot, content, fill, log_at
from tests.torture.memory import MemoryDisk, after_cut
from tests.torture.replay import log_on


class ReadOnlyDisk(Disk):
    """A file system that was remounted read-only."""

    def open(self, path: Path, *, create: bool = False, write: bool = True) -> int:
        return super().open(path, create=create, write=write) if not (create or write) else self._refuse()

    def remove(self, path: Path) -> None:
        self._refuse()

    def rename(self, path: Path, to: Path) -> None:
        self._refuse()

    def _refuse(self) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def given(log: SegmentLog, count: int) -> set[int]:
    return {log.append(1, b"x" * 40) for _ in range(count)}


@pytest.mark.parametrize("call", ["open", "allocate", "write", "sync"])
@pytest.mark.parametrize("seconds", [3, 400])
def test_numbers_that_only_memory_knew_are_not_given_again_after_a_kill(
    tmp_path: Path, call: str, seconds: int
) -> None:
    log = log_at(tmp_path)
    first = given(log, 50)
    log._disk = FailingDisk(call, 1, forever=True)
    for second in range(seconds):
        first |= given(log, 1)
        log.sync_if_due(10_000 * second)
    log.sync()
    assert bool(log.fault) == (call == "sync" or seconds == 400 or call == "write")
    again = log_at(tmp_path)  # killed, and the disk is well
    assert again.epoch == log.epoch and not again.fault
    assert not first & given(again, 2_000)
    assert {entry.seq for entry in again.read_from(1)} >= set(range(1, 51))


def test_after_a_kill_while_the_disk_was_well_no_number_is_skipped(tmp_path: Path) -> None:
    fill(log_at(tmp_path), 300)
    again = log_at(tmp_path)
    fill(again, 1)
    assert content(again) == list(range(1, 302)) and not again.skipped_count


def test_a_start_on_a_full_disk_that_needs_a_new_segment_throws_no_history_away(tmp_path: Path) -> None:
    log = log_at(tmp_path, context=b"schema 1")
    fill(log, 300)
    full = FailingDisk("allocate", 1, forever=True, code=errno.ENOSPC)
    again = log_at(tmp_path, context=b"schema 2", max_bytes=1 << 20, disk=full)  # updated while the disk was full
    assert again.fault and again.epoch == log.epoch and content(again) == list(range(again.first_seq, 301))
    fill(again, 5)
    full.broken = False
    again.sync_if_due(0)
    assert not again.fault
    third = log_at(tmp_path, context=b"schema 2")
    kept = [entry.seq for entry in third.read_from(1)]
    assert third.epoch == log.epoch and kept[-6:-5] == [300] and len(kept) == 305 - third.first_seq + 1
    assert not list(tmp_path.glob("*.bad"))


@pytest.mark.parametrize("rubbish", [b"", b"rubbish" * 100])
def test_a_disk_that_can_only_be_read_is_read(tmp_path: Path, rubbish: bytes) -> None:
    log = log_at(tmp_path)
    fill(log, 300)
    if rubbish:
        (tmp_path / "0000000099.seg").write_bytes(rubbish)
    again = log_at(tmp_path, disk=ReadOnlyDisk())
    assert "Read-only" in again.fault and again.epoch == log.epoch and content(again) == list(range(1, 301))
    mine = given(again, 10)
    again.sync_if_due(0)
    again._disk = Disk()
    again.sync_if_due(2_000)
    assert not again.fault and mine <= {entry.seq for entry in again.read_from(1)}
    third = log_at(tmp_path)
    assert third.epoch == log.epoch and {*range(1, 301), *mine} <= {entry.seq for entry in third.read_from(1)}
    assert not mine & given(third, 100) and (tmp_path / "0000000099.bad").exists() == bool(rubbish)


def test_of_a_folder_that_could_not_be_listed_once_nothing_is_thrown_away(tmp_path: Path) -> None:
    log = log_at(tmp_path)
    fill(log, 300)
    disk = FailingDisk("names", 1)
    blind = log_at(tmp_path, disk=disk)
    assert blind.fault and blind.epoch != log.epoch
    fill(blind, 5)
    blind.sync_if_due(0)
    assert not blind.fault
    old_count = len(list(tmp_path.glob("*.seg"))) - 1
    again = log_at(tmp_path)
    assert again.epoch == blind.epoch and content(again) == [1, 2, 3, 4, 5]
    assert len(list(tmp_path.glob("*.seg"))) == old_count + 1 and "earlier epoch" in again.notes[0]
    assert "earlier epoch" in view_ring(tmp_path).faults[0]
    while again._strangers:
        assert again.first_seq == 1 and again.give_room() == SEGMENT
    assert len(list(tmp_path.glob("*.seg"))) == 1


@pytest.mark.parametrize("at", range(1, 16))
def test_a_read_that_fails_once_at_the_start_keeps_epoch_and_files(tmp_path: Path, at: int) -> None:
    log = log_at(tmp_path)
    fill(log, 300)
    once = log_at(tmp_path, disk=FailingDisk("read", at))
    once.sync_if_due(0)
    assert once.epoch == log.epoch and not once.fault
    mine = given(once, 2)
    assert min(mine) > 300
    third = log_at(tmp_path)
    assert {*range(1, 301), *mine} <= {entry.seq for entry in third.read_from(1)}


def test_a_header_of_zeros_with_records_behind_it_is_put_aside(tmp_path: Path) -> None:
    fill(log_at(tmp_path), 100)
    files = sorted(tmp_path.glob("*.seg"))
    damage(files[0], 0, bytes(80))
    (tmp_path / "0000000099.seg").write_bytes(bytes(SEGMENT))  # cut off while it was created
    log = log_at(tmp_path)
    assert files[0].with_suffix(".bad").exists() and "zeros instead of a header" in log.notes[0]
    assert not (tmp_path / "0000000099.seg").exists() and len(log.notes) == 1


@pytest.mark.parametrize("first_seq", [1, (1 << 24) - 2, (1 << 25) + 7, (1 << 40) - 3])
def test_after_years_the_first_record_of_a_segment_may_be_damaged_like_any_other(
    tmp_path: Path, first_seq: int
) -> None:
    log = log_at(tmp_path, context=b"then")
    log._skip(first_seq - 1)
    fill(log, 1)
    log = log_at(tmp_path, context=b"now")
    fill(log, 20)
    (*_, newest) = sorted(tmp_path.glob("*.seg"))
    damage(newest, log._segments[-1].header.size_bytes + 20, b"\xff\xff\xff")
    again = log_at(tmp_path, context=b"now")
    assert content(again)[-19:] == list(range(log.next_seq - 19, log.next_seq))


def test_more_records_than_memory_holds_between_two_syncs_are_synced_between(tmp_path: Path) -> None:
    disk = FailingDisk("sync", 10**9)
    log = log_at(tmp_path, disk=disk, ram_max_count=10, segment_bytes=1 << 16)
    before = disk.count
    fill(log, 100)
    assert disk.count - before == 10
    disk.forever, disk.at = True, 0
    fill(log, 5)
    assert not log.sync() and not log.dropped_count
    disk.broken = False
    log.sync_if_due(0)
    assert content(log) == list(range(1, 106))


def test_the_mark_of_memory_has_room_in_every_segment(tmp_path: Path) -> None:
    for size in range(20, 60):
        here = tmp_path / str(size)
        log = log_at(here)
        while log._has_room(size):
            log.append(1, bytes(size))
        log = log_at(here, disk=OtherBoot())
        log._disk = FailingDisk("allocate", 1, forever=True)
        before = log.next_seq
        for _ in range(300):
            log.append(1, bytes(size))
        assert log.fault and log.next_seq - before < MEMORY_SKIP_COUNT  # it was told to the disk
        assert log_at(here, disk=OtherBoot()).next_seq >= before + MEMORY_SKIP_COUNT


class NoRecords(Disk):
    """Takes headers and zeros, but no record while it is sick: what a new segment shows only when it is used."""

    def __init__(self) -> None:
        self.is_sick = True

    def write(self, fd: int, data: bytes, offset: int) -> None:
        if self.is_sick and offset and data.strip(b"\0"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().write(fd, data, offset)


def test_segments_that_took_no_record_do_not_pile_up(tmp_path: Path) -> None:
    log = log_at(tmp_path, max_bytes=8 * SEGMENT)
    fill(log, 100)
    log.sync()
    disk = log._disk = NoRecords()
    for second in range(100):
        log.append(1, b"x")
        log.sync_if_due(1_000 * second)
    assert [entry.seq for entry in log.read_from(1)][:100] == list(range(1, 101))
    assert len(list(tmp_path.glob("*.seg"))) == len(log._segments) <= 3
    disk.is_sick = False
    log.sync_if_due(10**6)
    assert not log.fault and len(list(log.read_from(1))) == 200


def test_a_disk_that_comes_and_goes_does_not_eat_the_ring_segment_by_segment(tmp_path: Path) -> None:
    log = log_at(tmp_path, max_bytes=8 * SEGMENT)
    fill(log, 150)
    log.sync()
    disk = log._disk = FailingDisk("sync", 1, forever=True)
    for second in range(100):
        disk.broken = True
        fill(log, 1)
        assert not log.sync()
        disk.broken = False
        log.sync_if_due(10_000 * second)
        assert not log.fault
    assert content(log) == list(range(1, 251)) and len(list(tmp_path.glob("*.seg"))) <= 6
    assert content(log_at(tmp_path)) == list(range(1, 251))


def test_what_waited_for_the_disk_outlives_a_power_cut_as_soon_as_the_fault_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = MemoryDisk()
    log = log_on(disk)
    fill(log, 5)
    with monkeypatch.context() as sick:
        sick.setattr(disk, "sync", lambda fd: ReadOnlyDisk()._refuse())
        assert not log.sync()
    disk.files = after_cut(disk.ops, "lost", random.Random(1))  # what was dirty then, the kernel may have dropped
    fill(log, 3)
    log.sync_if_due(0)
    assert not log.fault
    again = log_on(MemoryDisk(after_cut(disk.ops, "lost", random.Random(1)), b"2" * 16))
    assert content(again) == list(range(1, 9))


@pytest.mark.parametrize("context", [b"schema", b"another"])
def test_a_start_syncs_what_the_killed_life_had_only_written(context: bytes) -> None:
    disk = MemoryDisk()
    fill(log_on(disk), 5)  # killed: the page cache has it
    assert log_on(disk, context).sync()
    again = log_on(MemoryDisk(after_cut(disk.ops, "lost", random.Random(1)), b"2" * 16))
    assert content(again) == [1, 2, 3, 4, 5]


def test_while_others_fill_the_disk_a_ring_gives_one_segment_of_its_own_and_no_more(tmp_path: Path) -> None:
    log = log_at(tmp_path, max_bytes=10 * SEGMENT)
    fill(log, 300)
    count = len(log._segments)
    log._disk = FailingDisk("allocate", 1, forever=True, code=errno.ENOSPC)
    for second in range(300):
        fill(log, 1)
        log.sync_if_due(1_000 * second)
    assert log.fault and len(log._segments) == count - 1 == len(list(tmp_path.glob("*.seg")))


def test_a_damaged_segment_in_the_middle_costs_no_numbers(tmp_path: Path) -> None:
    fill(log_at(tmp_path), 300)
    damage(sorted(tmp_path.glob("*.seg"))[2], 0, b"rubbish")
    log = log_at(tmp_path)
    assert log.next_seq == 301 and not log.skipped_count and "put aside" in log.notes[0]
