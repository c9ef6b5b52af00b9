"""Raw answers of the grid's sources while there is room: a deflated file each, named by the SHA-256 of what it holds.

A body that was lost is a body that is not kept: the ledger has its hash all the same. So nothing is synced here, and no
fault of the disk is more than a `None` or an unkept body.
"""

import hashlib
import zlib
from pathlib import Path

FOLDER = "payloads"
BODY_MAX_BYTES = 4 << 20  # ten times the largest answer of a source that is known
ENDING = ".z"


class Payloads:
    """The folder of a store. `keep` is the controller's, `read` anybody's. At the quota the oldest go."""

    def __init__(self, store: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = store / FOLDER, max_bytes
        self._newest = ""
        self._used_bytes: int | None = None  # counted at the first body

    def keep(self, body: bytes) -> str:
        """The hash of a body, which is kept unless it is there already, too large, or the disk will not take it."""
        digest = hashlib.sha256(body).hexdigest()
        if digest == self._newest or len(body) > BODY_MAX_BYTES:
            return digest
        try:
            self._write(digest, zlib.compress(body, 6))
        except OSError:
            self._used_bytes = None  # count anew
            return digest
        self._newest = digest
        return digest

    def _write(self, digest: str, packed: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / (digest + ENDING)
        if path.exists():
            return
        if self._used_bytes is None:
            self._used_bytes = sum(one.stat().st_size for one in self._folder.iterdir())
        if self._used_bytes + len(packed) > self._max_bytes:
            self._make_room(len(packed))
        fresh = path.with_suffix(".new")
        fresh.write_bytes(packed)
        fresh.replace(path)
        self._used_bytes += len(packed)

    def _make_room(self, wanted_bytes: int) -> None:
        """The oldest go until an eighth of the quota is free, so that the folder is not listed for each body."""
        aged = sorted((one.stat().st_mtime_ns, one.stat().st_size, one) for one in self._folder.iterdir())
        used = sum(size for _, size, _ in aged)
        for _, size, path in aged:
            if used + wanted_bytes <= self._max_bytes * 7 // 8:
                break
            path.unlink()
            used -= size
        self._used_bytes = used

    def read(self, digest: str) -> bytes | None:
        """The body with this hash; None when it is not kept, or is no more what it was."""
        try:
            packed = (self._folder / (digest + ENDING)).read_bytes()
            unpacker = zlib.decompressobj()
            body = unpacker.decompress(packed, BODY_MAX_BYTES)
        except (OSError, zlib.error):
            return None
        return body if unpacker.eof and hashlib.sha256(body).hexdigest() == digest else None
