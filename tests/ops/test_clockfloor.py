"""The floor of the clock: what counts while the clock is not synchronised, and what does when it is."""

from pathlib import Path

from edge.ops.clockfloor import RELEASED_WALL_MS, ClockFloor

DAY_MS = 86_400_000
NONE = Path("/no/such/file")


def floor(read_ms: int, *, synced: bool, file: Path = NONE) -> ClockFloor:
    return ClockFloor(lambda: read_ms, is_synced=lambda: synced, timesync_file=file)


def test_a_clock_of_1970_is_taken_for_the_newest_thing_that_is_known() -> None:
    it = floor(60_000, synced=False)
    assert (it.now().wall_ms, it.now().known_by) == (RELEASED_WALL_MS, "the release of this program")
    it.note("the newest record of the store", RELEASED_WALL_MS + 5 * DAY_MS)
    it.note("the issue of cert_file", RELEASED_WALL_MS + 3 * DAY_MS)
    moment = it.now()
    assert moment.wall_ms == RELEASED_WALL_MS + 5 * DAY_MS and moment.known_by == "the newest record of the store"
    assert moment.is_raised and moment.read_wall_ms == 60_000 and not moment.synced


def test_the_newest_word_on_the_same_thing_counts_even_when_it_is_earlier() -> None:
    it = floor(0, synced=False)
    it.note("the issue of cert_file", RELEASED_WALL_MS + 9 * DAY_MS)
    it.note("the issue of cert_file", RELEASED_WALL_MS + DAY_MS)
    assert it.now().wall_ms == RELEASED_WALL_MS + DAY_MS


def test_a_synchronised_clock_is_believed_but_never_before_the_release() -> None:
    known_ms = RELEASED_WALL_MS + 400 * DAY_MS  # a time server was wrong once
    right = floor(RELEASED_WALL_MS + DAY_MS, synced=True)
    right.note("the newest record of the store", known_ms)
    assert right.now().wall_ms == RELEASED_WALL_MS + DAY_MS and not right.now().is_raised
    assert floor(0, synced=True).now().wall_ms == RELEASED_WALL_MS


def test_a_clock_that_is_ahead_is_not_held_back() -> None:
    ahead_ms = RELEASED_WALL_MS + 5_000 * DAY_MS
    assert floor(ahead_ms, synced=False).now().wall_ms == ahead_ms


def test_the_file_of_timesyncd_counts_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "clock").touch()
    touched_ms = (tmp_path / "clock").stat().st_mtime_ns // 1_000_000
    moment = floor(0, synced=False, file=tmp_path / "clock").now()
    assert moment.wall_ms == max(RELEASED_WALL_MS, touched_ms)


def test_a_kernel_that_says_nothing_of_its_clock_is_not_synchronised() -> None:
    assert not ClockFloor(lambda: 0, is_synced=lambda: None, timesync_file=NONE).now().synced
