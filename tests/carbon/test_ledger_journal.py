"""The ledger on its disk: rows after a kill -9, a full disk, and what another process reads beside it."""

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge.carbon.ledger import ledger as ledger_module
from edge.carbon.ledger.entry import inflate, parse_line
from edge.carbon.ledger.ledger import Ledger
from edge.model import Event
from edge.store.db import journal as journal_module
from edge.store.db.journal import FILE, LEDGER_ROOM_COUNT, Journal
from edge.store.db.view import read_ledger
from tests.carbon.ledger_kit import Plant, site
from tests.store.mounts import fill_up, needs_root, tmpfs

WRITER = """
import sys
from pathlib import Path
from edge.carbon.ledger import ledger as ledger_module
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


@needs_root
def test_a_disk_that_is_full_for_long_leaves_a_chain_without_a_hole_and_the_registers_fill_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_max, waiting_max = 60, LEDGER_ROOM_COUNT + 100  # days instead of weeks
    monkeypatch.setattr(ledger_module, "QUEUE_MAX_COUNT", queue_max)
    monkeypatch.setattr(journal_module, "WAITING_MAX_COUNT", waiting_max)
    with tmpfs(tmp_path / "small", "4m") as folder:
        journal = Journal(folder, max_bytes=64 << 20, reserve_bytes=1 << 16)
        ledger = Ledger(site(), journal.ledger_rows, journal.append_ledger, has_room=journal.has_ledger_room)
        plant = Plant()

        def quarter(index: int) -> None:
            ledger.note(plant.interval(), index)
            ledger.step(index * 900_000, plant.start_ms)
            journal.step(index * 900_000, plant.start_ms)

        quarter(0)
        for _ in range(40):  # what others leave is used up first
            fill_up(folder / "full")
            journal.note_event(Event(1, 1, "filler", "x" * 4_000))
            if not journal.flush():
                break
        for index in range(1, 400):
            quarter(index)
        assert "full" in journal.fault and ledger.waiting_count == queue_max
        assert [note.name for note in ledger.notes].count("ledger.full") == 1
        (folder / "full").unlink()
        for index in range(400, 700):
            quarter(index)
        assert not journal.fault and not ledger.waiting_count and journal.flush()
        intervals = [one.body for one in chain(folder) if one.kind == "interval"]
        assert all(after["start_ms"] == before["stop_ms"] for before, after in pairwise(intervals)), "no time left out"
        made = [one for one in intervals if any("without data" in span["reason"] for span in one["registers"])]
        assert made and "ledger.gap" in [note.name for note in ledger.notes]
        assert sum(_import_wh(one) for one in intervals) == plant.registers_wh["poc", "meter.energy_import"] - 1_000_000
        journal.close()


def _import_wh(body: Any) -> int:
    spans = [one for one in body["registers"] if (one["meter"], one["register"]) == ("poc", "meter.energy_import")]
    return int(spans[0]["delta_wh"])
