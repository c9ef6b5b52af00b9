"""The cable is out: a row of the torture for each outage, its tries the samples of that time."""

from pathlib import Path

from tests.cloud.outage import HOUR_S, Outcome, complaints, play_outage
from tests.torture.replay import Tally

SHORT_HOURS, SMALL_BYTES = 2, 256 << 10
LONG_HOURS, LONG_SMALL_BYTES = 72, 12 << 20  # 72 h are some 22 MB


def held(folder: Path, *, short: bool) -> Tally:
    """The ring is large enough: all of it arrives."""
    return _tally(play_outage(folder, SHORT_HOURS if short else LONG_HOURS))


def too_small(folder: Path, *, short: bool) -> Tally:
    """The ring is not: the oldest is missing, and that is told; events and quarters are kept."""
    size = SMALL_BYTES if short else LONG_SMALL_BYTES
    found = play_outage(folder, SHORT_HOURS if short else LONG_HOURS, telemetry_max_bytes=size)
    return _tally(found, is_small=True)


def _tally(found: Outcome, *, is_small: bool = False) -> Tally:
    wrong = complaints(found, is_small=is_small)
    held_count = found.held().count()
    note = (
        f"{found.seconds / HOUR_S:g} h out: {found.cycles_count} cycles, {found.stored_count} samples, {held_count} with the"
        f" fleet, {found.lost_count} overwritten, {found.rollup_count} quarters;"
        f" drained in {found.drained_s - found.up_s:.0f} s"
    )
    lost_count = 0 if is_small else max(0, found.stored_count - 2 - held_count)
    return Tally(found.stored_count, lost_count, len(wrong), 0, "; ".join([note, *wrong]))
