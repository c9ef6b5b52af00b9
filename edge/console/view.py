"""What the console sees of the plant: one frozen picture, and one way to ask for something. app.py implements it.

The words of the console never reach the field, the kernel or the uplink: only this.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge.control.narrowing import Narrowing
from edge.model import DeviceHealth, Event, PortHealth, Request, UplinkStatus


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why the site does not do what somebody wishes: what it is, what happens, what to do about it."""

    name: str  # tw_site_cause or tw_unit_cause without its prefix, lower case
    text: str
    hint: str
    latched: bool = False
    unit: int | None = None  # index of the battery unit; None: the site
    action: str = ""  # what the controller does because of it
    since_ms: int | None = None  # how long it has been so


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """The site at one moment. None: not known now (a meter is stale)."""

    site: str
    tenant: str
    mode: str
    reasons: tuple[Reason, ...] = ()
    first_out: str = ""  # the first cause of the present stop
    narrowings: tuple[Narrowing, ...] = ()
    functions: str = ""  # site functions that shape the wish now
    unit_modes: tuple[str, ...] = ()
    standing: str = ""  # whose wish holds: Standing.text()
    mono_ms: int = 0
    wall_ms: int = 0
    poc_power_w: int | None = None
    load_power_w: int | None = None
    pv_power_w: int | None = None
    battery_power_w: int | None = None
    battery_set_w: int = 0
    wish_w: int = 0
    wish_left_ms: int = 0
    soc_cpct: int | None = None
    cell_voltage_min_mv: int | None = None
    cell_voltage_max_mv: int | None = None
    cell_temp_max_dc: int | None = None
    charge_max_w: int = 0  # what the kernel allows now
    discharge_max_w: int = 0
    import_max_w: int = 0  # configured
    export_max_w: int = 0
    ramp_up_max_w_per_s: int = 0
    ramp_down_max_w_per_s: int = 0
    reference_w: int = 0  # where smoothing wants the grid
    dead_time_ms: int = 0  # of the loop, as measured; 0: not known yet
    period_ms: int = 0  # of the load, when it has one
    gain_permille: int = 0  # of the fast part of smoothing
    uplink: UplinkStatus = field(default_factory=UplinkStatus)
    late_p50_us: int = 0
    late_p99_us: int = 0
    late_max_us: int = 0
    late_count: int = 0
    cycle_count: int = 0
    ports: tuple[PortHealth, ...] = ()
    devices: tuple[DeviceHealth, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a technician's question: lines for people, data for machines. Not ok: data is {"error": why}."""

    lines: list[str]
    data: Any = None
    ok: bool = True


class PlantView(Protocol):
    def status(self) -> StatusView:
        """Cheap: called for each prompt."""
        ...

    def offer(self, request: Request) -> None: ...

    @property
    def events(self) -> Callable[[], tuple[Event, ...]]:
        """The newest events of the logbook, oldest first."""
        ...

    def bench(self, word: str, args: tuple[str, ...]) -> Coroutine[Any, Any, Told]:
        """A technician's word that has to ask the devices; cancelled, it ends what it does."""
        ...
