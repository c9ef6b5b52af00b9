"""Each foreign slave alone on a line: read, written and guarded by our bus; its refusals understood. Needs real time."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from edge.field.line.rtu import read_request, write_request
from edge.field.profile import Profile
from edge.model import Outcome
from tests.interop import peers
from tests.interop.conftest import Row
from tests.interop.hub import MASTER
from tests.interop.line import Line
from tests.interop.rounds import OPTIONS, UNITS, Rounds, on_line, profile

pytestmark = pytest.mark.hil
FEW_ROUNDS = 30
slaves = pytest.mark.parametrize("name", UNITS)


async def play(name: str, kind: Profile, rounds: int, row: Row, what: str, *, echo: bool = False) -> None:
    """So many rounds of our bus with a slave alone on its line; its row in the table; all must be right."""
    async with on_line({name: OPTIONS.get(name, ())}, echo=echo) as (hub, versions):
        played = Rounds(hub.paths[0], {name: UNITS[name]}, rounds, kind)
        await played.play()
        played.tallies[name].note(row, versions[name], what)
        played.assert_all_right()
        talkers = [talker for _, talker, _ in hub.heard]
        assert (MASTER, MASTER) not in pairwise(talkers), "a request went out before the answer to the one before"
        assert hub.collision_count == 0


@slaves
def test_every_round_of_our_bus_is_right(name: str, row: Row) -> None:
    peers.require(name)
    rounds = peers.ROUNDS // 4  # a round here is two reads and two writes
    asyncio.run(play(name, profile(0, "holding", "input"), rounds, row, "alone"))


@slaves
def test_an_adapter_that_hears_itself_spoils_no_read_and_no_write_of_two_registers(name: str, row: Row) -> None:
    """FC6, whose answer is its request, has the next test to itself."""
    peers.require(name)
    kind = profile(0, "holding", "input")
    kind = replace(kind, writes=tuple(write for write in kind.writes if write.fc == 16), watchdog=None)
    asyncio.run(play(name, kind, FEW_ROUNDS, row, "alone, local echo", echo=True))


def test_an_adapter_that_hears_itself_spoils_no_write_of_one_register(row: Row) -> None:
    """modbus-tk, because it answers 5 ms after a request: long after our next one may go out."""
    peers.require("modbus-tk")
    asyncio.run(play("modbus-tk", profile(0, "holding"), FEW_ROUNDS, row, "alone, local echo, FC6", echo=True))


@slaves
def test_its_refusals_are_understood_and_leave_it_as_it_was(name: str) -> None:
    unit = UNITS[name]
    refused = [
        (read_request(unit, 3, 100, 1), 2),
        (read_request(unit, 4, 99, 2), 2),
        (write_request(unit, 6, 100, (1,)), 2),
        (write_request(unit, 16, 100, (1, 2)), 2),
    ]

    async def main() -> None:
        async with on_line({name: OPTIONS.get(name, ())}) as (hub, _), Line(hub.paths[0]) as line:
            for request, code in refused:
                assert await line.ask(request) == code, request.hex(" ")
            payload = await line.ask(read_request(unit, 3, 99, 1))
            assert payload == (1000 * unit + 99).to_bytes(2, "big")

    peers.require(name)
    asyncio.run(main())


@slaves
def test_no_damaged_request_is_believed_and_what_a_careless_slave_made_of_it_is_put_right(name: str) -> None:
    """modbus-serial 8.0.25 obeys a write whose checksum is wrong. Its echo betrays it, and the next read-back."""

    def damage(data: bytes) -> bytes:
        nonlocal writes, damaged
        writes += data[1] == 6
        if data[1] != 6 or writes % 10 or len(played.tallies[name].latencies_ms) > FEW_ROUNDS:
            return data
        damaged += 1
        return data[:5] + bytes((data[5] ^ 1,)) + data[6:]

    async def main() -> None:
        nonlocal played
        async with on_line({name: OPTIONS.get(name, ())}) as (hub, _):
            played = Rounds(hub.paths[0], {name: UNITS[name]}, FEW_ROUNDS + 10, profile(0, "holding"))
            hub.spoil = damage
            await played.play()
        tally = played.tallies[name]
        assert damaged >= 3 and tally.device.outcome_counts[Outcome.OK] == tally.device.sent_count - damaged, (
            played.words()
        )
        assert len(tally.wrong) <= (damaged if name == "modbus-serial" else 0), played.words()
        assert tally.device.trust.failed_count == 0 and not tally.device.write_failed

    played: Rounds
    writes = damaged = 0
    peers.require(name)
    asyncio.run(main())
