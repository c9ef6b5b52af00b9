"""Every prefix of a ring's calls to the disk, as a power cut would leave it: nothing synced is lost, no start fails."""

import random
from dataclasses import dataclass
from pathlib import Path

from edge.store.segments import SegmentLog
from tests.torture.memory import MODES, MemoryDisk, Op, after_cut

FOLDER = Path("/ring")
SEGMENT = 4_096
SYNC_EVERY = 7


def body(seq: int) -> bytes:
    return f"record {seq} ".encode() * (seq % 9 + 1)


def log_on(disk: MemoryDisk, context: bytes = b"schema") -> SegmentLog:
    return SegmentLog(FOLDER, max_bytes=6 * SEGMENT, segment_bytes=SEGMENT, stream="site", context=context, disk=disk)


@dataclass(slots=True)
class Tally:
    cut_count: int = 0
    lost_count: int = 0  # records that were synced and are gone
    wrong_count: int = 0  # bodies, order or numbers that are not as they were
    failed_count: int = 0  # starts that could not go on
    note: str = ""  # what it was made of


def play(count: int) -> tuple[MemoryDisk, list[tuple[int, int, int]]]:
    """A ring that wrote `count` records, and after each call: (calls so far, newest appended, newest synced)."""
    disk = MemoryDisk()
    log = log_on(disk)
    marks, synced = [(0, 0, 0)], 0
    for index in range(count):
        seq = log.append(1, body(log.next_seq))
        marks.append((len(disk.ops), seq, synced))
        if index % SYNC_EVERY == SYNC_EVERY - 1 and log.sync():
            synced = seq
            marks.append((len(disk.ops), seq, synced))
    return disk, marks


def cut(disk: MemoryDisk, marks: list[tuple[int, int, int]], calls: int, mode: str, seed: int, tally: Tally) -> None:
    """A power cut behind so many calls and a start; then three more records, synced, another cut and another start."""
    rng = random.Random(f"{seed} {calls} {mode}")
    past = [mark for mark in marks if mark[0] <= calls]
    synced, appended = max(mark[2] for mark in past), max(mark[1] for mark in past)
    files = after_cut(disk.ops[:calls], mode, rng)
    base = [op for name, raw in files.items() for op in _as_ops(name, bytes(raw))]
    first = MemoryDisk(files, b"1" * 16)
    log = log_on(first)
    kept = _judge(log, set(range(1, synced + 1)), appended if synced else 0, tally)
    epoch = log.epoch
    kept |= {log.append(1, body(log.next_seq)) for _ in range(3)}
    log.sync()
    second = log_on(MemoryDisk(after_cut([*base, *first.ops], mode, rng), b"2" * 16))
    _judge(second, kept, log.next_seq - 1, tally)
    tally.wrong_count += second.epoch != epoch
    tally.cut_count += 2


def _judge(log: SegmentLog, must: set[int], appended: int, tally: Tally) -> set[int]:
    """The numbers that are there. `must`: those that may not be missing unless the ring has overwritten them."""
    found = list(log.read_from(1))
    numbers = [entry.seq for entry in found]
    tally.failed_count += bool(log.fault)
    tally.lost_count += len({seq for seq in must if seq >= log.first_seq} - set(numbers))
    tally.wrong_count += numbers != sorted(set(numbers)) or any(one.body != body(one.seq) for one in found)
    tally.wrong_count += log.next_seq <= appended  # a number would be given twice
    return set(numbers)


def _as_ops(name: str, raw: bytes) -> list[Op]:
    return [
        Op("create", name),
        Op("allocate", name, number=len(raw)),
        Op("write", name, raw),
        Op("sync", name),
        Op("sync_folder"),
    ]


def replay(count: int, seeds: int, *, every: int = 1) -> Tally:
    """All prefixes (or each `every`-th), all modes, `seeds` draws of each."""
    disk, marks = play(count)
    tally = Tally()
    for calls in range(0, len(disk.ops) + 1, every):
        for mode in MODES:
            for seed in range(seeds if mode in ("reordered", "torn") else 1):
                cut(disk, marks, calls, mode, seed, tally)
    return tally


def every_byte(count: int) -> Tally:
    """The newest segment cut at every byte of its records, and each of its last bytes damaged."""
    disk, _ = play(count)
    name = max(disk.files)
    whole = bytes(disk.files[name])
    end = len(whole.rstrip(b"\0"))
    complete = {entry.seq for entry in log_on(_copy(disk, name, whole)).read_from(1)}
    first = int.from_bytes(whole[24:32], "little")  # of the segment in hand: all before it lies in other files
    tally = Tally()
    for at in range(end + 1):
        for raw in (whole[:at], whole[:at] + bytes(len(whole) - at)):
            log = log_on(_copy(disk, name, raw))
            found = [entry.seq for entry in log.read_from(1)]
            tally.cut_count += 1
            tally.failed_count += bool(log.fault)
            tally.wrong_count += found != sorted(set(found)) or not set(found) <= complete
            tally.lost_count += len({seq for seq in complete if seq < first} - set(found))
    return tally


def _copy(disk: MemoryDisk, name: str, raw: bytes) -> MemoryDisk:
    files = {one: bytearray(data) for one, data in disk.files.items()}
    files[name] = bytearray(raw)
    return MemoryDisk(files, b"1" * 16)
