"""A PV array with its string inverter, and where its irradiance comes from: a seeded sky, or a trace.

AC power = irradiance x rating x temperature derate x losses, clipped by the inverter. Production is positive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, cos, exp, pi, radians, sin
from random import Random
from typing import Protocol

from hil.plant.series import Series

DAY_S = 86_400.0


class Irradiance(Protocol):
    """W/m2 on the array at a time of the simulation."""

    def advance(self, t_s: float, dt_s: float) -> float: ...


# Fitted on hope_melpitz_1s (one hour under broken cloud, single sensor; levels relative to the file's 95th percentile,
# since cloud edges lift the absolute level above the clear sky): below 0.7 for 72 % of the time in 32 clouds of 81 s
# with 33 s of sun between; mean 0.51 (std 0.095) under cloud and 0.88 (std 0.11) in the sun; std of the 1 s change
# 1.2 % and its worst 7-10 %: the edge time gives 1.2 % and 10 %.
CLOUD_FRACTION = 0.72
CLOUD_CYCLE_S = 114.0
CLOUD_LEVEL, CLOUD_STD = 0.51, 0.095
SUN_LEVEL, SUN_STD = 0.88, 0.11
EDGE_S = 8.0  # the edge of a cloud takes this long across the array (first order)


@dataclass(frozen=True, slots=True)
class SkySpec:
    """A day at a place. 30 deg N in June is Texas in summer. cloud_fraction 0 is a clear day, 1 overcast."""

    latitude_deg: float = 30.3
    day_of_year: int = 172
    noon_h: float = 12.0  # solar noon in the time of the simulation
    cloud_fraction: float = CLOUD_FRACTION


class Sky:
    """Haurwitz clear sky (GHI = 1098 cos z exp(-0.057 / cos z) W/m2) times a two-state cloud process."""

    __slots__ = ("_cos", "_k", "_left_s", "_mean_s", "_noon_s", "_rng", "_sin", "_target", "_under")

    def __init__(self, spec: SkySpec, rng: Random) -> None:
        tilt = asin(sin(radians(23.44)) * sin(2 * pi * (spec.day_of_year - 81) / 365))
        latitude = radians(spec.latitude_deg)
        self._sin, self._cos = sin(latitude) * sin(tilt), cos(latitude) * cos(tilt)
        self._noon_s = spec.noon_h * 3600
        fraction = spec.cloud_fraction
        self._mean_s = ((1 - fraction) * CLOUD_CYCLE_S, fraction * CLOUD_CYCLE_S)  # sun, cloud
        self._rng = rng
        self._under = rng.random() < fraction
        self._left_s = 0.0
        self._k = self._target = SUN_LEVEL
        if fraction <= 0.0:
            self._k = self._target = 1.0
            self._left_s = float("inf")

    def advance(self, t_s: float, dt_s: float) -> float:
        cos_z = self._sin + self._cos * cos((t_s - self._noon_s) * (2 * pi / DAY_S))
        if cos_z <= 0.01:
            return 0.0
        self._left_s -= dt_s
        if self._left_s <= 0.0:
            self._turn()
        part = dt_s / EDGE_S
        self._k = k = self._k + (self._target - self._k) * (part if part < 1.0 else 1.0)
        return 1098.0 * cos_z * exp(-0.057 / cos_z) * k

    def _turn(self) -> None:
        rng = self._rng
        if self._mean_s[not self._under] > 0.0:
            self._under = not self._under
        self._left_s = rng.expovariate(1.0 / self._mean_s[self._under])
        level, std = (CLOUD_LEVEL, CLOUD_STD) if self._under else (SUN_LEVEL, SUN_STD)
        self._target = min(max(rng.gauss(level, std), 0.15), 1.15)


class IrradianceTrace:
    """Plays rows of (t_s, W/m2) from `start_s` of the simulation on, again and again."""

    __slots__ = ("_series", "_start_s")

    def __init__(self, rows: Sequence[tuple[float, float]], start_s: float = 0.0) -> None:
        self._series = Series(rows)
        self._start_s = start_s

    def advance(self, t_s: float, dt_s: float) -> float:
        return self._series.at(t_s - self._start_s)


@dataclass(frozen=True, slots=True)
class PvSpec:
    rating_w: float = 40_000.0  # DC at 1000 W/m2 and 25 C
    inverter_w: float = 33_000.0
    derate_per_k: float = 0.0036  # typical for mono PERC
    system_part: float = 0.93  # soiling, wiring, mismatch, inverter
    heat_k_per_w_m2: float = 0.028  # nominal operating cell temperature 45 C
    heat_tau_s: float = 300.0
    start_w_per_m2: float = 15.0


class Pv:
    """State of array and inverter."""

    __slots__ = ("cell_c", "fault", "inverter_c", "irradiance_w_per_m2", "limit_w", "power_w", "running", "spec")

    def __init__(self, spec: PvSpec, ambient_c: float) -> None:
        self.spec = spec
        self.cell_c = self.inverter_c = ambient_c
        self.irradiance_w_per_m2 = self.power_w = 0.0
        self.running = self.fault = False
        self.limit_w = spec.inverter_w

    def set_limit_w(self, limit_w: float) -> None:
        """What the array may give at most; it follows within the second, as string inverters do."""
        self.limit_w = limit_w

    def step(self, irradiance_w_per_m2: float, dt_s: float, ambient_c: float) -> float:
        spec = self.spec
        part = dt_s / spec.heat_tau_s
        part = min(part, 1.0)
        cell_c = self.cell_c
        cell_c += (ambient_c + spec.heat_k_per_w_m2 * irradiance_w_per_m2 - cell_c) * part
        self.cell_c = cell_c
        self.irradiance_w_per_m2 = irradiance_w_per_m2
        if irradiance_w_per_m2 < spec.start_w_per_m2 or self.fault:
            self.running = False
            self.power_w = power_w = 0.0
        else:
            self.running = True
            power_w = spec.rating_w * irradiance_w_per_m2 * 0.001 * spec.system_part
            power_w *= 1.0 - spec.derate_per_k * (cell_c - 25.0)
            power_w = min(power_w, spec.inverter_w, self.limit_w)
            self.power_w = power_w
        self.inverter_c += (ambient_c + power_w * 0.0008 - self.inverter_c) * part
        return power_w
