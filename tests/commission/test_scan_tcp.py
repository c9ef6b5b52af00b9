"""The scan over Modbus TCP: units behind a gateway, one device that takes any address, a host where nobody is."""

import asyncio
import contextlib
import io
from pathlib import Path

import pytest
import tomli

from edge.__main__ import main as edge_main
from edge.app import open_port
from edge.commission.line import LineFault
from edge.commission.scan import report
from edge.commission.scan.search import Result, Search
from edge.commission.scan.settings import make_plan
from edge.errors import ConfigFault
from edge.field.profiles.loader import all_profiles, parse_profile
from hil.framing import refusal, sealed
from hil.lan.sunspec import Map, SunSpecSlave
from hil.lan.tcp import TcpServer
from tests.field.sunspec_kit import DEVICES
from tests.hil.site_kit import Kit

pytestmark = pytest.mark.hil


class Absent:
    """An address for which a gateway says that nothing answers behind it."""

    turnaround_s = 0.01

    def __init__(self, address: int) -> None:
        self.address = address

    def receive(self, frame: bytes) -> bytes | None:
        return refusal(self.address, frame[1], 11)


async def scan_tcp(server: TcpServer, units: str, turnaround_ms: int = 100) -> Result:
    await server.start()
    path = f"tcp:127.0.0.1:{server.port}"
    plan = make_plan(path, units=units, turnaround_ms=turnaround_ms)
    try:
        search = Search(plan, lambda setting: open_port(setting.port(path)), all_profiles()[0])
        return await asyncio.wait_for(search.run(), 30)
    finally:
        server.stop()


def test_units_behind_a_gateway_are_found_and_the_snippet_has_the_host() -> None:
    kit = Kit()
    sunspec = SunSpecSlave(Map(DEVICES["pv"]), 5)
    units = [*kit.slow, sunspec, Absent(4), Absent(6)]
    result = asyncio.run(scan_tcp(TcpServer(units), "1-6"))
    assert [found.unit for found in result.found] == [1, 2, 3, 5] and not result.deaf
    assert [found.identity.how for found in result.found] == ["guess", "guess", "guess", "sunspec"]
    site = tomli.loads("\n".join(report.snippet("tcp:10.0.0.7:1502", result, all_profiles()[0])))
    assert site["port"] == [{"name": "line1", "kind": "tcp", "host": "10.0.0.7", "tcp_port": 1502}]


def test_units_that_are_silent_cost_their_time_and_no_connection_is_lost_over_it() -> None:
    result = asyncio.run(scan_tcp(TcpServer([Kit().bms]), "1-6", turnaround_ms=50))
    assert [found.unit for found in result.found] == [1]


def test_a_device_that_takes_any_address_is_one_device() -> None:
    kit = Kit()

    class Any:
        turnaround_s = 0.001

        def __init__(self, address: int) -> None:
            self.address = address

        def receive(self, frame: bytes) -> bytes | None:
            reply = kit.it.receive(_readdressed(frame, kit.it.address))
            return None if reply is None else _readdressed(reply, self.address)

    result = asyncio.run(scan_tcp(TcpServer([Any(unit) for unit in range(1, 5)]), "1-4"))
    assert len(result.found) == 1 and result.deaf
    shown = report.screen(make_plan("tcp:x"), result, all_profiles()[0])
    assert any("one device" in line for line in shown)


def _readdressed(frame: bytes, address: int) -> bytes:

    return sealed(bytes((address,)) + frame[1:-2])


def test_a_host_where_nobody_listens_says_so() -> None:
    with pytest.raises(LineFault, match="is Modbus TCP switched on"):
        asyncio.run(
            Search(make_plan("tcp:127.0.0.1:1"), lambda setting: open_port(setting.port("tcp:127.0.0.1:1")), ()).run()
        )


@pytest.mark.parametrize("path", ["tcp:", "tcp::502", "tcp:host:0", "tcp:host:x", "tcp:host:123456"])
def test_a_place_that_is_none_is_told(path: str) -> None:
    with pytest.raises(ConfigFault, match="tcp:HOST"):
        make_plan(path)


def test_the_command_writes_the_drafts_and_leaves_a_file_alone(tmp_path: Path) -> None:
    async def main() -> tuple[int, str, str]:
        server = TcpServer([SunSpecSlave(Map(DEVICES["meter"]), 1)])
        await server.start()
        words = ["scan", f"tcp:127.0.0.1:{server.port}", "--units", "1", "--drafts", str(tmp_path)]
        first = await asyncio.to_thread(run_words, words)
        second = await asyncio.to_thread(run_words, words)
        assert "left alone" in second[2]
        server.stop()
        return first

    code, out, error = asyncio.run(main())
    (draft,) = tmp_path.glob("*.toml")
    assert parse_profile(tomli.loads(draft.read_text()), draft.name).kind == "meter"
    assert code == 0 and "SunSpec meter: Acme Model 7" in out and "written" in error


def run_words(words: list[str]) -> tuple[int, str, str]:
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        code = edge_main(words)
    return code, out.getvalue(), error.getvalue()
