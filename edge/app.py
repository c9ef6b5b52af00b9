"""The composition root: the only place that wires. Builds the control side of one site and runs it.

The control side never touches disk or network; it hands records to the uplink through two bounded queues and takes
leases back. The same class runs in real time (ttys, a thread for the uplink) and in virtual time (simulated ports).
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from edge.clock import Clock
from edge.config import options
from edge.config.options import Config
from edge.console.view import Reason, StatusView
from edge.control.authority import Authority
from edge.control.image import InputImage
from edge.control.interlocks import Cause, explain, explain_unit
from edge.control.kernel import Gate, Kernel, Mode
from edge.control.orders import Orders
from edge.cycle import Cycle, beat
from edge.errors import ConfigFault, Problem
from edge.field.budget import check_budget
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.port import Port
from edge.field.profiles.loader import load_profile
from edge.field.rules import gate_rules
from edge.model import CycleRecord, Request, SiteFlows, UplinkStatus

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
        devices.append(BusDevice(settings, profile))
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
        self._since_ms: dict[tuple[int | None, str], int] = {}
        self.tasks: list[asyncio.Task[None]] = []

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
            await self.stop()

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
            self._note_since(now_mono_ms)
            self.handover.note_flows(self.flows())

    # ---- what others see

    def _fresh(self, value: int, age_ms: int, limit_ms: int) -> int | None:
        return value if 0 <= age_ms <= limit_ms else None

    def flows(self) -> SiteFlows:
        """The site of this second; None where a meter is stale."""
        tw, out, limit_ms = self.kernel.input, self.kernel.output, self.config.limits.poc_age_max_ms
        battery_w: int | None = 0
        soc, weight = 0, 0
        cells: list[tuple[int, int, int]] = []
        for index, unit in enumerate(self.config.unit):
            seen = tw.unit[index]
            if battery_w is not None and 0 <= seen.pcs_age_ms <= unit.pcs_age_max_ms:
                battery_w += seen.power_w
            else:
                battery_w = None
            if 0 <= seen.bms_age_ms <= unit.bms_age_max_ms:
                soc += seen.soc_cpct * unit.capacity_wh
                weight += unit.capacity_wh
                cells.append((seen.cell_voltage_min_mv, seen.cell_voltage_max_mv, seen.cell_temp_max_dc))
        late = self.cycle.late_us
        recent = [late[i] for i in range(-min(len(late), 1000 // self.config.site.cycle_ms), 0)]
        return SiteFlows(
            mono_ms=self.clock.mono_ms(),
            wall_ms=self.clock.wall_ms(),
            poc_power_w=self._fresh(tw.poc_power_w, tw.poc_age_ms, limit_ms),
            load_power_w=self._fresh(tw.load_power_w, tw.load_age_ms, limit_ms),
            pv_power_w=self._fresh(tw.pv_power_w, tw.pv_age_ms, 2 * limit_ms),
            battery_power_w=battery_w,
            soc_cpct=soc // weight if weight else None,
            battery_set_w=out.battery_w,
            mode=out.mode,
            why=out.why,
            wish_w=out.wish_w,
            poc_reference_w=out.poc_reference_w,
            cell_voltage_min_mv=min((c[0] for c in cells), default=None),
            cell_voltage_max_mv=max((c[1] for c in cells), default=None),
            cell_temp_max_dc=max((c[2] for c in cells), default=None),
            late_max_us=max(recent, default=0),
            late_count=self.cycle.late_count,
        )

    def _note_since(self, now_mono_ms: int) -> None:
        present = {(unit, cause.name) for unit, cause in self._causes()}
        self._since_ms = {key: self._since_ms.get(key, now_mono_ms) for key in present}

    def _causes(self) -> list[tuple[int | None, Cause]]:
        out = self.kernel.output
        found: list[tuple[int | None, Cause]] = [(None, cause) for cause in explain(out.why)]
        for index in range(len(self.config.unit)):
            found += [(index, cause) for cause in explain_unit(out.unit[index].why)]
        return found

    def reasons(self) -> tuple[Reason, ...]:
        now_mono_ms = self.clock.mono_ms()
        return tuple(
            Reason(
                cause.name, cause.text, cause.hint, cause.latched, unit, cause.action,
                now_mono_ms - self._since_ms.get((unit, cause.name), now_mono_ms),
            )
            for unit, cause in self._causes()
        )  # fmt: skip

    def _first_out(self) -> str:
        out = self.kernel.output
        if not out.first_out:
            return ""
        causes = explain(out.first_out) if out.first_out_unit < 0 else explain_unit(out.first_out)
        where = "" if out.first_out_unit < 0 else f" (unit {out.first_out_unit})"
        ago_ms = self.clock.mono_ms() - out.first_out_mono_ms
        return f"{causes[0].text}{where}, {ago_ms / 1000:.0f} s ago"

    def status(self) -> StatusView:
        """One picture for the console and the live screen."""
        flows, out, limits = self.flows(), self.kernel.output, self.config.limits
        late = sorted(self.cycle.late_us)
        standing = self.authority.standing
        return StatusView(
            site=self.config.site.id,
            tenant=self.config.site.tenant,
            mode=Mode(out.mode).name,
            reasons=self.reasons(),
            first_out=self._first_out(),
            standing=standing.text(),
            mono_ms=flows.mono_ms,
            wall_ms=flows.wall_ms,
            poc_power_w=flows.poc_power_w,
            load_power_w=flows.load_power_w,
            pv_power_w=flows.pv_power_w,
            battery_power_w=flows.battery_power_w,
            battery_set_w=out.battery_w,
            wish_w=out.wish_w,
            wish_left_ms=standing.wish_left_ms,
            soc_cpct=flows.soc_cpct,
            cell_voltage_min_mv=flows.cell_voltage_min_mv,
            cell_voltage_max_mv=flows.cell_voltage_max_mv,
            cell_temp_max_dc=flows.cell_temp_max_dc,
            charge_max_w=-out.band_min_w,
            discharge_max_w=out.band_max_w,
            import_max_w=limits.import_max_w,
            export_max_w=limits.export_max_w,
            ramp_up_max_w_per_s=limits.ramp_up_max_w_per_s,
            ramp_down_max_w_per_s=limits.ramp_down_max_w_per_s,
            poc_reference_w=out.poc_reference_w,
            uplink=self.handover.status(),
            late_p50_us=late[len(late) // 2] if late else 0,
            late_p99_us=late[len(late) * 99 // 100] if late else 0,
            late_max_us=late[-1] if late else 0,
            late_count=self.cycle.late_count,
            cycle_count=self.cycle.seq,
            ports=tuple(bus.port_health() for bus in self.buses),
            devices=tuple(health for bus in self.buses for health in bus.health()),
        )

    def offer(self, request: Request) -> None:
        """A wish from the console. A reset also asks the devices to clear what they have latched themselves."""
        self.authority.offer(request)
        if request.kind == "reset" and request.source == "console":
            for unit in self.config.unit:
                self._command(unit.pcs, "clear")
