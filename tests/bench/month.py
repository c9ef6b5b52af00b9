"""A month of the day's story through the real uplink and store, then what people ask of it: seconds, bytes, memory.

Run: `python -m tests.bench.month FOLDER [DAYS]` (31 days: half an hour on one core; FOLDER keeps store, pages and package).
Plant, kernel and uplink run second by second on a clock moved by hand; nothing is made up in the store.
"""

import resource
import subprocess
import sys
import time
from math import cos, pi
from pathlib import Path
from random import Random

from edge.config.options import Config
from edge.config.reader import load_config
from edge.model import CycleRecord, RegisterValue, SiteFlows
from edge.uplink import Uplink
from hil.assembly import unit_specs
from hil.day.image import ImageDay
from hil.plant.site import SiteSpec
from hil.virtual import StepClock
from tests.carbon.ledger_kit import METERS, START_MS

DAY_S = 86_400
LIMIT_S = {"report --month": 30.0, "report --day": 10.0, "kpi": 30.0, "ledger export": 60.0, "ledger verify": 30.0}
LIMIT_MB = 200.0  # of any of these words, on a gateway with 512 MB that goes on controlling
SITE = """
[store]
path = "{store}"
[signal]
kind = "file"
path = "{store}/grid.csv"
factors = "egrid2023-ercot"
[evidence]
operator = "Example Ltd"
place = "Austin, Texas"
region = "ERCOT"
residual_mg_per_kwh = 420000
residual_source = "made up for this measurement"
"""


class Month(ImageDay):
    """The image-level day, its seconds handed to a real uplink."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, SiteSpec(units=unit_specs(config)), 7)
        self.clock = StepClock(START_MS)
        self.uplink = Uplink(config, self.clock)
        self.uplink.offer = self.authority.offer
        self.seq = 0

    def _mission(self, second: int) -> None:
        site, out, unit = self.site, self.kernel.output, self.site.units[0]
        registers = [
            ("poc", "meter.energy_import", site.grid_import_wh), ("poc", "meter.energy_export", site.grid_export_wh),
            ("pv1", "pv.energy", site.pv_wh), ("it1", "meter.energy_import", site.it_wh),
            ("pcs1", "pcs.energy_charge", unit.charge_wh), ("pcs1", "pcs.energy_discharge", unit.discharge_wh),
        ]  # fmt: skip
        flows = SiteFlows(
            self.clock.now_ms, self.clock.wall_ms(), int(site.poc_power_w), int(site.it_power_w), int(site.pv_power_w),
            int(site.battery_power_w), int(10_000 * unit.pack.soc), out.battery_w, out.mode, out.why, out.wish_w,
            out.reference_w, None, None, None, 0, 0, tuple(RegisterValue(a, b, int(wh)) for a, b, wh in registers),
        )  # fmt: skip
        self.seq += 1
        self.uplink.note_record(
            CycleRecord(self.seq, self.clock.now_ms, self.clock.wall_ms(), 0, *self.kernel.images())
        )  # fmt: skip
        self.uplink.note_flows(flows)
        self.uplink.step()


def grid_file(folder: Path, days: int) -> None:
    """Hours of a grid with sun: low at noon, high in the evening; two hours of the tenth day are unknown."""
    chance, lines = Random(3), ["utc,ci_direct_g"]
    for hour in range(days * 24 + 1):
        of_day, day = hour % 24, hour // 24 + 1
        value = 360 + 90 * cos(2 * pi * (of_day - 20) / 24) + chance.uniform(-25, 25)
        known = not (day == 10 and of_day in (3, 4))
        stamp = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(START_MS // 1000 + hour * 3_600))
        lines.append(f"{stamp},{value:.1f}" if known else f"{stamp},")
    (folder / "grid.csv").write_text("\n".join(lines) + "\n")


def site_file(folder: Path) -> Path:
    """The example site with this store."""
    text = (Path(__file__).resolve().parents[2] / "deploy" / "site.example.toml").read_text()
    kept, skip = [], False
    for line in text.splitlines():
        head = line.split("#")[0].strip()
        if head.startswith("["):
            skip = head.strip("[] ") in ("store", "signal", "cloud", "console", "evidence")
        kept += [] if skip else [line]
    tables = SITE.format(store=folder)
    for meter in METERS:
        tables += "[[meter]]\n" + "".join(f'{key} = "{value}"\n' for key, value in meter.items())
    for lines in (
        'name = "wind"\nkind = "ppa"\nintensity_mg_per_kwh = 0\ndocument = "PPA 2026-7"\n',
        'name = "goo"\nkind = "certificate"\nintensity_mg_per_kwh = 0\nenergy_wh = 60000000\nfirst = "2026-01-01"\n'
        'last = "2026-12-31"\ndocument = "cancellation 17"\n',
    ):
        tables += f"[[contract]]\n{lines}"
    path = folder / "site.toml"
    path.write_text("\n".join(kept).replace("cycle_ms = 100 ", "cycle_ms = 1000 ") + "\n" + tables)
    return path


def deliveries(folder: Path, days: int) -> Path:
    """Wind by the hour: none on some nights, more than the site imports on others."""
    chance, lines = Random(11), ["start_utc,stop_utc,wh"]
    for hour in range(days * 24):
        start, stop = (
            time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(START_MS // 1000 + (hour + more) * 3_600))
            for more in (0, 1)
        )
        lines.append(f"{start},{stop},{max(0, int(chance.gauss(18_000, 14_000)))}")
    path = folder / "wind.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def ask(*words: str) -> tuple[float, float, str]:
    """(seconds, MB at most, what it said) of one word of `edge`, in a process of its own."""
    code = "import resource, sys; from edge.__main__ import main; code = main(sys.argv[1:]);"
    code += "print('\\x00', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
    began_s = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    spent_s = time.perf_counter() - began_s
    said, _, size = done.stdout.rpartition("\x00")
    assert done.returncode == 0, done.stderr
    return spent_s, int(size) / 1000, said


def make(folder: Path, days: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    grid_file(folder, days)
    path = site_file(folder)
    month = Month(load_config(path))
    began_s = time.perf_counter()
    for day in range(days):
        month.run(DAY_S)
        print(f"day {day + 1}: {time.perf_counter() - began_s:.0f} s", flush=True)
    ask("ledger", "deliver", "-c", str(path), "--contract", "wind", "--who", "B. Buyer", str(deliveries(folder, days)))
    month.run(20)
    month.uplink.close()
    print(
        f"{days} days: {time.perf_counter() - began_s:.0f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss} kB"
    )


def main() -> int:
    folder, days = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 31
    if not (folder / "site.toml").exists():
        make(folder, days)
    site, last = str(folder / "site.toml"), f"2026-01-{days:02d}"
    package = folder / f"package-{int(time.time())}"
    words = {
        "report --month": ("report", "-c", site, "--month", "2026-01", "--out", str(folder / "month.html")),
        "report --day": (
            "report",
            "-c",
            site,
            "--day",
            f"2026-01-{min(days, 10):02d}",
            "--out",
            str(folder / "day.html"),
        ),
        "kpi": ("kpi", "-c", site),
        "ledger export": ("ledger", "export", "-c", site, "--from", "2026-01-01", "--to", last, str(package)),
        "ledger verify": ("ledger", "verify", str(package)),
    }
    print(f"{'word':<18}{'s':>8}{'limit':>8}{'MB':>8}{'limit':>8}")
    missed, told = False, []
    for word, arguments in words.items():
        spent_s, most_mb, said = ask(*arguments)
        told.append(f"$ edge {word}\n{said}")
        missed = missed or spent_s > LIMIT_S[word] or most_mb > LIMIT_MB
        print(f"{word:<18}{spent_s:>8.1f}{LIMIT_S[word]:>8.0f}{most_mb:>8.0f}{LIMIT_MB:>8.0f}")
    print("\n" + "\n".join(told))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
