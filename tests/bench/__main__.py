"""`make bench`: the numbers, each with its bound. Ratios are measured side by side; times are of this machine only."""

import asyncio
import sys
import time

from hil.assembly import unit_specs
from hil.day.image import day_config, default_day
from hil.day.wired import play
from hil.plant.site import SiteSpec
from tests.bench import kernel
from tests.bench.rtu import rtu_cpu_ratio

WIRE_SECONDS = 3_600


def image_day_s() -> float:
    started_s = time.process_time()
    default_day().run(86_400)
    return time.process_time() - started_s


def wire_day_s() -> float:
    """CPU of an hour at wire level, times 24."""
    config = day_config()
    started_s = time.process_time()
    play(config, SiteSpec(units=unit_specs(config)), 1, lambda wired: asyncio.sleep(WIRE_SECONDS), plant_step_s=1.0)
    return (time.process_time() - started_s) * 86_400 / WIRE_SECONDS


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
    ]
    print(f"{'what':<48}{'measured':>12}{'at most':>12}  unit")
    for name, measured, bound, unit in rows:
        mark = "" if measured <= bound else "   NOT REACHED"
        print(f"{name:<48}{measured:>12.2f}{bound:>12.2f}  {unit}{mark}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
