"""What the ingest needs for a 60-metric sample, in batches of 100: decoding, the upsert, the acks; into each database.

Measured is the CPU of the worker's process, so that a busy machine does not hide it; 20 us are 50 000 samples a second
on one core. With PostgreSQL the server's CPU is not in it: it runs beside the worker. No network is in either.
"""

import gc
import random
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

from edge.cloud.codec import Batch, encode_batch
from edge.cloud.link import Link
from edge.cloud.topics import Topics
from edge.fleet.books.book import Book
from edge.fleet.books.postgres import PostgresBook
from edge.fleet.books.sqlite import SqliteBook
from edge.fleet.taking.words import GC_THRESHOLDS
from edge.fleet.taking.worker import Ingest
from edge.model import Sample
from tests.fleet import cluster
from tests.fleet.test_worker import Wire

AT_MOST_US = 20.0  # 50 000 samples a second
GATEWAYS, BATCHES, SAMPLES = 50, 16, 100
ROUNDS = 3


def _messages() -> list[tuple[str, bytes]]:
    """50 metrics with noise, 10 that stay, as on the wire; every gateway sends the same."""
    draw, values = random.Random(1), [0] * 60
    payloads = []
    for at in range(BATCHES):
        samples = []
        for seq in range(1 + at * SAMPLES, 1 + (at + 1) * SAMPLES):
            values = [value + draw.randrange(-30, 31) if index < 50 else value for index, value in enumerate(values)]
            samples.append(Sample(seq * 1_000, 1_760_000_000_000 + seq * 1_000, tuple(values)))
        payloads.append(encode_batch(Batch("0123456789abcdef", 7, samples[0].mono_ms // 1_000, tuple(samples))))
    return [(Topics("t", f"gw-{number}").live("site"), one) for one in payloads for number in range(GATEWAYS)]


def _sample_us(open_book: Callable[[], Book], messages: list[tuple[str, bytes]]) -> float:
    live = Wire()
    worker = Ingest(cast(Link, live), cast(Link, Wire()), open_book)
    live._callback, live.waiting = worker.take, deque(messages)
    count = len(messages) * SAMPLES
    before_s = time.process_time()
    while worker.counts.samples < count:
        assert not worker.counts.fault, worker.counts.fault
        if not worker.reading or not live.waiting:
            time.sleep(0.001)
        worker.step(time.monotonic_ns() // 1_000_000)
    took_s = time.process_time() - before_s
    worker.close()
    return took_s / count * 1e6


def rows() -> list[tuple[str, float, float, str]]:
    """The two databases; PostgreSQL only where a server is installed. The best of some rounds."""
    messages, found = _messages(), list[tuple[str, float, float, str]]()
    before = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLDS)
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / f"{number}.db" for number in range(ROUNDS)]
        best = min(_sample_us(lambda path=path: SqliteBook(path), messages) for path in paths)  # type: ignore[misc]  # bound
        found.append(("ingest, a 60-metric sample into SQLite", best, AT_MOST_US, "us of CPU"))
    if cluster.WHY_NONE:
        print(f"ingest into PostgreSQL: skipped: {cluster.WHY_NONE}")
    else:
        with cluster.running() as server:
            names = [server.dsn() for _ in range(ROUNDS)]
            best = min(_sample_us(lambda dsn=dsn: PostgresBook(dsn), messages) for dsn in names)  # type: ignore[misc]  # bound
            found.append(("the same into PostgreSQL, without the server", best, AT_MOST_US, "us of CPU"))
    gc.set_threshold(*before)
    return found


if __name__ == "__main__":
    for row in rows():
        print(row, f"{1e6 / row[1]:.0f} samples/s")
