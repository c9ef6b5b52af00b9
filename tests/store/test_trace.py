"""The trace: the structs come back bit for bit, gaps are seen, garbage is a DataFault."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import DataFault
from edge.model import CycleRecord
from edge.store.segments import SegmentLog
from edge.store.trace import TraceReader, TraceRun, TraceWriter

SIZES = (72, 56, 40)
CONFIG = b"config struct"


def cycles(count: int, first: int = 0, seed: int = 1) -> list[CycleRecord]:
    rng = random.Random(seed)
    state = rng.randbytes(SIZES[1])
    out = []
    for seq in range(first, first + count):
        state = state[:8] + seq.to_bytes(8, "little") + state[16:]
        out.append(
            CycleRecord(seq, seq * 100, 10**12 + seq * 100, rng.randrange(99), rng.randbytes(72), state, bytes(40))
        )
    return out


def write(folder: Path, records: list[CycleRecord], initial: bytes | None = None) -> None:
    writer = TraceWriter(folder, CONFIG, "hash", SIZES, max_bytes=8 << 20, initial_state=initial)
    for record in records:
        writer.note(record)
    writer.close()


def read(path: Path) -> list[TraceRun]:
    return list(TraceReader(path))


@given(st.integers(1, 150), st.booleans())
@settings(max_examples=15)
def test_every_cycle_comes_back(tmp_path_factory: pytest.TempPathFactory, count: int, known: bool) -> None:
    folder = tmp_path_factory.mktemp("trace")
    records = cycles(count)
    initial = bytes(SIZES[1]) if known else None
    write(folder, records, initial)
    (run,) = read(folder)
    assert (run.config, run.abi_hash, run.sizes, run.gap) == (CONFIG, "hash", SIZES, True)
    assert [record for _, record in run.steps] == records
    assert [before for before, _ in run.steps] == [initial, *(record.state for record in records[:-1])]
    (file,) = folder.glob("*.seg")
    assert read(file) == [run]


def test_gaps_begin_a_new_run_without_a_state_before(tmp_path: Path) -> None:
    records = cycles(40)
    write(tmp_path, records[:15] + records[20:])
    first, second = read(tmp_path)
    assert len(first.steps) == 15 and second.gap and second.steps[0] == (None, records[20])
    write(tmp_path, cycles(5))  # a restart counts from 0 again
    assert [run.gap for run in read(tmp_path)] == [True, True, True]


@pytest.mark.parametrize("raw", [b"", b"x", bytes(4_096), b"TWSEGMNT" + b"\xff" * 100, b"\x89PNG" * 50])
def test_garbage_is_a_data_fault_that_names_the_file(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "0000000001.seg"
    file.write_bytes(raw)
    with pytest.raises(DataFault, match=r"0000000001\.seg: offset \d+.*"):
        read(file)
    with pytest.raises(DataFault):
        read(tmp_path)


def test_absent_empty_and_foreign_are_data_faults(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="no trace segment"):
        read(tmp_path)
    with pytest.raises(DataFault, match="cannot be read"):
        read(tmp_path / "none.seg")
    SegmentLog(tmp_path, max_bytes=1 << 21, context=b"schema").append(1, b"sample")
    with pytest.raises(DataFault, match="another kind"):
        read(tmp_path)


def test_a_flipped_byte_yields_what_precedes_it_then_a_fault(tmp_path: Path) -> None:
    records = cycles(60)
    write(tmp_path, records)
    (file,) = tmp_path.glob("*.seg")
    raw = file.read_bytes()
    end = len(raw.rstrip(b"\0")) - 60
    for offset in range(200, end, 97):
        data = bytearray(raw)
        data[offset] ^= 0x10
        file.write_bytes(data)
        got: list[CycleRecord] = []
        with pytest.raises(DataFault, match="offset"):
            for run in TraceReader(file):
                got += [record for _, record in run.steps]
        assert got == records[: len(got)]
