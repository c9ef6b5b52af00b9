"""Loads for the smoothing bench: recorded traces (where the data folder is), and seeded synthetic ones. W, every 10 ms.

The data folder is `../shared/data` beside the project, or what EDGE_DATA names; a trace that is not there is None.
"""

import os
from array import array
from collections.abc import Callable
from itertools import pairwise
from math import pi, sin
from pathlib import Path
from random import Random

from hil.traces import read_load_kw

STEP_S = 0.01
PEAK_W = 1e6
GPT3 = "64xH100_gpt3_ac_run5848_2_pernode"
LORA = "64xH100_llama2lora_ac_0"
Load = array


def data_folder() -> Path | None:
    beside = [parent / "shared" / "data" for parent in Path(__file__).resolve().parents]
    for folder in [Path(os.environ["EDGE_DATA"])] if "EDGE_DATA" in os.environ else beside:
        if folder.is_dir():
            return folder
    return None


def recorded(name: str) -> Load | None:
    """The trace, its peak scaled to 1 MW, straight between its samples."""
    folder = data_folder()
    if folder is None:
        return None
    rows = read_load_kw(folder / "load" / f"{name}.csv.gz")
    top = max(power_kw for _, power_kw in rows)
    load = array("d")
    for (t_s, power_kw), (next_s, next_kw) in pairwise(rows):
        count = round((next_s - t_s) / STEP_S)
        load.extend((power_kw + (next_kw - power_kw) * i / count) / top * PEAK_W for i in range(count))
    return load


def _lagged(load: array, tau_s: float) -> Load:
    """Power supplies and cables: no edge is sharper than this."""
    value, part = load[0], STEP_S / (tau_s + STEP_S)
    for index, goal in enumerate(load):
        value += (goal - value) * part
        load[index] = value
    return load


def iterations(period_s: float, seconds: float, seed: int = 1, jitter: float = 0.02, dip: float = 0.38) -> Load:
    """One training job: each iteration computes for 78 % of its time and communicates for the rest; 80 ms supplies."""
    rng = Random(seed)
    load = array("d", [PEAK_W]) * round(seconds / STEP_S)
    start_s = 0.0
    while start_s < seconds:
        length_s = max(0.1, period_s * (1 + jitter * rng.gauss(0, 1)))
        for index in range(round((start_s + 0.78 * length_s) / STEP_S), round((start_s + length_s) / STEP_S)):
            if index < len(load):
                load[index] = PEAK_W * (1 - dip)
        start_s += length_s
    return _lagged(load, 0.08)


def stop(load: Load, at_s: float, left: float = 0.45) -> Load:
    """The job ends: `left` of the load stays, reached with the lag of the supplies."""
    factor = _lagged(array("d", [1.0 if i * STEP_S < at_s else left for i in range(len(load))]), 0.08)
    return array("d", [power * part for power, part in zip(load, factor, strict=True)])


def flat(seconds: float, power_w: float = 0.98 * PEAK_W) -> Load:
    return array("d", [power_w]) * round(seconds / STEP_S)


def surge(seconds: float, low_w: float, high_w: float) -> Load:
    third = round(seconds / STEP_S / 3)
    return _lagged(array("d", [low_w]) * third + array("d", [high_w]) * third + array("d", [low_w]) * third, 0.02)


def steps(seconds: float, mean_s: float, seed: int) -> Load:
    rng, load = Random(seed), array("d")
    while len(load) < seconds / STEP_S:
        load.extend(array("d", [PEAK_W * rng.uniform(0.3, 1)]) * round((0.2 + rng.expovariate(1 / mean_s)) / STEP_S))
    return _lagged(load[: round(seconds / STEP_S)], 0.08)


def noise(seconds: float, tau_s: float, std: float, seed: int) -> Load:
    rng, value, load = Random(seed), 0.0, array("d")
    part = STEP_S / (tau_s + STEP_S)
    scale = std / (part / (2 - part)) ** 0.5
    for _ in range(round(seconds / STEP_S)):
        value += (rng.gauss(0, 1) - value) * part
        load.append(PEAK_W * min(1.0, max(0.0, 0.7 + scale * value)))
    return load


def sweep(seconds: float, from_hz: float, to_hz: float) -> Load:
    load, phase = array("d"), 0.0
    count = round(seconds / STEP_S)
    for index in range(count):
        phase += 2 * pi * STEP_S * (from_hz + (to_hz - from_hz) * index / count)
        load.append(PEAK_W * (0.7 + 0.2 * sin(phase)))
    return load


def bursts(seconds: float) -> Load:
    """8 s of 1.3 Hz in every 40: each time from silence."""
    return array(
        "d",
        [
            PEAK_W * (0.8 + (0.15 * sin(2 * pi * 1.3 * i * STEP_S) if i * STEP_S % 40 > 32 else 0.0))
            for i in range(round(seconds / STEP_S))
        ],
    )


def square(seconds: float, period_s: float) -> Load:
    return array(
        "d",
        [PEAK_W * (0.85 if i * STEP_S % period_s < period_s / 2 else 0.55) for i in range(round(seconds / STEP_S))],
    )


def harm_loads(seconds: float = 300) -> dict[str, Callable[[], Load | None]]:
    """What the governor must do no harm to, by name."""
    return {
        "GPT-3, 10 min": lambda: (load := recorded(GPT3)) and load[:60_000],
        "LoRA start and stop": lambda: recorded(LORA),
        **{
            f"iterations of {period_s} s": lambda period_s=period_s: iterations(period_s, seconds, int(period_s * 10))
            for period_s in (0.5, 1, 1.5, 2, 3, 5, 8, 10.9, 12)
        },
        "2 s, no jitter": lambda: iterations(2, seconds, jitter=0),
        "2 s, 6 % jitter": lambda: iterations(2, seconds, jitter=0.06),
        "one stop": lambda: stop(flat(seconds, PEAK_W), 100),
        "steps, 20 s": lambda: steps(seconds, 20, 1),
        "steps, 5 s": lambda: steps(seconds, 5, 2),
        **{f"steps, 2 s, seed {seed}": lambda seed=seed: steps(seconds, 2, seed) for seed in (3, 5, 7)},
        "noise, 0.05 s": lambda: noise(seconds, 0.05, 0.15, 2),
        "noise, 0.3 s": lambda: noise(seconds, 0.3, 0.15, 2),
        "noise, 1 s": lambda: noise(seconds, 1, 0.15, 2),
        "random walk, 20 s": lambda: noise(seconds, 20, 0.2, 2),
        "sweep up": lambda: sweep(seconds, 0.05, 4),
        "sweep down": lambda: sweep(seconds, 4, 0.05),
        "periods change": lambda: (
            iterations(2, seconds / 4, 3)
            + iterations(5, seconds / 4, 4)
            + iterations(1, seconds / 4, 5)
            + iterations(3.3, seconds / 4, 6)
        ),
        "bursts": lambda: bursts(seconds),
        "square, 1.21 s": lambda: square(seconds, 1.21),
        "sine, 0.5 Hz": lambda: sweep(seconds, 0.5, 0.5),
    }
