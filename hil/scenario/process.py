"""A scenario in real time: the controller as its own process on paced PTYs, asked through its console, judged by its trace.

Second 0 is its first request. What needs a wish cannot be played here: no word of the console wishes for power.
"""

import asyncio
import math
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from edge.console.client import ask
from edge.errors import ConfigFault, DataFault, EdgeError, Problem
from edge.model import CycleRecord
from edge.store.trace import TraceReader
from hil.assembly import build_site, build_slaves, plant_devices
from hil.demo import processes
from hil.demo.site import render
from hil.faults import FaultBox
from hil.pty import PtyBus
from hil.scenario.look import looks
from hil.scenario.model import Played, Sample, Scenario, Step
from hil.scenario.play import END_S, TICK_S, clear, sample_of, watched

PLANT_STEP_S = 0.02  # a fifth of the cycle: the PCS's lag of 50 ms has a shape
FIRST_REQUEST_MAX_S = 20.0  # of a process on a busy machine
CONSOLE_WORDS = ("hold", "resume", "reset", "service")


def play_process(scenario: Scenario, seed: int, folder: Path | None = None) -> Played:
    """The whole run; store, trace and log stay in `folder`. Raises EdgeError when it cannot be played here."""
    _check(scenario)
    folder = (folder or Path("run") / "scenario" / scenario.name).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return asyncio.run(_Run(scenario, seed, folder).play())


def _check(scenario: Scenario) -> None:
    problems = []
    for index, step in enumerate(scenario.steps):
        if step.do == "wish" or (step.do in CONSOLE_WORDS and step.source != "console"):
            allowed = "cannot be played at level hil: the console has no word for it"
            problems.append(Problem(scenario.file, f"step[{index}].do", step.do, allowed, "use --level wire"))
    if problems:
        raise ConfigFault(problems)


class _Run:
    """One run in progress."""

    def __init__(self, scenario: Scenario, seed: int, folder: Path) -> None:
        self.scenario, self.seed, self.folder = scenario, seed, folder
        self.site = build_site(scenario.config, scenario.spec, seed)
        self.machines = plant_devices(scenario.config, self.site)
        slaves = build_slaves(scenario.config, self.site)
        self.slaves = [slave for some in slaves.values() for slave in some]
        self.box = FaultBox(scenario.faults, seed, start_s=math.inf)  # nothing goes wrong before second 0
        self.buses = [
            PtyBus(port.name, port.baud, slaves[port.name], self.heard, faults=self.box)
            for port in scenario.config.port
        ]
        self.samples: list[Sample] = []
        self.process: asyncio.subprocess.Process | None = None
        self.socket = str(folder / "console.sock")
        self._moved_s = 0.0
        self._began = asyncio.Event()

    def now_s(self) -> float:
        return asyncio.get_running_loop().time() - self.box.start_s

    def heard(self) -> None:
        """Ahead of each frame: the first one begins the scenario."""
        if not self._began.is_set():
            self.box.start_s = asyncio.get_running_loop().time()
            self._began.set()
        self.move()

    def move(self) -> None:
        """Brings the plant up to now."""
        now_s = self.now_s()
        while now_s - self._moved_s >= PLANT_STEP_S:
            self.box.act(self.machines, self.box.start_s + self._moved_s)
            self.site.step(PLANT_STEP_S)
            self._moved_s += PLANT_STEP_S

    def look(self) -> None:
        self.move()
        self.samples.append(sample_of(self.site, self.slaves, self.now_s()))

    async def play(self) -> Played:
        started_s = time.process_time()
        for bus in self.buses:
            bus.start()
        self._write_site()
        try:
            await self.start()
            await self._wait_for_the_first_request()
            await self._through()
            code = await processes.end(self.process) if self.process is not None else None
            await asyncio.sleep(END_S)
            self.look()
        finally:
            await self.kill()
            for bus in self.buses:
                bus.stop()
        records = self._records()
        seen = tuple(looks(records, len(self.scenario.config.unit), round(1000 * self.box.start_s)))
        watch = watched(self.scenario.config, records)
        safe = None if code is None else code == 0
        cpu_s = time.process_time() - started_s
        return Played(self.scenario, "hil", self.seed, seen, watch, tuple(self.samples), safe, cpu_s)

    async def _through(self) -> None:
        left = list(self.scenario.steps)
        while (now_s := self.now_s()) < self.scenario.duration_s:
            self.look()
            while left and left[0].at_s <= now_s:
                await self.take(left.pop(0))
            await asyncio.sleep(TICK_S)

    async def take(self, step: Step) -> None:
        match step.do:
            case "kill":
                await self.kill()
            case "start":
                await self.kill()
                await self.start()
            case "clear":
                clear(self.machines[step.device])
            case word:
                await asyncio.to_thread(self._say, word)

    def _say(self, word: str) -> None:
        try:
            reply = ask(self.socket, word)
        except OSError as error:
            raise EdgeError(f"{self.scenario.file}: the console did not take {word!r}: {error}") from error
        if not reply.ok:
            raise EdgeError(f"{self.scenario.file}: the console refused {word!r}: {reply.text.strip()}")

    async def start(self) -> None:
        edge = [sys.executable, "-m", "edge", "run", "-c", str(self.folder / "site.toml")]
        self.process = await processes.start(edge, self.folder / "edge.log")

    async def kill(self) -> None:
        """As kill -9 does."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        self.process = None

    async def _wait_for_the_first_request(self) -> None:
        try:
            await asyncio.wait_for(self._began.wait(), FIRST_REQUEST_MAX_S)
        except TimeoutError:
            raise EdgeError(f"the controller asked nothing: see {self.folder / 'edge.log'}") from None

    def _write_site(self) -> None:
        tables: dict[str, Any] = dict(self.scenario.tables)
        tables["port"] = [{**port, "path": bus.path} for port, bus in zip(tables["port"], self.buses, strict=True)]
        tables["store"] = {"path": str(self.folder / "store"), "sync_ms": 1_000}
        tables["console"] = {"socket": self.socket}
        (self.folder / "site.toml").write_text(render(tables))

    def _records(self) -> list[CycleRecord]:
        """Every cycle of every process that ran; the last second of a killed one was never written."""
        found: list[CycleRecord] = []
        try:
            for run in TraceReader(self.folder / "store" / "trace"):
                found += [record for _, record in run.steps]
        except DataFault as fault:
            if not found:
                raise
            print(f"the trace ends early: {fault}", file=sys.stderr)
        return found
