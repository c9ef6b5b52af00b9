"""The backlog lane without a network: what the disk will not give now is asked for again, and given up only late."""

from collections import deque
from pathlib import Path
from typing import Any, cast

from edge.cloud.codec import decode_batch, encode_sample, schema_json
from edge.cloud.lanes.stretch import READ_PATIENCE_MS
from edge.cloud.link import Link
from edge.cloud.sync import Sync
from edge.cloud.topics import Topics
from edge.model import SAMPLE_FIELDS, Sample
from edge.store.cursor import CursorFile
from edge.store.segments import SegmentLog
from tests.store.test_segments import FailingDisk


class Sink:
    """Stands in for a link that takes everything."""

    connected, window, room, up_count, fault = True, 16, 16, 1, ""

    def __init__(self) -> None:
        self.settled: deque[object] = deque()
        self.seqs: list[int] = []

    def subscribe(self, _topic: str, _callback: object) -> None: ...

    def step(self, _mono_ms: int) -> None: ...

    def publish(self, topic: str, payload: bytes, _qos: int = 1, _retain: bool = False) -> int:
        if "/bf/" in topic:
            batch = decode_batch(payload)
            self.seqs += range(batch.seq0, batch.seq0 + len(batch.samples))
        return 1


def backlog(folder: Path, **fault: Any) -> tuple[Sync, Sink]:
    log = SegmentLog(folder / "ring", max_bytes=8 << 20, context=schema_json())
    for seq in range(100):
        log.append(1, encode_sample(Sample(seq, seq, (seq,) * len(SAMPLE_FIELDS))))
    log._disk = FailingDisk("open", 1, **fault)
    sink = Sink()
    return Sync(Topics("a", "b"), log, CursorFile(folder / "cursor"), cast(Link, sink)), sink


def test_a_read_that_fails_once_costs_nothing(tmp_path: Path) -> None:
    sync, sink = backlog(tmp_path)
    for mono_ms in range(0, 5_000, 100):
        sync.step(mono_ms)
    assert sink.seqs == list(range(1, 101)) and sync.lost_count == 0


def test_a_read_that_always_fails_is_given_up_after_a_while(tmp_path: Path) -> None:
    sync, sink = backlog(tmp_path, forever=True)
    for mono_ms in range(0, READ_PATIENCE_MS, 1_000):
        sync.step(mono_ms)
    assert not sink.seqs and (sync.pending_count, sync.lost_count) == (100, 0)
    for mono_ms in range(READ_PATIENCE_MS, READ_PATIENCE_MS + 3_000, 1_000):
        sync.step(mono_ms)
    assert (sync.pending_count, sync.lost_count, sync.acked_count) == (0, 100, 0)
