"""What a scenario is, what a run of it leaves behind, and what was found in that. Frozen records; nothing here computes.

All times are seconds of the scenario: 0 is when the controller begins to look at its devices. Signs as everywhere: grid +
import, battery + discharge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edge.config.options import Config
from hil.faults import Fault
from hil.invariants.watch import Watch
from hil.plant.site import SiteSpec

Level = Literal["wire", "hil"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that somebody does at a time: an order of authority, or a deed at the machines."""

    at_s: float
    do: str  # a key of reader.DEEDS
    source: str = "console"
    power_w: int = 0
    for_s: float = 0.0
    device: str = ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be seen: true at one moment, or soon after one, or during a span; the others' times are None."""

    what: str  # a key of expect.KINDS
    word: str = ""  # the file's `is`
    low_w: float = 0.0
    high_w: float = 0.0
    device: str = ""
    part_min: float = 0.0
    longest_s: float = 0.0
    at_s: float | None = None
    after_s: float | None = None
    within_s: float | None = None
    from_s: float | None = None
    to_s: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One checked scenario file. `tables` is its site as TOML tables, `config` the same as the controller has it."""

    name: str
    file: str
    description: str
    duration_s: float
    seed: int
    tables: Mapping[str, Any]
    config: Config
    spec: SiteSpec
    faults: tuple[Fault, ...]
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class UnitLook:
    """One battery unit as one cycle saw and ordered it."""

    setpoint_w: int
    charge_max_w: int
    discharge_max_w: int
    order: str
    latched: frozenset[str]
    pcs_age_ms: int
    bms_age_ms: int
    soc_cpct: int
    cell_voltage_min_mv: int
    cell_voltage_max_mv: int
    cell_temp_min_dc: int
    cell_temp_max_dc: int
    bms_flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Look:
    """One cycle of the controller: reasons are named as the console names them ("poc_stale", "unit bms_lost")."""

    at_s: float
    seq: int
    late_us: int
    mode: str
    reasons: frozenset[str]
    latched: frozenset[str]  # of the site and of all units
    first_out: str  # "" for none
    commands: frozenset[str]
    setpoint_w: int
    poc_age_ms: int
    load_age_ms: int
    pv_age_ms: int
    units: tuple[UnitLook, ...]


@dataclass(frozen=True, slots=True)
class UnitSample:
    """One battery unit as it really is."""

    power_w: float
    set_w: float
    pcs_state: str
    contactor: str
    comm_lost: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """The plant at one moment, measured by nobody."""

    at_s: float
    grid_w: float
    battery_w: float
    units: tuple[UnitSample, ...]
    read_counts: Mapping[str, int]  # answered, by device, since the start
    outputs: frozenset[str] = frozenset()  # of the remote I/O, those that are on


@dataclass(frozen=True, slots=True)
class Played:
    """What one run left behind. `ended_safe`: every device echoed its safe value at the end; None: it was killed."""

    scenario: Scenario
    level: Level
    seed: int
    looks: tuple[Look, ...]
    watch: Watch  # has seen every cycle
    samples: tuple[Sample, ...]
    ended_safe: bool | None
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation or invariant, and what was seen of it."""

    text: str
    passed: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Verdict:
    played: Played
    expectations: tuple[Finding, ...]
    invariants: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(finding.passed for finding in (*self.expectations, *self.invariants))
