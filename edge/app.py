"""The composition root: the only place that wires. Builds the control side of one site and runs it.

The control side never touches disk or network; it hands records to the uplink through two bounded queues and takes
leases back. The same class runs in real time (ttys, a thread for the uplink) and in virtual time (simulated ports).
"""

import asyncio
import contextlib
import importlib
import importlib.util
import logging
import signal
import threading
from collections.abc import Callable, Sequence

from edge.clock import Clock, SystemClock
from edge.commission.bench import Bench
from edge.commission.line import Heard
from edge.config import options
from edge.config.options import Config
from edge.console.picture import Picture
from edge.console.server import ConsoleServer
from edge.control.authority import Authority
from edge.control.forecast import Forecast
from edge.control.image import InputImage
from edge.control.kernel import Gate, Kernel
from edge.control.orders import Orders
from edge.control.settings import config_struct
from edge.cycle import Cycle, Handover, beat
from edge.errors import ConfigFault, Problem
from edge.field.budget import check_budget
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.port import Port, TtyPort
from edge.field.line.rtu import Expect
from edge.field.line.timing import hole_max_count
from edge.field.profiles.loader import load_profile
from edge.field.quality import SiteWatch
from edge.field.rules import gate_rules
from edge.field.schedule.asks import ASK_REGISTERS_MAX
from edge.field.schedule.registers import Registers
from edge.logbook.standstill import restore
from edge.model import AuditEntry, Outcome, Reading
from edge.ops.process import ServiceNotice, fine_loop, tune_interpreter
from edge.uplink import Uplink, open_trace

EXIT_UNSAFE, EXIT_FAULT = 1, 70
UPLINK_END_S = 5.0  # the last flush of a slow disk; after this the process ends without it
KIND_OF_USE = {"poc": "meter", "load": "meter", "pv": "pv", "pcs": "pcs", "bms": "bms", "io": "io"}

log = logging.getLogger("edge")


def bus_devices(config: Config) -> list[BusDevice]:
    """Every device with its profile. Raises ConfigFault with all problems: profiles, kinds, bus plan."""
    devices: list[BusDevice] = []
    problems: list[Problem] = []
    for index, settings in enumerate(config.device):
        try:
            profile = load_profile(settings.profile, config.file)
        except ConfigFault as fault:
            problems += fault.problems
            continue
        if profile.kind != KIND_OF_USE[settings.use]:
            allowed = f"is a {profile.kind}, but use = '{settings.use}' needs a {KIND_OF_USE[settings.use]}"
            problems.append(Problem(config.file, f"device[{index}].profile", settings.profile, allowed))
        if settings.use == "pv" and config.limits.pv_rated_w and "power_limit" not in {w.name for w in profile.writes}:
            allowed = "has no power_limit to write, but limits.pv_rated_w says that it can be curtailed"
            problems.append(Problem(config.file, f"device[{index}].profile", settings.profile, allowed))
        port = next(port for port in config.port if port.name == settings.port)
        hole_count = hole_max_count(port, profile.link)
        devices.append(BusDevice(settings, profile, config.site.cycle_ms, hole_count))
    problems += check_budget(config, devices)
    if any(port.kind == "tcp" for port in config.port) and importlib.util.find_spec("pymodbus") is None:
        allowed, hint = "needs pymodbus, which is not installed", "pip install 'tidewatt-edge[tcp]'"
        problems.append(Problem(config.file, "port.kind", "tcp", allowed, hint))
    if problems:
        raise ConfigFault(problems)
    return devices


def open_port(settings: options.Port) -> Port:
    """A port of this machine, not opened yet."""
    if settings.kind == "tcp":  # not imported where there is none: it brings pymodbus
        port: Port = importlib.import_module("edge.field.line.tcp").TcpPort(settings)
        return port
    return TtyPort(settings)


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
        self.kernel = Kernel(config_struct(config))
        self.authority = Authority(auto_run=config.site.auto_run)
        self.forecast = Forecast()
        profiles = {device.name: device.profile for device in devices}
        self.image = InputImage(config, profiles, self.kernel.input)
        self.registers = Registers(profiles)
        rules = gate_rules(config, devices)
        self.gate = Gate(rules, self.kernel.output)
        self.buses = [
            Bus(
                index,
                port,
                open_port(port),
                [device for device in devices if device.settings.port == port.name],
                clock,
                self._note,
                self._allowed,
            )
            for index, port in enumerate(config.port)
        ]
        self._bus_of = {device.name: self.buses[self._port_index(device)] for device in devices}
        self._devices = {device.name: device for device in devices}
        self._watch = SiteWatch(config, {device.name: device.watch for device in devices})
        self._pcs = frozenset(device.name for device in devices if device.settings.use == "pcs")
        orders = Orders(config, profiles, self.image, self._set_value, self._command)
        self.cycle = Cycle(
            self.kernel, self.image, self.authority, self.forecast, orders, clock, handover.note_record
        )  # fmt: skip
        self._second_mono_ms = clock.mono_ms()
        self.bench = Bench(
            config,
            self._devices,
            self._ask,
            self.kernel,
            self.authority,
            clock,
            self._reasons_text,
            rules,
            ASK_REGISTERS_MAX,
        )
        self.picture = Picture(
            config, clock, self.kernel, self.authority, self.cycle, self.buses, self._command, handover.status,
            self.bench.run,
        )  # fmt: skip
        self.picture.on_asked, self.picture.events = self._audit, handover.events
        self.tasks: list[asyncio.Task[None]] = []
        self.all_safe = False
        self.on_cycle: Callable[[], None] = lambda: None

    def _port_index(self, device: BusDevice) -> int:
        return [port.name for port in self.config.port].index(device.settings.port)

    def _note(self, reading: Reading) -> None:
        self.image.note(reading)
        self.registers.note(reading)

    def _allowed(self, port_index: int, address: int, function: int, reg: int, count: int, value: int) -> bool:
        return self.gate.allowed(port_index, address, function, reg, count, value, self.clock.mono_ms())

    def _set_value(self, device: str, write: str, value: int) -> None:
        self._bus_of[device].set_value(device, write, value)

    def _command(self, device: str, name: str) -> None:
        self._bus_of[device].command(device, name)

    def _audit(self, who: str, action: str, text: str) -> None:
        self.handover.note_audit(AuditEntry(self.clock.mono_ms(), self.clock.wall_ms(), who, action, text))

    async def _ask(self, device: BusDevice, expect: Expect) -> Heard:
        """A technician's question: the bus asks it when nothing else is due."""
        answer = await self._bus_of[device.name].ask(device.name, expect)
        return Heard(answer, 0 if isinstance(answer, Outcome) else device.latency_us)

    def _reasons_text(self) -> str:
        return ", ".join(reason.name for reason in self.picture.reasons()) or "no reason given"

    # ---- running

    async def run(self) -> None:
        """Until cancelled; then every setpoint goes to its safe value before this returns."""
        cycle_s = self.config.site.cycle_ms / 1000
        for bus in self.buses:
            bus.align(asyncio.get_running_loop().time() + cycle_s, cycle_s)
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
        now_mono_ms = self.clock.mono_ms()
        self._watch.judge(now_mono_ms)
        extra = (
            (name, device.guarded or bool(device.acceptance), device.write_failed, device.watch.frozen_since_ms)
            for name, device in self._devices.items()
        )
        self.image.note_guards(extra, self._pcs.__contains__)
        self.bench.after_cycle()
        self.on_cycle()
        if now_mono_ms - self._second_mono_ms >= 1_000:
            self._second_mono_ms += 1_000 * ((now_mono_ms - self._second_mono_ms) // 1_000)
            self.picture.note_since(now_mono_ms)
            self.handover.note_flows(self.picture.flows(self.registers.newest()))
            self.handover.note_health(self.picture.health())


async def supervise(controller: Controller, server: ConsoleServer, on_cycle: Callable[[], None]) -> bool:
    """Runs until SIGTERM or SIGINT; `on_cycle` after each cycle. True when every device echoed its safe value."""
    controller.on_cycle = on_cycle
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


def serve(config: Config) -> int:
    """Runs the controller of `config` until SIGTERM or SIGINT. Raises ConfigFault before anything is opened.

    Returns 0: told to stop, and every device echoed its safe value; 1: some device did not; 70: a fault of this program,
    the plant was told 0 kW all the same, and its own watchdogs stand behind that.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    clock = SystemClock()
    devices = bus_devices(config)
    uplink = Uplink(config, clock)
    controller = Controller(config, devices, clock, open_port, uplink)
    restore(uplink.logbook.standstill, config, controller.kernel, controller.authority, clock.mono_ms())
    uplink.trace = open_trace(config, controller.kernel)
    uplink.offer, uplink.announce = controller.authority.offer, controller.forecast.offer
    ended = threading.Event()
    thread = threading.Thread(target=uplink.run, args=(ended,), name="uplink", daemon=True)
    server = ConsoleServer(config.console, controller.picture, config.file)
    notice = ServiceNotice()
    tune_interpreter()
    thread.start()
    notice.say("READY=1")
    for device in devices:
        if device.acceptance:
            log.warning("device=%s guarded=False accepted=%r", device.name, device.acceptance)
    log.info("start site=%s units=%d cycle_ms=%d", config.site.id, len(config.unit), config.site.cycle_ms)
    try:
        with asyncio.Runner(loop_factory=fine_loop) as runner:
            safe = runner.run(supervise(controller, server, lambda: notice.say("WATCHDOG=1")))
        code = 0 if safe else EXIT_UNSAFE
    except Exception:  # the one place: whatever it is, the devices have been told 0 kW by now
        log.exception("fault of the program; safe=%s", controller.all_safe)
        code = EXIT_FAULT
    notice.say("STOPPING=1")
    ended.set()
    thread.join(UPLINK_END_S)
    log.info("end safe=%s cycles=%d late=%d", controller.all_safe, controller.cycle.seq, controller.cycle.late_count)
    return code
