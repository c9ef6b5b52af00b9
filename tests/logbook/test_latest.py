"""What a store can vouch for: the newest record with a sure stamp, over boots that were never synchronised."""

from pathlib import Path

from edge.cloud.codec import encode_sample
from edge.logbook.latest import FILE, latest_wall_ms
from edge.model import SAMPLE_FIELDS, Sample
from edge.store.clockmap import ClockMap
from edge.store.segments import SegmentLog

NOW_MS = 1_800_000_000_000


def log_of(folder: Path) -> SegmentLog:
    return SegmentLog(folder / "telemetry", max_bytes=1 << 20, segment_bytes=1 << 16)


def note(log: SegmentLog, mono_ms: int, wall_ms: int) -> None:
    log.append(1, encode_sample(Sample(mono_ms, wall_ms, (None,) * len(SAMPLE_FIELDS))))


def test_an_empty_store_knows_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    assert latest_wall_ms(tmp_path, log, ClockMap(log.boot)) == 0
    assert not (tmp_path / FILE).exists()


def test_a_sure_record_counts_and_is_remembered_through_boots_that_were_never_synchronised(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    clock = ClockMap(log.boot)
    clock.note(1_000, NOW_MS - 4_000, True)
    note(log, 5_000, NOW_MS)
    assert latest_wall_ms(tmp_path, log, clock) == NOW_MS
    dark = ClockMap(log.boot)  # as after a boot: no mark that a time service stands behind
    note(log, 9_000, 60_000)
    for _ in range(3):
        assert latest_wall_ms(tmp_path, log, dark) == NOW_MS


def test_a_time_server_that_was_wrong_once_is_corrected_by_what_was_recorded_later(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    clock = ClockMap(log.boot)
    clock.note(1_000, NOW_MS + 10**12, True)
    note(log, 2_000, NOW_MS + 10**12)
    assert latest_wall_ms(tmp_path, log, clock) == NOW_MS + 10**12
    clock.note(3_000, NOW_MS, True)
    note(log, 4_000, NOW_MS + 1_000)
    assert latest_wall_ms(tmp_path, log, clock) == NOW_MS + 1_000


def test_a_record_before_the_sync_of_its_boot_has_the_time_that_was_known_later(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    clock = ClockMap(log.boot)
    clock.note(0, 0, False)
    note(log, 2_000, 2_000)
    clock.note(10_000, NOW_MS, True)
    assert latest_wall_ms(tmp_path, log, clock) == NOW_MS - 8_000
