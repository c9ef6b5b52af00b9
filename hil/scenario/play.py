"""A scenario at wire level: the real controller on simulated buses in virtual time, in this process.

Also what both levels share: the deeds of a person at the machines, and the samples of the plant.
"""

import asyncio
import time
from collections.abc import Iterable

from edge.config.options import Config
from edge.model import CycleRecord, Request
from hil.day.wired import WiredSite
from hil.faults import FaultBox
from hil.invariants.watch import Watch
from hil.plant.bms import Bms
from hil.plant.pcs import Pcs
from hil.plant.site import Site
from hil.scenario.look import looks
from hil.scenario.model import Played, Sample, Scenario, Step, UnitSample
from hil.slave import Slave
from hil.virtual import VirtualClock, VirtualLoop, run_virtual

TICK_S = 0.05  # the plant's step, and how exactly a step of the scenario is timed
END_S = 1.0  # the plant takes the last setpoint


def sample_of(site: Site, slaves: Iterable[Slave], at_s: float) -> Sample:
    """The plant as it is."""
    units = tuple(
        UnitSample(unit.pcs.power_w, unit.pcs.set_w, unit.pcs.state, unit.bms.contactor, unit.pcs.comm_lost)
        for unit in site.units
    )
    counts = {slave.name: slave.read_count for slave in slaves}
    return Sample(at_s, site.poc_power_w, site.battery_power_w, units, counts, frozenset(site.contacts.outputs))


def clear(machine: object) -> None:
    """What a person does at the device: reads it, mends it, clears it."""
    if isinstance(machine, Pcs | Bms):
        machine.clear()


def watched(config: Config, records: Iterable[CycleRecord]) -> Watch:
    """The invariants, asked of every cycle."""
    watch = Watch(config)
    for record in records:
        watch.note(record)
    return watch


class _Run:
    """One run in progress."""

    def __init__(self, scenario: Scenario, seed: int, clock: VirtualClock) -> None:
        self.clock = clock
        box = FaultBox(scenario.faults, seed)
        self.wired = WiredSite(scenario.config, scenario.spec, seed, clock, plant_step_s=TICK_S, faults=box)
        self.wired.uplink.records = []
        self.samples: list[Sample] = []
        self.task: asyncio.Task[None] | None = None
        self._slaves = [slave for slaves in self.wired.slaves.values() for slave in slaves]

    def look(self) -> None:
        self.wired.move()
        self.samples.append(sample_of(self.wired.site, self._slaves, self.clock.mono_ms() / 1000))

    async def take(self, step: Step) -> None:
        wired = self.wired
        match step.do:
            case "kill":
                await self.stop(orderly=False)
            case "start":
                await self.stop(orderly=False)
                for port in wired.ports.values():
                    port.is_cut = False
                self.task = asyncio.create_task(wired.new_controller().run())
            case "clear":
                clear(wired.machines[step.device])
            case _:
                wired.controller.picture.offer(_request(step, self.clock.mono_ms()))

    async def stop(self, *, orderly: bool) -> None:
        """Ends the controller; killed, it says nothing more: the cables are cut before it could."""
        if self.task is None:
            return
        for port in self.wired.ports.values():
            port.is_cut = port.is_cut or not orderly
        self.task.cancel()
        await asyncio.wait({self.task})
        self.task = None


def _request(step: Step, now_mono_ms: int) -> Request:
    expires_mono_ms = now_mono_ms + int(1000 * step.for_s)
    match step.do:
        case "wish":
            return Request(step.source, "power", step.power_w, expires_mono_ms, "scenario")
        case "hold":
            return Request(step.source, "hold", reason="scenario")
        case "resume":
            return Request(step.source, "resume")
        case "reset":
            return Request(step.source, "reset")
        case _:
            return Request(step.source, "service")


def play_wire(scenario: Scenario, seed: int) -> Played:
    """The whole run in virtual time."""
    started_s = time.process_time()

    async def main(loop: VirtualLoop, clock: VirtualClock) -> Played:
        run = _Run(scenario, seed, clock)
        run.task = asyncio.create_task(run.wired.controller.run())
        left = list(scenario.steps)
        for tick in range(1, round(scenario.duration_s / TICK_S) + 1):
            await asyncio.sleep(tick * TICK_S - loop.time())
            run.look()
            while left and left[0].at_s <= loop.time() + TICK_S / 2:
                await run.take(left.pop(0))
        killed = run.task is None
        await run.stop(orderly=True)
        await asyncio.sleep(END_S)
        run.look()
        assert run.wired.uplink.records is not None
        seen = tuple(looks(run.wired.uplink.records, len(scenario.config.unit), 0))
        watch = watched(scenario.config, run.wired.uplink.records)
        safe = None if killed else run.wired.controller.all_safe
        return Played(scenario, "wire", seed, seen, watch, tuple(run.samples), safe, time.process_time() - started_s)

    return run_virtual(main)
