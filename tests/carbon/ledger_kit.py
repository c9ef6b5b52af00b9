"""A site with ten registers, its intervals as they would be metered, and rows kept in a list."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import tomli

from edge.carbon.interval import INTERVAL_MS, ClockState, FactorUse, Flow, Interval, RegisterSpan
from edge.carbon.ledger.entry import Entry, inflate, parse_line
from edge.carbon.ledger.ledger import Ledger
from edge.carbon.ledger.seal import Sealer
from edge.config.options import Config
from edge.config.reader import parse_config

SITE = Path(__file__).resolve().parents[2] / "deploy" / "site.example.toml"
START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
WH = 3_600_000  # mJ
METERS: list[dict[str, Any]] = [
    {"device": "poc", "accuracy_class": "0.5S", "serial": "A1", "calibrated": "2025-03-01", "seal": "S-17"},
    {"device": "pv1", "accuracy_class": "1", "serial": "B2"},
    {"device": "pcs1", "accuracy_class": "1", "serial": "C3"},
    {"device": "it1", "accuracy_class": "0.5", "serial": "D4"},
]


def site(**tables: Any) -> Config:
    """The example site with meters; `tables` are added to it or replace what it has."""
    whole = tomli.loads(SITE.read_text()) | {"meter": METERS} | tables
    return parse_config(whole, "site.toml")


def factor(g_per_kwh: int = 400, **more: Any) -> FactorUse:
    values = {
        "factor_id": "ercot-2023", "kind": "average_generation", "value_mg_per_kwh": g_per_kwh * 1000, "source": "ercot",
        "version": "egrid-2023", "published_wall_ms": START_MS, "payload_sha256": "ab" * 32, "quality": "measured",
    }  # fmt: skip
    return FactorUse(**(values | more))


@dataclass
class Plant:
    """Makes one interval after another: registers that go on, a pool that balances to the microgram."""

    random: Random = field(default_factory=lambda: Random(1))
    start_ms: int = START_MS
    registers_wh: dict[tuple[str, str], int] = field(default_factory=dict)
    stored_uj: int = 10_000 * WH * 1000
    carbon_ug: int = 4_000_000_000
    charge_next: bool = True
    charged_wh: int = 0

    def interval(self, **more: Any) -> Interval:
        """The next quarter of an hour: 5 kWh of PV, 15 kWh of grid or so, 2 kWh into or out of the battery."""
        draw = self.random.randint
        import_wh, pv_wh, battery_wh = draw(12_000, 18_000), draw(0, 8_000), draw(1_000, 2_000)
        use = factor(draw(200, 500))
        grid_ug = import_wh * use.value_mg_per_kwh  # Wh * mg/kWh = ug
        open_uj, open_ug = self.stored_uj, self.carbon_ug
        if self.charge_next:
            self.charged_wh = battery_wh
            charge_ug = grid_ug * battery_wh // import_wh
            flows = [
                Flow("grid", "load", (import_wh - battery_wh) * WH, grid_ug - charge_ug),
                Flow("grid", "battery", battery_wh * WH, charge_ug),
                Flow("pv", "load", pv_wh * WH, 0),
            ]
            flows.append(Flow("battery", "losses", battery_wh * WH * 50 // 1000, 0))
            self.stored_uj += battery_wh * WH * 950
            self.carbon_ug += charge_ug
        else:
            battery_wh, out_ug = self.charged_wh * 9 // 10, open_ug // 10
            flows = [
                Flow("grid", "load", import_wh * WH, grid_ug),
                Flow("pv", "load", pv_wh * WH, 0),
                Flow("battery", "load", battery_wh * WH, out_ug),
            ]
            flows.append(Flow("battery", "losses", battery_wh * WH * 53 // 1000, 0))
            self.stored_uj -= battery_wh * WH * 1053
            self.carbon_ug -= out_ug
        load_wh = sum(flow.energy_mj for flow in flows if flow.sink == "load") // WH
        counts = {
            ("poc", "meter.energy_import"): import_wh, ("poc", "meter.energy_export"): 0, ("pv1", "pv.energy"): pv_wh,
            ("pcs1", "pcs.energy_charge"): battery_wh * self.charge_next,
            ("pcs1", "pcs.energy_discharge"): battery_wh * (not self.charge_next),
            ("it1", "meter.energy_import"): load_wh * 8 // 10,
        }  # fmt: skip
        made = Interval(
            start_wall_ms=self.start_ms, stop_wall_ms=self.start_ms + INTERVAL_MS, method="weighted-average-pool/1",
            flows=tuple(flows), registers=tuple(self._span(*key, count) for key, count in counts.items()), factor=use,
            it_mj=load_wh * 8 // 10 * WH, facility_mj=load_wh * WH, stored_open_uj=open_uj, carbon_open_ug=open_ug,
            stored_close_uj=self.stored_uj, carbon_close_ug=self.carbon_ug, storage_loss_ug=0, missing_ms=0,
            clock=ClockState("ntp", 3, True),
        )  # fmt: skip
        self.start_ms += INTERVAL_MS
        self.charge_next = not self.charge_next
        return Interval(**({name: getattr(made, name) for name in made.__slots__} | more))

    def _span(self, meter: str, register: str, delta_wh: int) -> RegisterSpan:
        start = self.registers_wh.get((meter, register), 1_000_000)
        self.registers_wh[(meter, register)] = start + delta_wh
        return RegisterSpan(meter, register, start, start + delta_wh, delta_wh, "measured")

    def skip(self, count: int) -> None:
        """So many intervals pass that nobody sees; the registers go on."""
        for _ in range(count):
            self.interval()


class Kept:
    """A ledger whose rows are in a list, driven in virtual time."""

    def __init__(self, config: Config | None = None, rows: list[bytes] | None = None, **more: Any) -> None:
        self.rows = rows if rows is not None else []
        self.mono_ms = 1_000
        self.config = config or site()
        sealer = more.pop("sealer", Sealer("", ""))
        self.ledger = Ledger(self.config, self._newest, self._append, sealer=sealer, **more)

    def _newest(self, count: int) -> list[bytes]:
        return self.rows[-count:]

    def _append(self, mono_ms: int, wall_ms: int, row: bytes) -> None:
        self.rows.append(row)

    def note(self, *intervals: Interval, mono_ms: int | None = None) -> None:
        for interval in intervals:
            self.mono_ms += INTERVAL_MS
            self.ledger.note(interval, self.mono_ms if mono_ms is None else mono_ms)
            self.settle(interval.stop_wall_ms)

    def settle(self, wall_ms: int = START_MS) -> None:
        self.ledger.step(self.mono_ms, wall_ms)
        while self.ledger.waiting_count:
            self.ledger.step(self.mono_ms, wall_ms)

    @property
    def entries(self) -> list[Entry]:
        return [parse_line(inflate(row)) for row in self.rows]

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.entries]

    def of(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind == kind]


def year_of(days: int, config: Config | None = None, seed: int = 1) -> Kept:
    """A ledger of so many whole days."""
    kept, plant = Kept(config), Plant(Random(seed))
    for _ in range(days * 96):
        kept.note(plant.interval())
    return kept
