"""Stamps: whatever the wall clock did, a sample of a boot that was synchronised once has the right time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.store.clockmap import MARKS_MAX_COUNT, ClockMap, Mark

HERE, THERE = b"boot a", b"boot b"
DAY_MS = 86_400_000
TRUE_MS = 1_900_000_000_000  # the true wall time at mono 0


class Gateway:
    """A clock that is wrong by `off_ms`, synchronised or not; takes a sample and looks at the clock each second."""

    def __init__(self, clock: ClockMap, off_ms: int) -> None:
        self.clock, self.off_ms, self.synced, self.mono_ms = clock, off_ms, False, 0
        self.samples: list[tuple[int, int]] = []
        self.kept: list[Mark] = []

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.mono_ms += 1_000
            wall_ms = TRUE_MS + self.mono_ms + self.off_ms
            mark = self.clock.note(self.mono_ms, wall_ms, self.synced)
            if mark is not None:
                self.kept.append(mark)
            self.samples.append((self.mono_ms, wall_ms))

    def errors_ms(self, clock: ClockMap, boot: bytes = HERE) -> list[int]:
        return [clock.stamp(boot, mono, wall).wall_ms - TRUE_MS - mono for mono, wall in self.samples]


@pytest.mark.parametrize("off_ms", [-56 * 365 * DAY_MS, -DAY_MS, DAY_MS, -3_600_000, 3_600_000])
def test_what_was_taken_before_time_sync_is_right_afterwards(off_ms: int) -> None:
    gateway = Gateway(ClockMap(HERE), off_ms)
    gateway.run(300)
    assert set(gateway.errors_ms(gateway.clock)) == {off_ms}  # nobody can know
    assert not gateway.clock.stamp(HERE, 5_000, 0).sure
    gateway.off_ms, gateway.synced = 0, True
    gateway.run(300)
    assert set(gateway.errors_ms(gateway.clock)) == {0}
    assert gateway.clock.synced and len(gateway.kept) == 2


@pytest.mark.parametrize("step_ms", [-DAY_MS, DAY_MS])
def test_a_hand_that_sets_the_clock_wrong_is_undone(step_ms: int) -> None:
    gateway = Gateway(ClockMap(HERE), 0)
    gateway.synced = True
    gateway.run(60)
    gateway.off_ms, gateway.synced = step_ms, False  # settimeofday: the kernel holds it unsynchronised from then on
    gateway.run(60)
    assert set(gateway.errors_ms(gateway.clock)) == {0}  # from the mark before, until the next synchronisation
    gateway.off_ms, gateway.synced = 0, True
    gateway.run(60)
    assert set(gateway.errors_ms(gateway.clock)) == {0}


def test_another_boot_is_stamped_from_its_own_marks_only() -> None:
    before = Gateway(ClockMap(HERE), -DAY_MS)
    before.run(10)
    before.off_ms, before.synced = 0, True
    before.run(10)
    clock = ClockMap(THERE)
    assert set(before.errors_ms(clock)) == {-DAY_MS, 0}  # nothing known of that boot: as recorded
    for mark in reversed(before.kept):
        clock.load(HERE, mark)
        clock.load(HERE, mark)
    now = Gateway(clock, DAY_MS)
    now.run(10)
    assert set(before.errors_ms(clock)) == {0}
    assert set(now.errors_ms(clock, THERE)) == {DAY_MS}


@given(st.integers(0, 10**9))
def test_a_restless_clock_is_bounded_and_the_end_of_it_is_right(seed: int) -> None:
    rng = random.Random(seed)
    gateway = Gateway(ClockMap(HERE), 0)
    for _ in range(MARKS_MAX_COUNT + 20):
        gateway.off_ms += rng.choice([-DAY_MS, 3_600_000, 600, 0])
        gateway.run(1)
    gateway.off_ms, gateway.synced = 0, True
    gateway.run(2)
    assert set(gateway.errors_ms(gateway.clock)) == {0}
    assert len(gateway.clock._marks[HERE]) <= MARKS_MAX_COUNT


def test_a_slewed_clock_leaves_few_marks_and_a_small_error() -> None:
    gateway = Gateway(ClockMap(HERE), 0)
    gateway.synced = True
    for _ in range(3_600):
        gateway.off_ms += 1  # 1 000 ppm
        gateway.run(1)
    assert len(gateway.kept) <= 9
    assert gateway.errors_ms(gateway.clock)[-1] == 3_600  # what a synchronised clock reads is taken as it is
