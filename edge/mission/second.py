"""One second of purpose: what the grid is like, what carbon the second was booked with, what to ask for and what to offer.

Owned by the uplink; stepped by the simulated days as well, which is why it knows no thread and no disk.
"""

from edge.carbon.account import CarbonAccount, Checkpoint
from edge.carbon.factors.use import factor_use
from edge.carbon.factors.weights import load_weights
from edge.carbon.flow import FlowStep
from edge.carbon.interval import ClockState
from edge.carbon.registers import RegisterBook
from edge.clock import Clock
from edge.config.options import Config
from edge.model import Request, Sample, SiteFlows, UplinkStatus
from edge.plan.invite import BudgetBoard
from edge.plan.rule import RuleInput, RuleState, choose_request
from edge.plan.signals.base import IntensitySignal, NoSignal
from edge.plan.signals.file import FileSignal
from edge.plan.signals.live import open_signal
from edge.plan.signals.pushed import PushedSignal
from edge.plan.signals.sources import AVERAGE

QUALITY = {"measured": 0, "stale": 1, "default": 2, "estimated": 3, "none": 4}  # as stored in a sample
NO_CLOCK = ClockState("none", None, synced=False)


def register_book(config: Config) -> RegisterBook:
    """The energy registers of a site, with what its [[meter]] tables say of them."""
    return RegisterBook(
        {meter.device: meter.register_max_wh for meter in config.meter},
        {
            meter.device: (meter.ct_primary_a * meter.pt_primary_v, meter.ct_secondary_a * meter.pt_secondary_v)
            for meter in config.meter
            if meter.registers == "secondary"
        },
    )


class Mission:
    """One second of purpose: intensity, carbon of the second, what to ask for and what to offer."""

    def __init__(self, config: Config, clock: Clock, checkpoint: Checkpoint | None = None) -> None:
        """`checkpoint` keeps the carbon account over a restart."""
        self.config = config
        self.pushed = PushedSignal(config.signal.age_max_s * 1_000)
        self.signal: IntensitySignal = NoSignal()
        if config.signal.kind == "file":
            self.signal = FileSignal(config.signal, config.file, clock.mono_ms(), clock.wall_ms())
        elif config.signal.kind == "mqtt":
            self.signal = self.pushed
        elif config.signal.kind in AVERAGE:
            self.signal = open_signal(config, clock, load_weights)
        capacity_wh = sum(unit.capacity_wh for unit in config.unit)
        self.account = CarbonAccount(capacity_wh, register_book(config), checkpoint)
        self.board = BudgetBoard(config.site.id, config.rule.cluster)
        self._state = RuleState()
        self._before_mono_ms: int | None = None
        self.status = UplinkStatus()

    def second(
        self, flows: SiteFlows, clock: ClockState = NO_CLOCK
    ) -> tuple[Request | None, FlowStep, "tuple[str, bytes] | None"]:
        """(wish, booked carbon, message to the cluster as (topic suffix, payload))."""
        reading = self.signal.poll(flows.mono_ms, flows.wall_ms)
        before_ms = flows.mono_ms if self._before_mono_ms is None else self._before_mono_ms
        self._before_mono_ms = flows.mono_ms
        step = self.account.second(flows, flows.mono_ms - before_ms, factor_use(reading), clock)
        seen = RuleInput(flows.mono_ms, reading, flows.load_power_w, flows.soc_cpct)
        choice = choose_request(self.config.rule, self._state, seen)
        self._state = choice.state
        message = self.board.poll(choice.invitation, flows.mono_ms, flows.wall_ms)
        self.status = UplinkStatus(
            grid_intensity_mg_per_kwh=reading.value_mg_per_kwh,
            grid_quality=reading.quality,
            grid_fault=reading.fault,
            site_intensity_mg_per_kwh=step.site_intensity_mg_per_kwh,
            battery_intensity_mg_per_kwh=step.battery_intensity_mg_per_kwh,
            site_carbon_mg_per_s=step.site_carbon_mg_per_s,
            stored_carbon_mg=step.stored_carbon_mg,
            stored_energy_mwh=step.stored_mwh,
            rule=choice.text,
            invite_w=choice.invitation.invite_w if choice.invitation else 0,
        )
        return choice.request, step, (message.topic, message.payload) if message else None


def sample_of(flows: SiteFlows, step: FlowStep, intensity_mg_per_kwh: int | None) -> Sample:
    """The 1 Hz sample, in the order of SAMPLE_FIELDS."""
    return Sample(
        flows.mono_ms,
        flows.wall_ms,
        (
            flows.poc_power_w, flows.load_power_w, flows.pv_power_w, flows.battery_power_w, flows.battery_set_w,
            flows.soc_cpct, flows.mode, flows.why, flows.wish_w, flows.reference_w, flows.cell_voltage_min_mv,
            flows.cell_voltage_max_mv, flows.cell_temp_max_dc, flows.late_max_us, flows.late_count,
            intensity_mg_per_kwh, step.site_intensity_mg_per_kwh, step.stored_carbon_mg, QUALITY[step.quality],
            step.battery_intensity_mg_per_kwh, step.site_carbon_mg_per_s,
        ),
    )  # fmt: skip
