"""The method against an answer of others: carbon traced through 72 US balancing areas, and our bus as one of them.

Oracle: gridemissions (MIT; data EIA-930, public domain), hourly consumption intensity by flow tracing, three digits.
"""

import csv
from pathlib import Path

import pytest

from edge.carbon.flow import SiteFlow
from edge.carbon.pool import StoredPool
from tests.carbon.test_flow import flows

FLOW = Path(__file__).parents[3] / "shared" / "data" / "flow"
# kg/MWh as gridemissions takes them
FACTORS = {
    "COL": 1000, "GAS": 469, "OIL": 840, "OTH": 439, "BIO": 230, "GEO": 42, "SUN": 46, "NUC": 16, "WND": 12,
    "WAT": 4,
}  # fmt: skip
HOURS = 20
pytestmark = pytest.mark.skipif(not FLOW.is_dir(), reason="the recorded data folder is absent")


def rows(name: str) -> list[dict[str, str]]:
    with (FLOW / name).open(newline="") as file:
        return list(csv.DictReader(file))


def number(text: str | None) -> float:
    return float(text) if text else 0.0


class Network:
    """One hour: generation by fuel, and who sends to whom, MWh."""

    def __init__(self, row: dict[str, str]) -> None:
        self.areas = [key[2:-2] for key in row if key.startswith("E_") and key.endswith("_D")]
        self.sent = {area: dict[str, float]() for area in self.areas}  # importer: {exporter: MWh}
        self.made = {
            area: {fuel: max(0.0, number(row.get(f"E_{area}_{fuel}"))) for fuel in FACTORS} for area in self.areas
        }
        for key, text in row.items():
            if key.startswith("E_") and key.endswith("_ID") and number(text) < 0:  # A imports from B
                importer, exporter = key[2:-3].split("-")
                if importer in self.sent:
                    self.sent[importer][exporter] = -number(text)
        self.own = {area: number(row.get(f"E_{area}_NG")) for area in self.areas}

    def inflow(self, area: str) -> float:
        return sum(self.made[area].values()) + sum(self.sent[area].values())

    def carbon(self, area: str) -> float:
        return sum(mwh * FACTORS[fuel] for fuel, mwh in self.made[area].items())

    def solve(self) -> dict[str, float]:
        """Intensities at which every area's outputs carry what its inputs brought: Gauss-Seidel until nothing moves."""
        x = dict.fromkeys(self.areas, 400.0)
        for _ in range(2_000):
            moved = 0.0
            for area in self.areas:
                inflow = self.inflow(area)
                if inflow > 0:
                    brought = self.carbon(area) + sum(mwh * x[other] for other, mwh in self.sent[area].items())
                    new = brought / inflow
                    moved = max(moved, abs(new - x[area]))
                    x[area] = new
            if moved < 1e-10:
                break
        return x


def test_every_area_and_hour_is_within_half_a_percent_of_the_oracle() -> None:
    energy, oracle = rows("E_opt_2021-07-10_2021-07-20.csv"), rows("CO2i_2021-07-10_2021-07-20.csv")
    assert len(energy) == len(oracle) == HOURS
    worst = 0.0
    for hour, expected in zip(energy, oracle, strict=True):
        network = Network(hour)
        found = network.solve()
        for area in network.areas:
            value = number(expected.get(f"CO2i_{area}_D"))
            if value:
                worst = max(worst, abs(found[area] / value - 1))
    assert worst < 0.005  # the oracle has three digits


def test_carbon_is_conserved_in_the_solved_network() -> None:
    network = Network(rows("E_opt_2021-07-10_2021-07-20.csv")[0])
    x = network.solve()
    for area in network.areas:
        brought = network.carbon(area) + sum(mwh * x[other] for other, mwh in network.sent[area].items())
        assert brought == pytest.approx(x[area] * network.inflow(area), rel=1e-9)


def test_our_bus_is_one_of_its_nodes() -> None:
    """Each area with sun as a site: what is not sun comes through the meter at its own intensity, sun at 0 g."""
    network = Network(rows("E_opt_2021-07-10_2021-07-20.csv")[0])
    x, seen = network.solve(), 0
    for area in network.areas:
        sun, inflow = network.made[area]["SUN"], network.inflow(area)
        if sun < 1 or inflow - sun < 1:
            continue
        carbon = (
            network.carbon(area) - sun * FACTORS["SUN"] + sum(m * x[other] for other, m in network.sent[area].items())
        )
        meter_w, sun_w = int((inflow - sun) * 1_000), int(sun * 1_000)
        step = SiteFlow(StoredPool(1_000)).step(
            flows(meter_w, sun_w, 0), 10_000, round(carbon / (inflow - sun) * 1_000)
        )
        assert step.site_intensity_mg_per_kwh == pytest.approx(carbon / inflow * 1_000, abs=20)
        seen += 1
    assert seen > 20
