"""One closed interval of the site as it was metered: what the ledger writes down and the report reads. Facts only.

Energies are whole mJ (1 W for 1 ms), carbon whole ug. Intervals are aligned in UTC, a quarter of an hour unless said.
What was not known is None, never 0. Average-based inventory only: a marginal figure has no place here.
"""

from dataclasses import dataclass
from typing import Literal

Source = Literal["grid", "pv", "battery", "genset"]
Sink = Literal["load", "battery", "export", "losses"]
SpanQuality = Literal["measured", "estimated", "substituted", "corrected"]
FactorKind = Literal["average_generation", "average_consumption", "annual", "residual", "contract"]

INTERVAL_MS = 900_000


@dataclass(frozen=True, slots=True)
class Flow:
    """What went from one source to one sink."""

    source: Source
    sink: Sink
    energy_mj: int
    carbon_ug: int


@dataclass(frozen=True, slots=True)
class RegisterSpan:
    """One energy register of one meter at both ends of an interval, in Wh as the device counts (before CT and PT)."""

    meter: str
    register: str  # the role, e.g. meter.energy_import
    start_wh: int | None
    stop_wh: int | None
    delta_wh: int | None  # after rollover, exchange, CT and PT
    quality: SpanQuality
    reason: str = ""  # why it is not "measured", or what happened (rollover, exchange)


@dataclass(frozen=True, slots=True)
class FactorUse:
    """The emission factor an interval was booked at, and where it came from."""

    factor_id: str
    kind: FactorKind
    value_mg_per_kwh: int
    source: str
    version: str
    published_wall_ms: int | None
    payload_sha256: str  # of the raw answer; "" for a table
    quality: str  # measured, estimated_by_source, stale, substituted, default


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the stamps of an interval rest on."""

    source: str  # ntp, rtc, none, ...
    offset_ms: int | None
    synced: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval. Sums of `flows` balance with opening and closing pool to the last unit."""

    start_wall_ms: int
    stop_wall_ms: int
    method: str  # name and version of the accounting method
    flows: tuple[Flow, ...]
    registers: tuple[RegisterSpan, ...]
    factor: FactorUse
    it_mj: int | None
    facility_mj: int | None
    stored_open_uj: int
    carbon_open_ug: int
    stored_close_uj: int
    carbon_close_ug: int
    storage_loss_ug: int
    missing_ms: int  # of the interval for which powers were not known
    clock: ClockState
    true_up_uj: int = 0  # change of the stored energy by true-ups to the SOC: neither charged nor lost
