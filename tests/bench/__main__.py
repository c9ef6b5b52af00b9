"""`make bench`: the numbers, each with its bound; exit 1 if one is not reached.

Ratios are measured side by side; times are of this machine only.
"""

import statistics
import sys
import time

from hil.day.image import default_day
from hil.day.intensity import SeededIntensity
from hil.day.wire import default_wire_day
from tests.bench import cloud, field, ingest, kernel, signals, smoothing, store, wire
from tests.bench.rtu import rtu_cpu_ratio

WIRE_SECONDS, WIRE_ROUNDS = 3_600, 3


def image_day_s() -> float:
    started_s = time.process_time()
    default_day().run(86_400)
    return time.process_time() - started_s


def wire_day_s() -> float:
    """CPU of an hour of `make day LEVEL=wire`, times 24; `make day LEVEL=wire` itself says what a whole day takes."""
    found_s = []
    for seed in range(WIRE_ROUNDS):
        started_s = time.process_time()
        default_wire_day(seed, SeededIntensity(seed)).run(WIRE_SECONDS)
        found_s.append(time.process_time() - started_s)
    return statistics.median(found_s) * 86_400 / WIRE_SECONDS


def main() -> int:
    rtu = rtu_cpu_ratio()
    rows = [
        (
            "kernel step, 1 unit (callgrind)",
            kernel.instructions_per_step(1),
            kernel.INSTRUCTIONS_MAX[1],
            "instructions",
        ),
        (
            "kernel step, 8 units (callgrind)",
            kernel.instructions_per_step(8),
            kernel.INSTRUCTIONS_MAX[8],
            "instructions",
        ),
        ("cffi call with reused structs", kernel.call_ns() / 1_000, 1.0, "us"),
        ("RTU transaction, 20 registers, ours / pymodbus", rtu["ratio"], 0.6, "x client CPU"),
        ("the same, both keeping the silence", rtu["ratio_paced"], 0.6, "x client CPU"),
        ("simulated day, image level 1 Hz", image_day_s(), 2.0, "s of CPU"),
        ("simulated day, wire level (an hour, times 24)", wire_day_s(), 20.0, "s of CPU"),
        *store.rows(),
        *wire.rows(),
        *signals.rows(),
        *ingest.rows(),
        *cloud.rows(),
        *field.rows(cpu=rtu),
    ]
    print(f"{'what':<54}{'measured':>12}{'at most':>12}  unit")
    missed = False
    for name, measured, bound, unit in rows:
        mark = "" if measured <= bound else "   NOT REACHED"
        missed = missed or measured > bound
        print(f"{name:<54}{measured:>12.3f}{bound:>12.3f}  {unit}{mark}")
    print()
    return int(bool(smoothing.main()) or missed)  # both are told before either fails


if __name__ == "__main__":
    sys.exit(main())
