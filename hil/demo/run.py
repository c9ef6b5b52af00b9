"""Runs the demo: plant in real time, processes around it, a picture twice a second, an honest summary at the end."""

import asyncio
import contextlib
import json
import shutil
import signal
import sqlite3
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.clock import SystemClock
from edge.cloud.link import Link, LinkSettings
from edge.cloud.topics import Topics
from edge.errors import DataFault
from hil.assembly import build_site, build_slaves, unit_specs
from hil.day.image import TOLERANCE_W
from hil.day.intensity import SeededIntensity
from hil.demo import processes
from hil.demo.broker import broker_text, find_broker
from hil.demo.screen import draw, frame
from hil.demo.site import demo_tables, example_config, render
from hil.demo.summary import summarise
from hil.demo.timing import timing_of
from hil.plant.site import SiteSpec, TraceSpec
from hil.pty import PtyBus
from hil.traces import read_load_kw

PLANT_STEP_S = 0.02  # a fifth of the cycle: the PCS's lag of 50 ms has a shape
NOON_S = 11.0 * 3_600
GRID_HOURS_PER_HOUR = 240  # without a file the grid's day passes in six minutes
ZERO_W = 100  # one count of the PCS's setpoint


@dataclass(frozen=True, slots=True)
class DemoOptions:
    seconds: float
    headless: bool
    load_trace: Path | None
    load_scale_w: int
    intensity: Path | None
    intensity_start: str
    intensity_speed: int
    seed: int
    folder: Path


@dataclass(slots=True)
class Tally:
    """What the demo saw from outside, on the plant's own meters."""

    over_count: int = 0
    over_run: int = 0
    over_longest: int = 0
    looks: int = 0
    run_after_s: float = -1.0
    rss_kb: int = 0
    last: dict[str, Any] = field(default_factory=dict)


class Demo:
    """One run."""

    def __init__(self, options: DemoOptions) -> None:
        self.options = options
        self.clock = SystemClock()
        self.config = example_config()
        spec = SiteSpec(units=unit_specs(self.config), start_s=NOON_S)
        if options.load_trace is not None:
            rows = read_load_kw(options.load_trace)
            spec = SiteSpec(
                units=spec.units, start_s=NOON_S, load=TraceSpec(tuple(rows), float(options.load_scale_w), NOON_S)
            )
        self.site = build_site(self.config, spec, options.seed)
        slaves = build_slaves(self.config, self.site)
        self.buses = {p.name: PtyBus(p.name, p.baud, slaves[p.name], before=self.move) for p in self.config.port}
        self.tally = Tally()
        self._start_us = 0
        self._moved_s = 0.0
        self._told = asyncio.Event()

    def elapsed_s(self) -> float:
        return (self.clock.mono_us() - self._start_us) / 1e6

    def move(self) -> None:
        """Brings the plant up to now."""
        now_s = self.elapsed_s()
        while now_s - self._moved_s >= PLANT_STEP_S:
            self.site.step(PLANT_STEP_S)
            self._moved_s += PLANT_STEP_S

    async def play(self) -> int:
        """The whole run. Raises EdgeError when it cannot start."""
        folder = self.options.folder.absolute()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        port = processes.free_port()
        broker = find_broker()
        if broker is None:
            raise DataFault(broker_text())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._told.set)
        self._start_us = self.clock.mono_us()
        for bus in self.buses.values():
            bus.start()
        self._write_site(folder, port)
        running = [await processes.start(broker.command(folder, port), folder / "broker.log")]
        await asyncio.sleep(0.5)
        fleet = [sys.executable, "-m", "edge.fleet", "ingest", "--sqlite", str(folder / "ingest.sqlite")]
        running.append(
            await processes.start([*fleet, "--host", "127.0.0.1", "--port", str(port)], folder / "ingest.log")
        )
        edge = [sys.executable, "-m", "edge", "run", "-c", str(folder / "site.toml")]
        running.append(await processes.start(edge, folder / "edge.log"))
        pushing = asyncio.create_task(self._push(port))
        try:
            await self._watch(running[-1], f"simulated site, {broker.name}")
        finally:
            codes = [await processes.end(running[-1])]
            await asyncio.sleep(1.5)  # the ingest commits what came last
            self.move()
            pushing.cancel()
            for process in reversed(running[:-1]):
                await processes.end(process)
            for bus in self.buses.values():
                bus.stop()
        timing = timing_of(folder / "store" / "trace", self.config)
        print("\n".join(summarise(self, timing, self._ingested(folder), codes[0])))
        return 0 if codes[0] == 0 and self.pcs_is_at_zero() and self.tally.over_longest <= 6 else 1

    def pcs_is_at_zero(self) -> bool:
        return all(abs(unit.pcs.power_w) < ZERO_W and unit.pcs.set_w == 0 for unit in self.site.units)

    def _write_site(self, folder: Path, port: int) -> None:
        wanted: dict[str, Any] = {"kind": "mqtt"}
        if self.options.intensity is not None:
            wanted = {"kind": "file", "path": str(self.options.intensity.absolute())}
            wanted |= {"start": self.options.intensity_start, "speed": self.options.intensity_speed}
        paths = {name: bus.path for name, bus in self.buses.items()}
        (folder / "site.toml").write_text(render(demo_tables(folder, paths, port, wanted)))

    async def _watch(self, edge: "asyncio.subprocess.Process", title: str) -> None:
        """Looks twice a second until told, until the time is over, or until the controller ends by itself."""
        limit_s = self.options.seconds
        while not self._told.is_set() and edge.returncode is None and (not limit_s or self.elapsed_s() < limit_s):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 0.5)
            self.move()
            status = await self._ask()
            self._judge(status, edge.pid)
            if status is not None and not self.options.headless:
                sys.stdout.write(frame(draw(status, title, self.elapsed_s())))
                sys.stdout.flush()
            elif self.options.headless and self.tally.looks % 20 == 1:
                print(self._line(status), flush=True)

    async def _ask(self) -> dict[str, Any] | None:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.options.folder.absolute() / "console.sock"))
        except OSError:
            return None
        try:
            writer.write(b"show status --json\n")
            raw = await asyncio.wait_for(reader.readline(), 2)
            answer: dict[str, Any] = json.loads(raw)
            return answer.get("data")
        except (TimeoutError, ValueError, OSError):
            return None
        finally:
            writer.close()

    def _judge(self, status: dict[str, Any] | None, pid: int) -> None:
        tally, limits, grid_w = self.tally, self.config.limits, self.site.poc_power_w
        tally.looks += 1
        if status is not None:
            tally.last = status
            if tally.run_after_s < 0 and status["mode"] == "RUN":
                tally.run_after_s = self.elapsed_s()
        if tally.run_after_s >= 0:
            over = not -limits.export_max_w - TOLERANCE_W <= grid_w <= limits.import_max_w + TOLERANCE_W
            tally.over_count += over
            tally.over_run = tally.over_run + 1 if over else 0
            tally.over_longest = max(tally.over_longest, tally.over_run)
        with contextlib.suppress(OSError, ValueError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS"):
                    tally.rss_kb = int(line.split()[1])

    def _line(self, status: dict[str, Any] | None) -> str:
        if status is None:
            return f"{self.elapsed_s():6.0f} s  the controller does not answer yet"
        uplink = status["uplink"]
        return (
            f"{self.elapsed_s():6.0f} s  {status['mode']:<8} grid {self.site.poc_power_w / 1e3:6.1f} kW  "
            f"battery {self.site.battery_power_w / 1e3:+6.1f} kW  SOC {100 * self.site.units[0].pack.soc:5.1f} %  "
            f"late p99 {status['late_p99_us'] / 1e3:.2f} ms  acked {uplink['acked_count']}/{uplink['stored_count']}  "
            f"{uplink['rule']}"
        )

    async def _push(self, port: int) -> None:
        """Pushes the simulated grid's intensity as a fleet would, every ten seconds."""
        if self.options.intensity is not None:
            return
        grid = SeededIntensity(self.options.seed, GRID_HOURS_PER_HOUR)
        link = Link(LinkSettings("127.0.0.1", port, client_id="tw1-demo-grid"))
        topic = Topics(self.config.site.tenant, self.config.site.id).intensity
        due_ms = 0
        while True:
            mono_ms = self.clock.mono_ms()
            link.step(mono_ms)
            if link.connected and mono_ms >= due_ms:
                due_ms = mono_ms + 10_000
                value = grid.poll(int(1_000 * self.elapsed_s()), 0).value_mg_per_kwh or 0
                link.publish(
                    topic, json.dumps({"intensity_g_per_kwh": value / 1_000, "source": grid.source}).encode(), 1
                )
            await asyncio.sleep(0.1)

    def _ingested(self, folder: Path) -> tuple[int, int]:
        """(rows, distinct rows) the ingest committed; (0, 0) when it never got as far as its tables."""
        distinct = "SELECT COUNT(*) FROM (SELECT DISTINCT tenant, gateway, stream, epoch, seq FROM samples)"
        with contextlib.closing(sqlite3.connect(folder / "ingest.sqlite")) as base:
            if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'samples'").fetchone():
                return 0, 0
            return base.execute("SELECT COUNT(*) FROM samples").fetchone()[0], base.execute(distinct).fetchone()[0]
