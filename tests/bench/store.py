"""Bytes that reach the device for each sample: our ring beside SQLite, on fresh ext4 images, counted by the block layer.

60 values a second, packed; the file system's own journal is in the count. Needs root and loop devices.
Run: `python -m tests.bench.store`, or with `--paced 1800` in true seconds, all side by side. Paced costs more: the file
system journals the changed time of a file 5 s after a write, synced or not, unless it is mounted to wait (`commit=60`);
what was synced does not wait.
"""

import argparse
import asyncio
import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack

from edge.store.segments import SEGMENT_BYTES, SegmentLog
from tests.torture.site.live import LiveSite

IMAGE_BYTES = 256 << 20
SAMPLES, VALUES_COUNT = 4_700, 60  # one whole segment of the ring
SECTOR_BYTES = 512
BLOCK_BYTES = 4_096  # as every real partition has; mkfs would give so small an image 1 KiB
RATIO_WAL_MAX, RATIO_DEFAULT_MAX = 0.5, 0.02


def samples(count: int = SAMPLES, seed: int = 1) -> list[bytes]:
    """Bodies as a site writes them: times, 50 values that move a little, ten that stand."""
    rng = random.Random(seed)
    values = [rng.randrange(1 << 16) for _ in range(VALUES_COUNT)]
    bodies = []
    for second in range(count):
        for index in range(50):
            values[index] = max(0, values[index] + rng.randint(-300, 300))
        bodies.append(bytes(msgpack.packb([1_900_000_000_000 + second * 1_000, second * 1_000, *values])))
    return bodies


@contextmanager
def device(folder: Path, mount: str = "noatime") -> Iterator[tuple[Path, Callable[[], int]]]:
    """A fresh ext4 on a loop device: where it is mounted, and how many bytes were written to it so far."""
    image, at = folder / "image", folder / "mnt"
    at.mkdir(exist_ok=True)
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    options = ["-b", str(BLOCK_BYTES), "-E", "lazy_itable_init=0,lazy_journal_init=0"]
    subprocess.run(["mkfs.ext4", "-q", "-F", *options, str(image)], check=True)
    loop = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=True)
    name = loop.stdout.strip()
    try:
        subprocess.run(["mount", "-o", mount, name, str(at)], check=True)
        try:
            os.sync()
            stat = Path(f"/sys/block/{Path(name).name}/stat")
            yield at, lambda: int(stat.read_text().split()[6]) * SECTOR_BYTES
        finally:
            subprocess.run(["umount", str(at)], check=True)
    finally:
        subprocess.run(["losetup", "--detach", name], check=True)
        image.unlink()


Take = Callable[[int, bytes], None]  # a sample, at its second


@contextmanager
def ring(folder: Path, count: int) -> Iterator[Take]:
    """Our ring: written each second, synced each 10 s. One segment for all `count` samples: each carries its share of it."""
    log = SegmentLog(folder / "ring", max_bytes=64 << 20, stream="site", segment_bytes=SEGMENT_BYTES * count // SAMPLES)

    def take(second: int, body: bytes) -> None:
        log.append(1, body)
        log.sync_if_due(second * 1_000)

    try:
        yield take
    finally:
        log.close()


@contextmanager
def sqlite(folder: Path, pragmas: tuple[str, ...], every: int) -> Iterator[Take]:
    """A table of samples, a transaction for each `every` of them."""
    connection = sqlite3.connect(folder / "samples.db", isolation_level=None)
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE sample (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    waiting: list[tuple[bytes]] = []

    def take(_: int, body: bytes) -> None:
        waiting.append((body,))
        if len(waiting) == every:
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO sample (body) VALUES (?)", waiting)
            connection.execute("COMMIT")
            waiting.clear()

    try:
        yield take
    finally:
        connection.close()


WAYS: tuple[tuple[str, Callable[[Path, int], contextlib.AbstractContextManager[Take]]], ...] = (
    ("our ring, fdatasync 10 s", ring),
    ("SQLite WAL FULL, 10 s", lambda at, _: sqlite(at, ("journal_mode=WAL", "synchronous=FULL"), 10)),
    ("SQLite as it comes, 1 s", lambda at, _: sqlite(at, (), 1)),
)
MOUNTS = ("noatime", "noatime,commit=60")


def device_bytes_per_sample() -> dict[str, float]:
    """Each way on a device of its own, one after the other; includes what the file system still holds at the end."""
    bodies, found = samples(), {}
    for name, way in WAYS:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, device(Path(folder)) as (at, written_bytes):
            before = written_bytes()
            with way(at, len(bodies)) as take:
                for second, body in enumerate(bodies):
                    take(second, body)
            subprocess.run(["sync", "-f", str(at)], check=True)
            found[name] = (written_bytes() - before) / len(bodies)
    return found


def paced(seconds: int) -> dict[str, dict[str, float]]:
    """All ways beside each other for so many true seconds, on each kind of mount: mount -> way -> bytes a sample."""
    bodies, found = samples(seconds), dict[str, dict[str, float]]()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, contextlib.ExitStack() as stack:
        running = []
        for mount in MOUNTS:
            for index, (name, way) in enumerate(WAYS):
                here = Path(folder) / f"{mount} {index}"
                here.mkdir()
                at, written_bytes = stack.enter_context(device(here, mount))
                before = written_bytes()
                running.append((mount, name, at, written_bytes, before, stack.enter_context(way(at, seconds))))
        start_s = time.monotonic()
        for second, body in enumerate(bodies):
            for *_, take in running:
                take(second, body)
            time.sleep(max(0.0, start_s + second + 1 - time.monotonic()))
        for mount, name, at, written_bytes, before, _ in running:
            subprocess.run(["sync", "-f", str(at)], check=True)
            found.setdefault(mount, {})[name] = (written_bytes() - before) / seconds
    return found


Row = tuple[str, float, float, str]  # what, measured, at most, unit


def rows() -> list[Row]:
    """The rows of `make bench`; none where loop devices cannot be had."""
    if os.geteuid() != 0:
        print("device bytes of the store: left out: needs root for a loop device")
        return []
    ours, wal, default = device_bytes_per_sample().values()
    return [
        ("store: device bytes a sample, to SQLite WAL FULL 10 s", ours / wal, RATIO_WAL_MAX, "x"),
        ("store: device bytes a sample, to SQLite default 1 s", ours / default, RATIO_DEFAULT_MAX, "x"),
    ]


async def _site(seconds: int, mount: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, device(Path(folder), mount) as (at, written_bytes):
        async with LiveSite(Path(folder), 0, store=at / "store", sync_ms=10_000).plant() as site:
            await site.start()
            await site.until(stored_count=60)
            os.sync()  # what the start cost is not counted
            rings = [at / "store" / name for name in ("telemetry", "trace", "rollup")]
            before, used_before = written_bytes(), [_used_bytes(ring) for ring in rings]
            start_s = time.monotonic()
            await asyncio.sleep(seconds)
            os.sync()
            took_s, device_bytes = time.monotonic() - start_s, written_bytes() - before
            grown = [_used_bytes(ring) - used for ring, used in zip(rings, used_before, strict=True)]
            await site.stop()
    found = {ring.name: bytes_ / took_s for ring, bytes_ in zip(rings, grown, strict=True)}
    ahead = grown[0] + grown[2]  # each byte of these was a zero before the count began
    return found | {"the device": (device_bytes + ahead) / took_s}


def _used_bytes(ring: Path) -> int:
    return sum(len(path.read_bytes().rstrip(b"\0")) for path in ring.glob("*.seg"))


def show_site(seconds: int) -> None:
    """What the whole store of a running controller writes, with its simulated devices: bytes a second."""
    for mount in MOUNTS:
        print(f"the example site on ext4 mounted {mount}")
        for name, count in asyncio.run(_site(seconds, mount)).items():
            print(f"  {name:<26}{count:>10.0f} B/s{count * 31_536_000 / 1e9:>15.1f} GB/year", flush=True)


def show(found: dict[str, float]) -> None:
    ours = next(iter(found.values()))
    for name, count in found.items():
        print(f"{name:<28}{count:>10.0f} B/sample{count * 31_536_000 / 1e9:>10.0f} GB/year{ours / count:>9.3f} x")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.store", description=__doc__)
    parser.add_argument("--paced", type=int, default=0, metavar="S", help="in true seconds, for so long")
    parser.add_argument("--site", type=int, default=0, metavar="S", help="what a whole controller writes in so long")
    options = parser.parse_args()
    if options.site:
        show_site(options.site)
        return 0
    count = options.paced or SAMPLES
    print(f"{count} samples of {sum(map(len, samples())) / SAMPLES:.0f} bytes, {VALUES_COUNT} values", flush=True)
    if not options.paced:
        show(device_bytes_per_sample())
        return 0
    for mount, found in paced(options.paced).items():
        print(f"ext4 mounted {mount}")
        show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
