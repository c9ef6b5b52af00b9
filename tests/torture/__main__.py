"""`python -m tests.torture store`: every way to lose data that we know of, tried; 0 lost, or exit 1.

Parts that need root or a tool say why they were left out where it is missing. SEED repeats a run.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.cloud.broker import WHY_NONE
from tests.torture import clocks, cuts, faults, replay
from tests.torture.replay import Tally
from tests.torture.site import disks
from tests.torture.site import kills as lives

LONG_ONLY = ("EIO at the N-th call of the controller",)  # half a minute each
Part = tuple[str, str, Callable[[Path], Tally]]  # what it is, why it cannot run here, the run


def _with(act: Callable[[Path, Tally], None]) -> Callable[[Path], Tally]:
    def run(folder: Path) -> Tally:
        tally = Tally()
        act(folder, tally)
        return tally

    return run


def parts(options: argparse.Namespace) -> list[Part]:
    """The rows of the table. `--quick` draws less of each."""
    quick, seed = options.quick, options.seed
    root = "" if os.geteuid() == 0 else "needs root"
    strace = "" if faults.STRACE else "needs strace"
    sick_s, mounted = (5, {"gone": disks.MOUNTED["gone"]}) if quick else (20, disks.MOUNTED)
    once, ever = (range(1, 3), range(1, 2)) if quick else (range(1, 12), range(1, 8))
    calls = (range(1, 8, 3), range(1, 8, 4)) if quick else (range(1, 40, 2), range(1, 30, 3))
    return [
        ("newest segment cut at every byte", "", lambda _: replay.every_byte(30 if quick else 160)),
        (
            "power cut after every call: lost, kept, reordered, torn", "",
            lambda _: replay.replay(100 if quick else 400, 1 if quick else 6),
        ),
        ("kill -9 of the writer", "", lambda folder: cuts.kills(folder, options.kills, seed)),
        ("kill -9 of controller, broker and ingest", WHY_NONE, lambda folder: lives.kills(folder, options.lives, seed)),
        ("power cut of an ext4 image", root, lambda folder: cuts.power_cuts(folder, options.cuts, seed)),
        ("full, read-only and dead disks under the controller", root, lambda folder: disks.trials(folder, mounted, sick_s)),
        ("EIO at the N-th call of the controller", strace, lambda folder: disks.trials(folder, disks.INJECTED, sick_s)),
        ("disk filled up by others, 8 times", root, _with(faults.full_disk)),
        ("start on a full disk", root, _with(faults.full_at_start)),
        ("file system turns read-only", root, _with(faults.read_only)),
        ("EIO at the N-th call of a ring, once", "", _with(lambda f, t: faults.sick_disk(f, t, ats=once, forever=False))),
        ("EIO from the N-th call of a ring on", "", _with(lambda f, t: faults.sick_disk(f, t, ats=ever, forever=True))),
        (
            "EIO at the N-th call of SQLite, once", strace,
            _with(lambda f, t: faults.sick_journal(f, t, ats=calls[0], forever=False)),
        ),
        (
            "EIO from the N-th call of SQLite on", strace,
            _with(lambda f, t: faults.sick_journal(f, t, ats=calls[1], forever=True)),
        ),
        ("boots with wrong clocks, steps of a day", "", lambda _: clocks.boots(40 if quick else 250, seed)),
        ("changes of summer time", "", lambda _: clocks.seasons()),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("what", choices=["store"])
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="how many kill -9 (200, quick 10)")
    parser.add_argument("--lives", type=int, default=0, metavar="N", help="of the whole controller (200, quick 5)")
    parser.add_argument("--only", default="", metavar="TEXT", help="the rows whose name holds this")
    parser.add_argument("--cuts", type=int, default=0, metavar="N", help="how many power cuts (60, quick 8)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.kills = options.kills or (6 if options.quick else 200)
    options.lives = options.lives or (4 if options.quick else 200)
    options.cuts = options.cuts or (8 if options.quick else 60)
    logging.disable(logging.CRITICAL)  # the events of the sites that are tortured
    print(f"{'what':<58}{'tries':>8}{'lost':>6}{'wrong':>7}{'failed':>8}{'s':>7}", flush=True)
    bad = 0
    left_out = LONG_ONLY if options.quick else ()
    for name, why_not, run in [part for part in parts(options) if options.only in part[0] and part[0] not in left_out]:
        if why_not:
            print(f"{name:<58}left out: {why_not}", flush=True)
            continue
        started_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="torture-") as folder:
            tally = run(Path(folder))
        counts = (tally.lost_count, tally.wrong_count, tally.failed_count)
        bad += any(counts) or not tally.cut_count
        took_s = time.monotonic() - started_s
        print(
            f"{name:<58}{tally.cut_count:>8}{counts[0]:>6}{counts[1]:>7}{counts[2]:>8}{took_s:>7.1f}"
            + ("   <-- NOT 0" if any(counts) else ""),
            flush=True,
        )
        if tally.note:
            print(f"    {tally.note}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
