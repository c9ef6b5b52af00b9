"""Each foreign slave alone on a line: read, written and guarded by our bus; its refusals understood. Needs real time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from edge.field.line.rtu import read_request, write_request
from edge.field.profile import Profile
from tests.interop import peers
from tests.interop.conftest import Row
from tests.interop.hub import Hub
from tests.interop.line import Line
from tests.interop.rounds import Rounds, profile

pytestmark = pytest.mark.hil
UNITS = {"libmodbus": 1, "modbus-serial": 2, "modbus-tk": 3}
OPTIONS = {"modbus-serial": ("2",)}  # a frame ends after 2 ms of silence, not after its 30
slaves = pytest.mark.parametrize("name", UNITS)


@contextlib.asynccontextmanager
async def alone(
    name: str, *, echo: bool = False, options: tuple[str, ...] | None = None
) -> AsyncIterator[tuple[Hub, str]]:
    """The line of one slave and its version."""
    hub = Hub(1, echo=echo)
    hub.start()
    try:
        given = OPTIONS.get(name, ()) if options is None else options
        async with peers.slave(name, hub.paths[1], UNITS[name], *given) as version:
            yield hub, version
    finally:
        hub.stop()


async def play(name: str, kind: Profile, rounds: int, row: Row, what: str, *, echo: bool = False) -> None:
    """So many rounds of our bus with a slave alone on its line; its row in the table; all must be right."""
    async with alone(name, echo=echo) as (hub, version):
        played = Rounds(hub.paths[0], {name: UNITS[name]}, rounds, kind)
        await played.play()
        played.tallies[name].note(row, version, what)
        played.assert_all_right()
        assert hub.collision_count == 0


@slaves
def test_every_round_of_our_bus_is_right(name: str, row: Row) -> None:
    peers.require(name)
    asyncio.run(play(name, profile(0, "holding", "input"), peers.ROUNDS, row, "alone"))


@slaves
def test_an_adapter_that_hears_itself_spoils_no_read_and_no_write_of_two_registers(name: str, row: Row) -> None:
    """FC6 is left out: its answer is the request, so an echo is taken for it (see the next test)."""
    peers.require(name)
    kind = profile(0, "holding", "input")
    kind = replace(kind, writes=tuple(write for write in kind.writes if write.fc == 16), watchdog=None)
    asyncio.run(play(name, kind, peers.SHORT_ROUNDS, row, "alone, local echo", echo=True))


@pytest.mark.xfail(
    strict=True, reason="the echo of an FC6 request is taken for its answer, and the next one is sent into it"
)
@slaves
def test_an_adapter_that_hears_itself_spoils_no_write_of_one_register(name: str, row: Row) -> None:
    peers.require(name)
    asyncio.run(play(name, profile(0, "holding"), peers.SHORT_ROUNDS, row, "alone, local echo, FC6", echo=True))


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
        async with alone(name) as (hub, _), Line(hub.paths[0]) as line:
            for request, code in refused:
                assert await line.ask(request) == code, request.hex(" ")
            payload = await line.ask(read_request(unit, 3, 99, 1))
            assert payload == (1000 * unit + 99).to_bytes(2, "big")

    peers.require(name)
    asyncio.run(main())
