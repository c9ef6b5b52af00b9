"""The ledger in numbers: a year checked, its room on the disk, and what it adds to the controller's memory.

Run: `python -m tests.bench.ledger` (three minutes); `make evidence` does, after ten thousand changed bytes.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import tomli

from edge.carbon.desk.acts import FolderSource, create_file
from edge.carbon.evidence.package import Period, write
from edge.carbon.evidence.verify import verify
from edge.carbon.interval import Interval, RegisterSpan
from edge.carbon.ledger.entry import Entry, inflate, sha256, trusted_line
from edge.config.options import Config
from edge.config.reader import parse_config
from tests.carbon.ledger_kit import SITE, START_MS, Kept, Plant

DAYS, METERS = 365, 8
VERIFY_MAX_S, YEAR_MAX_MB, MEMORY_MAX_KB = 30.0, 40.0, 4_096  # with the signals at most 12 MB: a third is the ledger's
MEMORY = """
def rss():
    return int(open("/proc/self/smaps_rollup").read().split("Rss:")[1].split()[0])
import subprocess, asyncio, json, sqlite3, hashlib, logging, msgpack
import edge.config.reader, edge.carbon.flow, edge.store.db.journal, edge.logbook.book, edge.field.bus, edge.cycle
import edge.cloud.link
before = rss()
import edge.carbon.ledger.ledger
from tests.carbon.ledger_kit import Kept, Plant
kept, plant = Kept(), Plant()
for _ in range(96 * 3):
    kept.note(plant.interval())
    kept.rows = kept.rows[-1:]
print(rss() - before)
"""
SIGNING = """
def rss():
    return int(open("/proc/self/smaps_rollup").read().split("Rss:")[1].split()[0])
before = rss()
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
Ed25519PrivateKey.generate().sign(b"x")
print(rss() - before)
"""


def eight_meters() -> Config:
    """The example site with five battery units: POC, IT, PV and five PCS."""
    whole: dict[str, Any] = tomli.loads(SITE.read_text())
    for number in range(2, 6):
        for use, base in (("pcs", 10), ("bms", 20)):
            like = next(one for one in whole["device"] if one["use"] == use)
            whole["device"].append({**like, "name": f"{use}{number}", "address": base + number, "port": "slow"})
        whole["unit"].append({**whole["unit"][0], "pcs": f"pcs{number}", "bms": f"bms{number}"})
    names = [one["name"] for one in whole["device"] if one["use"] != "bms"]
    whole["meter"] = [{"device": name, "accuracy_class": "0.5", "serial": f"S-{name}"} for name in names]
    return parse_config(whole, "site.toml")


def wide(interval: Interval, index: int) -> Interval:
    """As if four more PCS stood idle beside the first, and every factor had an answer of its own."""
    spans = [
        RegisterSpan(f"pcs{number}", register, 7_000_000, 7_000_000, 0, "measured")
        for number in range(2, 6)
        for register in ("pcs.energy_charge", "pcs.energy_discharge")
    ]
    factor = replace(interval.factor, payload_sha256=sha256(str(index).encode()))
    return replace(interval, registers=(*interval.registers, *spans), factor=factor)


def year(folder: Path) -> tuple[int, list[bytes]]:
    """A package of a year in `folder`; (bytes on the gateway's disk, rows)."""
    kept, plant = Kept(eight_meters()), Plant(Random(5))
    for index in range(DAYS * 96):
        kept.note(wide(plant.interval(), index))
    rows = kept.rows

    def entries() -> Iterator[Entry]:
        for row in rows:
            line = inflate(row)
            yield replace(trusted_line(line), digest=sha256(line))

    period = Period(START_MS, START_MS + DAYS * 86_400_000)
    write(entries, period, lambda digest: None, lambda name: create_file(folder, name))
    return sum(map(len, rows)), rows


def measure(code: str) -> float:
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main() -> int:
    assert len(eight_meters().meter) == METERS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "package"
        size, rows = year(folder)
        started_s = time.process_time()
        report = verify(FolderSource(folder))
        spent_s = time.process_time() - started_s
        assert report.finding is None and report.account is not None, str(report.finding)
        assert report.account.interval_count == DAYS * 96 and report.account.residual_ug == 0
        package = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    found = [
        (f"verify {DAYS * 96} entries x {METERS} meters", spent_s, VERIFY_MAX_S, "s of CPU"),
        ("a year on the gateway's disk", size / 1e6, YEAR_MAX_MB, "MB"),
        ("an entry on the disk, mean", size / len(rows), 1_000, "bytes"),
        ("memory that the ledger adds to the controller", measure(MEMORY), MEMORY_MAX_KB, "kB"),
    ]
    for what, measured, bound, unit in found:
        mark = "" if measured <= bound else "   NOT REACHED"
        print(f"{what:<54}{measured:>12.1f}{bound:>12.1f}  {unit}{mark}")
    print(f"{'package of that year':<54}{package / 1e6:>12.1f}{'':>12}  MB")
    try:
        print(f"{'what signing would add, were it in the controller':<54}{measure(SIGNING):>12.0f}{'':>12}  kB")
    except subprocess.CalledProcessError:
        print("cryptography is not installed: what signing would add is not measured")
    return int(any(measured > bound for _, measured, bound, _ in found))


if __name__ == "__main__":
    sys.exit(main())
