"""Opening a damaged or unreadable ring: no number is given twice, no history is thrown away for one bad call."""

import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.store.disk import Disk
from edge.store.ring.frames import Walk, pack_record
from tests.store.test_segments import SEGMENT, FailingDisk, OtherBoot, content, fill, log_at


def test_damage_inside_the_last_segment_does_not_give_its_numbers_again(tmp_path: Path) -> None:
    log = log_at(tmp_path)
    fill(log, 20)
    (file,) = tmp_path.glob("*.seg")
    raw = bytearray(file.read_bytes())
    raw[400] ^= 1
    file.write_bytes(raw)
    again = log_at(tmp_path)
    assert again.epoch == log.epoch and again.next_seq >= log.next_seq and again.notes
    assert len(content(again)) == 19 and again.stored_count == 20
    fill(again, 2)
    assert content(log_at(tmp_path))[-2:] == [again.next_seq - 2, again.next_seq - 1]


def test_a_damaged_end_keeps_its_numbers_and_is_told_once(tmp_path: Path) -> None:
    log = log_at(tmp_path)
    fill(log, 20)
    damage(next(tmp_path.glob("*.seg")), log._segments[-1].end - 405, b"\xff" * 400)
    again = log_at(tmp_path)  # of the same boot: a killed process, and a sick disk
    kept = content(again)
    assert 10 < len(kept) < 20 and again.next_seq > 21 and "cut there" in again.notes[0]
    fill(again, 1)
    third = log_at(tmp_path)
    assert content(third) == [*kept, again.next_seq - 1] and not third.notes
    assert third.next_seq == again.next_seq


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


def damage(file: Path, offset: int, garbage: bytes) -> None:
    raw = file.read_bytes()
    file.unlink()  # overwriting in place would make ext4 flush each time
    file.write_bytes(raw[:offset] + garbage + raw[offset + len(garbage) :])


@pytest.mark.parametrize("segment_index", [0, -1])
@pytest.mark.parametrize("garbage", [b"\xff", bytes(100), b"\x5a" * 100], ids=["a byte", "a hole", "rubbish"])
def test_only_what_is_damaged_is_lost_and_it_is_said(tmp_path: Path, garbage: bytes, segment_index: int) -> None:
    fill(log_at(tmp_path), 150)
    file = sorted(tmp_path.glob("*.seg"))[segment_index]
    damage(file, 300, garbage)
    log = log_at(tmp_path)
    found = content(log)
    lost = sorted(set(range(1, 151)) - set(found))
    assert found == sorted(set(found)) and 1 <= len(lost) <= 6
    assert any(f"{lost[0]}..{lost[-1]}" in note and file.name in note for note in log.notes)
    fill(log, 1)
    assert content(log_at(tmp_path)) == [*found, log.next_seq - 1]
    assert content(log) == content(log)  # a second reading, from the hints, is the same


@given(st.data())
@settings(max_examples=60)
def test_a_search_finds_all_that_is_whole_and_nothing_else(data: st.DataObject) -> None:
    first = data.draw(st.sampled_from([1, 65_530, (1 << 24) - 3, (1 << 40) - 2]))
    bodies = data.draw(st.lists(st.binary(max_size=40), min_size=1, max_size=12))
    records = [pack_record(7, 1, first + index, one) for index, one in enumerate(bodies)]
    ends = [sum(map(len, records[: index + 1])) for index in range(len(records))]
    raw = bytearray(b"".join(records) + bytes(200))
    whole = bytes(raw)
    at, garbage = data.draw(st.integers(0, ends[-1] - 1)), data.draw(st.binary(min_size=1, max_size=60))
    raw[at : at + len(garbage)] = garbage
    kept = [
        (first + index, bodies[index])
        for index, end in enumerate(ends)
        if raw[end - len(records[index]) : end] == whole[end - len(records[index]) : end]
    ]
    walk = Walk(lambda size, offset: bytes(raw[offset : offset + size]), 0, len(raw), 7, first)
    found, more = [], True
    while more:
        found += [(seq, body) for seq, _, body in walk]
        more = walk.find_good()
    assert found == kept


def test_a_number_that_is_lower_than_the_one_before_is_an_old_record_and_no_record() -> None:
    raw = pack_record(7, 1, 5, b"new") + pack_record(7, 1, 3, b"old") + pack_record(7, 1, 4, b"old")
    walk = Walk(lambda size, offset: raw[offset : offset + size], 0, len(raw), 7, 1)
    assert [seq for seq, *_ in walk] == [5] and "expected at least 6" in walk.fault
    assert not walk.find_good()


@pytest.mark.parametrize(("kind", "seq"), [(0, 1), (1, 1 << 63)])
def test_what_is_whole_but_cannot_be_a_record_of_ours_is_damage(kind: int, seq: int) -> None:
    raw = pack_record(7, kind, seq, b"body")
    walk = Walk(lambda size, offset: raw[offset : offset + size], 0, len(raw), 7, 1)
    assert not list(walk) and "CRC" in walk.fault


def newer(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[8] = 2
    size = int.from_bytes(raw[12:16], "little")
    crc = zlib.crc32(raw[60 : 60 + size], zlib.crc32(raw[:56]))
    raw[56:60] = crc.to_bytes(4, "little")
    file.write_bytes(raw)


def test_a_store_of_a_newer_version_is_refused_and_not_touched(tmp_path: Path) -> None:
    fill(log_at(tmp_path, context=b"schema"), 300)
    newer(sorted(tmp_path.glob("*.seg"))[2])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    log = log_at(tmp_path)
    assert "format 2" in log.fault and "newer version" in log.fault and str(tmp_path) in log.fault
    fill(log, 10)
    log.sync_if_due(0)
    log.sync_if_due(10**6)
    assert content(log) == list(range(1, 11)) and log.fault  # in memory
    log.close()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_segment_of_another_stream_is_put_aside(tmp_path: Path) -> None:
    fill(log_at(tmp_path, stream="trace"), 3)
    log = log_at(tmp_path, stream="site")
    assert content(log) == [] and "holds stream trace, expected site" in log.notes[0]
    unnamed = tmp_path / "unnamed"
    fill(log_at(unnamed), 3)
    named = log_at(unnamed, stream="site")  # from before streams had names
    fill(named, 1)
    assert content(named) == [1, 2, 3, named.next_seq - 1] and not named.notes


def test_each_record_says_the_boot_it_is_of(tmp_path: Path) -> None:
    fill(log_at(tmp_path), 2)
    fill(log_at(tmp_path, disk=OtherBoot()), 2)
    log = log_at(tmp_path)
    fill(log, 1)
    here, there = Disk().boot_id(), OtherBoot().boot_id()
    for _ in range(2):  # the second time from the hints
        assert [entry.boot for entry in log.read_from(1)] == [here, here, there, there, here]
        assert [entry.boot for entry in log.read_from(log.next_seq - 1)] == [here]
