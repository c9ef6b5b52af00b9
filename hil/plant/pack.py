"""An LFP pack: open-circuit voltage, ohmic and one RC resistance, heat, and the two extreme cells of the string.

Physics only; limits, alarms and the contactor are the BMS's (bms.py). + current and + power discharge. The current of a
step is solved for constant power so that chemistry, losses and terminal energy balance to rounding:
P = U I - R I^2 with U the open-circuit voltage and the mean of a step written as extra resistance.
"""

import itertools
from dataclasses import dataclass
from math import exp, sqrt

# Rest voltage of an LFP cell at 25 C, mV, per 5 % of SOC: flat between 20 and 95 %, steep at both ends.
# Typical shape of a prismatic 280 Ah cell (mean of charge and discharge); monotone by construction.
OCV_MV = (
    2_500, 3_010, 3_130, 3_185, 3_210, 3_230, 3_250, 3_265, 3_276, 3_284, 3_290,
    3_294, 3_297, 3_300, 3_304, 3_311, 3_320, 3_327, 3_331, 3_337, 3_450,
)  # fmt: skip
_GRID_COUNT = len(OCV_MV) - 1
_OCV_V = tuple(mv / 1000 for mv in OCV_MV)
_SLOPE_V = tuple(b - a for a, b in itertools.pairwise(_OCV_V))  # per grid step
# Area under the curve up to each grid point, V: the energy a cell holds is this times its charge.
_AREA_V = tuple(
    sum((a + b) / 2 / _GRID_COUNT for a, b in itertools.pairwise(_OCV_V[: k + 1])) for k in range(_GRID_COUNT + 1)
)
MEAN_V = _AREA_V[-1]


def ocv_v(soc_fraction: float) -> float:
    """Rest voltage of one cell; beyond 0..1 the steep ends go on, so that an overcharge is seen."""
    x = soc_fraction * _GRID_COUNT
    k = min(max(int(x), 0), _GRID_COUNT - 1)
    return _OCV_V[k] + (x - k) * _SLOPE_V[k]


def _area_v(soc_fraction: float) -> float:
    x = soc_fraction * _GRID_COUNT
    k = min(max(int(x), 0), _GRID_COUNT - 1)
    f = x - k
    return _AREA_V[k] + (f * _OCV_V[k] + f * f / 2 * _SLOPE_V[k]) / _GRID_COUNT


@dataclass(frozen=True, slots=True)
class PackSpec:
    """A string of equal cells, but for the two at its ends."""

    capacity_wh: float = 60_000.0  # between SOC 0 and 1 at rest voltage
    series_count: int = 240  # 768 V nominal
    cell_resistance_ohm: float = 0.0010  # 80 Ah class cell with its busbar
    rc_resistance_ohm: float = 0.0006  # slow polarisation of one cell
    rc_time_s: float = 60.0
    heat_j_per_k: float = 480_000.0  # 480 kg at 1000 J/(kg K)
    cooling_w_per_k: float = 60.0  # forced air: 2 h 15 min time constant
    weak_soc_offset: float = -0.006  # the weakest cell is emptier and has more resistance
    weak_resistance: float = 1.20
    strong_soc_offset: float = 0.004
    strong_resistance: float = 0.92
    spread_temp_k: float = 2.5  # hottest above coolest at rest; grows with the loss
    soh_pct: float = 98.0
    soc_start: float = 0.5


class Pack:
    """State of the pack; `step` moves it by the DC power of one step."""

    __slots__ = (
        "_alpha", "_beta", "_dt_s", "_n", "_ohm", "_rc_ohm", "_strong_ohm", "_strong_soc", "_weak_ohm", "_weak_soc",
        "capacity_as", "cell_temp_max_c", "cell_temp_min_c", "cell_voltage_max_v", "cell_voltage_min_v", "current_a",
        "insulation_kohm", "loss_w", "loss_ws", "open_w", "rc_v", "soc", "spec", "temp_c", "voltage_v",
    )  # fmt: skip

    def __init__(self, spec: PackSpec, ambient_c: float) -> None:
        self.spec = spec
        self._n = spec.series_count
        self.capacity_as = spec.capacity_wh * 3600 / (MEAN_V * spec.series_count)
        self._ohm = spec.cell_resistance_ohm * spec.series_count
        self._rc_ohm = spec.rc_resistance_ohm * spec.series_count
        self._weak_soc, self._weak_ohm = spec.weak_soc_offset, spec.weak_resistance
        self._strong_soc, self._strong_ohm = spec.strong_soc_offset, spec.strong_resistance
        self._dt_s = 0.0
        self._alpha, self._beta = 1.0, 1.0
        self.soc = spec.soc_start
        self.rc_v = 0.0  # polarisation of the whole string
        self.temp_c = ambient_c
        self.insulation_kohm = 5_000.0
        self.current_a = self.loss_w = self.loss_ws = self.open_w = 0.0
        self.voltage_v = 0.0
        self.cell_voltage_min_v = self.cell_voltage_max_v = 0.0
        self.cell_temp_min_c = self.cell_temp_max_c = ambient_c
        self.step(0.0, 1e-9, ambient_c)

    @property
    def stored_wh(self) -> float:
        """Chemical energy above SOC 0 plus what the polarisation holds."""
        chemical = _area_v(self.soc) * self._n * self.capacity_as / 3600
        farad = self.spec.rc_time_s / self._rc_ohm
        return chemical + 0.5 * farad * self.rc_v * self.rc_v / 3600

    def step(self, power_w: float, dt_s: float, ambient_c: float) -> float:
        """Takes DC power (+ discharge) for dt_s; returns the power really moved (less when the voltage collapses)."""
        if dt_s != self._dt_s:
            self._dt_s = dt_s
            self._alpha = exp(-dt_s / self.spec.rc_time_s)
            self._beta = (1.0 - self._alpha) * self.spec.rc_time_s / dt_s
        alpha, beta, n, soc, rc_v = self._alpha, self._beta, self._n, self.soc, self.rc_v
        x = soc * _GRID_COUNT
        k = int(x)
        k = 0 if k < 0 else _GRID_COUNT - 1 if k >= _GRID_COUNT else k
        slope_v = _SLOPE_V[k]
        # The open-circuit voltage falls along its slope during the step: half of that is a resistance, exactly.
        sag_ohm = slope_v * _GRID_COUNT * n * dt_s / (2.0 * self.capacity_as)
        source_v = (_OCV_V[k] + (x - k) * slope_v) * n - beta * rc_v
        all_ohm = self._ohm + sag_ohm + self._rc_ohm * (1.0 - beta)
        root = source_v * source_v - 4.0 * all_ohm * power_w
        current_a = (source_v - sqrt(root if root > 0.0 else 0.0)) / (2.0 * all_ohm)
        if root < 0.0:  # more than the pack can give
            power_w = current_a * (source_v - all_ohm * current_a)
        mean_rc_v = beta * rc_v + self._rc_ohm * (1.0 - beta) * current_a
        new_rc_v = alpha * rc_v + (1.0 - alpha) * self._rc_ohm * current_a
        held_w = (new_rc_v * new_rc_v - rc_v * rc_v) * self.spec.rc_time_s / (2.0 * self._rc_ohm * dt_s)
        loss_w = self._ohm * current_a * current_a + mean_rc_v * current_a - held_w
        self.loss_ws += loss_w * dt_s
        self.soc = soc = soc - current_a * dt_s / self.capacity_as
        self.rc_v = new_rc_v
        self.temp_c += (loss_w - self.spec.cooling_w_per_k * (self.temp_c - ambient_c)) * dt_s / self.spec.heat_j_per_k
        self.loss_w, self.current_a = loss_w, current_a
        self._observe(soc, current_a, new_rc_v)
        return power_w

    def _observe(self, soc_fraction: float, current_a: float, rc_v: float) -> None:
        """What the BMS can measure at the end of the step."""
        n, temp_c = self._n, self.temp_c
        x = soc_fraction * _GRID_COUNT
        k = int(x)
        k = 0 if k < 0 else _GRID_COUNT - 1 if k >= _GRID_COUNT else k
        drop_v = self._ohm * current_a + rc_v
        self.voltage_v = (_OCV_V[k] + (x - k) * _SLOPE_V[k]) * n - drop_v
        drop_v /= n
        x = (soc_fraction + self._weak_soc) * _GRID_COUNT
        k = int(x)
        k = 0 if k < 0 else _GRID_COUNT - 1 if k >= _GRID_COUNT else k
        weak_v = _OCV_V[k] + (x - k) * _SLOPE_V[k] - drop_v * self._weak_ohm
        x = (soc_fraction + self._strong_soc) * _GRID_COUNT
        k = int(x)
        k = 0 if k < 0 else _GRID_COUNT - 1 if k >= _GRID_COUNT else k
        strong_v = _OCV_V[k] + (x - k) * _SLOPE_V[k] - drop_v * self._strong_ohm
        if weak_v < strong_v:
            self.cell_voltage_min_v, self.cell_voltage_max_v = weak_v, strong_v
        else:
            self.cell_voltage_min_v, self.cell_voltage_max_v = strong_v, weak_v
        spread_k = self.spec.spread_temp_k + 0.001 * self.loss_w
        self.cell_temp_min_c = temp_c - 0.4 * spread_k
        self.cell_temp_max_c = temp_c + 0.6 * spread_k
