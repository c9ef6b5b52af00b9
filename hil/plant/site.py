"""One site: N battery units, PV, IT load and building overhead behind one point of connection.

`Site.step(dt_s)` moves everything; the attributes are what devices can measure. + grid import, + battery discharge,
+ PV production, + load consumption: grid = load - pv - battery. `balance()` is the truth to compare against.
"""

from dataclasses import dataclass, field
from random import Random

from hil.plant.average import MovingMean
from hil.plant.bms import Bms
from hil.plant.load import AiLoad, AiLoadSpec, ItLoad, LoadTrace, Overhead, OverheadSpec
from hil.plant.pack import Pack, PackSpec
from hil.plant.pcs import Pcs, PcsSpec
from hil.plant.pv import Irradiance, IrradianceTrace, Pv, PvSpec, Sky, SkySpec


@dataclass(frozen=True, slots=True)
class TraceSpec:
    """Rows to play instead of a generator; a load's maximum is scaled to scale_w, irradiance is taken as it is."""

    rows: tuple[tuple[float, float], ...]
    scale_w: float = 60_000.0
    start_s: float = 0.0


class Contacts:
    """What the remote I/O sees and switches: contacts that say something, by flag name, and outputs that are on."""

    __slots__ = ("outputs", "said")

    def __init__(self) -> None:
        self.said: set[str] = set()  # "estop", "door" ...: whatever its wiring, this is what it means
        self.outputs: set[str] = set()

    def say(self, flag: str, is_on: bool) -> None:
        (self.said.add if is_on else self.said.discard)(flag)

    def switch(self, output: str, is_on: bool) -> None:
        (self.outputs.add if is_on else self.outputs.discard)(output)


@dataclass(frozen=True, slots=True)
class UnitSpec:
    pack: PackSpec = field(default_factory=PackSpec)
    pcs: PcsSpec = field(default_factory=PcsSpec)
    connected: bool = True  # contactor closed at the start


@dataclass(frozen=True, slots=True)
class SiteSpec:
    """The demo site by default: 30 kW / 60 kWh, 40 kWp behind 33 kW, 60 kW of AI load."""

    units: tuple[UnitSpec, ...] = (UnitSpec(),)
    pv: PvSpec = field(default_factory=PvSpec)
    load: AiLoadSpec | TraceSpec = field(default_factory=AiLoadSpec)
    irradiance: SkySpec | TraceSpec = field(default_factory=SkySpec)
    overhead: OverheadSpec = field(default_factory=OverheadSpec)
    ambient_c: float = 25.0
    start_s: float = 0.0  # time of day at the first step
    poc_averaging_s: float = 0.0  # window of the POC meter's own mean; 0: it shows the power of the moment
    grid_frequency_hz: float = 60.0
    grid_voltage_v: float = 277.0  # phase to neutral of a 480 V service


class Unit:
    """One PCS with its pack and BMS; energies in Wh of AC (charge, discharge) and DC."""

    __slots__ = ("bms", "charge_wh", "dc_in_wh", "dc_out_wh", "discharge_wh", "pack", "pcs", "pcs_loss_wh", "start_wh")

    def __init__(self, spec: UnitSpec, ambient_c: float) -> None:
        self.pack = Pack(spec.pack, ambient_c)
        self.bms = Bms(self.pack, spec.connected)
        self.pcs = Pcs(spec.pcs, ambient_c)
        self.pcs.dc_voltage_v = self.pack.voltage_v if spec.connected else 0.0
        self.charge_wh = self.discharge_wh = self.dc_in_wh = self.dc_out_wh = self.pcs_loss_wh = 0.0
        self.start_wh = self.pack.stored_wh

    def step(self, dt_s: float, ambient_c: float) -> float:
        """AC power of this step, + discharge."""
        pack, pcs, bms, hours = self.pack, self.pcs, self.bms, dt_s / 3600.0
        dc_w = pack.step(pcs.ask(dt_s, pack.voltage_v if bms.contactor == "closed" else 0.0), dt_s, ambient_c)
        pcs.settle(dc_w, dt_s)
        bms.step(dt_s)
        if bms.contactor == "closed" and not pcs.dc_voltage_v:  # just closed: whoever sees that may start at once
            pcs.dc_voltage_v = pack.voltage_v
        power_w = pcs.power_w
        if power_w >= 0.0:
            self.discharge_wh += power_w * hours
        else:
            self.charge_wh -= power_w * hours
        if dc_w >= 0.0:
            self.dc_out_wh += dc_w * hours
        else:
            self.dc_in_wh -= dc_w * hours
        self.pcs_loss_wh += pcs.loss_w * hours
        return power_w


@dataclass(frozen=True, slots=True)
class Balance:
    """Energies since the start. Residuals are what rounding left: about 0."""

    grid_import_wh: float
    grid_export_wh: float
    it_wh: float
    overhead_wh: float
    pv_wh: float
    charge_wh: float  # AC into the batteries
    discharge_wh: float
    pcs_loss_wh: float
    pack_loss_wh: float
    stored_change_wh: float
    bus_residual_wh: float  # import - export + pv + discharge - charge - load
    battery_residual_wh: float  # charge - discharge - losses - stored change


class Site:
    """The plant. `version` changes with every step; who caches encoded values compares it."""

    __slots__ = (
        "_irradiance", "_it", "_overhead", "_poc_mean", "ambient_c", "battery_power_w", "contacts", "frequency_hz",
        "genset_power_w", "genset_wh", "grid_export_wh", "grid_import_wh", "it_power_w", "it_wh", "load_power_w",
        "overhead_w", "overhead_wh", "poc_power_w", "poc_shown_w", "pv", "pv_power_w", "pv_wh", "seed", "spec", "t_s",
        "units", "version", "voltage_v",
    )  # fmt: skip

    def __init__(self, spec: SiteSpec | None = None, seed: int = 1) -> None:
        self.spec = spec = spec or SiteSpec()
        self.seed = seed
        self.units = [Unit(unit, spec.ambient_c) for unit in spec.units]
        self.pv = Pv(spec.pv, spec.ambient_c)
        self.contacts = Contacts()
        # Each part has a stream of its own, so that a change of one leaves the others as they were.
        self._it: ItLoad
        if isinstance(spec.load, TraceSpec):
            self._it = LoadTrace(spec.load.rows, spec.load.scale_w, spec.load.start_s)
        else:
            self._it = AiLoad(spec.load, Random(f"{seed}-load"))
        self._irradiance: Irradiance
        if isinstance(spec.irradiance, TraceSpec):
            self._irradiance = IrradianceTrace(spec.irradiance.rows, spec.irradiance.start_s)
        else:
            self._irradiance = Sky(spec.irradiance, Random(f"{seed}-sky"))
        self._overhead = Overhead(spec.overhead, spec.load.scale_w, 0.9 * spec.load.scale_w)
        self.ambient_c = spec.ambient_c
        self.frequency_hz, self.voltage_v = spec.grid_frequency_hz, spec.grid_voltage_v
        self.t_s, self.version = spec.start_s, 0
        self.poc_power_w = self.it_power_w = self.load_power_w = self.overhead_w = 0.0
        self.pv_power_w = self.battery_power_w = self.poc_shown_w = 0.0
        self._poc_mean = MovingMean(spec.poc_averaging_s) if spec.poc_averaging_s else None
        # Set from outside: a genset that feeds the bus is seldom, and never by day.
        self.genset_power_w = self.genset_wh = 0.0
        self.grid_import_wh = self.grid_export_wh = self.it_wh = self.overhead_wh = self.pv_wh = 0.0

    def step(self, dt_s: float) -> None:
        """Moves the whole site by dt_s. Powers hold for the step that ended."""
        t_s, ambient_c = self.t_s, self.ambient_c
        battery_w = 0.0
        for unit in self.units:
            battery_w += unit.step(dt_s, ambient_c)
        it_w = self._it.advance(t_s, dt_s)
        extra_w = self._overhead.step(it_w, dt_s)
        pv_w = self.pv.step(self._irradiance.advance(t_s, dt_s), dt_s, ambient_c)
        poc_w = it_w + extra_w - pv_w - battery_w - self.genset_power_w
        hours = dt_s / 3600.0
        if poc_w >= 0.0:
            self.grid_import_wh += poc_w * hours
        else:
            self.grid_export_wh -= poc_w * hours
        self.it_wh += it_w * hours
        self.overhead_wh += extra_w * hours
        self.pv_wh += pv_w * hours
        self.genset_wh += self.genset_power_w * hours
        self.it_power_w, self.overhead_w, self.load_power_w = it_w, extra_w, it_w + extra_w
        self.pv_power_w, self.battery_power_w, self.poc_power_w = pv_w, battery_w, poc_w
        self.poc_shown_w = poc_w
        if self._poc_mean is not None:
            self._poc_mean.note(dt_s, poc_w)
            self.poc_shown_w = self._poc_mean.value
        self.t_s = t_s + dt_s
        self.version += 1

    def balance(self) -> Balance:
        """The energy truth so far."""
        units = self.units
        charge, discharge = sum(u.charge_wh for u in units), sum(u.discharge_wh for u in units)
        pcs_loss = sum(u.pcs_loss_wh for u in units)
        pack_loss = sum(u.pack.loss_ws for u in units) / 3600
        stored = sum(u.pack.stored_wh - u.start_wh for u in units)
        supplied = self.grid_import_wh - self.grid_export_wh + self.pv_wh + self.genset_wh + discharge - charge
        return Balance(
            self.grid_import_wh, self.grid_export_wh, self.it_wh, self.overhead_wh, self.pv_wh, charge, discharge,
            pcs_loss, pack_loss, stored, supplied - self.it_wh - self.overhead_wh,
            charge - discharge - pcs_loss - pack_loss - stored,
        )  # fmt: skip
