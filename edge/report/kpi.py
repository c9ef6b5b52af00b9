"""The data centre's figures from closed intervals: PUE, CUE, REF and the share of carbon-free energy (CFE).

    PUE = E_DC / E_IT      E_DC = grid + PV used + discharge - charge - export, what the bus balance gives the load
    CUE = CO2 of E_DC / E_IT, twice: with the ledger's own intervals, and import times the official annual factor
    REF = renewable energy with a legal right to it / E_DC
    CFE = sum of min(load, carbon-free) + what the grid adds of it / sum of load, interval by interval

Formulas: deploy/handbook/carbon.md. The standards ask for twelve months: whatever is shorter, or has holes, is interim.
Only intervals in which both meters were known count in a ratio; `covered_permille` says how much of the time that is.
Whole numbers throughout; None where there is nothing to divide by.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from edge.carbon.interval import Interval

Span = Literal["hour", "day", "month", "year"]
FORMATS: dict[Span, str] = {"hour": "%Y-%m-%dT%H:00Z", "day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}
COVERED_MIN_PERMILLE = 990  # less than this of a year and its figure is interim as well
MJ_MG_PER_UG_KWH = 3_600_000
IT_CATEGORIES = {1: "UPS output", 2: "PDU output", 3: "IT equipment input"}


@dataclass(frozen=True, slots=True)
class KpiRules:
    """What the figures of a site rest on beside its meters."""

    it_category: int = 1  # where the IT meter sits, 1..3
    pv_certificates_sold: bool = False  # then the site's own PV is neither renewable nor carbon-free to it
    annual_mg_per_kwh: int | None = None  # official factor of the region
    contract_cfe_permille: int = 0  # of the import, matched in the same interval by contract
    grid_cfe_permille: int | None = None  # carbon-free share of the grid; None: not known, counted as 0


@dataclass(frozen=True, slots=True)
class Kpi:
    """One period. Ratios in permille (PUE 1250 is 1.25), carbon per IT energy in mg/kWh."""

    label: str
    start_wall_ms: int
    stop_wall_ms: int
    interim: bool
    covered_permille: int
    it_mj: int
    facility_mj: int
    pue_permille: int | None
    cue_mg_per_kwh: int | None
    cue_annual_mg_per_kwh: int | None
    ref_permille: int | None
    cfe_permille: int | None


@dataclass(slots=True)
class _Sums:
    start_wall_ms: int
    stop_wall_ms: int
    known_ms: int = 0
    it_mj: int = 0
    facility_mj: int = 0
    carbon_ug: int = 0
    import_mj: int = 0
    renewable_mj: int = 0
    cfe_mj: int = 0
    load_mj: int = 0

    def add(self, one: Interval, rules: KpiRules) -> None:
        self.start_wall_ms = min(self.start_wall_ms, one.start_wall_ms)
        self.stop_wall_ms = max(self.stop_wall_ms, one.stop_wall_ms)
        if one.it_mj is None or one.facility_mj is None or one.it_mj <= 0:
            return
        self.known_ms += max(0, one.stop_wall_ms - one.start_wall_ms - one.missing_ms)
        self.it_mj += one.it_mj
        self.facility_mj += one.facility_mj
        self.carbon_ug += sum(flow.carbon_ug for flow in one.flows if flow.sink == "load")
        imported_mj = sum(flow.energy_mj for flow in one.flows if flow.source == "grid" and flow.sink == "load")
        self.import_mj += imported_mj
        own_mj = sum(flow.energy_mj for flow in one.flows if flow.source == "pv" and flow.sink == "load")
        own_mj = 0 if rules.pv_certificates_sold else own_mj
        self.renewable_mj += own_mj
        self._add_cfe(one.facility_mj, imported_mj, own_mj, rules)

    def _add_cfe(self, load_mj: int, imported_mj: int, own_mj: int, rules: KpiRules) -> None:
        """Never more carbon-free energy than was used in the interval."""
        matched_mj = min(load_mj, own_mj + imported_mj * rules.contract_cfe_permille // 1000)
        rest_mj = load_mj - matched_mj
        self.cfe_mj += matched_mj + rest_mj * (rules.grid_cfe_permille or 0) // 1000
        self.load_mj += load_mj


def period_of(wall_ms: int, span: Span) -> str:
    """The label of the period a moment is in, UTC."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime(FORMATS[span])


def kpis(intervals: Iterable[Interval], span: Span, rules: KpiRules) -> list[Kpi]:
    """One Kpi for each period that has an interval, oldest first."""
    sums: dict[str, _Sums] = {}
    for one in intervals:
        label = period_of(one.start_wall_ms, span)
        period = sums.setdefault(label, _Sums(one.start_wall_ms, one.stop_wall_ms))
        period.add(one, rules)
    return [_kpi(label, sums[label], span, rules) for label in sorted(sums)]


def kpi_between(intervals: Iterable[Interval], start_wall_ms: int, stop_wall_ms: int, rules: KpiRules) -> Kpi:
    """One Kpi, interim, of the intervals that begin between two moments, such as a local day."""
    sums = _Sums(start_wall_ms, stop_wall_ms)
    for one in intervals:
        if start_wall_ms <= one.start_wall_ms < stop_wall_ms:
            sums.add(one, rules)
    sums.start_wall_ms, sums.stop_wall_ms = start_wall_ms, stop_wall_ms
    return _made("", sums, start_wall_ms, stop_wall_ms, rules, interim=True)


def _kpi(label: str, sums: _Sums, span: Span, rules: KpiRules) -> Kpi:
    start_ms, stop_ms = _bounds(label, span)
    return _made(label, sums, start_ms, stop_ms, rules, interim=span != "year")


def _made(label: str, sums: _Sums, start_ms: int, stop_ms: int, rules: KpiRules, *, interim: bool) -> Kpi:
    covered = min(1000, sums.known_ms * 1000 // (stop_ms - start_ms))
    annual_ug = (
        None if rules.annual_mg_per_kwh is None else sums.import_mj * rules.annual_mg_per_kwh // MJ_MG_PER_UG_KWH
    )
    return Kpi(
        label=label,
        start_wall_ms=sums.start_wall_ms,
        stop_wall_ms=sums.stop_wall_ms,
        interim=interim or covered < COVERED_MIN_PERMILLE,
        covered_permille=covered,
        it_mj=sums.it_mj,
        facility_mj=sums.facility_mj,
        pue_permille=_ratio(sums.facility_mj * 1000, sums.it_mj),
        cue_mg_per_kwh=_ratio(sums.carbon_ug * MJ_MG_PER_UG_KWH, sums.it_mj),
        cue_annual_mg_per_kwh=None if annual_ug is None else _ratio(annual_ug * MJ_MG_PER_UG_KWH, sums.it_mj),
        ref_permille=_ratio(sums.renewable_mj * 1000, sums.facility_mj),
        cfe_permille=_ratio(sums.cfe_mj * 1000, sums.load_mj),
    )


def _ratio(over: int, under: int) -> int | None:
    return over // under if under > 0 else None


def _bounds(label: str, span: Span) -> tuple[int, int]:
    start = datetime.strptime(label, FORMATS[span]).replace(tzinfo=UTC)
    if span in ("hour", "day"):
        seconds = 3_600 if span == "hour" else 86_400
        stop_s = start.timestamp() + seconds
    elif span == "month":
        stop_s = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1).timestamp()
    else:
        stop_s = start.replace(year=start.year + 1).timestamp()
    return int(start.timestamp() * 1000), int(stop_s * 1000)
