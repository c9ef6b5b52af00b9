"""Real kills and real power cuts: kill -9 of the writer; an ext4 image whose file system is shut down under it.

EXT4_IOC_SHUTDOWN without flushing the journal is what a cut of the supply is to the file system: nothing that was not
synced reaches the image any more. Needs root and loop devices.
"""

import contextlib
import fcntl
import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge.store.db.journal import Journal
from edge.store.segments import SegmentLog
from tests.torture.replay import Tally, body
from tests.torture.writer import JOURNAL_MAX_BYTES, RING, OfBoot

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
IMAGE_BYTES = 48 << 20
START_S = 60.0  # a busy machine
BEFORE_S = (0.05, 0.5)  # how long the writer works before the end; counted from its first words


@dataclass(slots=True)
class Said:
    """What the writer has said: numbers written, the newest of them synced, audit rows committed."""

    written: set[int] = field(default_factory=set)
    synced: int = 0
    audited: int = 0

    def take(self, raw: bytes) -> None:
        for line in raw.split(b"\n")[:-1]:  # a line that was cut off says nothing
            kind, _, number = line.decode().partition(" ")
            if kind == "w":
                self.written.add(int(number))
            elif kind == "s":
                self.synced = int(number)
            elif kind == "a":
                self.audited = int(number)


def run_writer(folder: Path, boot: str, said: Said, rng: random.Random, cut: Callable[[], None] | None) -> None:
    """Lets it work for a random time, then kills it; `cut` comes before, and what it says after that was never promised."""
    command = [sys.executable, "-m", "tests.torture.writer", str(folder), boot]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        assert writer.stdout is not None
        os.set_blocking(writer.stdout.fileno(), False)
        heard, until_s = bytearray(), time.monotonic() + START_S
        while time.monotonic() < until_s:
            if data := writer.stdout.read(1 << 20):
                if not heard:
                    until_s = time.monotonic() + rng.uniform(*BEFORE_S)
                heard += data
            time.sleep(0.005)
        if cut is not None:
            cut()
        writer.kill()
        if cut is None:
            os.set_blocking(writer.stdout.fileno(), True)
            heard += writer.stdout.read()
        assert heard, "the writer said nothing: it did not start"
        said.take(bytes(heard))


def judge(folder: Path, boot: str, said: Said, tally: Tally, *, synced_only: bool) -> None:
    """Opens what is left and counts what is missing of that which was promised."""
    log = SegmentLog(folder / "ring", disk=OfBoot(boot), **RING)  # type: ignore[arg-type]  # one dict for both sides
    found = list(log.read_from(1))
    numbers = {entry.seq for entry in found}
    promised = {seq for seq in said.written if seq >= log.first_seq and (seq <= said.synced or not synced_only)}
    tally.lost_count += len(promised - numbers)
    tally.failed_count += bool(log.fault)
    tally.wrong_count += any(entry.body != body(entry.seq) for entry in found) or len(numbers) != len(found)
    tally.wrong_count += log.next_seq <= max(said.written)  # a number would be given twice
    said.written = numbers
    log.close()
    journal = Journal(folder, max_bytes=JOURNAL_MAX_BYTES, reserve_bytes=1 << 16)
    rows = journal._db.read("SELECT text FROM audit ORDER BY seq")
    texts = [int(row[0]) for row in rows or []]
    tally.failed_count += rows is None or bool(journal._db.salvaged)
    tally.lost_count += max(0, said.audited - len(texts))
    tally.wrong_count += texts != list(range(1, len(texts) + 1))
    journal.close()
    tally.cut_count += 1


def kills(folder: Path, count: int, seed: int) -> Tally:
    """kill -9 of the writer, so many times on one store: whatever it has said it wrote is there."""
    said, tally, rng = Said(), Tally(), random.Random(seed)
    for _ in range(count):
        run_writer(folder, "one", said, rng, None)
        judge(folder, "one", said, tally, synced_only=False)
    return tally


@contextlib.contextmanager
def ext4(folder: Path) -> Iterator[Path]:
    """The image of an ext4 file system. Raises OSError with the reason where this machine cannot."""
    image = folder / "ext4.img"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    done = subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], capture_output=True, check=False)
    if done.returncode:
        raise OSError(f"mkfs.ext4: {done.stderr.decode().strip()}")
    try:
        yield image
    finally:
        image.unlink()


@contextlib.contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-o", "loop", str(image), str(at)], capture_output=True, check=False)
    if done.returncode:
        raise OSError(f"mount: {done.stderr.decode().strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


def shut_down(at: Path) -> None:
    fd = os.open(at, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    finally:
        os.close(fd)


def power_cuts(folder: Path, count: int, seed: int) -> Tally:
    """The supply cut so many times on one store. Raises OSError where images cannot be mounted."""
    said, tally, rng = Said(), Tally(), random.Random(seed)
    at = folder / "mnt"
    with ext4(folder) as image:
        for index in range(count):
            with mounted(image, at):
                run_writer(at / "store", f"boot {index}", said, rng, lambda: shut_down(at))
            with mounted(image, at):
                judge(at / "store", f"look {index}", said, tally, synced_only=True)
    return tally
