"""The ledger read as an account: which entries count, and what they sum up to. Whole numbers; nothing is rounded here.

An interval counts as the newest correction says, at the time the newest clock correction says, plus the difference of a
factor that came late. Order is that of the ledger. The sums are of the intervals that begin in [first_ms, stop_ms).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from edge.carbon.ledger.balance import balance_doubts, jump_doubts
from edge.carbon.ledger.body import carbon_ug, energy_mj, import_mj
from edge.carbon.ledger.entry import Body, Entry, utc_text

DOUBTS_MAX_COUNT = 50  # told one by one; beyond that they are counted
LIMITED_PERMILLE = 50  # more than 5 % of a month substituted: the report is limited
SOURCES, SINKS = ("grid", "pv", "genset", "battery"), ("load", "battery", "export", "losses")


@dataclass(slots=True)
class Amendments:
    """What later entries say of earlier ones, by the number of the entry that is meant."""

    offset_ms: dict[int, int] = field(default_factory=dict)
    corrected: dict[int, tuple[int, Body]] = field(default_factory=dict)  # (number of the correction, body)
    revised_ug: dict[int, tuple[int, int]] = field(default_factory=dict)  # (number of the revision, difference)
    signatures: dict[int, Body] = field(default_factory=dict)
    stamps: dict[int, Body] = field(default_factory=dict)

    def note(self, entry: Entry) -> None:
        body = entry.body
        match entry.kind:
            case "clock_correction":
                self.offset_ms[body["entry"]] = body["offset_ms"]
            case "correction":
                self.corrected[body["entry"]] = (entry.no, body["interval"])
            case "factor_revised":
                self.revised_ug[body["entry"]] = (entry.no, body["difference_ug"])
            case "signature":
                self.signatures[body["entry"]] = body
            case "time_stamp":
                self.stamps[body["entry"]] = body

    def concern(self, entry: Entry) -> int | None:
        """The earlier entry that this one is about."""
        return entry.body["entry"] if entry.kind in CONCERNING else None


CONCERNING = (
    "clock_correction", "correction", "factor_revised", "signature", "time_stamp", "rollover", "meter_exchange",
)  # fmt: skip


@dataclass(slots=True)
class Row:
    """One interval as it counts."""

    no: int
    start_ms: int
    stop_ms: int
    body: Body
    plan: Body
    corrected_by: int = 0
    revised_ug: int = 0
    moved_ms: int = 0

    @property
    def location_ug(self) -> int:
        return int(self.body["location_ug"]) + self.revised_ug


def rows_of(entries: Iterable[Entry], amendments: Amendments, first_ms: int, stop_ms: int) -> Iterator[Row]:
    """The intervals that count, of those that begin in the period."""
    plan: Body = {}
    for entry in entries:
        if entry.kind in ("opening", "plan"):
            plan = entry.body["plan"]
        if entry.kind == "interval":
            row = row_of(entry, plan, amendments)
            if first_ms <= row.start_ms < stop_ms:
                yield row


def row_of(entry: Entry, plan: Body, amendments: Amendments) -> Row:
    corrected_by, body = amendments.corrected.get(entry.no, (0, entry.body))
    offset_ms = amendments.offset_ms.get(entry.no, 0)
    revised_ug = amendments.revised_ug.get(entry.no, (0, 0))[1] if not corrected_by else 0
    return Row(
        entry.no,
        body["start_ms"] + offset_ms,
        body["stop_ms"] + offset_ms,
        body,
        plan,
        corrected_by,
        revised_ug,
        offset_ms,
    )


@dataclass(slots=True)
class Month:
    """One UTC month of the period. `expected_ms` is how much of it the period covers."""

    expected_ms: int = 0
    covered_ms: int = 0
    substituted_ms: int = 0
    estimated_ms: int = 0
    import_mj: int = 0
    location_ug: int = 0
    market_ug: int = 0

    @property
    def substituted_permille(self) -> int:
        """Of the time: what was made up by the rules, and what is not there at all. Rounded up."""
        absent_ms = max(0, self.expected_ms - self.covered_ms)
        return -(-(self.substituted_ms + absent_ms) * 1000 // self.expected_ms) if self.expected_ms else 0

    @property
    def limited(self) -> bool:
        return self.substituted_permille > LIMITED_PERMILLE


@dataclass(slots=True)
class FactorShare:
    """One table or source of factors: energy booked at it, the lowest and the highest value."""

    energy_mj: int = 0
    low_mg_per_kwh: int = 1 << 62
    high_mg_per_kwh: int = 0
    weighted: int = 0  # mJ * mg/kWh


class Account:
    """Grows by `add`; everything else reads."""

    def __init__(self, first_ms: int, stop_ms: int) -> None:
        self.first_ms, self.stop_ms = first_ms, stop_ms
        self.energy_mj: dict[tuple[str, str], int] = defaultdict(int)
        self.carbon_ug: dict[tuple[str, str], int] = defaultdict(int)
        self.market: dict[str, tuple[int, int]] = {}  # part -> (mJ, ug)
        self.months: dict[str, Month] = {}
        self.factors: dict[tuple[str, str, str, str], FactorShare] = defaultdict(FactorShare)
        self.payloads: dict[str, tuple[str, int, int]] = {}  # hash -> (source, first start, uses)
        self.registers_wh: dict[tuple[str, str], int] = defaultdict(int)
        self.qualities: dict[str, int] = defaultdict(int)
        self.gap_mj = self.import_mj = self.location_ug = self.market_ug = self.revised_ug = self.loss_ug = 0
        self.it_mj = self.facility_mj = self.it_ms = self.facility_ms = 0
        self.pool_open: tuple[int, int] | None = None
        self.pool_close = (0, 0)
        self.interval_count = self.unsynced_count = self.corrected_count = self.moved_count = self.doubt_count = 0
        self.doubts: list[str] = []
        self.pool_step_ug = 0
        self.methods: set[str] = set()
        self.absent: list[tuple[int, int]] = []
        self.overlap_count = 0
        self.plan: Body = {}
        self._before: Row | None = None
        self._fill_months()

    def _fill_months(self) -> None:
        at_ms = self.first_ms
        while at_ms < self.stop_ms:
            month = utc_text(at_ms)[:7]
            next_ms = min(self.stop_ms, (at_ms // 86_400_000 + 1) * 86_400_000)
            self.months.setdefault(month, Month()).expected_ms += next_ms - at_ms
            at_ms = next_ms

    def add(self, row: Row) -> None:
        body, before = row.body, self._before
        self.plan = row.plan
        self.interval_count += 1
        self._add_energy(row)
        self._add_quality(row)
        self._add_factor(row)
        if self.pool_open is None:
            self.pool_open = (body["pool"]["open_uj"], body["pool"]["open_ug"])
        self.pool_close = (body["pool"]["close_uj"], body["pool"]["close_ug"])
        self.loss_ug += body["pool"]["loss_ug"]
        if before is not None:
            self.pool_step_ug += body["pool"]["open_ug"] - before.body["pool"]["close_ug"]
        self.methods.add(body["method"])
        reached_ms = before.stop_ms if before is not None else self.first_ms
        if row.start_ms > reached_ms:
            self.absent.append((reached_ms, row.start_ms))
        self.overlap_count += row.start_ms < reached_ms
        found = list(balance_doubts(body, row.plan)) + (
            list(jump_doubts(before.body, body)) if before is not None else []
        )
        self.doubt_count += len(found)
        for text in found[: DOUBTS_MAX_COUNT - len(self.doubts)]:
            self.doubts.append(f"entry {row.no}, {utc_text(row.start_ms)}: {text}")
        self._before = row

    def end(self) -> "Account":
        """What is only known at the end: the time after the last interval."""
        reached_ms = self._before.stop_ms if self._before is not None else self.first_ms
        if reached_ms < self.stop_ms:
            self.absent.append((reached_ms, self.stop_ms))
        return self

    def _add_energy(self, row: Row) -> None:
        body = row.body
        for flow in body["flows"]:
            self.energy_mj[(flow["from"], flow["to"])] += flow["mj"]
            self.carbon_ug[(flow["from"], flow["to"])] += flow["ug"]
        if body["gap"]:
            self.gap_mj += body["gap"]["import_mj"]
            self.energy_mj[("grid", "load")] += body["gap"]["import_mj"]
            self.carbon_ug[("grid", "load")] += body["gap"]["ug"]
        self.carbon_ug[("grid", "load")] += row.revised_ug
        self.revised_ug += row.revised_ug
        self.import_mj += import_mj(body)
        self.location_ug += row.location_ug
        self.market_ug += body["market"]["ug"] + grid_part_ug(row)
        for part in body["market"]["parts"]:
            energy, ug = self.market.get(part["name"], (0, 0))
            extra_ug = grid_part_ug(row) if part["name"] == "grid" else 0
            self.market[part["name"]] = (energy + part["mj"], ug + part["ug"] + extra_ug)
        for name in ("it", "facility"):
            value = body[f"{name}_mj"]
            if value is not None:
                setattr(self, f"{name}_mj", getattr(self, f"{name}_mj") + value)
                setattr(self, f"{name}_ms", getattr(self, f"{name}_ms") + row.stop_ms - row.start_ms)
        for span in body["registers"]:
            self.registers_wh[(span["meter"], span["register"])] += span["delta_wh"] or 0

    def _add_quality(self, row: Row) -> None:
        body, month = row.body, self.months[utc_text(row.start_ms)[:7]]
        span_ms, quality = row.stop_ms - row.start_ms, body["quality"]
        month.covered_ms += span_ms
        month.substituted_ms += span_ms * (quality == "substituted")
        month.estimated_ms += span_ms * (quality == "estimated")
        month.import_mj += import_mj(body)
        month.location_ug += row.location_ug
        month.market_ug += body["market"]["ug"] + grid_part_ug(row)
        self.qualities[quality] += 1
        self.unsynced_count += not body["clock"]["synced"]
        self.corrected_count += bool(row.corrected_by)
        self.moved_count += bool(row.moved_ms)

    def _add_factor(self, row: Row) -> None:
        factor, imported_mj = row.body["factor"], energy_mj(row.body, "grid")
        share = self.factors[(factor["id"], factor["kind"], factor["source"], factor["version"])]
        share.energy_mj += imported_mj
        share.low_mg_per_kwh = min(share.low_mg_per_kwh, factor["mg_per_kwh"])
        share.high_mg_per_kwh = max(share.high_mg_per_kwh, factor["mg_per_kwh"])
        share.weighted += imported_mj * factor["mg_per_kwh"]
        if factor["payload_sha256"]:
            source, first_ms, uses = self.payloads.get(factor["payload_sha256"], (factor["source"], row.start_ms, 0))
            self.payloads[factor["payload_sha256"]] = (source, first_ms, uses + 1)

    # ---- sums of the matrix

    def energy(self, source: str | None = None, sink: str | None = None) -> int:
        return _sum(self.energy_mj, source, sink)

    def carbon(self, source: str | None = None, sink: str | None = None) -> int:
        return _sum(self.carbon_ug, source, sink)

    @property
    def residual_ug(self) -> int:
        """Opening + in + steps - load - export - losses - closing: 0, or the ledger does not balance."""
        opening_ug = self.pool_open[1] if self.pool_open else 0
        in_ug = self.carbon("grid") + self.carbon("genset") + opening_ug + self.pool_step_ug
        lost_ug = self.loss_ug + sum(self.carbon(source, "losses") for source in ("grid", "pv", "genset"))
        return in_ug - self.carbon(None, "load") - self.carbon(None, "export") - lost_ug - self.pool_close[1]

    @property
    def limited(self) -> bool:
        return any(month.limited for month in self.months.values())


def _sum(matrix: dict[tuple[str, str], int], source: str | None, sink: str | None) -> int:
    return sum(value for (a, b), value in matrix.items() if source in (None, a) and sink in (None, b))


def grid_part_ug(row: Row) -> int:
    """What a late factor changes of the market-based figure: the part that no contract and no residual mix covers."""
    if not row.revised_ug:
        return 0
    imported_mj = import_mj(row.body)
    grid_mj = sum(part["mj"] for part in row.body["market"]["parts"] if part["name"] == "grid")
    return row.revised_ug * grid_mj // imported_mj if imported_mj else 0


def load_ug(body: Body) -> int:
    """Carbon of what the site consumed: the flows to the load, and what only the registers saw."""
    return carbon_ug(body, None, "load") + (body["gap"]["ug"] if body["gap"] else 0)
