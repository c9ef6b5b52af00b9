"""Many runs on all cores: `python -m tests.kernel.duel --steps 1000000 --seed 0`, or `make oracle STEPS=1000000`.

Every fifth run has the wish half that was built, the others one that answers any bits. A difference is printed with the
seed that shows it again: `python -m tests.kernel.duel --replay SEED`.
"""

import argparse
import os
import sys
from multiprocessing import get_context
from typing import NamedTuple

from tests.kernel.duel.coverage import Coverage
from tests.kernel.duel.duel import Disagreement, play
from tests.kernel.duel.hostile import hostile_library

CYCLES = 300  # three minutes' delays and a way from BOOT to RUN fit in
CHUNK = 20  # runs a task


class Report(NamedTuple):
    """What some runs together did."""

    steps: int
    found: list[str]
    coverage: Coverage


def play_runs(seeds: range) -> Report:
    coverage, found = Coverage(), []
    for seed in seeds:
        try:
            play(seed, CYCLES, hostile=seed % 5 != 0, coverage=coverage)
        except Disagreement as error:
            found.append(str(error))
    return Report(len(seeds) * CYCLES, found, coverage)


def run(steps: int, seed: int) -> Report:
    """At least this many steps from consecutive seeds."""
    hostile_library()  # built once, before there are several processes
    runs = -(-steps // CYCLES)
    chunks = [range(seed + at, seed + min(at + CHUNK, runs)) for at in range(0, runs, CHUNK)]
    total = Report(0, [], Coverage())
    with get_context("fork").Pool(os.cpu_count()) as pool:
        for part in pool.imap_unordered(play_runs, chunks):
            total.coverage.join(part.coverage)
            total = Report(total.steps + part.steps, total.found + part.found, total.coverage)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replay", type=int)
    options = parser.parse_args()
    if options.replay is not None:
        report = play_runs(range(options.replay, options.replay + 1))
    else:
        report = run(options.steps, options.seed)
    for line in report.found:
        print(line)
    missing = report.coverage.missing() if options.replay is None else []
    print(f"steps={report.steps} disagreements={len(report.found)} never_reached={missing}")
    return 1 if report.found or missing else 0


if __name__ == "__main__":
    sys.exit(main())
