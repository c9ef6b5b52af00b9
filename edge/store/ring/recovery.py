"""What a start makes of the files that an earlier life left behind.

A damaged file never stops the start: what cannot be a segment is put aside as `.bad` (three are kept), what cannot be
read now is left for the next start, and damage inside the newest segment is passed over: what follows still counts.
Files of a newer version are not touched, and then nothing else in the folder is either. First everything is looked at,
then mended: a disk that can only be read is read.
"""

from dataclasses import dataclass, field
from pathlib import Path

from edge.store.disk import Disk
from edge.store.ring.frames import MARK, MARK_BODY, STREAMS, Header, Newer, Walk, look

BAD_MAX_COUNT = 3  # damaged files kept for a look; older ones are deleted
CHUNK_BYTES = 1 << 16
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
    strangers: list[Segment] = field(default_factory=list)  # of another epoch than the newest
    fd: int = -1
    epoch: int = 0  # 0: there is none
    next_seq: int = 1
    skipped_count: int = 0
    boot: bytes = b""  # in which the newest was last written; empty: not known, its end may be missing
    uncertain_count: int = 0  # newest files that could not be used: their numbers may have been given
    notes: list[str] = field(default_factory=list)
    newer: str = ""  # which file is of a newer version; nothing was changed then
    fault: OSError | None = None  # why nothing can be written here now
    blank: list[Path] = field(default_factory=list)  # to be deleted
    bad: list[Path] = field(default_factory=list)  # to be put aside


def recover(disk: Disk, folder: Path, stream: int) -> Found:
    """Reads every header and scans the newest segment. Raises OSError when the folder cannot be read now."""
    found = Found()
    paths = [folder / name for name in disk.names(folder) if name.endswith(".seg") and name[:-4].isdigit()]
    looks = [(path, *_look(disk, path)) for path in paths]
    for path, _, header in looks:
        if isinstance(header, Newer):
            found.newer = f"{path.name}: {header}"
            return found
    for path, size_bytes, header in looks:
        _take(disk, found, path, size_bytes, header, stream)
    _part_epochs(found)
    _scan_newest(disk, found)
    try:
        _mend(disk, folder, found)
    except OSError as error:
        found.fault = error
        if found.fd >= 0:
            disk.close(found.fd)
        found.fd = -1
    return found


def _look(disk: Disk, path: Path) -> tuple[int, Header | Newer | str | OSError]:
    try:
        size_bytes, header = look(disk, path)
        if header == "empty" and not _is_blank(disk, path, size_bytes):
            header = "offset 0: zeros instead of a header, but something follows"
    except OSError as error:
        return 0, error
    return size_bytes, header


def _is_blank(disk: Disk, path: Path, size_bytes: int) -> bool:
    """Cut off while it was created: it never held anything. Raises OSError."""
    fd = disk.open(path, write=False)
    try:
        return not any(disk.read(fd, CHUNK_BYTES, at).strip(b"\0") for at in range(0, size_bytes, CHUNK_BYTES))
    finally:
        disk.close(fd)


def _take(
    disk: Disk, found: Found, path: Path, size_bytes: int, header: Header | Newer | str | OSError, stream: int
) -> None:
    if isinstance(header, OSError):
        _leave(found, path, header)
    elif isinstance(header, Header) and header.stream in (0, stream):
        found.segments.append(Segment(int(path.stem), path, header, size_bytes, size_bytes))
        found.uncertain_count = 0
    elif header == "empty":
        found.blank.append(path)
    elif isinstance(header, Header):
        held = STREAMS[header.stream] if header.stream < len(STREAMS) else header.stream
        _put_aside(found, path, f"holds stream {held}, expected {STREAMS[stream]}")
    else:
        _put_aside(found, path, str(header))
        found.uncertain_count += 1


def _leave(found: Found, path: Path, error: OSError) -> None:
    found.notes.append(f"{path.name}: cannot be read: {error.strerror or error}; left for the next start")
    found.uncertain_count += 1


def _put_aside(found: Found, path: Path, why: str) -> None:
    found.bad.append(path)
    found.notes.append(f"{path.name}: {why}; put aside as .bad")


def _part_epochs(found: Found) -> None:
    """The epoch of the newest goes on; files of another one are not ours to number, but not to be thrown away either."""
    epoch = found.segments[-1].header.epoch if found.segments else 0
    found.strangers = [segment for segment in found.segments if segment.header.epoch != epoch]
    found.segments = [segment for segment in found.segments if segment.header.epoch == epoch]
    if found.strangers:
        names = f"{found.strangers[0].path.name}..{found.strangers[-1].path.name}"
        found.notes.append(
            f"{names}: {len(found.strangers)} segments of an earlier epoch: kept until their room is needed, not sent"
        )


def _scan_newest(disk: Disk, found: Found) -> None:
    """The end of the newest segment that can be read, and what its marks say."""
    while found.segments:
        last = found.segments[-1]
        found.epoch, found.next_seq = last.header.epoch, max(found.next_seq, last.header.first_seq)
        try:
            fd = disk.open(last.path, write=False)
            try:
                _scan(disk, fd, found, last)
            finally:
                disk.close(fd)
        except OSError as error:
            _leave(found, last.path, error)
            found.segments.pop()
        else:
            return


def _scan(disk: Disk, fd: int, found: Found, last: Segment) -> None:
    header = last.header
    boot, skipped_count = header.boot, header.skipped_count
    walk = Walk(lambda size, at: disk.read(fd, size, at), header.size_bytes, last.end, header.salt, header.first_seq)
    damaged, more, notes = False, True, list[str]()
    while more:
        for _, kind, body in walk:
            if kind == MARK and len(body) == MARK_BODY.size:
                boot, skipped_more = MARK_BODY.unpack(body)
                skipped_count = max(skipped_count, skipped_more)
        more = walk.find_good()
        if walk.fault:
            damaged = True
            notes.append(f"{last.path.name}: {walk.fault}; {'skipped' if more else 'cut there'}")
    found.notes += notes
    found.next_seq, found.skipped_count = max(found.next_seq, walk.next_seq), skipped_count
    found.boot = b"" if damaged else boot  # what was there may have been sent already: its numbers are not given again
    last.end = walk.offset


def _mend(disk: Disk, folder: Path, found: Found) -> None:
    """Deletes, puts aside and cuts off what was found to be of no use. Raises OSError: then it is found again."""
    for path in found.blank:
        disk.remove(path)
    for path in found.bad:
        disk.rename(path, path.with_suffix(".bad"))
    for name in [name for name in disk.names(folder) if name.endswith(".bad")][:-BAD_MAX_COUNT]:
        disk.remove(folder / name)
    if found.segments:
        found.fd = disk.open(found.segments[-1].path)
        _clear_tail(disk, found.fd, found.segments[-1])


def _clear_tail(disk: Disk, fd: int, last: Segment) -> None:
    """Nothing old may follow the new end: a stale record with a right CRC would come back to life."""
    for offset in range(last.end, last.size_bytes, CHUNK_BYTES):
        size = min(CHUNK_BYTES, last.size_bytes - offset)
        if disk.read(fd, size, offset).strip(b"\0"):
            disk.write(fd, bytes(size), offset)
    disk.sync(fd)
