"""Opening a ring folder: which segments count, where the newest one ends, what was damaged. Decides nothing about writing.

A damaged file never stops a start: its header unreadable, it is put aside as `.bad`; a record damaged, it is skipped and
what follows still counts. Files of a newer version are not touched, and then nothing else in the folder is either.
"""

from dataclasses import dataclass, field
from pathlib import Path

from edge.store.disk import Disk
from edge.store.frames import MARK, MARK_BODY, STREAMS, Header, Newer, Walk, look

BAD_MAX_COUNT = 3  # damaged files kept for a look; older ones are deleted
Hint = tuple[int, int, bytes]


@dataclass(slots=True)
class Segment:
    index: int
    path: Path
    header: Header
    size_bytes: int
    end: int  # of the last record known
    hint: Hint = (0, 0, b"")  # seq, offset, boot id where the last reading stopped


@dataclass(slots=True)
class Found:
    """What a folder holds. `fd` is the newest segment, open for writing, or -1."""

    segments: list[Segment] = field(default_factory=list)
    fd: int = -1
    epoch: int = 0
    next_seq: int = 1
    skipped_count: int = 0
    boot: bytes = b""  # in which the newest was last written; empty: not known, its end may be missing
    uncertain_count: int = 0  # newest files that could not be used: their numbers may have been given
    notes: list[str] = field(default_factory=list)
    newer: str = ""  # which file is of a newer version; nothing was changed then


def recover(disk: Disk, folder: Path, stream: int) -> Found:
    """Reads every header and scans the newest segment. Raises OSError when the folder cannot be used now."""
    found = Found()
    paths = [folder / name for name in disk.names(folder) if name.endswith(".seg") and name[:-4].isdigit()]
    looks = [(path, *_look(disk, path)) for path in paths]
    for path, _, header in looks:
        if isinstance(header, Newer):
            found.newer = f"{path.name}: {header}"
            return found
    for path, size_bytes, header in looks:
        _take(disk, found, path, size_bytes, header, stream)
    _drop_other_epochs(disk, found)
    for name in [name for name in disk.names(folder) if name.endswith(".bad")][:-BAD_MAX_COUNT]:
        disk.remove(folder / name)
    if found.segments:
        found.fd = disk.open(found.segments[-1].path)
        try:
            _scan_newest(disk, found)
        except OSError:
            disk.close(found.fd)
            raise
    return found


def _look(disk: Disk, path: Path) -> tuple[int, Header | Newer | str | OSError]:
    try:
        return look(disk, path)
    except OSError as error:
        return 0, error


def _take(
    disk: Disk, found: Found, path: Path, size_bytes: int, header: Header | Newer | str | OSError, stream: int
) -> None:
    if isinstance(header, OSError):
        found.notes.append(f"{path.name}: cannot be read: {header.strerror or header}; left for the next start")
        found.uncertain_count += 1
    elif isinstance(header, Header) and header.stream in (0, stream):
        found.segments.append(Segment(int(path.stem), path, header, size_bytes, size_bytes))
        found.uncertain_count = 0
    elif header == "empty":
        disk.remove(path)  # cut off while it was created: it never held anything
    elif isinstance(header, Header):
        held = STREAMS[header.stream] if header.stream < len(STREAMS) else header.stream
        _put_aside(disk, found, path, f"holds stream {held}, expected {STREAMS[stream]}")
    else:
        _put_aside(disk, found, path, str(header))
        found.uncertain_count += 1


def _put_aside(disk: Disk, found: Found, path: Path, why: str) -> None:
    disk.rename(path, path.with_suffix(".bad"))
    found.notes.append(f"{path.name}: {why}; put aside as .bad")


def _drop_other_epochs(disk: Disk, found: Found) -> None:
    for segment in [one for one in found.segments if one.header.epoch != found.segments[-1].header.epoch]:
        found.segments.remove(segment)
        _put_aside(disk, found, segment.path, "of another epoch")


def _scan_newest(disk: Disk, found: Found) -> None:
    """The end of the newest segment, and what its marks say."""
    last = found.segments[-1]
    found.boot, found.epoch, found.skipped_count = last.header.boot, last.header.epoch, last.header.skipped_count
    walk = Walk(lambda size, at: disk.read(found.fd, size, at), last.header.size_bytes, last.end, last.header.salt)
    damaged, more = False, True
    while more:
        for _, kind, body in walk:
            if kind == MARK and len(body) == MARK_BODY.size:
                found.boot, skipped_count = MARK_BODY.unpack(body)
                found.skipped_count = max(found.skipped_count, skipped_count)
        more = walk.find_good()
        if walk.fault:
            damaged = True
            found.notes.append(f"{last.path.name}: {walk.fault}; {'skipped' if more else 'cut there'}")
    found.next_seq = max(walk.next_seq, last.header.first_seq)
    if damaged:
        found.boot = b""  # what was there may have been sent already: its numbers are not given again
    last.end = walk.offset
    _clear_tail(disk, found.fd, last)


def _clear_tail(disk: Disk, fd: int, last: Segment) -> None:
    """Nothing old may follow the new end: a stale record with a right CRC would come back to life."""
    for offset in range(last.end, last.size_bytes, 1 << 16):
        size = min(1 << 16, last.size_bytes - offset)
        if disk.read(fd, size, offset).strip(b"\0"):
            disk.write(fd, bytes(size), offset)
    disk.sync(fd)
