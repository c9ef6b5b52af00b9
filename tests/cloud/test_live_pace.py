"""`live_every_s`: fewer and larger live messages, and none of their samples twice."""

import time
from pathlib import Path

import pytest

from edge.cloud.codec import schema_json
from edge.cloud.dial import Backoff
from edge.cloud.lanes.pace import Pace
from edge.cloud.link import Link, LinkSettings
from edge.cloud.sync import Sync
from edge.cloud.topics import Topics
from edge.model import SAMPLE_FIELDS, Sample
from edge.store.cursor import CursorFile
from edge.store.segments import SegmentLog
from tests.cloud.broker import wait_until
from tests.cloud.scripted import ScriptedBroker

pytestmark = pytest.mark.hil


@pytest.mark.parametrize(("every_s", "sizes"), [(1, [1] * 20), (5, [1, 5, 5, 5])])
def test_live_samples_leave_as_often_as_is_configured_and_never_as_backlog(
    tmp_path: Path, every_s: int, sizes: list[int]
) -> None:
    broker = ScriptedBroker(receive_max=20, puback=0, hold=True)
    log = SegmentLog(tmp_path / "ring", max_bytes=8 << 20, context=schema_json(), segment_bytes=1 << 16)
    link = Link(LinkSettings("127.0.0.1", broker.port), backoff=Backoff(100, 200, 10**6))
    cursor = CursorFile(tmp_path / "cursor")
    sync = Sync(Topics("acme", "gw-1"), log, cursor, link, pace=Pace(50, 10**6), live_every_s=every_s)
    assert wait_until(lambda: link.connected, 5, lambda: sync.step(1_000))
    for second in range(2, 22):
        sync.note(Sample(second * 1_000, 10**12 + second, (second, *([7] * (len(SAMPLE_FIELDS) - 1)))))
        for part in range(4):
            sync.step(second * 1_000 + part * 250)
            time.sleep(0.01)  # the broker is a thread: its ack comes before the patience of virtual time is over
    due = sum(sizes)
    assert wait_until(lambda: sum(len(one.samples) for _, one in broker.batches) >= due, 5, lambda: sync.step(21_900))
    assert not any(one.historical for _, one in broker.batches)
    assert [len(one.samples) for _, one in broker.batches] == sizes
    sync.close()
    broker.close()
