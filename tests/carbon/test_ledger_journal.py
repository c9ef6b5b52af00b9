"""The ledger on its disk: rows after a kill -9, a full disk, and what another process reads beside it."""

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge.carbon.ledger.entry import inflate, parse_line
from edge.carbon.ledger.ledger import Ledger
from edge.store.db.journal import FILE, Journal
from edge.store.db.view import read_ledger
from tests.carbon.ledger_kit import Plant, site
from tests.store.mounts import fill_up, needs_root, tmpfs

WRITER = """
import sys
from pathlib import Path
from edge.carbon.ledger.ledger import Ledger
from edge.store.db.journal import Journal
from tests.carbon.ledger_kit import Plant, site
journal = Journal(Path(sys.argv[1]), max_bytes=8 << 20)
ledger, plant = Ledger(site(), journal.ledger_rows, journal.append_ledger), Plant()
for index in range(10**6):
    ledger.note(plant.interval(), index)
    ledger.step(index * 20_000, plant.start_ms)
    journal.step(index * 20_000, plant.start_ms)
    print(index, flush=True)
"""


def chain(folder: Path) -> list[Any]:
    entries = [parse_line(inflate(row)) for row in read_ledger(folder / FILE)]
    assert [entry.no for entry in entries] == list(range(1, len(entries) + 1))
    assert all(after.previous == before.digest for before, after in pairwise(entries))
    return entries


@pytest.mark.hil
@pytest.mark.parametrize("after", [3, 40, 120])
def test_a_kill_leaves_a_whole_chain_that_goes_on(tmp_path: Path, after: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert child.stdout is not None
    for _ in range(after):
        child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    count = len(chain(tmp_path))
    assert count > after
    journal = Journal(tmp_path, max_bytes=8 << 20)
    ledger, plant = Ledger(site(), journal.ledger_rows, journal.append_ledger), Plant()
    plant.start_ms += 10**9
    ledger.note(plant.interval(registers=()), 1)
    ledger.step(1, plant.start_ms)
    assert journal.flush()
    assert len(chain(tmp_path)) > count


@needs_root
def test_a_full_disk_gives_its_reserve_to_the_ledger(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", "4m") as folder:
        journal = Journal(folder, max_bytes=64 << 20, reserve_bytes=1 << 20)
        ledger, plant = Ledger(site(), journal.ledger_rows, journal.append_ledger), Plant()
        ledger.note(plant.interval(), 1)
        ledger.step(1, plant.start_ms)
        assert journal.flush()
        fill_up(folder / "full")
        for index in range(600):  # some 300 kB
            ledger.note(plant.interval(), index)
            ledger.step(index * 20_000, plant.start_ms)
            journal.step(index * 20_000, plant.start_ms)
        assert journal.flush() and not (folder / "reserve").exists()
        assert sum(entry.kind == "interval" for entry in chain(folder)) == 601
        journal.close()
