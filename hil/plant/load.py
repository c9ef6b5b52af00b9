"""The IT load of an AI hall, from a trace or a seeded generator, and what the building adds to it.

The generator is one training cluster: iterations with a dip each, seldom a deep one, and jobs that start and stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from hil.plant.series import Series

# Fitted on the measured AC power of 64 nodes (512 H100) over one GPT-3 175B run, 57 min at 2 s (MLPerf v4.0, SMC);
# levels relative to its maximum of 458.6 kW (mean 438.4).
ITERATION_S = 10.9  # strongest line of the spectrum at 10.95 s; mean distance of the dips 10.89 s
ITERATION_STD_S = 0.8  # 1.15 s measured, of which the 2 s sampling explains 0.8
# The next three lines were fitted together: with them mean, standard deviation and the 5, 50 and 95 % quantiles of six
# seeds are 438.4, 20.8, 398, 452, 456 kW against the recorded 438.4, 20.9, 400, 450, 457.
PLATEAU, PLATEAU_STD = 0.990, 0.003  # the other part of the scatter is inside an iteration
DIP, DIP_STD = 0.125, 0.020  # recorded depth of a dip: 0.09..0.15 (5th..95th percentile)
DIP_FALL_S, DIP_HOLD_S, DIP_RISE_S = 2.0, 0.3, 3.2  # folded dip: 0.959 0.884 0.952 0.977 at -2, 0, +2, +4 s
DEEP_DIP, DEEP_DIP_S, DEEP_DIP_PART = 0.328, 18.0, 1 / 310  # one of 32.8 % for 18 s in the whole run
# Fitted on two Llama-2 LoRA jobs on the same machine: 170 kW idle, up to 395 in about 8 s, down in about 4 s.
IDLE = 0.37
JOB_RISE_S, JOB_FALL_S = 8.0, 4.0


class ItLoad(Protocol):
    """W of the IT load at a time of the simulation."""

    def advance(self, t_s: float, dt_s: float) -> float: ...


class LoadTrace:
    """Plays rows of (t_s, any unit) from start_s on, again and again, scaled so that the maximum is scale_w."""

    __slots__ = ("_gain_w", "_series", "_start_s")

    def __init__(self, rows: Sequence[tuple[float, float]], scale_w: float, start_s: float = 0.0) -> None:
        self._series, self._start_s = Series(rows), start_s
        self._gain_w = scale_w / (self._series.max() or 1.0)

    def advance(self, t_s: float, dt_s: float) -> float:
        return self._series.at(t_s - self._start_s) * self._gain_w


@dataclass(frozen=True, slots=True)
class AiLoadSpec:
    """`jobs`: (start, end) in seconds, outside of which the cluster idles; None draws jobs of exponential length."""

    scale_w: float = 60_000.0
    jobs: tuple[tuple[float, float], ...] | None = None
    job_mean_s: float = 7_200.0  # chosen: a few jobs a day
    idle_mean_s: float = 1_200.0


class AiLoad:
    """Seeded generator."""

    __slots__ = (
        "_depth",
        "_jobs",
        "_left_s",
        "_level",
        "_noise",
        "_on",
        "_phase_s",
        "_rng",
        "_scale_w",
        "_span_s",
        "_spec",
        "_toggle_s",
        "_wide_s",
    )  # fmt: skip

    def __init__(self, spec: AiLoadSpec, rng: Random) -> None:
        self._spec, self._rng, self._scale_w = spec, rng, spec.scale_w
        self._on = spec.jobs is None
        self._level = PLATEAU if self._on else IDLE
        self._jobs = [t_s for job in spec.jobs or () for t_s in job]
        self._toggle_s = rng.expovariate(1 / spec.job_mean_s) if spec.jobs is None else self._next_edge_s()
        self._noise = 0.0
        self._phase_s = self._left_s = 0.0
        self._depth = self._span_s = self._wide_s = 0.0
        self._iterate()

    def _next_edge_s(self) -> float:
        return self._jobs.pop(0) if self._jobs else float("inf")

    def advance(self, t_s: float, dt_s: float) -> float:
        while t_s >= self._toggle_s:
            self._toggle()
        if not self._on:
            level = self._level
            if level > IDLE:
                self._level = level = max(IDLE, level - dt_s * (PLATEAU - IDLE) / JOB_FALL_S)
            return level * self._scale_w
        level = self._level
        if level < PLATEAU:
            self._level = level = min(PLATEAU, level + dt_s * (PLATEAU - IDLE) / JOB_RISE_S)
        phase_s = self._phase_s = self._phase_s + dt_s
        if phase_s >= self._left_s:
            self._iterate()
            phase_s = self._phase_s
        level += self._noise
        if phase_s < self._span_s:
            wide_s = self._wide_s
            if phase_s < DIP_FALL_S:
                level -= self._depth * phase_s / DIP_FALL_S
            elif phase_s < wide_s:
                level -= self._depth
            else:
                level -= self._depth * (1.0 - (phase_s - wide_s) / DIP_RISE_S)
        return (level if level < 1.0 else 1.0) * self._scale_w

    def _iterate(self) -> None:
        """Draws the next iteration: it begins with the dip."""
        rng = self._rng
        self._phase_s = max(0.0, self._phase_s - self._left_s) % ITERATION_S
        self._left_s = max(6.0, rng.gauss(ITERATION_S, ITERATION_STD_S))
        self._noise = rng.gauss(0.0, PLATEAU_STD)
        self._depth, hold_s = max(0.05, rng.gauss(DIP, DIP_STD)), DIP_HOLD_S
        if rng.random() < DEEP_DIP_PART:
            self._depth, hold_s = DEEP_DIP, DEEP_DIP_S
            self._left_s += DEEP_DIP_S
        self._wide_s = DIP_FALL_S + hold_s
        self._span_s = self._wide_s + DIP_RISE_S

    def _toggle(self) -> None:
        self._on = not self._on
        if self._spec.jobs is None:
            mean_s = self._spec.job_mean_s if self._on else self._spec.idle_mean_s
            self._toggle_s += max(60.0, self._rng.expovariate(1 / mean_s))
        else:
            self._toggle_s = self._next_edge_s()


@dataclass(frozen=True, slots=True)
class OverheadSpec:
    """PUE 1.18 at full load, a common value of air-cooled halls: 3 % fixed, 15 % that follows the heat slowly."""

    fixed_part: float = 0.03  # of full IT load: lights, pumps, control, standby of the inverters
    cooling_part: float = 0.15  # of the IT load
    cooling_tau_s: float = 420.0  # air and water of the hall


class Overhead:
    """W that the building adds to the IT load."""

    __slots__ = ("_cooling_part", "_fixed_w", "_slow_w", "_tau_s")

    def __init__(self, spec: OverheadSpec, it_full_w: float, it_start_w: float) -> None:
        self._fixed_w = spec.fixed_part * it_full_w
        self._cooling_part, self._tau_s = spec.cooling_part, spec.cooling_tau_s
        self._slow_w = it_start_w

    def step(self, it_power_w: float, dt_s: float) -> float:
        part = dt_s / self._tau_s
        self._slow_w = slow_w = self._slow_w + (it_power_w - self._slow_w) * (part if part < 1.0 else 1.0)
        return self._fixed_w + self._cooling_part * slow_w
