"""The example site over TCP: its file, the whole controller on it in virtual time, and its SunSpec PCS that keeps us."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.app import Controller, bus_devices, open_port
from edge.clock import SystemClock
from edge.config.options import Config
from edge.config.reader import load_config
from edge.control.kernel import Mode
from edge.field.profiles.loader import load_profile
from hil.assembly import build_site, build_slaves, unit_specs
from hil.day.wired import InlineUplink, WiredSite, play
from hil.lan.tcp import TcpServer
from hil.plant.site import SiteSpec

STEP_S = 0.02  # of the plant
EXAMPLE = Path(__file__).resolve().parent.parent / "deploy" / "site.tcp.example.toml"


def test_the_example_passes_check_with_the_time_of_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", str(EXAMPLE)]) == 0
    text = capsys.readouterr().out
    assert "total over TCP" in text and "heartbeat" in text
    assert "pcs1: watchdog of 5 s, written and read back before RUN" in text


def test_a_site_runs_with_a_walked_sunspec_pcs() -> None:
    config = load_config(EXAMPLE)
    profile = load_profile("sunspec-example-pcs", config.file)
    assert profile.heartbeat is not None and profile.watchdog is not None
    seen: dict[str, int] = {}

    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(20)
        kernel = wired.controller.kernel
        seen["mode"] = kernel.output.mode
        (pcs,) = wired.slaves["pcs"]
        seen["watchdog"] = pcs._memory[profile.watchdog.addr + 1]
        seen["reverts"] = pcs._memory[profile.watchdog.first[1][0]]
        first = pcs._memory[profile.heartbeat.addr + 1]
        await asyncio.sleep(10)
        seen["beats"] = pcs._memory[profile.heartbeat.addr + 1] - first
        seen["enable"] = pcs._memory[profile.writes[0].addr]

    wired = play(config, SiteSpec(units=unit_specs(config)), 1, script)
    assert seen["mode"] == Mode.RUN
    assert (seen["watchdog"], seen["reverts"], seen["enable"]) == (5, 1, 1)
    assert 8 <= seen["beats"] <= 11
    assert wired.controller.all_safe


class Lan:
    """Every port of the site as a TCP server on this machine, and one plant behind all of them, in real time."""

    def __init__(self, config: Config) -> None:
        self.site = build_site(config, SiteSpec(units=unit_specs(config)), 1)
        self.servers = {
            name: TcpServer(units, before=self.move) for name, units in build_slaves(config, self.site).items()
        }
        self._moved_s = 0.0
        self._start_s = 0.0

    async def start(self, config: Config) -> Config:
        """The site as it is reached here."""
        self._start_s = asyncio.get_running_loop().time()
        for server in self.servers.values():
            await server.start()
        ports = tuple(
            replace(port, kind="tcp", path="", host="127.0.0.1", tcp_port=self.servers[port.name].port)
            for port in config.port
        )
        return replace(config, port=ports)

    def move(self) -> None:
        while asyncio.get_running_loop().time() - self._start_s - self._moved_s >= STEP_S:
            self.site.step(STEP_S)
            self._moved_s += STEP_S


@pytest.mark.hil
def test_the_controller_runs_the_site_over_real_sockets_and_rides_through_a_reset() -> None:
    async def run() -> None:
        config = load_config(EXAMPLE)
        lan = Lan(config)
        here = await lan.start(config)
        controller = Controller(here, bus_devices(here), SystemClock(), open_port, InlineUplink())
        task = asyncio.create_task(controller.run())
        async with asyncio.timeout(40):
            while controller.kernel.output.mode != Mode.RUN:  # noqa: ASYNC110 (what is waited for is the outside world)
                await asyncio.sleep(0.1)
        lan.servers["meters"].reset()
        lan.servers["pcs"].reset()
        await asyncio.sleep(2)
        assert controller.kernel.output.mode == Mode.RUN
        assert lan.servers["meters"].connection_count == 2 and lan.servers["pcs"].connection_count == 2
        (unit,) = lan.site.units
        assert unit.pcs.state == "running" and unit.bms.contactor == "closed"
        task.cancel()
        await asyncio.wait({task})
        assert controller.all_safe and unit.pcs.set_w == 0
        for server in lan.servers.values():
            server.stop()

    asyncio.run(run())
