"""A look at a store from outside, while its owner runs or after it: reads only, takes nothing over, repairs nothing."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge.store.disk import Disk
from edge.store.ring.frames import MARK, STREAMS, Header, Newer, Walk, boot_of_mark, look


@dataclass(frozen=True, slots=True)
class Found:
    """One record as it lies there, with the boot that it is of."""

    seq: int
    boot: bytes
    body: bytes


@dataclass(slots=True)
class RingView:
    """One ring: its segments, numbers and what is wrong with it. `first` and `last` are records, None when it is empty."""

    name: str
    stream: str = ""
    segments_count: int = 0
    bytes_used: int = 0
    epoch: int = 0
    first: Found | None = None
    last: Found | None = None
    bad_count: int = 0  # files put aside
    faults: list[str] = field(default_factory=list)


def view_ring(folder: Path, disk: Disk | None = None) -> RingView:
    """The ring of a folder. Damage is a text in `faults`; nothing is raised for it."""
    disk, view = disk or Disk(), RingView(folder.name)
    try:
        names = disk.names(folder)
    except OSError as error:
        view.faults.append(f"{folder}: {error.strerror or error}")
        return view
    view.bad_count = sum(name.endswith(".bad") for name in names)
    kept: list[tuple[Path, int, Header]] = []
    for path in [folder / name for name in names if name.endswith(".seg")]:
        try:
            size_bytes, header = look(disk, path)
        except OSError as error:
            view.faults.append(f"{path.name}: {error.strerror or error}")
            continue
        view.segments_count, view.bytes_used = view.segments_count + 1, view.bytes_used + size_bytes
        if isinstance(header, Header):
            kept.append((path, size_bytes, header))
        elif isinstance(header, Newer) or header != "empty":
            view.faults.append(f"{path.name}: {header}")
    if kept:
        header = kept[-1][2]
        strangers = [path.name for path, _, one in kept if one.epoch != header.epoch]
        if strangers:
            view.faults.append(f"{strangers[0]}..{strangers[-1]}: {len(strangers)} of an earlier epoch: kept, not sent")
            kept = [one for one in kept if one[2].epoch == header.epoch]
        view.epoch, view.stream = header.epoch, STREAMS[header.stream] if header.stream < len(STREAMS) else "unknown"
        view.first = next((found for one in kept for found in _records(disk, view, *one, one is kept[-1])), None)
        view.last = _last(disk, view, kept)
    return view


def read_ring(folder: Path, disk: Disk | None = None) -> Iterator[Found]:
    """Every record of the ring of a folder, in the order of its segments; what is damaged is left out."""
    disk, view = disk or Disk(), RingView(folder.name)
    try:
        paths = [folder / name for name in disk.names(folder) if name.endswith(".seg")]
    except OSError:
        return
    for path in paths:
        try:
            size_bytes, header = look(disk, path)
        except OSError:
            continue  # the owner may just have deleted it: the ring turns
        if isinstance(header, Header):
            yield from _records(disk, view, path, size_bytes, header, True)


def _last(disk: Disk, view: RingView, kept: list[tuple[Path, int, Header]]) -> Found | None:
    for one in reversed(kept):
        newest = deque(_records(disk, view, *one, one is kept[-1]), maxlen=1)
        if newest:
            return newest[0]
    return None


def _records(
    disk: Disk, view: RingView, path: Path, size_bytes: int, header: Header, is_newest: bool
) -> Iterator[Found]:
    try:
        fd = disk.open(path, write=False)
    except OSError as error:
        view.faults.append(f"{path.name}: {error.strerror or error}")
        return
    try:
        boot, more = header.boot, True
        walk = Walk(
            lambda size, at: disk.read(fd, size, at), header.size_bytes, size_bytes, header.salt, header.first_seq
        )
        while more:
            for seq, kind, body in walk:
                if kind != MARK:
                    yield Found(seq, boot, body)
                else:
                    boot = boot_of_mark(body) or boot
            more = walk.find_good()
            if walk.fault and (more or not is_newest):  # at the end of the newest its owner may be writing
                view.faults.append(f"{path.name}: {walk.fault}")
    except OSError as error:
        view.faults.append(f"{path.name}: {error.strerror or error}")
    finally:
        disk.close(fd)
