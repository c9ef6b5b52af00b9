"""Carbon-flow tracing of the site: one bus, once a second, integers only, balanced to the last microgram for ever.

In: grid import (at the grid's intensity), PV (direct emissions: 0 g/kWh), battery discharge (at the pool's). Out: site
load, charge, export. e = carbon in / energy in, and every output leaves with e (proportional sharing). The invariant

    opening + grid carbon in = load + export + storage loss + carbon stored

holds exactly: charge and export take their floor share, the site load takes the rest, the pool keeps what it rounds.

Energies are in mJ (1 W for 1 ms), carbon in ug; the fraction of a microgram of an interval is carried to the next.
The site load is what the bus balance leaves (IT, cooling, losses); the IT meter is kept beside it, it divides nothing.
This is the average-based inventory: no marginal figure belongs here.
"""

from dataclasses import dataclass
from typing import Literal

from edge.carbon.pool import UJ_PER_WH, PoolState, StoredPool, choose_opening
from edge.model import SiteFlows

Quality = Literal["measured", "stale", "default", "estimated", "none"]

# The factor for "unknown" electricity, g/kWh * 1000: 700 is the lifecycle default of electricitymaps-contrib
# config/defaults.yaml (direct: 575), above the US average (2023: 367; EIA), so that not knowing never flatters.
UNKNOWN_MG_PER_KWH = 700_000
# A stale value is booked at no less than the US average of 2023 (0.81 lb/kWh, EIA): the higher of estimate and annual.
STALE_FLOOR_MG_PER_KWH = 367_000
# quality of a signal's reading -> what the booked interval is called
BOOKED: dict[str, Quality] = {
    "measured": "measured", "estimated_by_source": "estimated", "stale": "stale", "substituted": "estimated",
    "default": "default",
}  # fmt: skip
MJ_MG_PER_UG_KWH = 3_600_000  # mJ * mg/kWh / 3.6e9 mJ/kWh * 1000 ug/mg
STEP_MAX_MS = 10_000  # a power held for longer than this is not a measurement; the rest counts as unaccounted


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One interval as it was booked. Energies in mJ, carbon in ug unless the name says otherwise."""

    mono_ms: int
    wall_ms: int
    step_ms: int
    import_mj: int
    export_mj: int
    pv_mj: int
    charge_mj: int
    discharge_mj: int
    load_mj: int  # by the bus balance
    it_mj: int | None  # by the IT meter
    grid_mg_per_kwh: int  # what import was booked at
    grid_ug: int
    discharge_ug: int
    charge_ug: int
    load_ug: int
    export_ug: int
    loss_ug: int
    site_intensity_mg_per_kwh: int | None  # None while the grid's is unknown, or nothing flows
    battery_intensity_mg_per_kwh: int | None  # of a kWh delivered by the battery
    site_carbon_mg_per_s: int | None  # what the load emits now; None while the grid's intensity is unknown
    stored_carbon_mg: int
    stored_mwh: int  # milliwatt-hours inside
    true_up_uj: int  # what S had to change by: the SOC said so, or more was delivered than S held; nearly always 0
    quality: Quality


@dataclass(frozen=True, slots=True)
class FlowTotals:
    """Sums since the opening; `opening_ug + grid_ug == load_ug + export_ug + loss_ug + stored_ug` always."""

    opening_ug: int
    grid_ug: int
    load_ug: int
    export_ug: int
    loss_ug: int
    stored_ug: int
    load_mj: int
    it_mj: int
    unaccounted_ms: int


@dataclass(frozen=True, slots=True)
class _Powers:
    poc_w: int
    pv_w: int
    battery_w: int
    estimated: bool


def choose_booking(intensity_mg_per_kwh: int | None, intensity_quality: str) -> tuple[int, Quality]:
    """What import is booked at, and what that may be called. Only "measured" may be called measured.

    What stands in for a missing value (substituted, default) is conservative already, where it is made.
    """
    quality = BOOKED.get(intensity_quality)
    if intensity_mg_per_kwh is None or intensity_mg_per_kwh < 0 or quality is None:
        return UNKNOWN_MG_PER_KWH, "default"
    if quality == "stale":
        return max(intensity_mg_per_kwh, STALE_FLOOR_MG_PER_KWH), "stale"
    return intensity_mg_per_kwh, quality


def choose_powers(flows: SiteFlows) -> _Powers | None:
    """The three powers of the bus; a missing one is estimated by the balance. None: too little is known to book at all.

    A missing battery power counts as 0: the SOC true-up repairs the energy, and no carbon is invented.
    A missing PV power is at least 0 by the balance, else 0: less clean energy than there was, never more.
    """
    battery_w = flows.battery_power_w if flows.battery_power_w is not None else 0
    pv_w, poc_w, load_w = flows.pv_power_w, flows.poc_power_w, flows.load_power_w
    if poc_w is None and load_w is None:
        return None
    estimated = None in (flows.battery_power_w, pv_w, poc_w)
    if pv_w is None:
        pv_w = 0 if poc_w is None or load_w is None else max(0, load_w - poc_w - battery_w)
    if poc_w is None:
        assert load_w is not None
        poc_w = load_w - max(0, pv_w) - battery_w
    return _Powers(poc_w, max(0, pv_w), battery_w, estimated)  # PV at night draws: part of the load


class SiteFlow:
    """Books one interval after another. Not thread-safe: one owner (the uplink thread)."""

    def __init__(self, pool: StoredPool, *, opened: bool = True, step_max_ms: int = STEP_MAX_MS) -> None:
        """`opened` False: the pool's past is unknown; it opens at the first SOC seen, at the unknown factor."""
        self.pool = pool
        self._step_max_ms = step_max_ms
        self._opened = opened
        self._opening_ug = pool.carbon_ug
        self._carry = 0  # of the grid's carbon, in 1/3 600 000 ug
        self._grid_ug = self._load_ug = self._export_ug = self._loss_ug = 0
        self._load_mj = self._it_mj = self._unaccounted_ms = 0

    def reopen(self, state: PoolState) -> None:
        """The battery's content is known from elsewhere: the balance begins anew with it."""
        self.pool.stored_uj, self.pool.carbon_ug = state.stored_uj, state.carbon_ug
        self._opening_ug = state.carbon_ug + self._load_ug + self._export_ug + self._loss_ug - self._grid_ug
        self._opened = True

    def totals(self) -> FlowTotals:
        return FlowTotals(
            opening_ug=self._opening_ug,
            grid_ug=self._grid_ug,
            load_ug=self._load_ug,
            export_ug=self._export_ug,
            loss_ug=self._loss_ug,
            stored_ug=self.pool.carbon_ug,
            load_mj=self._load_mj,
            it_mj=self._it_mj,
            unaccounted_ms=self._unaccounted_ms,
        )

    def step(
        self, flows: SiteFlows, step_ms: int, intensity_mg_per_kwh: int | None, intensity_quality: str = "measured"
    ) -> FlowStep:
        """Books `step_ms` of these powers at this grid intensity (quality: measured | stale | none)."""
        wanted_ms = max(0, step_ms)
        powers = choose_powers(flows)
        booked_ms = min(wanted_ms, self._step_max_ms) if powers is not None else 0
        self._unaccounted_ms += wanted_ms - booked_ms
        booking, quality = choose_booking(intensity_mg_per_kwh, intensity_quality)
        if powers is None:
            powers, quality = _Powers(0, 0, 0, True), "none"
        self.open_pool(flows.soc_cpct)
        return self._book(flows, powers, booked_ms, booking, quality)

    def open_pool(self, soc_cpct: int | None) -> None:
        """The first SOC that is seen says what the battery holds; once, then nothing."""
        if self._opened or soc_cpct is None:
            return
        capacity_wh = self.pool.capacity_uj // UJ_PER_WH
        state = choose_opening(capacity_wh, soc_cpct, UNKNOWN_MG_PER_KWH)
        self.pool.stored_uj += state.stored_uj
        self.pool.carbon_ug += state.carbon_ug
        self._opening_ug += state.carbon_ug
        self._opened = True

    def _book(self, flows: SiteFlows, powers: _Powers, step_ms: int, booking: int, quality: Quality) -> FlowStep:
        import_mj = max(0, powers.poc_w) * step_ms
        export_mj = max(0, -powers.poc_w) * step_ms
        discharge_mj = max(0, powers.battery_w) * step_ms
        charge_mj = max(0, -powers.battery_w) * step_ms
        pv_mj = powers.pv_w * step_ms
        grid_ug, self._carry = divmod(import_mj * booking + self._carry, MJ_MG_PER_UG_KWH)
        inside_uj = self.pool.stored_uj
        discharge_ug = self.pool.discharge(discharge_mj)
        beyond_uj = max(0, discharge_mj * 1_000_000 // self.pool.eta_discharge_permille - inside_uj)
        # The sun brings nothing: direct emissions; those of making the panels are not in this inventory.
        in_mj, in_ug = import_mj + pv_mj + discharge_mj, grid_ug + discharge_ug
        out_mj = charge_mj + export_mj
        contradictory = out_mj > in_mj  # the meters contradict each other: nothing is booked that nobody saw come
        if contradictory:
            charge_mj = in_mj * charge_mj // out_mj
            export_mj = in_mj - charge_mj
        load_mj = in_mj - charge_mj - export_mj
        charge_ug = in_ug * charge_mj // in_mj if in_mj else 0
        export_ug = in_ug * export_mj // in_mj if load_mj else in_ug - charge_ug if export_mj else 0
        load_ug = in_ug - charge_ug - export_ug
        self.pool.charge(charge_mj, charge_ug)
        by_soc_uj = self.pool.true_up(flows.soc_cpct) if flows.soc_cpct is not None else 0
        loss_ug = self.pool.expense_residual() if discharge_mj or by_soc_uj < 0 else 0
        it_mj = flows.load_power_w * step_ms if flows.load_power_w is not None else None
        self._grid_ug += grid_ug
        self._load_ug += load_ug
        self._export_ug += export_ug
        self._loss_ug += loss_ug
        self._load_mj += load_mj
        self._it_mj += it_mj or 0
        if quality == "measured" and (powers.estimated or contradictory):
            quality = "estimated"
        known = quality not in {"default", "none"} and in_mj > 0
        return FlowStep(
            mono_ms=flows.mono_ms,
            wall_ms=flows.wall_ms,
            step_ms=step_ms,
            import_mj=import_mj,
            export_mj=export_mj,
            pv_mj=pv_mj,
            charge_mj=charge_mj,
            discharge_mj=discharge_mj,
            load_mj=load_mj,
            it_mj=it_mj,
            grid_mg_per_kwh=booking,
            grid_ug=grid_ug,
            discharge_ug=discharge_ug,
            charge_ug=charge_ug,
            load_ug=load_ug,
            export_ug=export_ug,
            loss_ug=loss_ug,
            site_intensity_mg_per_kwh=in_ug * MJ_MG_PER_UG_KWH // in_mj if known else None,
            battery_intensity_mg_per_kwh=self.pool.delivered_mg_per_kwh(),
            site_carbon_mg_per_s=load_ug // step_ms if known and step_ms else None,
            stored_carbon_mg=self.pool.carbon_ug // 1000,
            stored_mwh=self.pool.stored_uj * 1000 // UJ_PER_WH,
            true_up_uj=by_soc_uj + beyond_uj,
            quality=quality,
        )
