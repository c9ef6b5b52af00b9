"""Memory that a grid signal over HTTP adds to a controller: imports, TLS, a day of recorded ERCOT answers, 28 days of hours.

Each measurement is a process of its own: resident memory before and after, in a process that already has the uplink.
Run: `python -m tests.bench.signals`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.plan.signals.kit import FIXTURES

RESIDENT_MAX_MB = 12.0  # with the ledger together
ROUNDS = 12
CHILD = """
import gc, sys
from pathlib import Path
import edge.app, edge.uplink
from edge.carbon.factors.weights import load_weights
from edge.clock import SystemClock
from edge.config.options import Signal
from edge.plan.signals.live import GridSignal, open_fetcher
from edge.plan.signals.sources import AVERAGE
from tests.plan.signals.server import Behaviour, publisher

def resident_mb():
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024

body = Path(sys.argv[1]).read_bytes() if sys.argv[1] else b"{}"
clock = SystemClock()
with publisher(Behaviour(body=body)) as there:
    before = resident_mb()
    source = AVERAGE["ercot"]
    fetcher = open_fetcher(Signal(kind="ercot", base_url=there.url), source, "US-TEX-ERCO", clock, Path(sys.argv[2]))
    signal = GridSignal(fetcher, load_weights("egrid2023-ercot", "direct"), "ercot:US-TEX-ERCO")
    for hour in range(28 * 24):
        signal._history.note(hour * 3_600_000, 3600, 300_000)
    opened = resident_mb()
    for _ in range(int(sys.argv[3])):
        fetcher._queue.append(fetcher.fetch())
        signal.poll(clock.mono_ms(), clock.wall_ms())
    print(opened - before, resident_mb() - before)
"""


def resident_mb(folder: Path, body: Path | None) -> tuple[float, float]:
    """(opened, after a dozen answers) above a controller without a signal."""
    words = [sys.executable, "-c", CHILD, str(body or ""), str(folder), str(ROUNDS)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    opened, running = (float(word) for word in done.stdout.split())
    return opened, running


def rows() -> list[tuple[str, float, float, str]]:
    """For `make bench`. Without the recorded answers beside the project: with an answer that is refused."""
    body = FIXTURES / "ERCOT.json"
    with tempfile.TemporaryDirectory() as folder:
        opened, running = resident_mb(Path(folder), body if body.exists() else None)
    return [
        ("grid signal opened (urllib3, TLS, 28 days of hours)", opened, RESIDENT_MAX_MB, "MB resident"),
        (f"the same after {ROUNDS} answers of 408 kB", running, RESIDENT_MAX_MB, "MB resident, ledger included"),
    ]


def main() -> int:
    missed = False
    for name, measured, bound, unit in rows():
        print(f"{name:<54}{measured:>12.1f}{bound:>12.1f}  {unit}")
        missed = missed or measured > bound
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
