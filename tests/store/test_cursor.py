"""The cursor: one torn write never loses more than the newest position."""

from pathlib import Path

from edge.store.cursor import SLOT_BYTES, CursorFile, Position
from tests.store.test_segments import FailingDisk


def test_the_newest_good_slot_counts(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    cursor = CursorFile(path)
    assert cursor.position == Position()
    for seq in (10, 20, 30):
        assert cursor.write(Position(7, seq, seq // 10))
    assert CursorFile(path).position == Position(7, 30, 3)
    raw = path.read_bytes()
    assert len(raw) == 2 * SLOT_BYTES
    seen = set()
    for bit in range(8 * len(raw)):
        data = bytearray(raw)
        data[bit // 8] ^= 1 << bit % 8
        path.unlink()  # overwriting in place would make ext4 flush each time
        path.write_bytes(data)
        seen.add(CursorFile(path).position.seq)
    assert seen == {20, 30}


def test_garbage_and_short_files_start_from_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    for raw in (b"", b"x", bytes(128), b"\xff" * 300):
        path.write_bytes(raw)
        cursor = CursorFile(path)
        assert cursor.position == Position()
        assert cursor.write(Position(1, 2))
        assert CursorFile(path).position == Position(1, 2)


def test_a_disk_fault_is_a_text(tmp_path: Path) -> None:
    disk = FailingDisk("write", 1)
    cursor = CursorFile(tmp_path / "cursor", disk)
    assert not cursor.write(Position(1, 2))
    assert cursor.fault
    assert cursor.write(Position(1, 3)) and not cursor.fault
