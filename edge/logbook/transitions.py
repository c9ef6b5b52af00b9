"""Cycle records in, events out: every change of a mode, every interlock that rises or clears, with its text.

Causes of level INFO are what a limit or a wish does all day; they are in the trace and at `why`, not here.
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


class Transitions:
    """Compares each cycle with the one before. Owned by the uplink's thread; decodes, never steps."""

    def __init__(self, config: Config) -> None:
        self._config = config_struct(config)
        self._units = [unit.pcs for unit in config.unit]
        self._output = ffi.new("tw_output_t *")
        self._mode: Mode | None = None
        self._why = 0
        self._unit_mode: list[Mode | None] = [None] * len(self._units)
        self._unit_why = [0] * len(self._units)

    def note(self, record: CycleRecord) -> list[Event]:
        """What changed with this cycle, oldest cause first, mostly nothing."""
        copy_in(self._output, record.output, "output")
        out, texts = self._output, list[tuple[str, str, EventLevel]]()
        why = out.why & _SITE_MASK
        if why != self._why:
            texts += self._causes("", None, self._why, why)
            self._why = why
        for index, name in enumerate(self._units):
            unit = out.unit[index]
            why = unit.why & _UNIT_MASK
            if why != self._unit_why[index]:
                texts += self._causes(f".{name}", index, self._unit_why[index], why)
                self._unit_why[index] = why
            if unit.mode != self._unit_mode[index]:
                texts.append(_mode(f"mode.{name}", self._unit_mode[index], Mode(unit.mode)))
                self._unit_mode[index] = Mode(unit.mode)
        if out.mode != self._mode:
            texts.append(_mode("mode", self._mode, Mode(out.mode)))
            self._mode = Mode(out.mode)
        return [Event(record.mono_ms, record.wall_ms, name, text, level) for name, text, level in texts]

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
                found.append((name, text, "alarm" if row(cause).level >= Level.ZERO else "warning"))
            else:
                found.append((f"{name}.clear", filled(f"over: {told.text}", struct, self._config), "info"))
        return found


def _mode(name: str, before: Mode | None, now: Mode) -> tuple[str, str, EventLevel]:
    was = before.name if before is not None else "start"
    return name, f"{was} -> {now.name}", "alarm" if now in _BAD_MODES else "info"
