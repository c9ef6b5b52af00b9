"""The marginal rate of now, and a small file of what it was: for people to look at. Nothing books it, no rule reads it.

Its number has a name and a type of its own from the parser to the screen. The file `signal/marginal` of the store has a
line for each interval (start in ms, seconds, mg/kWh, model); at 4 MB, some 100 000 lines or a year, it begins anew and
the one before stays as `marginal.old`.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge.clock import Clock
from edge.config.options import Config, Signal
from edge.errors import ConfigFault, DataFault, Problem
from edge.plan.signals.fetch.keys import read_key
from edge.plan.signals.live import SIGNAL, Fetching, open_fetcher, site_source
from edge.plan.signals.read.body import plain
from edge.plan.signals.samples import MarginalSample

FILE = "marginal"
FILE_MAX_BYTES = 4 << 20
LIVE_INTERVALS = 2
log = logging.getLogger("edge.signal")


@dataclass(frozen=True, slots=True)
class MarginalRate:
    """What one kWh more would emit, as a model says. Never an average."""

    start_wall_ms: int
    interval_s: int
    marginal_mg_per_kwh: int
    model: str


class MarginalSignal:
    """Owned by the uplink's thread; `poll` never waits for a network."""

    def __init__(self, fetching: Fetching, name: str, file: Path | None = None) -> None:
        self.name = name
        self.fault = ""
        self._fetching, self._file = fetching, file
        self._newest: MarginalRate | None = None
        self._later: list[MarginalRate] = []  # a forecast that has not begun yet
        kept = list(_lines(file)) if file is not None else []
        self._kept_ms = kept[-1].start_wall_ms if kept else -1

    def poll(self, wall_ms: int) -> MarginalRate | None:
        """The rate of now; None while none is younger than two intervals."""
        while (arrived := self._fetching.poll()) is not None:
            self.fault = arrived.fault
            rates = [_rate(one) for one in arrived.samples if isinstance(one, MarginalSample)]
            self._later = rates or self._later
        for rate in [one for one in self._later if one.start_wall_ms <= wall_ms]:
            self._later.remove(rate)
            self._newest = rate
            self._keep(rate)
        newest = self._newest
        if newest is None or wall_ms - newest.start_wall_ms > LIVE_INTERVALS * newest.interval_s * 1000:
            return None
        return newest

    def _keep(self, rate: MarginalRate) -> None:
        if self._file is None or rate.start_wall_ms <= self._kept_ms:
            return
        self._kept_ms = rate.start_wall_ms
        line = f"{rate.start_wall_ms} {rate.interval_s} {rate.marginal_mg_per_kwh} {rate.model or '-'}\n"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self._file.exists() and self._file.stat().st_size > FILE_MAX_BYTES:
                self._file.replace(self._file.with_suffix(".old"))
            with self._file.open("a", encoding="ascii") as out:
                out.write(line)
        except OSError as error:
            log.warning("signal marginal=%s fault=%r", self._file, error.strerror)


def _rate(sample: MarginalSample) -> MarginalRate:
    model = plain(sample.model).replace(" ", "_").encode("ascii", "replace").decode()
    return MarginalRate(sample.start_wall_ms, sample.interval_s, sample.marginal_mg_per_kwh, model)


def kept_rates(store: Path, first_ms: int, stop_ms: int) -> list[MarginalRate]:
    """Those that begin in the period, in order of time; a torn line is left out."""
    path = store / SIGNAL / FILE
    found = {one.start_wall_ms: one for part in (path.with_suffix(".old"), path) for one in _lines(part)}
    return [one for start_ms, one in sorted(found.items()) if first_ms <= start_ms < stop_ms]


def _lines(path: Path) -> Iterator[MarginalRate]:
    try:
        lines = path.read_text("ascii").splitlines() if path.is_file() else []
    except (OSError, ValueError):
        return
    for line in lines:
        parts = line.split()
        if len(parts) == 4 and all(part.isdigit() and len(part) <= 15 for part in parts[:3]):
            yield MarginalRate(int(parts[0]), int(parts[1]), int(parts[2]), parts[3])


# ---- from the site file


def _as_signal(config: Config) -> Signal:
    asked = config.marginal
    return Signal(
        kind=asked.kind, region=asked.region, key_file=asked.key_file, base_url=asked.base_url, ca_file=asked.ca_file
    )  # fmt: skip


def marginal_problems(config: Config) -> list[Problem]:
    """What is wrong with the table [marginal] of a site, its key file included, for `edge check`."""
    if config.marginal.kind == "none":
        return []
    try:
        site_source(_as_signal(config), config.file)
        read_key(config.marginal.key_file)
    except ConfigFault as fault:
        return [replace(one, key=one.key.replace("signal.", "marginal.", 1)) for one in fault.problems]
    except DataFault as fault:
        return [Problem(config.file, "marginal.key_file", None, str(fault).removeprefix("key_file "))]
    return []


def open_marginal(config: Config, clock: Clock) -> MarginalSignal | None:
    """Its fetching thread started; None when the site asks for none. Raises ConfigFault."""
    if config.marginal.kind == "none":
        return None
    signal = _as_signal(config)
    source, region = site_source(signal, config.file)
    fetcher = open_fetcher(signal, source, region, clock, None)  # no bodies: nothing here is evidence
    fetcher.start()
    file = Path(config.store.path) / SIGNAL / FILE if config.store.path else None
    return MarginalSignal(fetcher, f"{source.name}:{region}", file)
