"""The words as processes against a real controller on PTYs: through its console, not beside it. Bounded; real time."""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edge.clock import SystemClock
from hil.assembly import build_site, build_slaves, unit_specs
from hil.demo.processes import end, start
from hil.demo.site import demo_tables, example_config, render
from hil.plant.site import Site, SiteSpec
from hil.pty import PtyBus

pytestmark = pytest.mark.hil
LIMIT_S = 90.0
PLANT_STEP_S = 0.02


class Running:
    """A simulated site on PTYs and the controller as a process of its own."""

    def __init__(self, folder: Path) -> None:
        config = example_config()
        self.site: Site = build_site(config, SiteSpec(units=unit_specs(config, connected=True), start_s=0.0), 1)
        slaves = build_slaves(config, self.site)
        self.buses = [PtyBus(port.name, port.baud, slaves[port.name], self.move) for port in config.port]
        self.folder, self.file = folder, str(folder / "site.toml")
        self._clock = SystemClock()
        self._start_us, self._moved_s = self._clock.mono_us(), 0.0

    def move(self) -> None:
        now_s = (self._clock.mono_us() - self._start_us) / 1e6
        while now_s - self._moved_s >= PLANT_STEP_S:
            self.site.step(PLANT_STEP_S)
            self._moved_s += PLANT_STEP_S

    def write_site(self) -> None:
        tables = demo_tables(self.folder, {bus.name: bus.path for bus in self.buses}, 1, {"kind": "none"})
        tables.pop("cloud")
        tables["rule"]["enabled"] = False
        tables["limits"] |= {"export_max_w": 80_000, "ramp_up_max_w_per_s": 0, "ramp_down_max_w_per_s": 0}
        Path(self.file).write_text(render(tables))

    async def edge(self, *words: str) -> tuple[int, str, str]:
        process = await self.begin(*words)
        out, error = await asyncio.wait_for(process.communicate(), LIMIT_S)
        return process.returncode or 0, out.decode(), error.decode()

    async def begin(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )

    async def mode(self) -> str:
        code, out, _ = await self.edge("console", str(self.folder / "console.sock"), "show", "status")
        return out.split("mode", 1)[1].split()[0] if code == 0 else ""

    async def until(self, mode: str) -> None:
        while True:  # another process: there is nothing to be woken by
            if await self.mode() == mode:
                return
            await asyncio.sleep(0.5)


def play(folder: Path, story: Callable[[Running], Awaitable[None]]) -> None:
    async def main() -> None:
        running = Running(folder)
        for bus in running.buses:
            bus.start()
        running.write_site()
        process = await start([sys.executable, "-m", "edge", "run", "-c", running.file], folder / "edge.log")
        try:
            await asyncio.wait_for(story(running), LIMIT_S)
        finally:
            await end(process)
            for bus in running.buses:
                bus.stop()

    asyncio.run(main())


def test_read_check_write_and_a_sign_test_that_is_interrupted_go_through_the_controller(tmp_path: Path) -> None:
    async def story(running: Running) -> None:
        site = ("-c", running.file)
        await running.until("RUN")
        code, out, _ = await running.edge("read", *site, "bms1", "soc", "--json")
        assert code == 0 and 4_900 <= json.loads(out)[0]["value"] <= 5_100
        code, _, error = await running.edge("write", *site, "pv1", "power_limit", "20", "kW")
        assert code == 1 and "for SERVICE" in error
        code, _, error = await running.edge("check", "--live", "--sign-test", "--tries", "2", *site)
        assert code == 2 and "begins in SERVICE" in error

        await running.edge("console", str(running.folder / "console.sock"), "service")
        await running.until("SERVICE")
        code, out, _ = await running.edge("write", *site, "pv1", "power_limit", "20", "kW")
        assert code == 0 and "20.0 kW (raw 200), echoed" in out and running.site.pv.limit_w == 20_000
        code, out, error = await running.edge("check", "--live", "--tries", "8", "--json", *site)
        data = json.loads(out)
        assert all(device["ok_count"] == 8 for device in data["devices"]), data
        pcs = next(device for device in data["devices"] if device["device"] == "pcs1")
        assert pcs["guarded"] is True and pcs["watchdog_s"] == 5.0

        test = await running.begin("check", "--live", "--sign-test", "--tries", "1", *site)
        async with asyncio.timeout(40):
            while abs(running.site.units[0].pcs.power_w) < 1_000:  # noqa: ASYNC110 (until a step is on)
                await asyncio.sleep(0.1)
        test.send_signal(signal.SIGINT)
        _, error_raw = await asyncio.wait_for(test.communicate(), 15)
        assert test.returncode == 130 and b"the battery is at 0 W and the site in SERVICE" in error_raw
        assert await running.mode() == "SERVICE" and abs(running.site.units[0].pcs.power_w) < 300

    play(tmp_path, story)


def test_without_a_controller_a_write_and_a_sign_test_say_what_to_do(tmp_path: Path) -> None:
    async def main() -> None:
        running = Running(tmp_path)
        for bus in running.buses:
            bus.start()
        running.write_site()
        code, _, error = await running.edge("write", "-c", running.file, "pv1", "power_limit", "20", "kW")
        assert code == 2 and "not written" in error and "edge run" in error
        code, _, error = await running.edge("check", "--live", "--sign-test", "--tries", "1", "-c", running.file)
        assert code == 2 and "goes through the running controller" in error
        code, _, error = await running.edge("check", "--sign-test", "-c", running.file)
        assert code == 2 and "--live" in error
        code, out, _ = await running.edge("check", "--live", "--tries", "6", "-c", running.file)
        assert "fit to run" in out and all(len(line) <= 80 for line in out.splitlines()) and "\x1b" not in out
        for bus in running.buses:
            bus.stop()

    asyncio.run(main())


def test_a_mute_line_says_what_to_look_at_and_a_missing_one_which_there_are(tmp_path: Path) -> None:
    async def main() -> None:
        running = Running(tmp_path)
        for bus in running.buses:
            bus.slaves.clear()
            bus.start()
        running.write_site()
        code, out, error = await running.edge("read", "-c", running.file, "bms1", "soc")
        assert code == 1 and "no answer" in out
        assert "look at: supply, address 1, A/B, baud and parity" in error and "edge scan" in error
        code, out, _ = await running.edge("check", "--live", "--tries", "1", "-c", running.file)
        assert code == 1 and "nobody answered to measure it" in out and "as measured" not in out
        code, _, error = await running.edge("scan", str(tmp_path / "none"))
        assert code == 2 and "There are: " in error
        for bus in running.buses:
            bus.stop()

    asyncio.run(main())
