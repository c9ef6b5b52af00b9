"""What must outlive the process: latched trips, a hold, and that somebody works in SERVICE. A restart is no way around them.

Kept by name in one small file, written when it changes, read once before the first cycle. A file that is there but cannot
be understood holds the site: nobody knows what was latched. Not kept: how often an hourly cause has come, and what latched
just before a kill: a tenth of a second, or as long as a slow disk keeps the logbook waiting.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from edge._kernel import ffi
from edge.config.options import Config
from edge.control.authority import COMMAND_HOLD, COMMAND_SERVICE, Authority
from edge.control.kernel import Kernel, SiteCause, UnitCause, mask, members
from edge.model import CycleRecord, Request
from edge.store.db.checkpoint import CheckpointFile

FILE = "standstill"
RETRY_MS = 1_000
HELD_BEFORE = "since before this start; `events` says by whom"
SERVICE_BEFORE = "it was in SERVICE before this start"
UNKNOWN = "what was latched before this start cannot be read"


@dataclass(frozen=True, slots=True)
class Standstill:
    """Why nothing may start. `units`: PCS and its latched causes; `first`: first cause and its PCS, "" for the site's."""

    site: tuple[str, ...] = ()
    units: tuple[tuple[str, tuple[str, ...]], ...] = ()
    first: tuple[str, str] = ("", "")
    waits: bool = False  # the kernel's own: a safe action or the end of an emergency waits for a reset
    hold: str = ""  # why the site is held, "" when it is not

    def text(self) -> str:
        """In words; "" when nothing keeps the site."""
        latched = [f"{name.lower()} latched" for name in self.site]
        latched += [f"{name.lower()} of {pcs} latched" for pcs, names in self.units for name in names]
        waits = ["waits for a reset"] if self.waits else []
        return "; ".join([*latched, *waits, *([f"held: {self.hold}"] if self.hold else [])])


def standstill_of(config: Config, record: CycleRecord) -> Standstill:
    """What one cycle leaves standing."""
    return _named(config, _raw(config, record))


_Raw = tuple[
    int, tuple[int, ...], int, int, int, int
]  # latched of the site, of the units; first out, its unit; waits; commands


def _raw(config: Config, record: CycleRecord) -> _Raw:
    state: Any = ffi.from_buffer("tw_state_t[1]", record.state)[0]  # an array: its size is checked
    tw_input: Any = ffi.from_buffer("tw_input_t[1]", record.input)[0]
    units = tuple(state.unit[index].latched for index in range(len(config.unit)))
    commands = tw_input.commands & (COMMAND_HOLD | COMMAND_SERVICE)
    return state.latched, units, state.first_out, state.first_out_unit, state.held, commands


def _named(config: Config, raw: _Raw) -> Standstill:
    site, units, first, first_unit, waits, commands = raw
    pcs = [unit.pcs for unit in config.unit]
    found = [(name, tuple(one.name for one in members(UnitCause, of))) for name, of in zip(pcs, units, strict=True)]
    first_out = ("", "")
    if first >= 0:
        first_out = (UnitCause(first).name, pcs[first_unit]) if first_unit >= 0 else (SiteCause(first).name, "")
    hold = HELD_BEFORE if commands & COMMAND_HOLD else SERVICE_BEFORE if commands & COMMAND_SERVICE else ""
    return Standstill(
        tuple(one.name for one in members(SiteCause, site)),
        tuple((name, names) for name, names in found if names), first_out, bool(waits), hold,
    )  # fmt: skip


def restore(standstill: Standstill, config: Config, kernel: Kernel, authority: Authority, now_mono_ms: int) -> None:
    """Before the first cycle: as it stood. What this program or this site does not know becomes a hold."""
    state, places = kernel.state, {unit.pcs: index for index, unit in enumerate(config.unit)}
    state.latched, state.held = _mask(SiteCause, standstill.site), int(standstill.waits)
    for pcs, causes in standstill.units:
        if pcs in places:
            state.unit[places[pcs]].latched = _mask(UnitCause, causes)
    cause, pcs = standstill.first
    words: type[IntEnum] = UnitCause if pcs else SiteCause
    if cause in words.__members__ and (not pcs or pcs in places):
        state.first_out, state.first_out_unit = words[cause], places.get(pcs, -1)
        state.first_out_mono_ms = now_mono_ms
    reason = UNKNOWN if _is_strange(standstill, places) else standstill.hold
    if reason:
        authority.offer(Request("console", "hold", reason=reason))


def _mask(words: type[IntEnum], names: Iterable[str]) -> int:
    return mask(*(words[name] for name in names if name in words.__members__))


def _is_strange(standstill: Standstill, places: Mapping[str, int]) -> bool:
    """Whether a cause or a unit has no place here."""
    units = [(pcs, name) for pcs, names in standstill.units for name in names]
    known = all(pcs in places and name in UnitCause.__members__ for pcs, name in units)
    return not known or any(name not in SiteCause.__members__ for name in standstill.site)


class StandstillFile:
    """`before` is what was read at the start. `note` belongs to the uplink's thread; a fault of the disk is a text."""

    def __init__(self, config: Config, folder: Path) -> None:
        self._config = config
        path = folder / FILE
        self._file = CheckpointFile(path)
        self._raw: _Raw | None = None
        self._kept: Standstill | None = None
        self._retry_mono_ms = 0
        self.before = Standstill()
        if self._file.state is not None:
            self.before = _parsed(self._file.state)
            self._kept = self.before
        elif _is_there(path):
            self.before = Standstill(hold=UNKNOWN)

    @property
    def fault(self) -> str:
        return self._file.fault

    def note(self, record: CycleRecord) -> None:
        """Writes what this cycle leaves standing, if that is not what is kept."""
        raw = _raw(self._config, record)
        if raw == self._raw and not self.fault:
            return
        now = _named(self._config, raw)
        self._raw = raw
        if now == self._kept or (self._kept is None and now == Standstill() and not self.before.text()):
            return
        if self.fault and record.mono_ms < self._retry_mono_ms:
            return
        self._retry_mono_ms = record.mono_ms + RETRY_MS
        if self._file.write(_packed(now)):
            self._kept = now


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _packed(one: Standstill) -> dict[str, Any]:
    units = {pcs: list(names) for pcs, names in one.units}
    return {"site": list(one.site), "units": units, "first": list(one.first), "waits": one.waits, "hold": one.hold}


def _parsed(state: Mapping[str, Any]) -> Standstill:
    """What was written; anything else holds the site."""
    try:
        units = tuple((str(pcs), tuple(map(str, names))) for pcs, names in state["units"].items())
        cause, pcs = map(str, state["first"])
        return Standstill(tuple(map(str, state["site"])), units, (cause, pcs), bool(state["waits"]), str(state["hold"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return Standstill(hold=UNKNOWN)
