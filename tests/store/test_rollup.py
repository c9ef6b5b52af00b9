"""Quarters of an hour: every second is in exactly one, whatever the clock does and wherever the process ends."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.model import Sample
from edge.store.rollup import QUARTER_MS, Column, Quarter, Rollup, decode_quarter, encode_quarter
from edge.store.segments import SegmentLog
from tests.store.test_segments import log_at

NAMES = ("power_w", "why", "mode", "gone_w")
BOOT = b"b" * 16
START_MS = 1_900_000_000_000 // QUARTER_MS * QUARTER_MS


def sample(second: int, wall_ms: int | None = None) -> Sample:
    values = (second % 7 - 3 if second % 5 else None, 1 << second % 3, second % 4, None)
    return Sample(second * 1_000, START_MS + second * 1_000 if wall_ms is None else wall_ms, values)


def quarters(log: SegmentLog) -> list[Quarter]:
    found = [decode_quarter(entry.body) for entry in log.read_from(1)]
    assert None not in found
    return [one for one in found if one is not None]


def test_an_hour_becomes_four_quarters_that_hold_sum_least_most_bits_and_end(tmp_path: Path) -> None:
    rollup = Rollup(log_at(tmp_path), NAMES)
    for second in range(3_601):
        rollup.note(9, BOOT, second + 1, sample(second))
    found = quarters(rollup.log)
    assert [(one.first_seq, one.last_seq, one.count) for one in found] == [
        (1, 900, 900), (901, 1_800, 900), (1_801, 2_700, 900), (2_701, 3_600, 900)
    ]  # fmt: skip
    known = [second % 7 - 3 for second in range(900) if second % 5]
    assert found[0].columns == (
        Column(720, sum(known), -3, 3), Column(900, 0b111, 1, 4), Column(900, 899 % 4, 0, 3), None
    )  # fmt: skip
    assert [one.first_wall_ms for one in found] == [START_MS + index * QUARTER_MS for index in range(4)]


@given(st.lists(st.tuples(st.integers(1, 2_000), st.integers(-90_000_000, 90_000_000)), max_size=12))
@settings(max_examples=30)
def test_every_sample_is_in_one_quarter_whatever_the_clock_does(steps: list[tuple[int, int]]) -> None:
    written: list[bytes] = []

    class Kept:
        def newest(self) -> None:
            return None

        def append(self, kind: int, body: bytes) -> None:
            written.append(body)

    rollup = Rollup(Kept(), NAMES)  # type: ignore[arg-type]  # a ring that only keeps
    second, off_ms = 0, 0
    for count, step_ms in steps:
        off_ms += step_ms
        for _ in range(count):
            rollup.note(1, BOOT, second + 1, sample(second, START_MS + second * 1_000 + off_ms))
            second += 1
    rollup.flush()
    covered: list[int] = []
    for one in map(decode_quarter, written):
        assert one is not None and 0 < one.count == one.last_seq - one.first_seq + 1
        assert one.last_mono_ms - one.first_mono_ms < QUARTER_MS
        covered += range(one.first_seq, one.last_seq + 1)
    assert covered == list(range(1, second + 1))


def test_a_process_that_ends_within_a_quarter_goes_on_from_the_ring(tmp_path: Path) -> None:
    rollup = Rollup(log_at(tmp_path), NAMES)
    for second in range(1_000):
        rollup.note(9, BOOT, second + 1, sample(second))
    again = Rollup(log_at(tmp_path), NAMES)  # killed
    assert again.covered_seq(9) == 900 and again.covered_seq(8) == 0
    for second in range(again.covered_seq(9), 1_900):
        again.note(9, BOOT, second + 1, sample(second))
    assert [(one.first_seq, one.last_seq) for one in quarters(again.log)] == [(1, 900), (901, 1_800)]


@given(st.binary(max_size=80))
def test_anything_is_a_quarter_or_none(raw: bytes) -> None:
    decode_quarter(raw)
    good = Quarter(1, BOOT, 2, 3, 2, 4, 5, 6, (Column(1, 2, 3, 4), None))
    assert decode_quarter(encode_quarter(good)) == good
    assert decode_quarter(encode_quarter(good)[:-1]) is None


def test_seconds_of_two_boots_are_in_two_quarters_also_where_mono_time_goes_on(tmp_path: Path) -> None:
    rollup = Rollup(log_at(tmp_path), NAMES)
    for second in range(100):
        rollup.note(9, BOOT, second + 1, sample(second))
    for second in range(100, 200):  # the other boot took longer to get here
        rollup.note(9, b"c" * 16, second + 1, sample(second))
    rollup.flush()
    assert [(one.boot[:1], one.first_seq, one.last_seq) for one in quarters(rollup.log)] == [
        (b"b", 1, 100), (b"c", 101, 200)
    ]  # fmt: skip
