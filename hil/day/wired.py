"""The wire level: the real controller on simulated buses in virtual time, in this process and this thread.

Everything is the product's own, from the register to the lease, but the tty, the disk and the network. The plant is moved
up to the present before every request, so that a slave never answers from the past.
"""

import asyncio
from collections.abc import Awaitable, Callable

from edge.app import Controller, bus_devices
from edge.config import options
from edge.config.options import Config
from edge.cycle import Handover
from edge.field.line.port import Port
from edge.logbook.standstill import restore, standstill_of
from edge.mission.second import Mission
from edge.model import CycleRecord, SiteFlows
from hil.assembly import build_site, build_slaves, plant_devices
from hil.faults import FaultBox
from hil.plant.site import Site, SiteSpec
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from hil.wire import Spoil, WirePort

PLANT_STEP_S = 0.1  # twice the PCS's lag: its shape is coarse, its energy is right


class InlineUplink(Handover):
    """The mission inline; cycle records are counted, kept only while somebody asks for them."""

    def __init__(self) -> None:
        self.mission: Mission | None = None
        self.controller: Controller | None = None
        self.records: list[CycleRecord] | None = None
        self.last: CycleRecord | None = None

    def note_record(self, record: CycleRecord) -> None:
        self.last = record
        if self.records is not None:
            self.records.append(record)

    def note_flows(self, flows: SiteFlows) -> None:
        if self.mission is not None and self.controller is not None:
            request, _, _ = self.mission.second(flows)
            if request is not None:
                self.controller.authority.offer(request)


class WiredSite:
    """A plant, its slaves on WirePorts, and a controller. Built inside a running virtual loop."""

    def __init__(self, config: Config, spec: SiteSpec, seed: int, clock: VirtualClock, *,
                 plant_step_s: float = PLANT_STEP_S, spoil: Spoil | None = None,
                 faults: FaultBox | None = None) -> None:  # fmt: skip
        self.config, self.clock, self.faults = config, clock, faults
        self.site: Site = build_site(config, spec, seed)
        self.machines = plant_devices(config, self.site)
        self._step_s = plant_step_s
        self._moved_s = 0.0
        self._loop = asyncio.get_running_loop()
        self.slaves = build_slaves(config, self.site)
        self.ports = {
            port.name: WirePort(port.name, port.baud, self.slaves[port.name], self.move, spoil, faults=faults)
            for port in config.port
        }
        self.uplink = InlineUplink()
        self.controller = self.new_controller()

    def new_controller(self) -> Controller:
        """The control side as a new process would build it; what must outlive a process is taken from the last cycle."""
        self.controller = Controller(self.config, bus_devices(self.config), self.clock, self._open_port, self.uplink)
        if self.uplink.last is not None:
            standing, kernel = standstill_of(self.config, self.uplink.last), self.controller.kernel
            restore(standing, self.config, kernel, self.controller.authority, self.clock.mono_ms())
        self.uplink.controller = self.controller
        self.uplink.mission = Mission(self.config, self.clock)
        return self.controller

    def _open_port(self, settings: options.Port) -> Port:
        return self.ports[settings.name]

    def move(self) -> None:
        """Brings the plant up to now."""
        now_s = self._loop.time()
        while now_s - self._moved_s >= self._step_s:
            if self.faults is not None:
                self.faults.act(self.machines, self._moved_s)
            self.site.step(self._step_s)
            self._moved_s += self._step_s


def play(
    config: Config,
    spec: SiteSpec,
    seed: int,
    script: Callable[[WiredSite], Awaitable[None]],
    *,
    plant_step_s: float = PLANT_STEP_S,
    spoil: Spoil | None = None,
) -> WiredSite:
    """Runs the controller while `script` lets virtual time pass; then stops it in order, as a process would."""

    async def main(loop: VirtualLoop, clock: VirtualClock) -> WiredSite:
        wired = WiredSite(config, spec, seed, clock, plant_step_s=plant_step_s, spoil=spoil)
        task = asyncio.create_task(wired.controller.run())
        await script(wired)
        task.cancel()
        await asyncio.wait({task})
        await asyncio.sleep(1)  # the plant takes the last setpoint
        wired.move()
        return wired

    return run_virtual(main)
