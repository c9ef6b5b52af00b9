"""`edge demo`: a simulated site on PTYs, the real controller as its own process, a broker, an ingest, one live screen.

Ends by itself with --minutes, else with Ctrl-C; either way the controller is asked to stop and the PCS must be at 0 kW.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.errors import EdgeError
from hil.demo.run import Demo, DemoOptions


def main(argv: Sequence[str]) -> int:
    """Exit 0: ended with the PCS at 0 kW and nothing over a limit for long; 1: not so; 2: it could not start."""
    parser = argparse.ArgumentParser(prog="edge demo", description="a simulated site with the real controller")
    parser.add_argument("--minutes", type=float, default=0.0, help="end by itself after this long (0: Ctrl-C)")
    parser.add_argument("--headless", action="store_true", help="no live screen; a line every ten seconds")
    parser.add_argument("--load-trace", type=Path, metavar="FILE", help="CSV(.gz) with t_s and total_kw")
    parser.add_argument(
        "--load-scale-w", type=int, default=60_000, metavar="N", help="the trace's maximum becomes this"
    )
    parser.add_argument("--intensity", type=Path, metavar="FILE", help="CSV(.gz) with utc and ci_direct_g")
    parser.add_argument(
        "--intensity-start", default="2021-06-16T00:00:00Z", metavar="UTC", help="where the file begins"
    )
    parser.add_argument("--intensity-speed", type=int, default=240, metavar="N", help="seconds of the file per second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("run/demo"), help="where store, trace and logs go")
    found = parser.parse_args(argv)
    options = DemoOptions(
        seconds=found.minutes * 60,
        headless=found.headless or not sys.stdout.isatty(),
        load_trace=found.load_trace,
        load_scale_w=found.load_scale_w,
        intensity=found.intensity,
        intensity_start=found.intensity_start,
        intensity_speed=found.intensity_speed,
        seed=found.seed,
        folder=found.folder,
    )
    try:
        return asyncio.run(Demo(options).play())
    except EdgeError as fault:
        print(fault, file=sys.stderr)
        return 2
