"""The picture of a running site: what the kernel, the buses and the leases say now, in the words of the view.

Reads only. Called from the control thread, once a second for the uplink and for each screen of the console.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from edge.clock import Clock
from edge.config.options import Config
from edge.console.view import Reason, StatusView, Told
from edge.control.authority import Authority
from edge.control.interlocks import SITE, UNIT, Cause, explain, explain_unit, filled
from edge.control.kernel import Kernel, Mode, SiteCause, UnitCause
from edge.control.narrowing import Narrowing, functions_text, site_narrowings, unit_narrowings
from edge.cycle import Cycle
from edge.field.bus import Bus
from edge.model import Event, RegisterValue, Request, SiteFlows, SiteHealth, UplinkStatus

LATE_EVERY_COUNT = 10  # cycles between two sorts of the lateness


class Picture:
    """Implements the console's PlantView on the parts of one controller."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        kernel: Kernel,
        authority: Authority,
        cycle: Cycle,
        buses: Sequence[Bus],
        command: Callable[[str, str], None],
        uplink_status: Callable[[], UplinkStatus],
        bench: Callable[[str, tuple[str, ...]], Coroutine[Any, Any, Told]],
    ) -> None:
        self.config, self.clock, self.kernel, self.authority, self.cycle = config, clock, kernel, authority, cycle
        self._buses = buses
        self._command = command
        self._uplink_status = uplink_status
        self.on_asked: Callable[[str, str, str], None] = lambda who, action, text: None  # for the audit
        self.events: Callable[[], tuple[Event, ...]] = tuple  # the newest of the logbook, oldest first
        self._bench = bench
        self._since_ms: dict[tuple[int | None, str], int] = {}
        self._since_why: tuple[int, ...] = ()  # the reason bits these are of
        self._late_seq = -LATE_EVERY_COUNT
        self._late_us = (0, 0, 0)

    def flows(self, registers: tuple[RegisterValue, ...] = ()) -> SiteFlows:
        """The site of this second; None where a meter is stale."""
        tw, out, limit_ms = self.kernel.input, self.kernel.output, self.config.limits.poc_age_max_ms
        battery_w: int | None = 0
        soc, weight = 0, 0
        cell_min_mv: int | None = None
        cell_max_mv: int | None = None
        temp_max_dc: int | None = None
        for index, unit in enumerate(self.config.unit):
            seen = tw.unit[index]
            if battery_w is not None and 0 <= seen.pcs_age_ms <= unit.pcs_age_max_ms:
                battery_w += seen.power_w
            else:
                battery_w = None
            if 0 <= seen.bms_age_ms <= unit.bms_age_max_ms:
                soc += seen.soc_cpct * unit.capacity_wh
                weight += unit.capacity_wh
                low_mv, high_mv, temp_dc = seen.cell_voltage_min_mv, seen.cell_voltage_max_mv, seen.cell_temp_max_dc
                cell_min_mv = low_mv if cell_min_mv is None else min(cell_min_mv, low_mv)
                cell_max_mv = high_mv if cell_max_mv is None else max(cell_max_mv, high_mv)
                temp_max_dc = temp_dc if temp_max_dc is None else max(temp_max_dc, temp_dc)
        late = self.cycle.late_us
        recent = [late[i] for i in range(-min(len(late), 1000 // self.config.site.cycle_ms), 0)]
        return SiteFlows(
            mono_ms=self.clock.mono_ms(),
            wall_ms=self.clock.wall_ms(),
            poc_power_w=_fresh(tw.poc_power_w, tw.poc_age_ms, limit_ms),
            load_power_w=_fresh(tw.load_power_w, tw.load_age_ms, limit_ms),
            pv_power_w=_fresh(tw.pv_power_w, tw.pv_age_ms, 2 * limit_ms),
            battery_power_w=battery_w,
            soc_cpct=soc // weight if weight else None,
            battery_set_w=out.battery_w,
            mode=out.mode,
            why=out.why,
            wish_w=out.wish_w,
            reference_w=out.reference_w,
            cell_voltage_min_mv=cell_min_mv,
            cell_voltage_max_mv=cell_max_mv,
            cell_temp_max_dc=temp_max_dc,
            late_max_us=max(recent, default=0),
            late_count=self.cycle.late_count,
            registers=registers,
        )

    def health(self) -> SiteHealth:
        """Devices, ports and refusals of this second."""
        return SiteHealth(
            self.clock.mono_ms(), self.clock.wall_ms(), tuple(one for bus in self._buses for one in bus.health()),
            tuple(bus.port_health() for bus in self._buses), self.authority.refused_count, self.authority.refused_last,
        )  # fmt: skip

    def note_since(self, now_mono_ms: int) -> None:
        out = self.kernel.output
        why = (out.why, *[out.unit[index].why for index in range(len(self.config.unit))])
        if why == self._since_why:
            return
        self._since_why = why
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
                cause.name, self._filled(cause.text, unit), self._filled(cause.hint, unit), cause.latched, unit,
                cause.action, now_mono_ms - self._since_ms.get((unit, cause.name), now_mono_ms),
            )
            for unit, cause in self._causes()
        )  # fmt: skip

    def _filled(self, text: str, unit: int | None) -> str:
        config = self.kernel.config
        return filled(text, config if unit is None else config.unit[unit], config)

    def narrowings(self) -> tuple[Narrowing, ...]:
        """Each rule that narrowed, with the number before and after."""
        out = self.kernel.output
        found = site_narrowings(out)
        for index in range(len(self.config.unit)):
            found += unit_narrowings(out, index)
        return tuple(found)

    def _first_out(self) -> str:
        out = self.kernel.output
        if out.first_out < 0:
            return ""
        unit = None if out.first_out_unit < 0 else int(out.first_out_unit)
        cause = SITE[SiteCause(out.first_out).name] if unit is None else UNIT[UnitCause(out.first_out).name]
        where = "" if unit is None else f" (unit {unit})"
        ago_ms = self.clock.mono_ms() - out.first_out_mono_ms
        return f"{self._filled(cause.text, unit)}{where}, {ago_ms / 1000:.0f} s ago"

    def status(self) -> StatusView:
        """One picture for the console and the live screen."""
        flows, out, limits = self.flows(), self.kernel.output, self.config.limits
        late_p50_us, late_p99_us, late_max_us = self._lateness()
        standing = self.authority.standing
        return StatusView(
            site=self.config.site.id,
            tenant=self.config.site.tenant,
            mode=Mode(out.mode).name,
            reasons=self.reasons(),
            first_out=self._first_out(),
            narrowings=self.narrowings(),
            functions=functions_text(out.functions),
            unit_modes=tuple(Mode(out.unit[i].mode).name for i in range(len(self.config.unit))),
            dead_time_ms=out.dead_time_ms,
            period_ms=out.period_ms,
            gain_permille=out.gain_permille,
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
            reference_w=out.reference_w,
            uplink=self._uplink_status(),
            late_p50_us=late_p50_us,
            late_p99_us=late_p99_us,
            late_max_us=late_max_us,
            late_count=self.cycle.late_count,
            cycle_count=self.cycle.seq,
            ports=tuple(bus.port_health() for bus in self._buses),
            devices=tuple(health for bus in self._buses for health in bus.health()),
        )

    def _lateness(self) -> tuple[int, int, int]:
        """p50, p99 and the largest; sorting ten minutes of cycles for each prompt would itself make a cycle late."""
        if self.cycle.seq - self._late_seq >= LATE_EVERY_COUNT:
            self._late_seq = self.cycle.seq
            late = sorted(self.cycle.late_us)
            self._late_us = (late[len(late) // 2], late[len(late) * 99 // 100], late[-1]) if late else (0, 0, 0)
        return self._late_us

    def bench(self, word: str, args: tuple[str, ...]) -> Coroutine[Any, Any, Told]:
        """A technician's word that asks the devices; what may change something is told to the audit."""
        if word in ("write", "sign-test"):
            self.on_asked("console", word, " ".join(args))
        return self._bench(word, args)

    def offer(self, request: Request) -> None:
        """A wish from the console. A reset also asks the devices to clear what they have latched themselves."""
        self.authority.offer(request)
        self.on_asked(request.source, request.kind, request.reason)
        if request.kind == "reset" and request.source == "console":
            for unit in self.config.unit:
                self._command(unit.pcs, "clear")


def _fresh(value: int, age_ms: int, limit_ms: int) -> int | None:
    return value if 0 <= age_ms <= limit_ms else None
