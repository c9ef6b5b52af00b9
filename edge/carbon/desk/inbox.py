"""Corrections of people: files in a folder of the store, written by `edge ledger correct`, taken by the controller.

Only the controller writes the ledger. A file that it took is gone; one that is none is put aside as `.bad`.
"""

import json
from pathlib import Path
from typing import Any

from edge.carbon.ledger.body import interval_of, shape_fault
from edge.carbon.ledger.entry import Body
from edge.carbon.ledger.ledger import Correction
from edge.errors import DataFault

FOLDER = "corrections"
FILE_MAX_BYTES = 1 << 20
LOOK_MS = 10_000
TEXT_MAX = 500


class Inbox:
    """The folder, looked at every ten seconds."""

    def __init__(self, store: Path) -> None:
        self._folder = store / FOLDER
        self._looked_mono_ms = -LOOK_MS

    def take(self, mono_ms: int) -> list[Correction]:
        """What has come since; mostly nothing. Never raises."""
        if mono_ms - self._looked_mono_ms < LOOK_MS:
            return []
        self._looked_mono_ms = mono_ms
        found = []
        try:
            for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
                try:
                    found.append(read_correction(path.read_bytes()))
                    path.unlink()
                except DataFault:
                    path.replace(path.with_suffix(".bad"))
        except OSError:
            return found
        return found


def correction_of(no: int, digest: str, before: Body, now: Body, who: str, why: str) -> bytes:
    """The file of a correction. Raises DataFault when the body cannot count instead of the one before."""
    fault = shape_fault(now)
    if fault is not None:
        raise DataFault(f"{fault.field}: expected {fault.expected}, found {fault.found}")
    for key in ("start_ms", "stop_ms"):
        if now[key] != before[key]:
            raise DataFault(f"{key}: {now[key]}, but a correction is of the same time: {before[key]}")
    for name, text in (("who", who), ("why", why)):
        if not text.strip() or len(text) > TEXT_MAX:
            raise DataFault(f"--{name}: 1 to {TEXT_MAX} characters")
    return json.dumps({"digest": digest, "entry": no, "interval": now, "who": who, "why": why}).encode()


def read_correction(raw: bytes) -> Correction:
    """Raises DataFault for anything else."""
    try:
        told: Any = json.loads(raw[:FILE_MAX_BYTES])
        no, digest, body, who, why = (told[key] for key in ("entry", "digest", "interval", "who", "why"))
        good = type(no) is int and all(isinstance(text, str) for text in (digest, who, why)) and isinstance(body, dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        good = False
    if not good or shape_fault(body) is not None:
        raise DataFault("no correction")
    return Correction(no, digest, interval_of(body), who[:TEXT_MAX], why[:TEXT_MAX])
