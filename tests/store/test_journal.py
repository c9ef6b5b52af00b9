"""The journal: rows come back, once, in order; a full, damaged, newer or absent file never stops anybody."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edge.model import AuditEntry, Event
from edge.store.db.database import Database
from edge.store.db.journal import BURST_COUNT, COMMIT_MS, FILE, WAITING_MAX_COUNT, Journal
from edge.store.db.migrations import MIGRATIONS
from edge.store.db.reserve import Reserve
from edge.store.disk import Disk
from tests.store.mounts import fill_up, needs_root, tmpfs

MB = 1 << 20


def journal_at(folder: Path, **more: Any) -> Journal:
    return Journal(folder, **({"max_bytes": 4 * MB, "reserve_bytes": 1 << 16} | more))


def event(index: int, text: str = "") -> Event:
    return Event(index, 10**12 + index, "test", f"event {index} {text}")


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / FILE) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


def texts(folder: Path) -> list[str]:
    return [row[0] for row in rows(folder, "SELECT text FROM events ORDER BY seq")]


def test_what_is_noted_is_there_after_a_kill(tmp_path: Path) -> None:
    journal = journal_at(tmp_path)
    journal.note_event(event(1))
    journal.note_audit(AuditEntry(2, 3, "console", "hold", "because"))
    journal.append_ledger(4, 5, b"\x00body")
    journal.note_clock(6, 7, True)
    journal.step(10, 10)
    assert not journal.fault and journal.written_count == 4
    assert rows(tmp_path, "SELECT seq, mono_ms, wall_ms, who, action, text FROM audit") == [
        (1, 2, 3, "console", "hold", "because")
    ]
    assert rows(tmp_path, "SELECT body FROM ledger") == [(b"\x00body",)]
    again = journal_at(tmp_path)  # no close: a killed process
    again.note_event(event(2))
    assert again.flush()
    assert [one.text for one in again.recent] == ["event 1 ", "event 2 "]
    assert [row[0] for row in rows(tmp_path, "SELECT seq FROM events")] == [1, 2]
    assert again.clock.synced and again.fault == ""


def test_a_configuration_is_kept_once_and_a_change_is_told(tmp_path: Path) -> None:
    journal = journal_at(tmp_path)
    assert not journal.keep_config(1, 1, "a = 1")  # the first is no change
    assert not journal.keep_config(2, 2, "a = 1")
    assert journal.flush()
    again = journal_at(tmp_path)
    assert not again.keep_config(3, 3, "a = 1")
    assert again.keep_config(4, 4, "a = 2")
    assert again.flush()
    assert rows(tmp_path, "SELECT seq, text FROM config") == [(1, "a = 1"), (2, "a = 2")]


def test_a_restless_site_commits_each_ten_seconds_only(tmp_path: Path) -> None:
    journal = journal_at(tmp_path)
    commits = 0
    for second in range(1, 301):
        journal.note_event(event(second))
        before = journal.written_count
        journal.step(1_000 * second, 0)
        commits += journal.written_count > before
    assert BURST_COUNT <= commits <= BURST_COUNT + 300_000 // COMMIT_MS
    assert journal.flush() and len(texts(tmp_path)) == 300


def test_while_the_file_cannot_be_used_rows_wait_and_the_excess_is_counted(tmp_path: Path) -> None:
    blocker = tmp_path / "store"
    blocker.write_text("a file where the folder should be")
    journal = journal_at(blocker)
    for index in range(WAITING_MAX_COUNT + 10):
        journal.note_event(event(index))
    journal.step(1_000, 0)
    assert journal.fault and not journal.written_count
    blocker.unlink()
    journal.step(1_001, 0)
    assert journal.fault  # once a second
    for step in range(20):
        journal.step(3_000 + step, 0)
    assert not journal.fault
    *found, last = texts(blocker)
    assert len(found) == WAITING_MAX_COUNT and found[-1] == f"event {WAITING_MAX_COUNT + 9} "
    assert rows(blocker, "SELECT stream, count FROM dropped") == [("events", 10)]
    assert last == f"10 rows of events are lost: the disk was away for longer than memory holds {WAITING_MAX_COUNT}"
    assert journal.recent[-1].level == "alarm" and not journal.waiting_count


def test_days_without_a_disk_are_told_once_for_each_table_and_the_fault_says_what_is_given_up(tmp_path: Path) -> None:
    blocker = tmp_path / "store"
    blocker.write_text("a file where the folder should be")
    journal = journal_at(blocker)
    for second in range(3 * WAITING_MAX_COUNT):
        journal.note_event(event(second))
        journal.note_audit(AuditEntry(second, second, "console", "hold", str(second)))
        journal.step(2_000 * second + 1, 0)
    assert journal.fault.endswith("; memory is full, the oldest rows of audit, events are given up")
    assert journal.waiting_count == 2 * WAITING_MAX_COUNT, "what is told of it takes no room"
    blocker.unlink()
    for step in range(30):
        journal.step(10**8 + 20_000 * step, 0)
    lost = 2 * WAITING_MAX_COUNT
    assert sorted(rows(blocker, "SELECT stream, count FROM dropped")) == [("audit", lost), ("events", lost)]
    kept = rows(blocker, "SELECT text FROM events WHERE name = 'store.dropped' ORDER BY text")
    assert [text.split(":")[0] for (text,) in kept] == [
        f"{lost} rows of {name} are lost" for name in ("audit", "events")
    ]
    assert rows(blocker, "SELECT MIN(text + 0), COUNT(*) FROM audit") == [(lost, WAITING_MAX_COUNT)]


def test_a_row_written_twice_is_one_row(tmp_path: Path) -> None:
    journal = journal_at(tmp_path)
    journal.note_event(event(1))
    row = journal._waiting["events"][0]
    assert journal.flush()
    journal._waiting["events"].append(row)  # the commit said it failed, the disk had kept it
    assert journal.flush() and texts(tmp_path) == ["event 1 "]


def test_at_the_quota_events_give_way_and_audit_and_ledger_go_on(tmp_path: Path) -> None:
    journal = journal_at(tmp_path, max_bytes=MB)
    for index in range(4_000):
        journal.note_event(event(index, "x" * 400))
        if index % 50 == 0:
            journal.note_audit(AuditEntry(index, 0, "fleet", "cmd", "y" * 100))
            journal.append_ledger(index, 0, bytes(200))
            assert journal.flush(), journal.fault
    assert journal.flush()
    size = sum(path.stat().st_size for path in tmp_path.glob(f"{FILE}*"))
    assert (tmp_path / FILE).stat().st_size <= MB and size < MB + (600 << 10)
    assert rows(tmp_path, "SELECT COUNT(*) FROM audit")[0][0] == 80
    assert rows(tmp_path, "SELECT COUNT(*) FROM ledger")[0][0] == 80
    kept = texts(tmp_path)
    assert kept[-1].startswith("event 3999 ") and len(kept) < 4_000
    dropped = rows(tmp_path, "SELECT SUM(count) FROM dropped WHERE stream = 'events'")[0][0]
    assert dropped + len(kept) == 4_000


def test_at_the_quota_the_oldest_audit_goes_before_the_ledger_and_never_in_silence(tmp_path: Path) -> None:
    journal = journal_at(tmp_path, max_bytes=MB)
    journal.append_ledger(0, 0, b"first")
    for index in range(4_000):
        journal.note_audit(AuditEntry(index, 0, "fleet", "cmd", "y" * 400))
        if index % 100 == 99:
            assert journal.flush(), journal.fault
    kept = rows(tmp_path, "SELECT COUNT(*), MAX(seq) FROM audit")[0]
    dropped = rows(tmp_path, "SELECT SUM(count) FROM dropped WHERE stream = 'audit'")[0][0]
    assert kept[1] == 4_000 and kept[0] + dropped == 4_000
    assert rows(tmp_path, "SELECT body FROM ledger") == [(b"first",)]


@pytest.mark.parametrize("cut", [100, 4_096, 8_192, 20_480])
def test_a_damaged_file_is_put_aside_and_what_is_readable_is_taken_over(tmp_path: Path, cut: int) -> None:
    journal = journal_at(tmp_path)
    for index in range(200):
        journal.note_event(event(index, "z" * 100))
        journal.note_audit(AuditEntry(index, 0, "a", "b", "c"))
    journal.close()
    raw = bytearray((tmp_path / FILE).read_bytes())
    raw[cut : cut + 3_000] = b"\xa5" * 3_000
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).write_bytes(raw)
    again = journal_at(tmp_path)
    again.note_event(event(1_000))
    for step in range(1, 4):
        again.step(step * 2_000, 0)
    assert not again.fault and again.flush()
    assert (tmp_path / "journal.bad").exists()
    found = texts(tmp_path)
    assert found[-1] == "event 1000 " or "put aside" in found[-1]
    assert any("put aside" in text for text in found)
    assert again.recent[-1].name in ("store.damaged", "test")
    newest = rows(tmp_path, "SELECT MIN(seq) FROM events WHERE name IN ('store.damaged', 'test') AND seq > 201")[0][0]
    assert newest > 33_000_000, "a number that may have been sent is not given again"


def test_rubbish_instead_of_a_file_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all " * 500)
    journal = journal_at(tmp_path)
    journal.note_event(event(1))
    assert journal.flush() and "event 1 " in texts(tmp_path)


def test_a_file_of_a_newer_version_is_refused_and_not_touched(tmp_path: Path) -> None:
    journal = journal_at(tmp_path)
    journal.note_event(event(1))
    journal.close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    again = journal_at(tmp_path)
    again.note_event(event(2))
    again.step(1_000, 0)
    again.step(9_000, 0)
    assert "version 99" in again.fault and "newer" in again.fault and "move the file away" in again.fault
    again.close()
    assert (tmp_path / FILE).read_bytes() == before


def test_migrations_run_once_each_in_order_and_keep_the_rows(tmp_path: Path) -> None:
    journal = journal_at(tmp_path)
    journal.note_event(event(1))
    journal.close()
    more = (*MIGRATIONS, "ALTER TABLE events ADD COLUMN extra TEXT", "UPDATE events SET extra = text || '!'")
    for _ in range(2):
        database = Database(tmp_path / FILE, max_bytes=MB, migrations=more)
        assert database.read("SELECT extra FROM events") == [("event 1 !",)]
        assert database.read("PRAGMA user_version") == [(len(more),)]
        database.close()
    broken = Database(tmp_path / FILE, max_bytes=MB, migrations=(*more, "INSERT INTO events VALUES (1); SELECT no"))
    assert broken.read("SELECT 1") is None and broken.fault
    again = Database(tmp_path / FILE, max_bytes=MB, migrations=more)
    assert again.read("PRAGMA user_version") == [(len(more),)]  # a step that fails leaves nothing behind
    again.close()


@needs_root
def test_on_a_full_disk_the_reserve_then_the_telemetry_make_room(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "m", "2m") as folder:
        spare = [folder / f"spare{index}" for index in range(3)]
        for path in spare:
            path.write_bytes(bytes(100_000))

        def give_room() -> int:
            if not spare:
                return 0
            spare.pop(0).unlink()
            return 100_000

        journal = journal_at(folder, give_room=give_room)
        journal.note_event(event(0))
        assert journal.flush() and (folder / "reserve").exists()
        fill_up(folder / "others0")
        kept = 0
        for index in range(1, 400):
            journal.note_audit(AuditEntry(index, 0, "fleet", "cmd", "y" * 500))
            if not journal.flush():
                break
            kept = index
            if index % 40 == 0:
                fill_up(folder / f"others{index}")  # somebody takes at once what was given up
        assert not (folder / "reserve").exists() and not spare, "both were needed"
        assert kept > 40, "after the reserve the telemetry went on giving"
        journal.note_audit(AuditEntry(400, 0, "fleet", "cmd", "waits"))
        assert not journal.flush() and "full" in journal.fault
        for path in folder.glob("others*"):
            path.unlink()
        assert journal.flush() and not journal.fault
        assert rows(folder, "SELECT COUNT(*), MAX(mono_ms) FROM audit") == [(kept + 2, 400)]
        journal.close()


def test_a_reserve_that_a_power_cut_left_empty_is_made_again(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", Disk(), 1 << 16)
    assert reserve.hold() and (tmp_path / "reserve").stat().st_size == 1 << 16
    (tmp_path / "reserve").write_bytes(b"")
    assert not reserve.is_held and not reserve.release()
    assert reserve.hold() and reserve.release() == 1 << 16 and not reserve.is_held
