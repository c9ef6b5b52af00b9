"""Opening a damaged or unreadable ring: no number is given twice, no history is thrown away for one bad call."""

from pathlib import Path

import pytest

from tests.store.test_segments import SEGMENT, FailingDisk, content, fill, log_at


def test_damage_inside_the_last_segment_does_not_give_its_numbers_again(tmp_path: Path) -> None:
    log = log_at(tmp_path)
    fill(log, 20)
    (file,) = tmp_path.glob("*.seg")
    raw = bytearray(file.read_bytes())
    raw[400] ^= 1
    file.write_bytes(raw)
    again = log_at(tmp_path)
    assert again.epoch == log.epoch and again.next_seq >= log.next_seq and again.notes
    kept_count = len(content(again))
    assert 0 < kept_count < 20 and again.stored_count == kept_count
    fill(again, 2)
    assert content(log_at(tmp_path))[-2:] == [again.next_seq - 2, again.next_seq - 1]


def test_the_count_is_right_after_a_lost_segment_and_one_more_restart(tmp_path: Path) -> None:
    fill(log_at(tmp_path), 150)
    sorted(tmp_path.glob("*.seg"))[-1].write_bytes(b"x" * SEGMENT)
    log = log_at(tmp_path)
    fill(log, 1)
    assert log_at(tmp_path).stored_count == log.stored_count < 151


@pytest.mark.parametrize("at", range(1, 14))
def test_one_unreadable_file_at_the_start_keeps_the_epoch_and_is_back_later(tmp_path: Path, at: int) -> None:
    log = log_at(tmp_path)
    fill(log, 800)
    assert len(list(tmp_path.glob("*.seg"))) >= 13
    once = log_at(tmp_path, disk=FailingDisk("open", at))
    assert once.epoch == log.epoch and once.notes and not once.fault
    fill(once, 2)
    assert once.next_seq >= 803
    found = content(log_at(tmp_path))
    assert found[:800] == list(range(1, 801)) and found[800:] == [once.next_seq - 2, once.next_seq - 1]


def test_a_fault_of_reading_is_told_apart_from_damage(tmp_path: Path) -> None:
    log = log_at(tmp_path)
    fill(log, 100)
    log._disk = FailingDisk("open", 1)
    assert len(content(log)) < 100 and "cannot be read" in log.read_fault
    assert len(content(log)) == 100 and not log.read_fault
