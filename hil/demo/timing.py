"""How soon a controller ran and how late its cycles were, from its own trace: every cycle of it, not what was polled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.config.options import Config
from edge.control.kernel import AGE_NEVER_MS
from edge.cycle import LATE_LIMIT_US
from edge.errors import DataFault
from edge.model import CycleRecord
from edge.store.trace import TraceReader
from hil.scenario.look import looks
from hil.scenario.model import Look


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds count from the first cycle; None: it never came to that."""

    answered_s: float | None  # the last of the devices gave its first complete answer
    run_s: float | None  # the first RUN cycle
    late_us: tuple[int, ...]  # of every cycle, sorted

    def start_text(self) -> str:
        if self.answered_s is None or self.run_s is None:
            return "none: " + ("a device never answered" if self.answered_s is None else "it never came to RUN")
        return (
            f"{self.run_s - self.answered_s:.1f} s after every device had answered completely, "
            f"which took {self.answered_s:.1f} s"
        )

    def late_text(self) -> str:
        late = self.late_us
        if not late:
            return "no cycle was recorded"
        over_count = sum(us > LATE_LIMIT_US for us in late)
        p50, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
        return (
            f"p50 {p50 / 1e3:.2f} ms, p99 {p99 / 1e3:.2f} ms, max {late[-1] / 1e3:.2f} ms; "
            f"{over_count} of {len(late)} over {LATE_LIMIT_US // 1000} ms"
        )


def timing_of(trace: Path, config: Config) -> Timing:
    """Reads the trace of one run; a damaged one as far as it goes."""
    records: list[CycleRecord] = []
    try:
        for run in TraceReader(trace):
            records += [record for _, record in run.steps]
    except DataFault:
        pass
    if not records:
        return Timing(None, None, ())
    seen = tuple(looks(records, len(config.unit), records[0].mono_ms))
    run_s = next((look.at_s for look in seen if look.mode == "RUN"), None)
    return Timing(answered_s(seen, config), run_s, tuple(sorted(record.late_us for record in records)))


def answered_s(seen: Sequence[Look], config: Config) -> float | None:
    """When the last device gave its first complete answer: the cycle that first knew of it, less the age it had then."""
    uses = {device.use for device in config.device}
    latest_s = 0.0
    for index in range(len(_ages(seen[0], uses))):
        found = (look.at_s - age_ms / 1000 for look in seen if (age_ms := _ages(look, uses)[index]) != AGE_NEVER_MS)
        first_s = next(found, None)
        if first_s is None:
            return None
        latest_s = max(latest_s, first_s)
    return latest_s


def _ages(look: Look, uses: set[str]) -> list[int]:
    ages = [look.poc_age_ms]
    ages += [look.load_age_ms] if "load" in uses else []
    ages += [look.pv_age_ms] if "pv" in uses else []
    return ages + [age_ms for unit in look.units for age_ms in (unit.pcs_age_ms, unit.bms_age_ms)]
