"""Raw answers kept for a verifier: deflated, found by their SHA-256, the oldest given up for the newest.

One file an answer, `<received ms>-<sha256>.z`, written aside and renamed: a cut leaves no half. Two bounds, files and
bytes. A full or sick disk is a text in `fault` and costs nothing else.
"""

import hashlib
import os
import re
import zlib
from pathlib import Path

from edge.errors import DataFault

COUNT_MAX = 50_000  # half a year of five minutes
BODY_MAX_BYTES = 64 << 20  # inflated: more is not what was written here
_NAME = re.compile(r"(\d{13})-([0-9a-f]{64})\.z", re.ASCII)


class RawBodies:
    """A folder with one owner who writes; anybody may read."""

    def __init__(self, folder: Path, bytes_max: int, count_max: int = COUNT_MAX) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._count_max = count_max
        self._files: list[tuple[str, int]] | None = None  # names in order of time, sizes; None: not looked yet
        self._bytes = 0
        self.fault = ""

    def keep(self, body: bytes, sha256: str, received_wall_ms: int) -> bool:
        """False when it could not be kept: see `fault`."""
        try:
            files = self._look()
            if files and files[-1][0][14:78] == sha256:  # the same answer again
                return True
            name = f"{max(0, received_wall_ms):013d}-{sha256}.z"
            raw = zlib.compress(body, 6)
            aside = self._folder / "new"
            with aside.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            aside.rename(self._folder / name)
            files.append((name, len(raw)))
            self._bytes += len(raw)
            while len(files) > 1 and (len(files) > self._count_max or self._bytes > self._bytes_max):
                oldest, size_bytes = files.pop(0)
                self._bytes -= size_bytes
                (self._folder / oldest).unlink(missing_ok=True)
        except OSError as error:
            self.fault = f"{self._folder}: {error.strerror}"
            self._files = None
            return False
        self.fault = ""
        return True

    def _look(self) -> list[tuple[str, int]]:
        if self._files is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            found = [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
            self._files = sorted((path.name, path.stat().st_size) for path in found)
            self._bytes = sum(size for _, size in self._files)
        return self._files


def kept_bodies(folder: Path, from_wall_ms: int = 0, to_wall_ms: int = 1 << 62) -> list[tuple[int, str]]:
    """(received wall ms, sha256) of what lies there, in order of time; [] where there is no folder."""
    names = [match for path in folder.glob("*.z") if (match := _NAME.fullmatch(path.name))]
    found = sorted((int(match[1]), match[2]) for match in names)
    return [pair for pair in found if from_wall_ms <= pair[0] < to_wall_ms]


def load_body(folder: Path, sha256: str) -> bytes:
    """The answer as it came. Raises DataFault: not kept, unreadable, or not what its name says."""
    paths = sorted(folder.glob(f"*-{sha256}.z")) if re.fullmatch(r"[0-9a-f]{64}", sha256) else []
    if not paths:
        raise DataFault(f"{folder}: no answer {sha256[:64]} is kept")
    try:
        inflate = zlib.decompressobj()
        body = inflate.decompress(paths[-1].read_bytes(), BODY_MAX_BYTES)
    except (OSError, zlib.error) as error:
        raise DataFault(f"{paths[-1]}: cannot be read: {error}") from None
    if hashlib.sha256(body).hexdigest() != sha256:
        raise DataFault(f"{paths[-1]}: is not what its name says; it was changed or is damaged")
    return body
