"""Seconds in, closed intervals out: who fed whom, in whole mJ and ug, aligned in UTC.

The clock on the wall decides which interval a second belongs to; a step of the clock closes the open one, and what it
lacks is `missing_ms`. The factor of an interval is the mean its import was really booked at; its quality is the worst of
the interval's.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edge.carbon.flow import MJ_MG_PER_UG_KWH, FlowStep
from edge.carbon.interval import INTERVAL_MS, ClockState, FactorUse, Flow, Interval, RegisterSpan, Sink, Source
from edge.carbon.pool import PoolState
from edge.carbon.sharing import share

METHOD = "average-pool/1"  # proportional sharing at one bus, weighted-average pool, all losses to the battery's energy
SOURCES: tuple[Source, ...] = ("grid", "pv", "battery")  # no genset: nothing meters one yet
SINKS: tuple[Sink, ...] = ("battery", "export", "load")  # the last takes what rounding leaves
FACTOR_RANK = {"measured": 0, "estimated_by_source": 1, "stale": 2, "substituted": 3, "default": 4}
NO_FACTOR = FactorUse("none", "annual", 0, "nothing imported yet", "", None, "", "default")


class IntervalBook:
    """Sums of the open interval. `registers` gives the spans at its end; not thread-safe: one owner."""

    def __init__(
        self, interval_ms: int = INTERVAL_MS, registers: Callable[[], tuple[RegisterSpan, ...]] = tuple
    ) -> None:
        self._interval_ms, self._registers = interval_ms, registers
        self._index: int | None = None
        self._clear(PoolState(0, 0))

    def _clear(self, pool: PoolState) -> None:
        cells = len(SOURCES) * len(SINKS)
        self._energy_mj, self._carbon_ug = [0] * cells, [0] * cells
        self._it_mj: int | None = None
        self._booked_ms = self._loss_ug = self._true_up_uj = 0
        self._open = self._closed = pool
        self._factor = NO_FACTOR
        self._clock = ClockState("none", None, synced=False)

    def note(
        self, step: FlowStep, before: PoolState, after: PoolState, factor: FactorUse, clock: ClockState
    ) -> Interval | None:
        """One booked second, with the pool before and after it. The interval that it closed, if any."""
        index = (step.wall_ms - 1) // self._interval_ms
        closed = None
        if index != self._index:
            closed = self.close()
            self._index = index
            self._clear(before)
        self._add(step)
        self._closed = after
        if FACTOR_RANK.get(factor.quality, 4) >= FACTOR_RANK.get(self._factor.quality, 4) or self._factor is NO_FACTOR:
            self._factor = factor
        self._clock = clock
        return closed

    def _add(self, step: FlowStep) -> None:
        energy = share((step.import_mj, step.pv_mj, step.discharge_mj), (step.charge_mj, step.export_mj, step.load_mj))
        carbon = share((step.grid_ug, 0, step.discharge_ug), (step.charge_ug, step.export_ug, step.load_ug))
        for row in range(len(SOURCES)):
            for column in range(len(SINKS)):
                cell = row * len(SINKS) + column
                self._energy_mj[cell] += energy[row][column]
                self._carbon_ug[cell] += carbon[row][column]
        if step.it_mj is not None:
            self._it_mj = (self._it_mj or 0) + step.it_mj
        self._booked_ms += step.step_ms
        self._loss_ug += step.loss_ug
        self._true_up_uj += step.true_up_uj

    def find(self, content: PoolState) -> None:
        """The battery turned out to hold this as well, all along."""
        self._open = PoolState(self._open.stored_uj + content.stored_uj, self._open.carbon_ug + content.carbon_ug)

    def close(self) -> Interval | None:
        """The open interval as it is; None when nothing was booked since it was opened."""
        if self._index is None:
            return None
        start_ms = self._index * self._interval_ms
        flows = [
            Flow(source, sink, self._energy_mj[row * len(SINKS) + column], self._carbon_ug[row * len(SINKS) + column])
            for row, source in enumerate(SOURCES)
            for column, sink in enumerate(SINKS)
        ]
        charged = sum(flow.energy_mj for flow in flows if flow.sink == "battery")
        delivered = sum(flow.energy_mj for flow in flows if flow.source == "battery")
        lost_uj = self._open.stored_uj + (charged - delivered) * 1000 + self._true_up_uj - self._closed.stored_uj
        flows.append(Flow("battery", "losses", max(0, lost_uj // 1000), self._loss_ug))
        load_mj = sum(flow.energy_mj for flow in flows if flow.sink == "load")
        self._index = None
        return Interval(
            start_wall_ms=start_ms,
            stop_wall_ms=start_ms + self._interval_ms,
            method=METHOD,
            flows=tuple(flow for flow in flows if flow.energy_mj or flow.carbon_ug),
            registers=self._registers(),
            factor=self._mean_factor(flows),
            it_mj=self._it_mj,
            facility_mj=load_mj,
            stored_open_uj=self._open.stored_uj,
            carbon_open_ug=self._open.carbon_ug,
            stored_close_uj=self._closed.stored_uj,
            carbon_close_ug=self._closed.carbon_ug,
            storage_loss_ug=self._loss_ug,
            missing_ms=max(0, self._interval_ms - self._booked_ms),
            clock=self._clock,
            true_up_uj=self._true_up_uj,
        )

    def _mean_factor(self, flows: list[Flow]) -> FactorUse:
        imported_mj = sum(flow.energy_mj for flow in flows if flow.source == "grid")
        if not imported_mj:
            return self._factor
        grid_ug = sum(flow.carbon_ug for flow in flows if flow.source == "grid")
        return replace(self._factor, value_mg_per_kwh=grid_ug * MJ_MG_PER_UG_KWH // imported_mj)

    # ---- across a restart

    def ends_by(self, wall_ms: int) -> bool:
        """Would the open interval end no later than this? False when none is open."""
        return self._index is not None and (self._index + 1) * self._interval_ms <= wall_ms

    def freeze_state(self) -> dict[str, Any]:
        """What a restart within the interval needs to go on; plain values."""
        return {
            "index": self._index, "energy_mj": self._energy_mj, "carbon_ug": self._carbon_ug, "it_mj": self._it_mj,
            "booked_ms": self._booked_ms, "loss_ug": self._loss_ug, "true_up_uj": self._true_up_uj,
            "open": [self._open.stored_uj, self._open.carbon_ug],
            "closed": [self._closed.stored_uj, self._closed.carbon_ug],
        }  # fmt: skip

    def resume(self, state: dict[str, Any]) -> None:
        """Goes on where `freeze_state` was; the factor is that of the next second."""
        self._index, self._it_mj = state["index"], state["it_mj"]
        self._energy_mj, self._carbon_ug = list(state["energy_mj"]), list(state["carbon_ug"])
        self._booked_ms, self._loss_ug, self._true_up_uj = state["booked_ms"], state["loss_ug"], state["true_up_uj"]
        self._open, self._closed = PoolState(*state["open"]), PoolState(*state["closed"])
