"""The carbon account of a site: each second booked, each minute and quarter closed, nothing forgotten over a restart.

One owner, the uplink's thread. Once a minute, and after each closed quarter, the open sums go into a checkpoint: a
restart loses at most that minute's shape, which is then `missing_ms`; its energy is in the registers all the same.
A closed quarter is handed on before the checkpoint is written. Whoever keeps it says at the start how far he got
(`kept`), so that none is booked twice and the battery's content goes on from the newer of the two.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Protocol

from edge.carbon.book import IntervalBook
from edge.carbon.flow import FlowStep, FlowTotals, SiteFlow
from edge.carbon.interval import INTERVAL_MS, ClockState, FactorUse, Interval
from edge.carbon.pool import PoolState, StoredPool
from edge.carbon.registers import RegisterBook
from edge.model import SiteFlows

MINUTE_MS = 60_000
CHECKPOINT_MS = 60_000
CLOSED_MAX_COUNT = 400  # four days of quarters that nobody takes


class Checkpoint(Protocol):
    """Keeps one small state (edge.store.db.checkpoint.py)."""

    state: dict[str, Any] | None
    fault: str

    def write(self, state: dict[str, Any]) -> bool: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """The end of the newest quarter that is kept elsewhere, and the battery's content then."""

    stop_wall_ms: int
    pool: PoolState


class CarbonAccount:
    """Books seconds. `closed` is for the ledger to take from, oldest first; `minute` is the newest closed minute."""

    def __init__(
        self, capacity_wh: int, registers: RegisterBook | None = None, checkpoint: Checkpoint | None = None
    ) -> None:
        self._checkpoint = checkpoint
        self._registers = registers or RegisterBook()
        state = checkpoint.state if checkpoint is not None else None
        pool = StoredPool(capacity_wh, PoolState(*state["pool"]) if state else PoolState(0, 0))
        self._flow = SiteFlow(pool, opened=state is not None)
        self._quarter = IntervalBook(INTERVAL_MS, self._registers.close)
        self._minute = IntervalBook(MINUTE_MS)
        if state is not None:
            self._quarter.resume(state["quarter"])
            self._registers.resume(state["registers"])
        self._due_mono_ms: int | None = None
        self.closed: deque[Interval] = deque(maxlen=CLOSED_MAX_COUNT)
        self.minute: Interval | None = None

    def begin_after(self, kept: Kept) -> None:
        """Once, before the first second: what the checkpoint has of a quarter that is kept already is not booked again."""
        if self._quarter.ends_by(kept.stop_wall_ms):
            self._quarter = IntervalBook(INTERVAL_MS, self._registers.close)
            self._registers.close()
            self._flow.reopen(kept.pool)

    def second(self, flows: SiteFlows, step_ms: int, factor: FactorUse, clock: ClockState) -> FlowStep:
        """One second at this factor of the grid; its quality says what it is worth."""
        self._open(flows.soc_cpct)
        before = self._flow.pool.freeze_state()
        step = self._flow.step(flows, step_ms, factor.value_mg_per_kwh, factor.quality)
        after = self._flow.pool.freeze_state()
        used = booked_factor(factor, step.grid_mg_per_kwh)
        closed = self._quarter.note(step, before, after, used, clock)
        self._registers.note(flows.registers)
        minute = self._minute.note(step, before, after, used, clock)
        if minute is not None:
            self.minute = minute
        if closed is not None:
            self.closed.append(closed)
        return step

    def _open(self, soc_cpct: int | None) -> None:
        """Content found in the battery is where the open intervals began, not something that was charged in them."""
        before = self._flow.pool.freeze_state()
        self._flow.open_pool(soc_cpct)
        after = self._flow.pool.freeze_state()
        if after != before:
            found = PoolState(after.stored_uj - before.stored_uj, after.carbon_ug - before.carbon_ug)
            self._quarter.find(found)
            self._minute.find(found)

    def keep(self, mono_ms: int, *, now: bool = False) -> None:
        """The checkpoint, when it is due: after `closed` was taken from."""
        if self._checkpoint is None:
            return
        if self._due_mono_ms is None:
            self._due_mono_ms = mono_ms + CHECKPOINT_MS
        if now or mono_ms >= self._due_mono_ms:
            self._due_mono_ms = mono_ms + CHECKPOINT_MS
            pool = self._flow.pool.freeze_state()
            self._checkpoint.write(
                {
                    "pool": [pool.stored_uj, pool.carbon_ug],
                    "quarter": self._quarter.freeze_state(),
                    "registers": self._registers.freeze_state(),
                }
            )

    def totals(self) -> FlowTotals:
        """Sums since this process began, or since the battery's content was last set."""
        return self._flow.totals()

    @property
    def fault(self) -> str:
        return self._checkpoint.fault if self._checkpoint is not None else ""


def booked_factor(factor: FactorUse, booked_mg_per_kwh: int) -> FactorUse:
    """The factor as it was booked: where a conservative value stood in, its quality says so."""
    if factor.value_mg_per_kwh == booked_mg_per_kwh:
        return factor
    return replace(factor, value_mg_per_kwh=booked_mg_per_kwh, quality="substituted")
