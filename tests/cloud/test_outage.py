"""The cable out for two hours of virtual time, in short what `make torture` plays for three days; and its judge on trial."""

import copy
from dataclasses import replace

import pytest

from tests.cloud.outage import Outcome, complaints, play_outage

HOURS, SMALL_HOURS, SMALL_BYTES = 2, 1, 128 << 10  # the second holds some 26 minutes


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return play_outage(tmp_path_factory.mktemp("held"), HOURS)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return play_outage(tmp_path_factory.mktemp("small"), SMALL_HOURS, telemetry_max_bytes=SMALL_BYTES)


def test_no_cycle_is_missed_and_no_sample_lost_and_the_newest_come_first(held: Outcome) -> None:
    assert complaints(held) == []
    assert held.stored_count >= HOURS * 3_600 and held.held().count() >= held.stored_count - 2
    assert held.lost_count == 0 and 0 < held.drained_s - held.up_s < 60
    assert [name for name, _ in held.events].count("cloud") == 3, "there, away, there again"


def test_a_ring_that_is_too_small_gives_up_its_oldest_and_says_so_and_keeps_events_and_quarters(small: Outcome) -> None:
    assert complaints(small, is_small=True) == []
    first, second = tuple(small.held())
    assert first[1] < small.out_first + 3 and second[0] - first[1] - 1 == small.lost_count > 600
    assert small.rollup_count >= SMALL_HOURS * 4 and small.store_bytes <= SMALL_BYTES
    texts = [text for name, text in small.events if name == "store.overwritten"]
    assert f"({small.lost_count} in all)" in texts[-1] and "enlarge store.telemetry_max_bytes" in texts[-1]


def _without(found: Outcome, lane: str, index: int) -> Outcome:
    one = [taken for taken in found.taken if taken.lane == lane][index]
    return replace(found, taken=[taken for taken in found.taken if taken is not one])


@pytest.mark.parametrize(
    ("sabotage", "said"),
    [
        (lambda found: _without(found, "bf", 3), "missing"),
        (lambda found: _without(found, "ev", 0), "events"),
        (lambda found: replace(found, cycles_count=found.cycles_count - 5), "cycles in"),
        (lambda found: replace(found, lost_count=7), "overwritten"),
        (lambda found: replace(found, taken=found.taken[::-1]), "after the outage came"),
        (lambda found: _shifted(found, 9.0), "live samples were late by up to"),
    ],
)
def test_the_judge_sees_what_is_missing_late_or_out_of_order(held: Outcome, sabotage: object, said: str) -> None:
    assert callable(sabotage)
    assert said in " ".join(complaints(sabotage(copy.copy(held))))


def _shifted(found: Outcome, late_s: float) -> Outcome:
    return replace(found, taken=[replace(taken, at_s=taken.at_s + late_s) for taken in found.taken])
