"""Three makes of slave on one line, where each hears the others' answers: our bus at its default gap. Needs real time."""

import asyncio

import pytest

from tests.interop import peers
from tests.interop.conftest import Row
from tests.interop.rounds import OPTIONS, UNITS, Rounds, on_line, profile

pytestmark = pytest.mark.hil
GAP_MS = 20  # the default of a profile
WRITE_EVERY = 25  # readings: a write costs as much line as a read
FEW_ROUNDS = 30
SLOW_GAP_MS = 40  # above the 30 ms of silence that modbus-serial waits for when nobody tells it otherwise


async def play(options: dict[str, tuple[str, ...]], gap_ms: int, rounds: int, row: Row, what: str) -> Rounds:
    async with on_line({name: options.get(name, ()) for name in UNITS}) as (hub, versions):
        played = Rounds(hub.paths[0], UNITS, rounds, profile(gap_ms, "holding"), WRITE_EVERY)
        await played.play()
        for name, tally in played.tallies.items():
            tally.note(row, versions[name], what)
        assert hub.collision_count == 0
    return played


def test_three_makes_on_one_line_are_right_in_every_round_at_the_default_gap(row: Row) -> None:
    peers.require(*UNITS)
    played = asyncio.run(play(OPTIONS, GAP_MS, peers.ROUNDS, row, f"three on a line, gap {GAP_MS} ms"))
    played.assert_all_right()


@pytest.mark.skipif(not peers.IS_FULL, reason="40 ms of silence before each request: `make interop` plays it")
def test_a_slave_that_waits_30_ms_for_the_end_of_a_frame_needs_a_gap_above_it(row: Row) -> None:
    peers.require(*UNITS)
    played = asyncio.run(play({}, SLOW_GAP_MS, FEW_ROUNDS, row, f"library defaults, gap {SLOW_GAP_MS} ms"))
    played.assert_all_right()


async def beside_a_dead_one(row: Row, *options: str) -> Rounds:
    """A libmodbus slave that waits for another's answer so long (default: half a second), and a device that is not there."""
    async with on_line({"libmodbus": options}) as (hub, versions):
        played = Rounds(hub.paths[0], {"libmodbus": 1, "absent": 9}, FEW_ROUNDS // 3, profile(GAP_MS, "holding"))
        played.expect_silence("absent")
        try:
            await played.play()
        finally:
            wait = f"{options[0]} ms" if options else "default"
            played.tallies["libmodbus"].note(row, versions["libmodbus"], f"beside a dead one, reply wait {wait}")
    return played


def test_a_dead_neighbour_costs_nothing_when_a_slave_waits_for_it_no_longer_than_we_do(row: Row) -> None:
    peers.require("libmodbus")
    tally = asyncio.run(beside_a_dead_one(row, "50")).tallies["libmodbus"]
    assert not tally.wrong and tally.asked - tally.answered <= 1


def test_a_dead_neighbour_does_not_starve_a_slave_that_waits_half_a_second_for_it(row: Row) -> None:
    """libmodbus takes what comes within half a second of a request to another for that one's answer."""
    peers.require("libmodbus")
    tally = asyncio.run(beside_a_dead_one(row)).tallies["libmodbus"]
    assert not tally.wrong and tally.answered >= 0.8 * tally.asked  # what falls into the half second is lost
