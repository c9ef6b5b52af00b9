"""What waits for the fleet, seen from outside while the owner runs."""

from pathlib import Path

import pytest

from edge.logbook.queues import age_text, view_queues
from edge.store.clockmap import ClockMap
from edge.store.cursor import CursorFile, Position
from edge.store.db.view import load_clock
from edge.store.survey import view_waiting
from tests.logbook.test_book import Clock, Site, told
from tests.store.mounts import fill_up, needs_root, tmpfs
from tests.store.test_segments import content, fill, log_at


@pytest.mark.parametrize("seq", [0, 1, 59, 60, 61, 100, 199, 200, 500])
def test_the_count_is_what_a_reader_finds_though_the_middle_is_not_read(tmp_path: Path, seq: int) -> None:
    log = log_at(tmp_path)
    fill(log, 120)
    log._skip(1_000)
    log.close()
    again = log_at(tmp_path)
    fill(again, 80)
    want = [number for number in content(again) if number > seq]
    found = view_waiting(tmp_path, again.epoch, seq)
    assert found.count == len(want) and (found.oldest.seq if found.oldest else 0) == (want[0] if want else 0)
    assert (found.bytes_used > 0) == bool(want)


def test_of_another_epoch_everything_waits(tmp_path: Path) -> None:
    log = log_at(tmp_path)
    fill(log, 50)
    assert view_waiting(tmp_path, log.epoch ^ 1, 40).count == 50
    assert view_waiting(tmp_path / "none", 1, 0).count == 0


def test_status_names_each_stream_with_count_bytes_and_age(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, Clock())
    site.run(100)
    sync = site.uplink._sync
    assert sync is not None
    folder = tmp_path / "store"
    CursorFile(folder / "telemetry.cursor").write(Position(sync.log.epoch, 40))
    events_seq = site.uplink.logbook.journal.events_seq  # type: ignore[union-attr]  # it has a store
    telemetry, events = view_queues(folder, load_clock(folder / "journal.db"), site.clock)
    assert (telemetry.stream, telemetry.acked_seq, telemetry.count) == ("telemetry", 40, 60)
    assert telemetry.age_ms == 59_000 and telemetry.bytes > 60 * 40
    assert telemetry.oldest_wall_ms == site.clock.wall_ms() - 59_000
    assert (events.stream, events.acked_seq, events.count) == ("events", 0, events_seq) and events.age_ms == 99_000
    code, found = told(capsys, "store", "status", "-c", str(site.file))
    assert code == 0 and [one["count"] for one in found["queues"]] == [60, events_seq]
    site.clock.off_ms = 86_400_000  # the age in this boot is by the clock that nobody sets
    assert view_queues(folder, ClockMap(b""), site.clock)[0].age_ms == 59_000
    site.uplink.close()


@needs_root
def test_a_full_disk_is_said_to_be_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tmpfs(tmp_path / "store", "8m") as folder:
        site = Site(tmp_path, Clock())
        site.run(3)
        words = ("store", "status", "-c", str(site.file))
        assert told(capsys, *words)[0] == 0
        fill_up(folder / "full")
        code, found = told(capsys, *words)
        assert code == 1 and "is full (0 kB free): records go on in the room that is theirs" in found["faults"][0]
        (folder / "full").unlink()
        site.uplink.close()


@pytest.mark.parametrize(
    ("age_ms", "text"),
    [(None, "-"), (0, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (3_900_000, "1 h 5 min"), (198_000_000, "2 d 7 h")],
)
def test_an_age_is_told_in_two_units_at_most(age_ms: int | None, text: str) -> None:
    assert age_text(age_ms) == text
