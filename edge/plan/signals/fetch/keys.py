"""Keys of publishers: from a file, or from a systemd credential (`LoadCredential=`). Read anew for each request.

A key is never in a site file, a log or a text: only the name of where it lies is.
"""

import os
from pathlib import Path

from edge.errors import DataFault

KEY_MAX_BYTES = 4_096
CREDENTIALS = "CREDENTIALS_DIRECTORY"  # set by systemd for services with credentials


def read_key(key_file: str) -> str:
    """The key; "" when none is named. A plain name is a systemd credential, a path is a file.

    Raises DataFault: cannot be read, empty, too long, or not text that fits into a header. A second line may follow: a
    name and its password.
    """
    if not key_file:
        return ""
    path = _path(key_file)
    try:
        with path.open("rb") as file:
            raw = file.read(KEY_MAX_BYTES + 1)
    except OSError as error:
        raise DataFault(f"key_file {key_file}: {error.strerror}") from None
    lines = raw.decode("ascii", "replace").strip().splitlines()
    if not 1 <= len(lines) <= 2 or len(raw) > KEY_MAX_BYTES or not all(_plain(line) for line in lines):
        raise DataFault(
            f"key_file {key_file}: must hold one key (or a name and a password on two lines), printable ASCII"
        )
    return "\n".join(lines)


def _path(key_file: str) -> Path:
    if "/" in key_file:
        return Path(key_file)
    folder = os.environ.get(CREDENTIALS)
    if not folder:
        raise DataFault(
            f"key_file {key_file}: no ${CREDENTIALS}; give a path, or LoadCredential={key_file}:PATH in the unit"
        )
    return Path(folder) / key_file


def _plain(line: str) -> bool:
    return bool(line) and line.isascii() and line.isprintable()


def hide(text: str, key: str) -> str:
    """A text for people in which no line of the key is left, should a publisher repeat it to us."""
    for secret in key.splitlines():
        text = text.replace(secret, "***") if len(secret) >= 4 else text
    return text
