"""What one kernel step costs: instructions (callgrind, the same on every run) and time of a cffi call (median).

`python -m tests.bench.kernel` prints both; `make bench` calls the functions. Not collected by pytest.
"""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edge.control.kernel import Mode, SiteCause
from tests.kernel.rig import Rig

NATIVE = Path(__file__).resolve().parents[2] / "native"
SOURCE = Path(__file__).with_name("kernel_bench.c")
INSTRUCTIONS_MAX = {1: 4_000, 8: 12_000}  # target per step in RUN, by number of units
FLAGS = ["-O3", "-fno-tree-loop-distribute-patterns", "-std=c11"]  # those of native/build.py
CALL_MAX_NS = 1_000
CYCLES = 2_000


def instructions_per_step(units: int = 1) -> int:
    """Instructions inside tw_step, averaged over a run that is 99 % RUN. Raises FileNotFoundError without valgrind."""
    if shutil.which("valgrind") is None:
        raise FileNotFoundError("valgrind is not installed")
    with tempfile.TemporaryDirectory() as folder:
        binary, trace = f"{folder}/bench", f"{folder}/callgrind.out"
        sources = [str(SOURCE), *(str(path) for path in sorted(NATIVE.glob("*.c")))]
        subprocess.run(["gcc", *FLAGS, f"-I{NATIVE}", "-o", binary, *sources], check=True)
        command = ["valgrind", "--tool=callgrind", "--toggle-collect=tw_step", f"--callgrind-out-file={trace}", binary]
        subprocess.run([*command, str(CYCLES), str(units)], check=True, capture_output=True)
        found = re.search(r"^(?:summary|totals): (\d+)", Path(trace).read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("callgrind wrote no totals")
    return int(found[1]) // CYCLES


def call_ns(runs: int = 7, calls: int = 100_000) -> float:
    """Median over runs of the time of one `kernel.step()` with reused structs, one unit in RUN with a wish.

    Time must pass for a cycle to be a RUN cycle, so the same loop without the call is measured and taken off.
    """
    rig = Rig().run()
    rig.wish(10_000)
    rig.put(power_w=10_000, poc_power_w=30_000)  # done, as it was told
    step, tw_input = rig.kernel.step, rig.input
    found = []
    for _ in range(runs):
        now_ms = tw_input.mono_ms
        begin_ns = time.perf_counter_ns()
        for cycle in range(calls):
            tw_input.mono_ms = now_ms + cycle * 100
        empty_ns = time.perf_counter_ns() - begin_ns
        begin_ns = time.perf_counter_ns()
        for cycle in range(calls):
            tw_input.mono_ms = now_ms + 100 + cycle * 100
            step()
        found.append((time.perf_counter_ns() - begin_ns - empty_ns) / calls)
        if rig.out.mode != Mode.RUN or rig.has(SiteCause.CLOCK) or rig.out.battery_w == 0:
            raise RuntimeError("the bench did not measure a RUN cycle")
    return statistics.median(found)


def main() -> int:
    missed = False
    for units, most in INSTRUCTIONS_MAX.items():
        instructions = instructions_per_step(units)
        print(f"instructions per tw_step, {units} units in RUN: {instructions} (target <= {most})")
        missed = missed or instructions > most
    nanoseconds = call_ns()
    print(f"ns per kernel.step() through cffi: {nanoseconds:.0f} (target <= {CALL_MAX_NS})")
    return int(missed or nanoseconds > CALL_MAX_NS)


if __name__ == "__main__":
    sys.exit(main())
