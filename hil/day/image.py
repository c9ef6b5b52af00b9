"""A day in seconds, and its story on one screen. Image level: kernel and plant, no bytes, 1 Hz. Wire level: hil.wired.

The image is filled from the plant as the devices would show it; what a device cannot show is not looked at.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.config.options import Config
from edge.config.reader import parse_config, read_toml
from edge.control.authority import Authority
from edge.control.image import UNKNOWN
from edge.control.kernel import Kernel, Mode, Order
from edge.control.settings import config_struct
from edge.model import SiteFlows
from edge.uplink import Mission
from hil.assembly import build_site, unit_specs
from hil.plant.site import Site, SiteSpec
from hil.virtual import WALL_START_MS

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "site.example.toml"
PCS_RUNNING, PCS_FAULT, PCS_GUARDED = 2, 1, 16
BMS_CONNECTED, BMS_ALARM, BMS_TRIP, BMS_NO_CHARGE, BMS_NO_DISCHARGE, BMS_GUARDED = 1, 2, 4, 8, 16, 32
IMAGE_AGE_MS = 100
TOLERANCE_W = 800  # 1 % of the example's import limit: meter class and regulation noise
OVER_MAX_S = 3  # a job start is seen by the grid before a loop of one second can act: one to measure, one to follow


@dataclass(slots=True)
class Story:
    """What a run was: filled hour by hour, printed at the end."""

    seconds: int = 0
    hours: list[tuple[float, float, float, float, float]] = field(default_factory=list)  # grid load pv battery W, SOC
    mode_seconds: dict[str, int] = field(default_factory=dict)
    over_count: int = 0  # seconds past a limit
    over_run_s: int = 0  # of the present excursion
    over_longest_s: int = 0
    grid_max_w: float = 0.0
    asks: dict[str, int] = field(default_factory=dict)


def day_config(**tables: dict[str, Any]) -> Config:
    """The example site at 1 Hz, without store and cloud; `tables` replaces single options."""
    raw = read_toml(EXAMPLE)
    raw["site"]["cycle_ms"] = 1_000
    for name in ("store", "cloud", "console"):
        raw.pop(name, None)
    raw["signal"] = {"kind": "none"}
    for name, options in tables.items():
        raw[name] = {**raw.get(name, {}), **options}
    return parse_config(raw, EXAMPLE.name)


class ImageDay:
    """Kernel and plant in one loop, no bytes between them."""

    def __init__(self, config: Config, spec: SiteSpec, seed: int) -> None:
        self.config = config
        self.site: Site = build_site(config, spec, seed)
        self.kernel = Kernel(config_struct(config))
        self.authority = Authority(auto_run=True)
        self.clock = _StepClock()
        self.mission = Mission(config, self.clock)
        self.story = Story()

    def run(self, seconds: int, dt_s: int = 1) -> Story:
        """Plays `seconds` of the site."""
        sums = [0.0] * 4
        for second in range(0, seconds, dt_s):
            self.site.step(dt_s)
            self._cycle(1_000 * dt_s)
            self._mission(second)
            site = self.site
            sums[0] += site.poc_power_w
            sums[1] += site.load_power_w
            sums[2] += site.pv_power_w
            sums[3] += site.battery_power_w
            self._judge()
            if second % 3_600 == 3_600 - dt_s:
                steps = 3_600 / dt_s
                soc = site.units[0].pack.soc
                self.story.hours.append((sums[0] / steps, sums[1] / steps, sums[2] / steps, sums[3] / steps, soc))
                sums = [0.0] * 4
        self.story.seconds = seconds
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
        tw.poc_voltage_dv, tw.poc_frequency_mhz = int(site.voltage_v * 10), int(site.frequency_hz * 1_000)
        for index, unit in enumerate(site.units):
            fill_unit(tw.unit[index], unit)
        kernel.step()
        out = kernel.output
        for index, unit in enumerate(site.units):
            order = out.unit[index].order
            if order:
                obey(unit, order)
            unit.pcs.set_power_w(out.unit[index].setpoint_w)

    def _mission(self, second: int) -> None:
        site, out = self.site, self.kernel.output
        if second % 60:  # the rule's dwell is a minute; asking each second would change nothing but the time it takes
            return
        flows = SiteFlows(
            self.clock.now_ms, self.clock.wall_ms(), int(site.poc_power_w), int(site.it_power_w), int(site.pv_power_w),
            int(site.battery_power_w), int(10_000 * site.units[0].pack.soc), out.battery_w, out.mode, out.why,
            out.wish_w, out.reference_w, None, None, None, 0, 0,
        )  # fmt: skip
        request, _, _ = self.mission.second(flows)
        word = self.mission.status.rule.split(":")[0].split(" ")[0]
        self.story.asks[word] = self.story.asks.get(word, 0) + 1
        if request is not None:
            lease_ms = max(request.expires_mono_ms, self.clock.now_ms + 61_000)
            self.authority.offer(type(request)(request.source, request.kind, request.power_w, lease_ms, request.reason))

    def _judge(self) -> None:
        story, limits, grid_w = self.story, self.config.limits, self.site.poc_power_w
        name = Mode(self.kernel.output.mode).name
        story.mode_seconds[name] = story.mode_seconds.get(name, 0) + 1
        over = not -limits.export_max_w - TOLERANCE_W <= grid_w <= limits.import_max_w + TOLERANCE_W
        story.over_count += over
        story.over_run_s = story.over_run_s + 1 if over else 0
        story.over_longest_s = max(story.over_longest_s, story.over_run_s)
        story.grid_max_w = max(story.grid_max_w, grid_w)


class _StepClock:
    """edge.clock.Clock moved by hand."""

    def __init__(self) -> None:
        self.now_ms = 0

    def mono_us(self) -> int:
        return self.now_ms * 1_000

    def mono_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return WALL_START_MS + self.now_ms


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
