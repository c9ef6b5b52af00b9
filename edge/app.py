"""The composition root: the only place that wires. Builds the control side of one site and runs it.

The control side never touches disk or network; it hands records to the uplink through two bounded queues and takes
leases back. The same class runs in real time (ttys, a thread for the uplink) and in virtual time (simulated ports).
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence

from edge.clock import Clock
from edge.config import options
from edge.config.options import Config
from edge.console.picture import Picture
from edge.console.server import ConsoleServer
from edge.control.authority import Authority
from edge.control.image import InputImage
from edge.control.kernel import Gate, Kernel
from edge.control.orders import Orders
from edge.cycle import Cycle, beat
from edge.errors import ConfigFault, Problem
from edge.field.budget import check_budget
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.port import Port
from edge.field.profiles.loader import load_profile
from edge.field.rules import gate_rules
from edge.model import CycleRecord, SiteFlows, UplinkStatus

KIND_OF_USE = {"poc": "meter", "load": "meter", "pv": "pv", "pcs": "pcs", "bms": "bms"}


class Handover:
    """The border to the uplink, seen from the control side. Nothing here may block."""

    def note_record(self, record: CycleRecord) -> None:
        """One cycle."""

    def note_flows(self, flows: SiteFlows) -> None:
        """One second."""

    def status(self) -> UplinkStatus:
        return UplinkStatus()


def bus_devices(config: Config) -> list[BusDevice]:
    """Every device with its profile. Raises ConfigFault with all problems: profiles, kinds, bus plan."""
    devices: list[BusDevice] = []
    problems: list[Problem] = []
    for index, settings in enumerate(config.device):
        try:
            profile = load_profile(settings.profile)
        except ConfigFault as fault:
            problems += fault.problems
            continue
        if profile.kind != KIND_OF_USE[settings.use]:
            allowed = f"is a {profile.kind}, but use = '{settings.use}' needs a {KIND_OF_USE[settings.use]}"
            problems.append(Problem(config.file, f"device[{index}].profile", settings.profile, allowed))
        devices.append(BusDevice(settings, profile, config.site.cycle_ms))
    problems += check_budget(config, devices)
    if problems:
        raise ConfigFault(problems)
    return devices


class Controller:
    """The control side of one site."""

    def __init__(
        self,
        config: Config,
        devices: Sequence[BusDevice],
        clock: Clock,
        open_port: Callable[[options.Port], Port],
        handover: Handover,
    ) -> None:
        self.config = config
        self.clock = clock
        self.handover = handover
        self.kernel = Kernel.from_site(config)
        self.authority = Authority(auto_run=config.site.auto_run)
        self.image = InputImage(config, {device.name: device.profile for device in devices}, self.kernel.input)
        self.gate = Gate(gate_rules(config, devices), self.kernel.output)
        self.buses = [
            Bus(
                index,
                port,
                open_port(port),
                [device for device in devices if device.settings.port == port.name],
                clock,
                self.image.note,
                self.gate.allowed,
            )
            for index, port in enumerate(config.port)
        ]
        self._bus_of = {device.name: self.buses[self._port_index(device)] for device in devices}
        self._devices = {device.name: device for device in devices}
        orders = Orders(config, self.image, self._set_value, self._command)
        self.cycle = Cycle(self.kernel, self.image, self.authority, orders, clock, handover.note_record)
        self._second_mono_ms = clock.mono_ms()
        self.picture = Picture(
            config, clock, self.kernel, self.authority, self.cycle, self.buses, self._command, handover.status
        )
        self.tasks: list[asyncio.Task[None]] = []
        self.all_safe = False

    def _port_index(self, device: BusDevice) -> int:
        return [port.name for port in self.config.port].index(device.settings.port)

    def _set_value(self, device: str, write: str, value: int) -> None:
        self._bus_of[device].set_value(device, write, value)

    def _command(self, device: str, name: str) -> None:
        self._bus_of[device].command(device, name)

    # ---- running

    async def run(self) -> None:
        """Until cancelled; then every setpoint goes to its safe value before this returns."""
        self.tasks = [asyncio.create_task(bus.run(), name=f"bus {i}") for i, bus in enumerate(self.buses)]
        self.tasks.append(asyncio.create_task(beat(self.cycle, self.config.site.cycle_ms, self.after_cycle)))
        try:
            done, _ = await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a task that ended is a programmer's fault: let it be seen
        finally:
            self.all_safe = await self.stop()

    async def stop(self) -> bool:
        """Cancels everything, then sends the safe value through the gate. True when every device echoed it."""
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        return all([await bus.shutdown() for bus in self.buses])

    def after_cycle(self) -> None:
        """What the cycle leaves for afterwards: what the buses know of their devices, and one picture a second."""
        extra = ((name, device.guarded, device.write_failed) for name, device in self._devices.items())
        self.image.note_guards(extra, lambda name: self._devices[name].settings.use == "pcs")
        now_mono_ms = self.clock.mono_ms()
        if now_mono_ms - self._second_mono_ms >= 1_000:
            self._second_mono_ms += 1_000 * ((now_mono_ms - self._second_mono_ms) // 1_000)
            self.picture.note_since(now_mono_ms)
            self.handover.note_flows(self.picture.flows())


async def supervise(controller: Controller, server: ConsoleServer) -> bool:
    """Runs until SIGTERM or SIGINT. True when every device echoed its safe value at the end."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    server.start()
    running = asyncio.create_task(controller.run())
    waiting = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        running.cancel()
        await asyncio.wait({running})
        server.close()
    if not running.cancelled() and (fault := running.exception()) is not None:
        raise fault
    return controller.all_safe
