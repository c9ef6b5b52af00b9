"""The frozen records that cross folders (and the thread border). Nothing here computes.

Units are in the names; mono and wall times are milliseconds; signs as in `native/kernel_abi.h`.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple


class Reading(NamedTuple):
    """One block of registers of one device, decoded. A tuple: it is made for every answer, at a third of the cost.

    `values` has one entry per point of the block, in the order of the profile: the canonical integer of its role, the
    flag mask for a flags point, or None where the device says "not available" or the value is outside its range.
    `complete` is False when a mandatory role of the block is None: such a reading must not refresh any age.
    """

    device: str
    block: str
    taken_mono_ms: int
    values: tuple[int | None, ...]
    complete: bool


class Outcome(IntEnum):
    """How a bus transaction ended. Only OK carries data."""

    OK = 0
    TIMEOUT = 1
    CRC = 2  # bytes came, but no frame with a right CRC
    MISMATCH = 3  # a right frame, but not the answer to this request
    EXCEPTION = 4  # the device refused; see its code
    GATE = 5  # refused by the gate, never sent
    PORT = 6  # the port itself is gone


class Quality(IntEnum):
    """How good what a device says is, the worst last; the rules are in field/quality.py."""

    GOOD = 0
    HELD = 1  # the last answer could not be used: the one before it, at its own age
    STALE = 2  # older than the limit
    BAD = 3  # frozen, another device than the profile's, or never read whole


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """What is known of one device on a bus: counters since start, last latency, age of the oldest that is needed of it."""

    device: str
    port: str
    address: int
    sent_count: int
    ok_count: int
    failed_count: int  # consecutive, now
    outcome_counts: tuple[int, ...]  # indexed by Outcome
    latency_us: int
    age_ms: int | None
    guarded: bool  # its comm-loss timer was written and read back
    write_failed: bool  # a write was not read back three times running
    identity_fault: str = ""  # in words: what it says it is, and what its profile wants
    quality: Quality = Quality.GOOD
    quality_fault: str = ""  # in words: why it is not good
    exception_code: int = 0  # of its newest refusal; 0: none yet
    acceptance: str = ""  # it is not guarded, and the site file takes that on itself: in its words


@dataclass(frozen=True, slots=True)
class PortHealth:
    """One RS-485 port: how much of the last seconds the wire was busy, in permille, and whether it is open."""

    port: str
    load_permille: int
    is_open: bool
    error: str
    hears_itself: bool = False  # the adapter hands back what is sent; it is cut off before an answer is looked for


@dataclass(frozen=True, slots=True)
class SiteHealth:
    """Devices, ports and refusals at one second, for the logbook."""

    mono_ms: int
    wall_ms: int
    devices: tuple[DeviceHealth, ...]
    ports: tuple[PortHealth, ...]
    refused_count: int  # requests of somebody who may not
    refused_last: str


RequestKind = Literal["power", "hold", "resume", "reset", "service", "run", "calibrate"]
PowerForm = Literal["battery", "grid", "manual"]


@dataclass(frozen=True, slots=True)
class Request:
    """A wish with an owner and an end. `power_w` counts for kind "power" only, and means what `form` says.

    battery: power of the battery, + discharge, smoothed and shaved as the site wants; grid: power at the POC, + import;
    manual: exactly this battery power, without any site function.

    A power request lives until `expires_mono_ms`; who wants it longer asks again. A newer request of the same source
    replaces the older one. hold / resume / reset / service / run come from the console (later: signed fleet commands).
    """

    source: str  # "console", "fleet", "plan", "rule"
    kind: RequestKind
    power_w: int = 0
    expires_mono_ms: int = 0
    reason: str = ""
    form: PowerForm = "battery"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the cluster says its load will do: a change of `delta_w` (+ more) at a time."""

    at_mono_ms: int
    delta_w: int
    event: str  # job_start, job_stop, checkpoint


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """One cycle as it was: raw structs of the kernel, so that it replays bit for bit."""

    seq: int
    mono_ms: int
    wall_ms: int
    late_us: int
    input: bytes
    state: bytes  # after the step
    output: bytes


# The 1 Hz sample: (name, unit). The order is the order of Sample.values; the schema id is a hash of these lines.
SAMPLE_FIELDS: tuple[tuple[str, str], ...] = (
    ("poc_power_w", "W"),
    ("load_power_w", "W"),
    ("pv_power_w", "W"),
    ("battery_power_w", "W"),
    ("battery_set_w", "W"),
    ("soc_cpct", "cpct"),
    ("mode", ""),
    ("why", ""),
    ("wish_w", "W"),
    ("reference_w", "W"),
    ("cell_voltage_min_mv", "mV"),
    ("cell_voltage_max_mv", "mV"),
    ("cell_temp_max_dc", "dC"),
    ("late_max_us", "us"),
    ("late_count", ""),
    ("grid_intensity_mg_per_kwh", "mg/kWh"),
    ("site_intensity_mg_per_kwh", "mg/kWh"),
    ("stored_carbon_mg", "mg"),
    ("quality", ""),
    ("battery_intensity_mg_per_kwh", "mg/kWh"),
    ("site_carbon_mg_per_s", "mg/s"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One second of the site. None: not known at that second (a meter was stale)."""

    mono_ms: int
    wall_ms: int
    values: tuple[int | None, ...]


EventLevel = Literal["info", "warning", "alarm"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened once; kept in the store before it is published."""

    mono_ms: int
    wall_ms: int
    name: str  # what changed: mode, cause.poc_stale, write_refused.pcs ...
    text: str
    level: EventLevel = "info"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Somebody asked for something: who, what, and what became of it."""

    mono_ms: int
    wall_ms: int
    who: str
    action: str
    text: str


class RegisterValue(NamedTuple):
    """The newest value of an energy register, as the device counts."""

    device: str
    role: str  # e.g. meter.energy_import
    value_wh: int


@dataclass(frozen=True, slots=True)
class SiteFlows:
    """What the control side hands the uplink once a second: measured powers, None where the meter is stale."""

    mono_ms: int
    wall_ms: int
    poc_power_w: int | None
    load_power_w: int | None  # IT meter
    pv_power_w: int | None
    battery_power_w: int | None
    soc_cpct: int | None
    battery_set_w: int
    mode: int
    why: int
    wish_w: int
    reference_w: int
    cell_voltage_min_mv: int | None
    cell_voltage_max_mv: int | None
    cell_temp_max_dc: int | None
    late_max_us: int
    late_count: int
    registers: tuple[RegisterValue, ...] = ()


@dataclass(frozen=True, slots=True)
class UplinkStatus:
    """What the uplink last said of itself; the console and the live screen show it."""

    connected: bool = False
    stored_count: int = 0  # samples in the store since it was created
    acked_count: int = 0  # samples the ingest says it has committed
    pending_count: int = 0
    queue_age_ms: int = 0  # how long the oldest sample that is not acknowledged has waited
    parked_count: int = 0  # samples that the broker refused; among the pending ones
    store_bytes: int = 0
    store_fault: str = ""
    dropped_count: int = 0  # records lost between the threads because the queue was full
    grid_intensity_mg_per_kwh: int | None = None
    grid_quality: str = "none"  # measured | estimated_by_source | stale | substituted | default | none
    grid_fault: str = ""  # why the grid signal has nothing better; "" while all is well
    site_intensity_mg_per_kwh: int | None = None
    battery_intensity_mg_per_kwh: int | None = None  # of a kWh the battery would deliver now
    site_carbon_mg_per_s: int | None = None  # what the load emits now
    stored_carbon_mg: int = 0
    stored_energy_mwh: int = 0  # milliwatt-hours inside the pack, as the pool sees it
    rule: str = ""  # what the mission rule asks for now, and why
    invite_w: int = 0
    cloud_fault: str = ""  # why there is no connection, and what to do about it; "" while there is one
