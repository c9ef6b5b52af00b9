"""The segments of a ring in their folder: which there are, what is in them, which of them goes first.

Where two segments hold the same sequence number, the later one counts. What is damaged is passed over and noted; a
fault of reading is told apart from damage, because it may pass. Nothing is written here, only deleted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.store.disk import Disk
from edge.store.ring.frames import MARK, Walk, boot_of_mark
from edge.store.ring.recovery import Segment

NOTES_MAX_COUNT = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as it is read back; `context` is that of its segment."""

    seq: int
    kind: int
    body: bytes
    context: bytes
    boot: bytes = b""  # id of the boot it was appended in: what its mono time counts from


class Shelf:
    """The files of one ring, oldest first. One thread owns it."""

    def __init__(self, folder: Path | str, disk: Disk | None) -> None:
        self.folder = Path(folder)
        self._disk = disk or Disk()
        self._segments: list[Segment] = []
        self._strangers: list[Segment] = []  # of an earlier epoch: kept until their room is needed
        self.notes: list[str] = []  # damage found: what, where
        self.read_fault = ""  # why the last reading left something out that is perhaps still there

    @property
    def bytes_used(self) -> int:
        return sum(segment.size_bytes for segment in (*self._strangers, *self._segments))

    def _note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < NOTES_MAX_COUNT:
            self.notes.append(text)

    # ---- reading

    def _read(self, seq: int, end_seq: int) -> Iterator[Entry]:
        """What the files hold from `seq` up to `end_seq`, which itself and all after it is elsewhere."""
        self.read_fault, segments = "", list(self._segments)
        starts = [*(segment.header.first_seq for segment in segments[1:]), end_seq]
        for segment, until in zip(segments, starts, strict=False):  # without any segment there is one start too many
            if until > seq:
                yield from self._read_segment(segment, seq, until)

    def _read_newest(self, end_seq: int) -> Entry | None:
        for segment in reversed(self._segments):
            entries = list(self._read_segment(segment, 0, end_seq))
            if entries:
                return entries[-1]
        return None

    def _read_segment(self, segment: Segment, seq: int, until: int) -> Iterator[Entry]:
        try:
            fd = self._disk.open(segment.path, write=False)
        except OSError as error:
            self._unreadable(segment, error)
            return
        try:
            yield from self._walk_segment(segment, fd, seq, until)
        except OSError as error:
            self._unreadable(segment, error)
        finally:
            self._disk.close(fd)

    def _walk_segment(self, segment: Segment, fd: int, seq: int, until: int) -> Iterator[Entry]:
        header, end = segment.header, segment.end
        start = (header.first_seq, header.size_bytes, header.boot)
        at_seq, offset, boot = segment.hint if segment.hint[0] and segment.hint[0] <= seq else start
        walk = Walk(lambda size, at: self._disk.read(fd, size, at), offset, end, header.salt, at_seq)
        more = True
        while more:
            for at, kind, body in walk:
                if at >= until:
                    return
                if kind == MARK:
                    boot = boot_of_mark(body) or boot
                segment.hint = (walk.next_seq, walk.offset, boot)
                if at >= seq and kind != MARK:
                    yield Entry(at, kind, body, header.context, boot)
            more = walk.find_good()
            if walk.fault:
                self._note(f"{segment.path.name}: {walk.fault}; skipped")
        if segment is not self._segments[-1] and segment.end == end:
            segment.end = walk.offset  # what follows need not be searched again

    def _unreadable(self, segment: Segment, error: OSError) -> None:
        self.read_fault = f"{segment.path.name}: cannot be read: {error.strerror or error}"
        self._note(self.read_fault)

    # ---- room

    def _free_index(self) -> int:
        index = self._segments[-1].index + 1 if self._segments else 1
        while self._path(index).exists() or self._path(index).with_suffix(".bad").exists():
            index += 1
        return index

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:010d}.seg"

    @property
    def _can_spare(self) -> bool:
        """Whether there is a file besides the newest."""
        return bool(self._strangers) or len(self._segments) > 1

    def _delete_oldest(self) -> int:
        """Returns the bytes. Raises OSError."""
        files = self._strangers or self._segments
        self._disk.remove(files[0].path)
        return files.pop(0).size_bytes

    def give_room(self) -> int:
        """Deletes the oldest segment for the sake of others; returns the bytes, 0 when only the newest is left."""
        if not self._can_spare:
            return 0
        try:
            return self._delete_oldest()
        except OSError as error:
            self._note(f"{(self._strangers or self._segments)[0].path.name}: {error.strerror or error}")
            return 0

    def _forget(self, chosen: Callable[[Segment], bool]) -> None:
        for segment in [one for one in self._segments if chosen(one)]:
            self._segments.remove(segment)
            try:
                self._disk.remove(segment.path)
            except OSError as error:
                self._note(f"{segment.path.name}: {error.strerror or error}")
