"""The ring log: what was appended comes back, whatever happens to the files."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.store.disk import Disk
from edge.store.segments import SegmentLog

SEGMENT = 4_096


class FailingDisk(Disk):
    """Fails the N-th call of one kind, once or for ever; counts calls."""

    def __init__(self, call: str = "", at: int = 0, *, forever: bool = False, code: int = errno.EIO) -> None:
        self.call, self.at, self.forever, self.code, self.count, self.broken = call, at, forever, code, 0, True

    def _maybe(self, call: str) -> None:
        if call != self.call or not self.broken:
            return
        self.count += 1
        if self.count == self.at or (self.forever and self.count >= self.at):
            raise OSError(self.code, os.strerror(self.code))

    def open(self, *args: Any, **more: Any) -> int:
        self._maybe("open")
        return super().open(*args, **more)

    def allocate(self, fd: int, size: int) -> None:
        self._maybe("allocate")
        super().allocate(fd, size)

    def write(self, fd: int, data: bytes, offset: int) -> None:
        self._maybe("write")
        super().write(fd, data, offset)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        self._maybe("read")
        return super().read(fd, size, offset)

    def names(self, folder: Path) -> list[str]:
        self._maybe("names")
        return super().names(folder)

    def sync(self, fd: int) -> None:
        self._maybe("sync")
        super().sync(fd)

    def sync_folder(self, folder: Path) -> None:
        self._maybe("sync_folder")
        super().sync_folder(folder)


class OtherBoot(Disk):
    def boot_id(self) -> bytes:
        return b"another boot   !"


OPENED: list[SegmentLog] = []


@pytest.fixture(autouse=True)
def release_descriptors() -> Iterator[None]:
    """Dropping a log without `close` is what a killed process looks like; its descriptors go back after the test."""
    yield
    while OPENED:
        OPENED.pop()._close_fd()


def log_at(folder: Path, **more: Any) -> SegmentLog:
    log = SegmentLog(folder, **({"max_bytes": 64 * SEGMENT, "segment_bytes": SEGMENT, "sync_ms": 10_000} | more))
    OPENED.append(log)
    return log


def body(seq: int) -> bytes:
    return f"record {seq} ".encode() * (seq % 7 + 1)


def fill(log: SegmentLog, count: int) -> None:
    for _ in range(count):
        log.append(1, body(log.next_seq))


def content(log: SegmentLog, seq: int = 1) -> list[int]:
    found = []
    for entry in log.read_from(seq):
        assert entry.body == body(entry.seq)
        found.append(entry.seq)
    return found


def test_what_is_appended_is_read_back_now_and_after_a_restart(tmp_path: Path) -> None:
    log = log_at(tmp_path, context=b"schema")
    fill(log, 300)
    assert content(log) == list(range(1, 301))
    assert content(log, 123) == list(range(123, 301))
    epoch = log.epoch
    again = log_at(tmp_path, context=b"schema")  # a killed process: no close
    assert (again.epoch, again.next_seq, again.stored_count) == (epoch, 301, 300)
    fill(again, 1)
    assert content(again, 290) == list(range(290, 302))
    assert {entry.context for entry in again.read_from(1)} == {b"schema"}


def test_the_quota_deletes_the_oldest_only(tmp_path: Path) -> None:
    log = log_at(tmp_path, max_bytes=4 * SEGMENT)
    fill(log, 2_000)
    assert log.bytes_used <= 4 * SEGMENT
    assert log.first_seq > 1
    assert content(log) == list(range(log.first_seq, 2_001))


def test_another_context_begins_another_segment(tmp_path: Path) -> None:
    fill(log_at(tmp_path, context=b"old"), 3)
    log = log_at(tmp_path, context=b"new")
    fill(log, 2)
    assert [entry.context for entry in log.read_from(1)] == [b"old"] * 3 + [b"new"] * 2


def test_after_a_power_cut_no_number_is_used_twice(tmp_path: Path) -> None:
    fill(log_at(tmp_path), 5)
    log = log_at(tmp_path, disk=OtherBoot())
    assert log.next_seq > 6 and log.stored_count == 5
    fill(log, 2)
    assert log.stored_count == 7
    assert content(log)[:5] == [1, 2, 3, 4, 5] and len(content(log)) == 7
    log.close()
    same = log_at(tmp_path)  # closed cleanly: nothing is skipped even after a boot
    assert same.next_seq == log.next_seq and same.stored_count == 7


def test_the_last_segment_cut_at_every_byte_never_hurts(tmp_path: Path) -> None:
    log = log_at(tmp_path / "a")
    fill(log, 12)
    (file,) = sorted((tmp_path / "a").glob("*.seg"))
    raw = file.read_bytes()[: log._segments[-1].end]
    ends = [entry.seq for entry in log.read_from(1)]
    before = 0
    for size in range(len(raw) + 1):
        folder = tmp_path / f"cut{size}"
        folder.mkdir()
        (folder / file.name).write_bytes(raw[:size])
        cut = log_at(folder)
        found = content(cut)
        assert found == ends[: len(found)] and len(found) >= before
        before = len(found)
        fill(cut, 1)
        assert len(content(cut)) == len(found) + 1
    assert before == 12


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    log = log_at(tmp_path / "a")
    fill(log, 3)
    (file,) = (tmp_path / "a").glob("*.seg")
    raw = file.read_bytes()
    header_bytes = log._segments[-1].header.size_bytes
    for bit in range(8 * (log._segments[-1].end)):
        folder = tmp_path / "b"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        data = bytearray(raw)
        data[bit // 8] ^= 1 << bit % 8
        (folder / file.name).write_bytes(data)
        flipped = log_at(folder)
        found = content(flipped)  # asserts that each body is right
        assert found in ([], [2, 3], [1, 3], [1, 2]) and flipped.notes
        assert len(found) == (2 if bit // 8 >= header_bytes else 0)


@given(st.binary(max_size=600), st.booleans())
@settings(max_examples=40)
def test_garbage_is_never_fatal(tmp_path_factory: pytest.TempPathFactory, garbage: bytes, last: bool) -> None:
    folder = tmp_path_factory.mktemp("log")
    fill(log_at(folder), 150)
    files = sorted(folder.glob("*.seg"))
    assert len(files) > 2
    (files[-1] if last else files[1]).write_bytes(garbage)
    log = log_at(folder)
    fill(log, 2)
    found = content(log)
    assert found[0] == 1 and found == sorted(set(found)) and len(found) > 30
    assert found[-2:] == [log.next_seq - 2, log.next_seq - 1]
    assert not log.fault


def test_a_lost_last_segment_does_not_give_its_numbers_again(tmp_path: Path) -> None:
    log = log_at(tmp_path)
    fill(log, 150)
    last = sorted(tmp_path.glob("*.seg"))[-1]
    last.write_bytes(b"x" * SEGMENT)
    assert log_at(tmp_path).next_seq > log.next_seq
    assert len(list(tmp_path.glob("*.bad"))) == 1


def test_at_most_three_bad_files_are_kept(tmp_path: Path) -> None:
    for _ in range(6):
        fill(log_at(tmp_path), 60)
        sorted(tmp_path.glob("*.seg"))[0].write_bytes(b"bad")
    log_at(tmp_path)
    assert len(list(tmp_path.glob("*.bad"))) == 3


@pytest.mark.parametrize("call", ["open", "allocate", "write", "sync", "sync_folder"])
@pytest.mark.parametrize("at", range(1, 9))
def test_one_disk_fault_loses_nothing(tmp_path: Path, call: str, at: int) -> None:
    disk = FailingDisk(call, at)
    log = log_at(tmp_path, disk=disk, sync_ms=0)
    for step in range(150):
        fill(log, 1)
        log.sync_if_due(step * 500)
    disk.broken = False
    log.sync_if_due(10**6)
    assert not log.fault
    assert content(log) == list(range(1, 151))
    assert content(log_at(tmp_path)) == list(range(1, 151))


@pytest.mark.parametrize("call", ["open", "allocate", "write", "sync", "sync_folder"])
@pytest.mark.parametrize("at", [1, 4])
def test_a_broken_disk_degrades_to_memory_and_comes_back(tmp_path: Path, call: str, at: int) -> None:
    disk = FailingDisk(call, at, forever=True)
    log = log_at(tmp_path, disk=disk, ram_max_count=50, sync_ms=0)
    for step in range(300):
        fill(log, 1)
        log.sync_if_due(step * 1_000)
    assert "memory" in log.fault
    newest = [one[0] for one in log._waiting]
    assert newest == list(range(log.next_seq - 50, log.next_seq)) and log.stored_count == 300
    if call != "open":
        assert content(log)[-50:] == newest  # readable while they wait, also where there is no segment at all
    assert log.dropped_count > 0
    disk.broken = False
    log.sync_if_due(10**6)
    assert not log.fault
    assert content(log)[-50:] == newest
    fill(log, 1)
    assert (log_at(tmp_path).next_seq, log_at(tmp_path).stored_count) == (log.next_seq, 301)
    assert len(list(tmp_path.glob("*.seg"))) <= 12


def test_a_flapping_disk_does_not_eat_the_history(tmp_path: Path) -> None:
    log = log_at(tmp_path, max_bytes=8 * SEGMENT, sync_ms=10_000)
    fill(log, 100)
    log.sync()
    disk = log._disk = FailingDisk("sync", 1, forever=True)
    for step in range(200):
        log.sync_if_due(step * 1_000)
        if step % 10 == 0:
            fill(log, 1)
    disk.broken = False
    log.sync_if_due(10**6)
    assert content(log) == list(range(1, 121))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tmpfs needs root")
def test_a_full_disk_overwrites_the_oldest(tmp_path: Path) -> None:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no tmpfs: {done.stderr.decode().strip()}")
    try:
        log = log_at(tmp_path, max_bytes=64 << 20, segment_bytes=1 << 16)
        (tmp_path / "others").write_bytes(bytes(300_000))
        for step in range(20_000):
            fill(log, 1)
            log.sync_if_due(step)
        assert not log.fault and log.first_seq > 1
        assert content(log) == list(range(log.first_seq, 20_001))
    finally:
        log.close()
        subprocess.run(["umount", str(tmp_path)], check=True)


WRITER = """
import sys
from edge.store.segments import SegmentLog
log = SegmentLog(sys.argv[1], max_bytes=1 << 20, segment_bytes=1 << 16, sync_ms=0)
while True:
    seq = log.next_seq
    log.append(1, f"record {seq} ".encode() * (seq % 7 + 1))
    print(seq, flush=True)
"""


@pytest.mark.hil
def test_kill_nine_ten_times_loses_no_reported_record(tmp_path: Path) -> None:
    reported = 0
    for round_index in range(10):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(20 + 37 * round_index):
                seq = int(writer.stdout.readline())
                assert seq > reported
                reported = seq
            writer.kill()
            rest = writer.stdout.read().split(b"\n")[:-1]
            reported = max([reported, *map(int, rest)])
        log = SegmentLog(tmp_path, max_bytes=1 << 20, segment_bytes=1 << 16)
        found = content(log)
        assert found == list(range(log.first_seq, log.next_seq)) and log.next_seq > reported
