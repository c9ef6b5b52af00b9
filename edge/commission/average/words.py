"""What was measured of the POC meter's lag, against what is told of it, and which line to write. Pure functions."""

from typing import Any

from edge.commission.average.fit import OFF_MS, OFF_PART, Lag
from edge.commission.live.verdicts import Line
from edge.config.option import UNTOLD
from edge.config.options import Config
from edge.control.settings import AVERAGING_FAST_MAX_MS, METER_UNSURE
from edge.field.device import BusDevice

CHECK = "average"
ROUND_MS = 10
NONE_MS = 25  # a lag below this is none: smoothing cannot tell the difference, and a cycle's readings neither
WRITTEN_MAX_MS = 2_000  # of the option


def average_line(config: Config, poc: BusDevice, found: Lag | str) -> Line:
    """The verdict on the meter's average."""
    if isinstance(found, str):
        told = "" if poc.averaging_ms is not None else f" Nobody says it either: {METER_UNSURE.action}."
        return Line(poc.name, CHECK, "look", f"how late it shows a step cannot be told: {found}.{told} Test again")
    seen = f"{_shape(found)}, {found.steps_count} steps read every {found.every_ms} ms"
    write = f"put into its [[device]] in {config.file}: {site_line(found)}"
    if averaging_ms(found) > WRITTEN_MAX_MS:
        return Line(poc.name, CHECK, "FAIL", f"{seen}: too late for smoothing; set the meter's own averaging shorter")
    if poc.averaging_ms is None:
        return Line(poc.name, CHECK, "look", f"{seen}; nobody says so, so {METER_UNSURE.action}: {write}{_slow(found)}")
    said_by = poc.profile.id if poc.settings.averaging_ms == UNTOLD else "the site file"
    told = f"{said_by} says averaging_ms = {poc.averaging_ms}"
    if not is_as_told(found, poc.averaging_ms):
        return Line(poc.name, CHECK, "FAIL", f"{seen}, but {told}: smoothing could feed on itself; {write}")
    return Line(poc.name, CHECK, "good", f"{seen}; {told}{_slow(found)}")


def averaging_ms(found: Lag) -> int:
    """What the option must be, so that half of it is the lag: it holds a dead time too."""
    return 0 if found.lag_ms < NONE_MS else ROUND_MS * round(2 * found.lag_ms / ROUND_MS)


def site_line(found: Lag) -> str:
    return f"averaging_ms = {averaging_ms(found)}"


def is_as_told(found: Lag, told_ms: int) -> bool:
    """Is what is told near enough for smoothing to do no harm?"""
    return abs(max(found.lag_ms, 0.0) - told_ms / 2) <= max(OFF_MS, OFF_PART * found.lag_ms)


def average_data(poc: BusDevice, found: Lag | str) -> dict[str, Any]:
    """For machines. Times in ms; `line` is for the site file, "" without a result."""
    if isinstance(found, str):
        return {"told_ms": poc.averaging_ms, "why_not": found, "line": ""}
    return {
        "told_ms": poc.averaging_ms, "lag_ms": round(found.lag_ms, 1), "half_ms": round(found.half_ms, 1),
        "window_ms": found.window_ms, "dead_ms": found.dead_ms, "steps_count": found.steps_count,
        "every_ms": found.every_ms, "why_not": "", "line": site_line(found),
    }  # fmt: skip


def _shape(found: Lag) -> str:
    lag = f"{found.lag_ms:.0f} +- {found.half_ms:.0f} ms behind the PCS"
    if found.lag_ms < NONE_MS:
        return f"{lag}: no average to be seen"
    return f"{lag}, as a mean over {found.window_ms} ms that is {max(found.dead_ms, 0)} ms late"


def _slow(found: Lag) -> str:
    if averaging_ms(found) <= AVERAGING_FAST_MAX_MS:
        return ""
    return f" (more than {AVERAGING_FAST_MAX_MS} ms: smoothing answers only the slow part of the load)"
