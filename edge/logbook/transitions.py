"""Cycle records in, events out: every change of a mode, every interlock that rises or clears, with its text.

Causes of level INFO are what a limit or a wish does all day; they are in the trace and at `why`, not here. A site that
has just started has read nothing yet: what it lacks is told once the first readings had their time. And a battery that
is off before anybody asked for it is no alarm.
"""

from collections.abc import Callable
from typing import Any

from edge._kernel import ffi
from edge.config.options import Config
from edge.control.interlocks import SITE, UNIT, filled
from edge.control.kernel import Level, Mode, SiteCause, UnitCause, copy_in, mask, members, site_row, unit_row
from edge.control.settings import config_struct
from edge.model import CycleRecord, Event, EventLevel

_SITE_MASK = mask(*(cause for cause in SiteCause if site_row(cause).level > Level.INFO))
_UNIT_MASK = mask(*(cause for cause in UnitCause if unit_row(cause).level > Level.INFO))
_BAD_MODES = frozenset({Mode.FAULT, Mode.ESTOP})
SETTLE_MS = 5_000  # several rounds of the slowest bus; a device that is silent for longer is news
_BEFORE_RUN = frozenset({Mode.BOOT, Mode.INIT, Mode.STANDBY, Mode.CONNECT, Mode.START})
# How a unit stands that waits to be started: an open battery forbids both ways.
_AT_REST = frozenset(
    {UnitCause.PCS_STOPPED, UnitCause.BMS_OPEN, UnitCause.CHARGE_FORBIDDEN, UnitCause.DISCHARGE_FORBIDDEN}
)


class Transitions:
    """Compares each cycle with the one before. Owned by the uplink's thread; decodes, never steps."""

    def __init__(self, config: Config) -> None:
        self._config = config_struct(config)
        self._units = [unit.pcs for unit in config.unit]
        self._output = ffi.new("tw_output_t *")
        self._mode: Mode | None = None
        self._first_mono_ms: int | None = None
        self._why = 0
        self._unit_mode: list[Mode | None] = [None] * len(self._units)
        self._unit_why = [0] * len(self._units)

    def note(self, record: CycleRecord) -> list[Event]:
        """What changed with this cycle, oldest cause first, mostly nothing."""
        copy_in(self._output, record.output, "output")
        out, texts = self._output, list[tuple[str, str, EventLevel]]()
        settling = self._settling(record.mono_ms)
        why = out.why & _SITE_MASK
        if why != self._why and not settling:
            texts += self._causes("", None, self._why, why)
            self._why = why
        for index, name in enumerate(self._units):
            unit = out.unit[index]
            why = unit.why & _UNIT_MASK
            if why != self._unit_why[index] and not settling:
                texts += self._causes(f".{name}", index, self._unit_why[index], why)
                self._unit_why[index] = why
            if unit.mode != self._unit_mode[index]:
                texts.append(_mode(f"mode.{name}", self._unit_mode[index], Mode(unit.mode)))
                self._unit_mode[index] = Mode(unit.mode)
        if out.mode != self._mode:
            texts.append(_mode("mode", self._mode, Mode(out.mode)))
            self._mode = Mode(out.mode)
        return [Event(record.mono_ms, record.wall_ms, name, text, level) for name, text, level in texts]

    def _settling(self, mono_ms: int) -> bool:
        """Whether this start is still reading for the first time."""
        if self._first_mono_ms is None:
            self._first_mono_ms = mono_ms
        return self._output.mode == Mode.BOOT and mono_ms - self._first_mono_ms < SETTLE_MS

    def _causes(self, where: str, unit: int | None, before: int, now: int) -> list[tuple[str, str, EventLevel]]:
        words: type[SiteCause] | type[UnitCause] = SiteCause if unit is None else UnitCause
        texts = SITE if unit is None else UNIT
        row: Callable[[Any], Any] = site_row if unit is None else unit_row
        struct = self._config if unit is None else self._config.unit[unit]
        found: list[tuple[str, str, EventLevel]] = []
        for cause in members(words, now ^ before):
            told, name = texts[cause.name], f"{cause.name.lower()}{where}"
            if now >> cause & 1:
                text = filled(f"{told.text}: {told.action}; {told.hint}", struct, self._config)
                level: EventLevel = "alarm" if row(cause).level >= Level.ZERO else "warning"
                found.append((name, text, "info" if self._is_at_rest(unit, cause) else level))
            else:
                found.append((f"{name}.clear", filled(f"over: {told.text}", struct, self._config), "info"))
        return found

    def _is_at_rest(self, unit: int | None, cause: UnitCause | SiteCause) -> bool:
        """A unit that was not running before this cycle lacks what starting it will bring."""
        return unit is not None and cause in _AT_REST and self._unit_mode[unit] in _BEFORE_RUN


def _mode(name: str, before: Mode | None, now: Mode) -> tuple[str, str, EventLevel]:
    was = before.name if before is not None else "start"
    return name, f"{was} -> {now.name}", "alarm" if now in _BAD_MODES else "info"
