"""Chromium without a window, where there is one: a picture of a page, and what a script finds in it."""

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
WHY_NOT = "chromium is not installed here (apt install chromium)"


def _run(folder: Path, *words: str) -> bytes:
    """A profile of its own each time, so that two tests can run at once."""
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}", *words,
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout


def picture(
    page: Path, to: Path, width: int, height: int, *, dark: bool = False
) -> tuple[int, int, set[tuple[int, ...]]]:
    """Screenshot into `to`; width, height and the colours of every 37th pixel."""
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    _run(to.parent, f"--window-size={width},{height}", f"--screenshot={to}", *scheme, page.as_uri())
    return colours(to.read_bytes())


def document(page: Path, width: int) -> str:
    """The page as it is after its scripts have run."""
    return _run(
        page.parent, f"--window-size={width},900", "--virtual-time-budget=2000", "--dump-dom", page.as_uri()
    ).decode()


def colours(png: bytes) -> tuple[int, int, set[tuple[int, ...]]]:
    """Of an 8-bit RGB or RGBA picture."""
    at, data, head = 8, b"", b""
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + size]
        head, data = (body, data) if kind == b"IHDR" else (head, data + body if kind == b"IDAT" else data)
        at += 12 + size
    width, height, depth, form = struct.unpack_from(">IIBB", head)
    assert depth == 8 and form in (2, 6)
    count = 3 if form == 2 else 4
    raw, row_bytes = zlib.decompress(data), width * count
    before, found = bytearray(row_bytes), set()
    for row in range(height):
        start = row * (row_bytes + 1)
        before = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + row_bytes]), before, count)
        if row % 37 == 0:
            found |= {tuple(before[i : i + 3]) for i in range(0, row_bytes, 37 * count)}
    return width, height, found


def _unfiltered(kind: int, line: bytearray, above: bytearray, count: int) -> bytearray:
    """PNG specification, section 9.2."""
    if kind == 2:
        return bytearray((a + b) & 255 for a, b in zip(line, above, strict=True))
    if kind == 0:
        return line
    for i in range(len(line)):
        left = line[i - count] if i >= count else 0
        corner = above[i - count] if i >= count else 0
        line[i] = (line[i] + _predicted(kind, left, above[i], corner)) & 255
    return line


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 3:
        return (left + above) // 2
    guess = left + above - corner
    return min((left, above, corner), key=lambda one: abs(guess - one))
