"""A full disk, a file system that turns read-only, EIO at the N-th call: the uplink goes on, says so, and comes back.

The uplink runs in virtual time, a second a step: nothing may leave `step` as an exception, and none may wait for ever.
"""

import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from edge.model import SAMPLE_FIELDS, AuditEntry, Event, Sample
from edge.store.db.journal import FILE, Journal
from tests.logbook.test_book import Clock, Site, site_file
from tests.store.mounts import fill_up, tmpfs
from tests.store.test_segments import FailingDisk
from tests.torture.cuts import ext4, mounted
from tests.torture.replay import Tally

STEP_MAX_S = 5.0  # a disk that is gone answers at once; more is waiting for something that does not come
SECONDS = 240
MINE = b"torture "  # rows of the ledger that are not the site's own
STRACE = shutil.which("strace") or ""


class Trial:
    """One site on a disk that goes wrong: what was asked of the store, and what must be there in the end."""

    def __init__(self, folder: Path, padding: str = "") -> None:
        self.padding = padding
        self.site = Site(folder, Clock())
        self.folder = folder
        self.noted = 0
        self.slowest_s = 0.0

    def run(self, seconds: int) -> None:
        """Samples, and each ten seconds an audit entry and a row of the ledger."""
        for _ in range(seconds):
            now_ms = self.site.clock.now_ms
            if now_ms % 10_000 == 0:
                self.noted += 1
                journal = self.site.uplink.logbook.journal
                assert journal is not None
                self.site.uplink.note_audit(AuditEntry(now_ms, 0, "torture", "row", f"{self.noted} {self.padding}"))
                journal.append_ledger(now_ms, 0, MINE + str(self.noted).encode())
            started_s = time.monotonic()
            self.site.run(1)
            self.slowest_s = max(self.slowest_s, time.monotonic() - started_s)

    def judge(self, tally: Tally, wanted_event: str) -> None:
        """Every audit entry and row of the ledger is there once and in order, the newest samples too, and an event."""
        self.site.uplink.close()
        with sqlite3.connect(self.folder / "store" / FILE) as connection:
            audit = [int(row[0].split()[0]) for row in connection.execute("SELECT text FROM audit ORDER BY seq")]
            bodies = [row[0] for row in connection.execute("SELECT body FROM ledger ORDER BY seq")]
            ledger = [int(body[len(MINE) :]) for body in bodies if body.startswith(MINE)]
            events = {row[0] for row in connection.execute("SELECT name FROM events")}
        connection.close()
        whole = list(range(1, self.noted + 1))
        tally.lost_count += len(set(whole) - set(audit)) + len(set(whole) - set(ledger))
        tally.wrong_count += audit != sorted(set(audit)) or ledger != sorted(set(ledger))
        sync = self.site.uplink._sync
        assert sync is not None
        seqs = [entry.seq for entry in sync.log.read_from(1)]
        numbers = sync.log.next_seq - sync.log.first_seq - sync.log.skipped_count
        tally.lost_count += max(0, numbers - len(set(seqs)))
        tally.failed_count += wanted_event not in events or self.slowest_s > STEP_MAX_S
        tally.cut_count += 1


def full_disk(folder: Path, tally: Tally) -> None:
    """Others fill the disk to the last byte, again and again; what may give way does, and in the end the rest is written."""
    with tmpfs(folder, "16m") as disk:
        trial = Trial(disk, "x" * 20_000)
        sync = trial.site.uplink._sync
        assert sync is not None
        while sync.log.bytes_used < 6 << 20:  # some history that can give way
            sync.note(Sample(0, 0, tuple(range(1 << 40, (1 << 40) + len(SAMPLE_FIELDS)))))
        trial.run(SECONDS)
        for index in range(8):
            fill_up(disk / f"others{index}")
            trial.run(SECONDS)
        gave_way = sync.log.first_seq > 1 and not (disk / "store" / "reserve").exists()
        for path in disk.glob("others*"):
            path.unlink()
        trial.run(SECONDS)
        tally.failed_count += not gave_way
        trial.judge(tally, "store.fault")


def full_at_start(folder: Path, tally: Tally) -> None:
    """A gateway that starts on a full disk runs, and keeps what it noted once there is room."""
    with tmpfs(folder, "16m") as disk:
        (disk / "store").mkdir()
        site_file(disk)
        fill_up(disk / "others")
        trial = Trial(disk)
        trial.run(SECONDS)
        (disk / "others").unlink()
        trial.run(SECONDS)
        trial.judge(tally, "store.fault")


def read_only(folder: Path, tally: Tally) -> None:
    """ext4 turns read-only for good (`remount,abort`): the process goes on, and a repaired disk has the past."""
    with ext4(folder) as image:
        with mounted(image, folder / "mnt") as disk:
            trial = Trial(disk)
            trial.run(SECONDS)
            kept_count = trial.noted
            subprocess.run(["mount", "-o", "remount,abort", str(disk)], check=True)
            trial.run(SECONDS)
            names = {event.name for event in trial.site.uplink.events()}
            newest = trial.site.uplink.status()
            tally.failed_count += "store.fault" not in names or newest.stored_count != 2 * SECONDS
            tally.failed_count += trial.slowest_s > STEP_MAX_S
            trial.site.uplink.close()
        with mounted(image, folder / "mnt") as disk:
            trial = Trial(disk)
            trial.noted = kept_count
            trial.run(9)
            trial.judge(tally, "start")


def sick_disk(folder: Path, tally: Tally, *, ats: range, forever: bool) -> None:
    """EIO at the N-th call of each kind that the rings make, once or from then on until the disk is well again."""
    for call in ("open", "allocate", "write", "sync", "sync_folder"):
        for at in ats:
            here = folder / f"{call}{at}{forever}"
            here.mkdir()
            trial = Trial(here)
            sync = trial.site.uplink._sync
            assert sync is not None
            disk = sync.log._disk = FailingDisk(call, at, forever=forever)
            trial.run(60)
            disk.broken = False
            trial.run(5)
            trial.judge(tally, "start")
            shutil.rmtree(here)


JOURNAL_CHILD = """
import sys
from pathlib import Path
from edge.model import Event
from edge.store.db.journal import Journal
journal = Journal(Path(sys.argv[1]), max_bytes=1 << 20, reserve_bytes=1 << 16)
for index in range(40):
    journal.note_event(Event(index, 0, "test", str(index)))
    journal.step(20_000 * (index + 1), 0)
print("fault" if journal.fault else "well")
"""


def sick_journal(folder: Path, tally: Tally, *, ats: range, forever: bool) -> None:
    """EIO at the N-th fdatasync or pwrite64 of the process that owns the journal. Needs strace."""
    for call in ("fdatasync", "pwrite64"):
        for at in ats:
            here = folder / f"{call}{at}{forever}"
            inject = f"inject={call}:error=EIO:when={at}{'+' if forever else ''}"
            command = [STRACE, "-qq", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
            command += [sys.executable, "-c", JOURNAL_CHILD, str(here)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
            tally.failed_count += done.returncode != 0 or done.stdout.strip() != ("fault" if forever else "well")
            again = Journal(here, max_bytes=1 << 20, reserve_bytes=1 << 16)
            again.note_event(Event(99, 0, "test", "99"))
            tally.failed_count += not again.flush()
            texts = [int(row[0]) for row in again._db.read("SELECT text FROM events ORDER BY seq") or []]
            again.close()
            tally.lost_count += 0 if forever else 41 - len(texts)
            tally.wrong_count += texts != sorted(set(texts))
            tally.cut_count += 1
            shutil.rmtree(here)
