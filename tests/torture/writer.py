"""Writes a ring and a journal without end, and says what survives what: `python -m tests.torture.writer FOLDER BOOT`.

`w SEQ` written (survives a kill), `s SEQ` synced (survives a power cut), `a N` an audit row committed.
"""

import sys
from pathlib import Path

from edge.model import AuditEntry
from edge.store.db.journal import Journal
from edge.store.disk import Disk
from edge.store.segments import SegmentLog
from tests.torture.replay import body

RING = {"max_bytes": 64 << 16, "segment_bytes": 1 << 16, "stream": "site"}
JOURNAL_MAX_BYTES = 8 << 20
SYNC_EVERY, AUDIT_EVERY = 10, 25


class OfBoot(Disk):
    """The disk of a machine that was started as `boot` (up to 16 letters): a cut of this test is no start of the machine."""

    def __init__(self, boot: str) -> None:
        self._boot = boot.encode().ljust(16, b".")

    def boot_id(self) -> bytes:
        return self._boot


def main(folder: Path, disk: Disk) -> None:
    log = SegmentLog(folder / "ring", disk=disk, **RING)  # type: ignore[arg-type]  # one dict for writer and judge
    journal = Journal(folder, max_bytes=JOURNAL_MAX_BYTES, reserve_bytes=1 << 16)
    rows = journal._db.read("SELECT COUNT(*) FROM audit") or [(0,)]
    count = int(rows[0][0])
    while True:
        seq = log.append(1, body(log.next_seq))
        print("w", seq, flush=True)
        if seq % SYNC_EVERY == 0 and log.sync():
            print("s", seq, flush=True)
        if seq % AUDIT_EVERY == 0:
            count += 1
            journal.note_audit(AuditEntry(count, 0, "torture", "row", str(count)))
            if journal.flush():
                print("a", count, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), OfBoot(sys.argv[2]))
