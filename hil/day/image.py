"""A day in seconds, and its story on one screen. Image level: kernel and plant, no bytes, 1 Hz. Wire level: hil.day.wire.

The image is filled from the plant as the devices would show it; what a device cannot show is not looked at.
"""

import math
from pathlib import Path
from typing import Any

from edge.config.options import Config, Limits
from edge.config.reader import parse_config, read_toml
from edge.control.authority import Authority
from edge.control.image import UNKNOWN
from edge.control.kernel import Kernel, Mode, Order
from edge.control.settings import config_struct
from edge.mission.second import Mission
from edge.model import SiteFlows
from edge.roles import FLAGS
from hil.assembly import build_site, unit_specs
from hil.day.story import Story
from hil.invariants.watch import Watch
from hil.plant.site import Site, SiteSpec
from hil.virtual import StepClock

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "site.example.toml"
PCS_RUNNING, PCS_FAULT, PCS_GUARDED = 2, 1, 16
BMS_CONNECTED, BMS_ALARM, BMS_TRIP, BMS_NO_CHARGE, BMS_NO_DISCHARGE, BMS_GUARDED = 1, 2, 4, 8, 16, 32
IMAGE_AGE_MS = 100
TOLERANCE_W = 800  # 1 % of the example's import limit: meter class and regulation noise
MISSION_S = 10  # carbon of a power held for longer than this is not booked
MODES = [mode.name for mode in Mode]
OVER_MAX_S = 3  # a job start is seen by the grid before a loop of one second can act: one to measure, one to follow


def example_tables() -> dict[str, Any]:
    """The example's site file as a technician leaves it: with what the simulated meter averages, which is nothing."""
    tables = read_toml(EXAMPLE)
    for device in tables["device"]:
        if device["use"] == "poc":
            device["averaging_ms"] = 0
    return tables


def day_config(**tables: dict[str, Any]) -> Config:
    """The example site at 1 Hz, without store and cloud; `tables` replaces single options."""
    raw = example_tables()
    raw["site"]["cycle_ms"] = 1_000
    for name in ("store", "cloud", "console"):
        raw.pop(name, None)
    raw["signal"] = {"kind": "none"}
    for name, options in tables.items():
        raw[name] = {**raw.get(name, {}), **options}
    return parse_config(raw, EXAMPLE.name)


def is_over(limits: Limits, grid_w: float) -> bool:
    """Is the grid past a limit by more than the tolerance?"""
    return not -limits.export_max_w - TOLERANCE_W <= grid_w <= limits.import_max_w + TOLERANCE_W


class ImageDay:
    """Kernel and plant in one loop, no bytes between them."""

    def __init__(self, config: Config, spec: SiteSpec, seed: int) -> None:
        self.config = config
        self.site: Site = build_site(config, spec, seed)
        self.kernel = Kernel(config_struct(config))
        self.authority = Authority(auto_run=True)
        self.clock = StepClock()
        self.mission = Mission(config, self.clock)
        self.story = Story()
        self.watch: Watch | None = None

    def run(self, seconds: int, dt_s: int = 1) -> Story:
        """Plays `seconds` of the site."""
        for second in range(0, seconds, dt_s):
            self.site.step(dt_s)
            self._cycle(1_000 * dt_s)
            self._mission(second)
            self.story.note(
                self.site, is_over(self.config.limits, self.site.poc_power_w), MODES[self.kernel.output.mode], dt_s
            )
        return self.story

    def _cycle(self, dt_ms: int) -> None:
        kernel, site = self.kernel, self.site
        self.clock.now_ms += dt_ms
        tw = kernel.input
        standing = self.authority.settle(self.clock.now_ms)
        tw.mono_ms, tw.commands = self.clock.now_ms, standing.commands
        tw.wish_kind, tw.wish_w, tw.wish_left_ms = standing.wish_kind, standing.wish_w, standing.wish_left_ms
        tw.poc_power_w, tw.poc_age_ms = int(site.poc_power_w), IMAGE_AGE_MS
        tw.pv_power_w, tw.pv_age_ms = int(site.pv_power_w), IMAGE_AGE_MS
        tw.flags, tw.io_age_ms = sum(FLAGS["io"][name] for name in site.contacts.said), IMAGE_AGE_MS
        tw.poc_voltage_dv, tw.poc_frequency_mhz = int(site.voltage_v * 10), int(site.frequency_hz * 1_000)
        for index, unit in enumerate(site.units):
            fill_unit(tw.unit[index], unit)
        kernel.step()
        if self.watch is not None:
            self.watch.note_step(kernel)
        out = kernel.output
        for index, unit in enumerate(site.units):
            order = out.unit[index].order
            if order:
                obey(unit, order)
            unit.pcs.set_power_w(out.unit[index].setpoint_w)

    def _mission(self, second: int) -> None:
        site, out = self.site, self.kernel.output
        if second % MISSION_S:  # the rule's dwell is a minute; asking each second would change nothing but the time
            return
        flows = SiteFlows(
            self.clock.now_ms, self.clock.wall_ms(), int(site.poc_power_w), int(site.it_power_w), int(site.pv_power_w),
            int(site.battery_power_w), int(10_000 * site.units[0].pack.soc), out.battery_w, out.mode, out.why,
            out.wish_w, out.reference_w, None, None, None, 0, 0,
        )  # fmt: skip
        request, _, _ = self.mission.second(flows)
        if second % 60 == 0:
            self.story.note_ask(self.mission.status.rule)
        if request is not None:
            lease_ms = max(request.expires_mono_ms, self.clock.now_ms + 61_000)
            self.authority.offer(type(request)(request.source, request.kind, request.power_w, lease_ms, request.reason))


def fill_unit(tw: Any, unit: Any) -> None:
    """One unit's part of the input image, straight from the plant."""
    pcs, bms, pack = unit.pcs, unit.bms, unit.pack
    tw.pcs_age_ms = tw.bms_age_ms = IMAGE_AGE_MS
    tw.pcs_flags = PCS_GUARDED | (PCS_RUNNING if pcs.state == "running" else 0) | (PCS_FAULT if pcs.fault_names else 0)
    tw.bms_flags = (
        BMS_GUARDED
        | (BMS_CONNECTED if bms.contactor == "closed" else 0)
        | (BMS_ALARM if bms.alarm_names else 0)
        | (BMS_TRIP if bms.trip_names else 0)
        | (BMS_NO_CHARGE if bms.full else 0)
        | (BMS_NO_DISCHARGE if bms.empty else 0)
    )
    tw.power_w = tw.power_at_poc_w = int(pcs.power_w)
    tw.pack_voltage_dv = int(pack.voltage_v * 10)
    tw.pack_current_da = int(pack.current_a * 10)
    tw.soc_cpct = int(pack.soc * 10_000)
    tw.current_charge_max_da = int(bms.charge_limit_a * 10)
    tw.current_discharge_max_da = int(bms.discharge_limit_a * 10)
    tw.cell_voltage_min_mv = int(pack.cell_voltage_min_v * 1_000)
    tw.cell_voltage_max_mv = math.ceil(pack.cell_voltage_max_v * 1_000)
    tw.pcs_dc_voltage_dv = int(pcs.dc_voltage_v * 10)
    tw.insulation_kohm, tw.bms_heartbeat = int(pack.insulation_kohm), UNKNOWN
    tw.cell_temp_min_dc = int(pack.cell_temp_min_c * 10)
    tw.cell_temp_max_dc = int(pack.cell_temp_max_c * 10)


def obey(unit: Any, order: int) -> None:
    """What the field would make of an order."""
    if order == Order.CONNECT:
        if unit.bms.contactor == "open":
            unit.bms.connect()
    elif order == Order.START:
        if unit.pcs.state == "standby" and unit.pcs.dc_voltage_v > 0.0:
            unit.pcs.start()
    elif order in (Order.STOP, Order.OPEN):
        unit.pcs.stop()
        if order == Order.OPEN:
            unit.bms.disconnect()


def default_day(seed: int = 1, **tables: dict[str, Any]) -> ImageDay:
    """The example site for a day of seeded load and sky."""
    config = day_config(**tables)
    return ImageDay(config, SiteSpec(units=unit_specs(config)), seed)
