"""A ring whose syncs another thread waits for: what counts as synced, late faults, segments that fill meanwhile."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edge.store.disk import Disk
from edge.store.ring.aside import Aside
from edge.store.segments import SegmentLog
from tests.store.test_segments import SEGMENT, FailingDisk, body, content, fill, log_at

HELD_S = 0.2  # how long each sync takes
LONG_BYTES = 28_000  # a segment whose last quarter lasts longer than the syncs for the next one


class SlowDisk(Disk):
    def __init__(self) -> None:
        self.delay_s = 0.0

    def sync(self, fd: int) -> None:
        time.sleep(self.delay_s)
        super().sync(fd)


def begun(log: SegmentLog, at_ms: int) -> Any:
    """A sync of all there is, to be done by whoever calls it."""
    work = log.begin_sync(at_ms) or log.begin_sync(at_ms + 10_000)
    assert work is not None
    return work


def test_only_what_was_written_before_a_sync_began_is_synced_by_it(tmp_path: Path) -> None:
    log = log_at(tmp_path)
    fill(log, 5)
    work = begun(log, 0)
    fill(log, 4)
    work()
    assert len(log._unsynced) == 9, "not before its owner looks"
    assert log.begin_sync(10_001) is None and [seq for seq, _, _ in log._unsynced] == [6, 7, 8, 9]
    again = begun(log, 20_000)
    again()
    log.begin_sync(30_001)
    assert not log._unsynced


def test_one_sync_at_a_time(tmp_path: Path) -> None:
    log = log_at(tmp_path)
    fill(log, 3)
    work = begun(log, 0)
    fill(log, 3)
    assert log.begin_sync(99_000) is None, "the first is still under way"
    work()
    assert log.begin_sync(99_001) is not None


def test_appending_never_waits_for_a_slow_disk_also_where_segments_end(tmp_path: Path) -> None:
    disk = SlowDisk()
    log, aside = log_at(tmp_path, disk=disk, segment_bytes=LONG_BYTES), Aside("test ring")
    aside.start()
    disk.delay_s, now_ms, slowest_s, synced_count = HELD_S, 0, 0.0, 0
    while len(log._segments) < 3:
        before_s = time.monotonic()
        fill(log, 2)
        if not aside.busy:
            work = log.begin_sync(now_ms)
            if work is not None:
                aside.give(work)
                synced_count += 1
        slowest_s = max(slowest_s, time.monotonic() - before_s)
        now_ms += 2_000
        time.sleep(0.01)
    assert slowest_s < HELD_S and synced_count > 3, slowest_s
    disk.delay_s = 0.0
    assert aside.wait(2)
    log.close()
    aside.end()
    again = log_at(tmp_path, segment_bytes=LONG_BYTES)
    assert content(again) == list(range(1, log.next_seq)) and not log.notes


def test_a_fault_of_the_other_thread_is_a_fault_of_the_ring_and_loses_nothing(tmp_path: Path) -> None:
    disk = FailingDisk("sync", 1)
    disk.broken = False
    log = log_at(tmp_path, disk=disk)
    fill(log, 5)
    work = begun(log, 0)
    disk.broken = True
    fill(log, 2)
    work()
    assert not log.fault, "not before its owner looks"
    log.begin_sync(10_001)
    assert "Input/output error" in log.fault and content(log) == list(range(1, 8))
    log.begin_sync(11_002)
    assert not log.fault
    fill(log, 1)
    log.close()
    assert content(log_at(tmp_path)) == list(range(1, 9))


def test_a_fault_that_the_other_thread_was_told_is_not_missed_by_a_sync_of_the_owner(tmp_path: Path) -> None:
    disk = FailingDisk("sync", 1)
    disk.broken = False
    log = log_at(tmp_path, disk=disk)
    fill(log, 5)
    work = begun(log, 0)
    disk.broken = True
    work()  # the system tells an error once; the next sync of the same file would say that all is well
    assert not log.sync() and log.fault


def test_a_work_that_nobody_wants_any_more_leaves_no_file_and_no_descriptor(tmp_path: Path) -> None:
    disk = FailingDisk("write", 1, forever=True)
    disk.broken = False
    log = log_at(tmp_path, disk=disk)
    while log._segments[-1].end < SEGMENT * 4 // 5:
        fill(log, 1)
    work = begun(log, 0)
    disk.broken = True
    fill(log, 1)
    assert log.fault and log._work is None
    disk.broken = False
    work()
    assert [path.name for path in sorted(tmp_path.iterdir())] == [segment.path.name for segment in log._segments]


def test_a_blank_next_file_is_no_fault_at_the_next_start_and_goes_at_a_clean_end(tmp_path: Path) -> None:
    for ends in (False, True):
        folder = tmp_path / str(ends)
        log = log_at(folder)
        while log._segments[-1].end < SEGMENT * 4 // 5:
            fill(log, 1)
        begun(log, 0)()
        log.begin_sync(10_001)
        assert log._spare is not None and len(list(folder.glob("*.seg"))) == 2
        if ends:
            log.close()
            assert len(list(folder.glob("*.seg"))) == 1
        seqs = content(log)
        again = log_at(folder)
        assert content(again) == seqs and not again.notes and not again.fault
        assert len(list(folder.glob("*.seg"))) == 1


@pytest.mark.parametrize("at", range(1, 12))
@pytest.mark.parametrize("call", ["allocate", "sync", "sync_folder", "write", "open"])
def test_no_fault_at_any_call_of_either_thread_loses_a_record(tmp_path: Path, call: str, at: int) -> None:
    disk = FailingDisk(call, at)
    log, now_ms = log_at(tmp_path, disk=disk), 0
    waiting: list[Any] = []
    for index in range(150):
        fill(log, 1)
        now_ms += 3_000
        if index % 3 == 0:
            while waiting:
                waiting.pop()()
        work = log.begin_sync(now_ms)
        if work is not None:
            waiting.append(work)
    log.begin_sync(now_ms + 2_000)
    disk.broken = False
    assert content(log) == list(range(1, 151)), log.fault
    log.close()
    assert content(log_at(tmp_path)) == list(range(1, 151))


def test_what_fails_in_the_thread_is_raised_in_its_owner() -> None:
    aside = Aside("test")
    aside.start()
    aside.give(lambda: None)
    assert aside.wait(2) and not aside.busy
    threading.excepthook, before = (lambda _: None), threading.excepthook
    try:
        aside.give(lambda: 1 // 0)  # type: ignore[func-returns-value, arg-type]  # what it returns is of no interest
        assert aside.wait(2)
        with pytest.raises(ZeroDivisionError):
            assert not aside.busy
    finally:
        threading.excepthook = before


def test_without_a_thread_the_work_is_done_at_once() -> None:
    aside, done = Aside("test"), list[int]()
    aside.give(lambda: done.append(1), lambda: done.append(2))
    assert done == [1, 2] and not aside.busy and body(1)
