"""Everything that may wait: signals, carbon, the rule, the rings on disk, the broker. One thread, or inline in virtual time.

Takes frozen records from two bounded queues (oldest dropped when full, and counted) and gives leases back. Touches neither
a port nor the kernel. What it last found out of itself is one frozen UplinkStatus, replaced whole.
"""

import threading
from collections import deque
from collections.abc import Callable

from edge.app import Handover
from edge.carbon.flow import FlowStep, SiteFlow
from edge.carbon.pool import StoredPool
from edge.clock import Clock
from edge.config.options import Config
from edge.model import CycleRecord, Request, Sample, SiteFlows, UplinkStatus
from edge.plan.invite import BudgetBoard
from edge.plan.rule import RuleInput, RuleState, choose_request
from edge.plan.signals.base import IntensitySignal, NoSignal
from edge.plan.signals.file import FileSignal
from edge.plan.signals.pushed import PushedSignal

RECORDS_MAX = 1_200  # two minutes of cycles at 100 ms
FLOWS_MAX = 600  # ten minutes of seconds
QUALITY = {"measured": 0, "stale": 1, "default": 2, "estimated": 3, "none": 4}  # as stored in a sample


class Mission:
    """One second of purpose: intensity, carbon of the second, what to ask for and what to offer."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.pushed = PushedSignal(config.signal.age_max_s * 1_000)
        self.signal: IntensitySignal = NoSignal()
        if config.signal.kind == "file":
            self.signal = FileSignal(config.signal, config.file, clock.mono_ms(), clock.wall_ms())
        elif config.signal.kind == "mqtt":
            self.signal = self.pushed
        self.flow = SiteFlow(StoredPool(sum(unit.capacity_wh for unit in config.unit)), opened=False)
        self.board = BudgetBoard(config.site.id, config.rule.cluster)
        self._state = RuleState()
        self._before_mono_ms: int | None = None
        self.status = UplinkStatus()

    def second(self, flows: SiteFlows) -> tuple[Request | None, FlowStep, "tuple[str, bytes] | None"]:
        """(wish, booked carbon, message to the cluster as (topic suffix, payload))."""
        reading = self.signal.poll(flows.mono_ms, flows.wall_ms)
        before_ms = flows.mono_ms if self._before_mono_ms is None else self._before_mono_ms
        self._before_mono_ms = flows.mono_ms
        step = self.flow.step(flows, flows.mono_ms - before_ms, reading.value_mg_per_kwh, reading.quality)
        seen = RuleInput(flows.mono_ms, reading, flows.load_power_w, flows.soc_cpct)
        choice = choose_request(self.config.rule, self._state, seen)
        self._state = choice.state
        message = self.board.poll(choice.invitation, flows.mono_ms, flows.wall_ms)
        self.status = UplinkStatus(
            grid_intensity_mg_per_kwh=reading.value_mg_per_kwh,
            grid_quality=reading.quality,
            site_intensity_mg_per_kwh=step.site_intensity_mg_per_kwh,
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
            flows.soc_cpct, flows.mode, flows.why, flows.wish_w, flows.poc_reference_w, flows.cell_voltage_min_mv,
            flows.cell_voltage_max_mv, flows.cell_temp_max_dc, flows.late_max_us, flows.late_count,
            intensity_mg_per_kwh, step.site_intensity_mg_per_kwh, step.stored_carbon_mg, QUALITY[step.quality],
        ),
    )  # fmt: skip


class Uplink(Handover):
    """The uplink of one site. `note_*` are called from the control thread, `step` from the uplink's."""

    def __init__(self, config: Config, clock: Clock, offer: Callable[[Request], None]) -> None:
        self._clock = clock
        self._offer = offer
        self._records: deque[CycleRecord] = deque(maxlen=RECORDS_MAX)
        self._flows: deque[SiteFlows] = deque(maxlen=FLOWS_MAX)
        self._dropped_count = 0
        self.mission = Mission(config, clock)
        self._status = UplinkStatus()
        self._ended = threading.Event()

    # ---- control thread

    def note_record(self, record: CycleRecord) -> None:
        self._dropped_count += len(self._records) == RECORDS_MAX
        self._records.append(record)

    def note_flows(self, flows: SiteFlows) -> None:
        self._dropped_count += len(self._flows) == FLOWS_MAX
        self._flows.append(flows)

    def status(self) -> UplinkStatus:
        return self._status
