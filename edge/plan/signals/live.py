"""A signal that is asked over HTTP: takes what the fetching thread hands over, weighs it, remembers hours, answers now.

`poll` belongs to the uplink's thread and never waits. Marginal samples cannot get in here: their type has no average.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

from edge.clock import Clock
from edge.config.options import Config, Signal
from edge.errors import ConfigFault, DataFault, Problem
from edge.plan.forecast import HourlyHistory
from edge.plan.signals.base import IntensityReading, Origin
from edge.plan.signals.fetch.bodies import RawBodies, load_body
from edge.plan.signals.fetch.keys import read_key
from edge.plan.signals.ladder import Annual, Known, choose_rung
from edge.plan.signals.read.source import Source
from edge.plan.signals.samples import AverageSample, IntensitySample, MixSample, Sample, SampleQuality
from edge.plan.signals.sources import AVERAGE, SOURCES

if TYPE_CHECKING:
    from edge.plan.signals.fetch.worker import Fetcher

FUTURE_MAX_MS = 3_600_000  # one interval of the slowest source ahead; farther is a wrong clock
HISTORY_SAVE_MS = 3_600_000  # 16 kB an hour
QUARTER_S = 900  # what is shorter covers no interval of the ledger
LATE_MAX_COUNT = 300  # three days of quarters that nobody takes
SIGNAL, BODIES, HISTORY = "signal", "bodies", "history"  # of store.path; the others are in it
LOOPBACK = ("127.0.0.1", "::1", "localhost")
log = logging.getLogger("edge.signal")


class Weigher(Annual, Protocol):
    """A table of factors at one basis."""

    def weigh(self, power_kw: Mapping[str, int]) -> tuple[int, int] | None: ...


LoadWeights = Callable[[str, str, Path | None], Weigher]  # (table, basis, folder of the site's own)


class Fetching(Protocol):
    """The queue between the threads."""

    def poll(self) -> "Arrived | None": ...


class Arrived(Protocol):
    """One question and what came of it."""

    @property
    def mono_ms(self) -> int: ...
    @property
    def wall_ms(self) -> int: ...
    @property
    def samples(self) -> tuple[Sample, ...]: ...
    @property
    def fault(self) -> str: ...


def weighed(sample: AverageSample, weigher: Weigher) -> tuple[int, Origin] | None:
    """(mg/kWh, where it comes from); None for a mix in which nothing generates."""
    published_ms = sample.end_wall_ms if sample.updated_wall_ms is None else sample.updated_wall_ms
    if isinstance(sample, IntensitySample):
        factor_id = f"{sample.source}/{sample.method}"
        origin = Origin(factor_id, sample.kind, sample.schema_id, published_ms, sample.raw_sha256)
        return sample.value_mg_per_kwh, origin
    found = weigher.weigh(dict(sample.power_kw))
    if found is None:
        return None
    return found[0], Origin(
        weigher.factor_id, "average_generation", weigher.version, published_ms, sample.raw_sha256
    )  # fmt: skip


class Late(NamedTuple):
    """What a source says of a time that was over when it said so."""

    start_wall_ms: int
    stop_wall_ms: int
    value_mg_per_kwh: int
    quality: SampleQuality
    source: str
    origin: Origin


class GridSignal:
    """An IntensitySignal of one source. `history_file` None keeps the hours in memory only."""

    def __init__(
        self, fetching: Fetching, weigher: Weigher, source: str, history_file: Path | None = None
    ) -> None:  # fmt: skip
        self._fetching = fetching
        self._weigher = weigher
        self._source = source
        self._history = HourlyHistory()
        self._history_file = history_file
        self._saved_mono_ms: int | None = None
        self._known: Known | None = None
        self._unknown: tuple[str, ...] = ()
        self.late: deque[Late] = deque(maxlen=LATE_MAX_COUNT)  # for the ledger to take from
        self.fault = ""  # as last told: of the source, or of what it says
        self._load_history()

    def poll(self, mono_ms: int, wall_ms: int) -> IntensityReading:
        while (arrived := self._fetching.poll()) is not None:
            self._take(arrived)
        self._save_history_if_due(mono_ms)
        return choose_rung(self._known, self._history, self._weigher, self._source, mono_ms, wall_ms, self.fault)

    def _take(self, arrived: Arrived) -> None:
        fault = arrived.fault
        averages = [sample for sample in arrived.samples if isinstance(sample, MixSample | IntensitySample)]
        past = [sample for sample in averages if sample.start_wall_ms <= arrived.wall_ms + FUTURE_MAX_MS]
        if averages and not past:
            fault = f"{self._source}: everything it says is more than an hour ahead; check this gateway's clock"
        for sample in past:
            self._note(sample, arrived)
        if not fault and self._unknown:
            names = ", ".join(self._unknown)
            fault = f"{self._source}: fuels that nobody here knows: {names}; counted at the factor of unknown ones"
        if fault != self.fault:
            self.fault = fault
            log.log(logging.WARNING if fault else logging.INFO, "signal source=%s fault=%r", self._source, fault)

    def _note(self, sample: AverageSample, arrived: Arrived) -> None:
        found = weighed(sample, self._weigher)
        if found is None:
            return
        value, origin = found
        self._history.note(sample.start_wall_ms, sample.interval_s, value)
        if sample.end_wall_ms <= arrived.wall_ms and sample.interval_s >= QUARTER_S:
            self.late.append(
                Late(sample.start_wall_ms, sample.end_wall_ms, value, sample.quality, self._source, origin)
            )
        if self._known is None or sample.start_wall_ms >= self._known.start_wall_ms:
            self._known = Known(
                value, sample.quality, sample.interval_s, sample.start_wall_ms, sample.as_of_wall_ms,
                arrived.wall_ms, arrived.mono_ms, origin,
            )  # fmt: skip
        self._unknown = sample.unknown if isinstance(sample, MixSample) else ()

    # ---- the hours, over a restart

    def _head(self) -> str:
        return f"{self._source} {self._weigher.factor_id}"  # hours of another table are worth nothing

    def _load_history(self) -> None:
        if self._history_file is None or not self._history_file.is_file():
            return
        try:
            head, *lines = self._history_file.read_text("ascii").splitlines() or [""]
        except (OSError, ValueError):
            return
        if head == self._head() and not self._history.read_lines(lines):
            log.warning("signal history=%s is damaged and begins anew", self._history_file)

    def _save_history_if_due(self, mono_ms: int) -> None:
        if self._history_file is None or self._known is None:
            return
        if self._saved_mono_ms is not None and mono_ms - self._saved_mono_ms < HISTORY_SAVE_MS:
            return
        self._saved_mono_ms = mono_ms
        try:
            self._history_file.parent.mkdir(parents=True, exist_ok=True)
            aside = self._history_file.with_suffix(".new")
            aside.write_text("\n".join([self._head(), *self._history.lines()]), "ascii")
            aside.rename(self._history_file)
        except OSError as error:
            log.warning("signal history=%s fault=%r", self._history_file, error.strerror)


# ---- from the site file


def site_source(signal: Signal, file: str) -> tuple[Source, str]:
    """(source, region) of a signal that is asked over HTTP. Raises ConfigFault with every problem."""
    source = SOURCES[signal.kind]
    region = signal.region or source.region
    problems = []
    if not region:
        problems.append(Problem(file, "signal.region", None, f"is needed for kind = '{signal.kind}'"))
    if source.key and not signal.key_file:
        allowed = f"is needed for kind = '{signal.kind}': {source.key}"
        problems.append(Problem(file, "signal.key_file", None, allowed, "a path, or the name of a systemd credential"))
    try:
        url = urlsplit(signal.base_url or source.base_url)
    except ValueError:  # a bracket that never closes
        url = urlsplit("")
    if url.scheme not in ("https", "http") or not url.hostname or url.query or url.username:
        problems.append(Problem(file, "signal.base_url", signal.base_url, "must be https://HOST, without key or query"))
    elif source.key and url.scheme != "https" and url.hostname not in LOOPBACK:
        allowed = "must be https: a key never goes over plain http"
        problems.append(Problem(file, "signal.base_url", signal.base_url, allowed))
    if problems:
        raise ConfigFault(problems)
    return source, region


def site_table(signal: Signal) -> str:
    """The table of factors of a site: its own choice, or the one that fits its source; "" for none."""
    return signal.factors or (SOURCES[signal.kind].factors if signal.kind in SOURCES else "")


def site_weights(config: Config, load: LoadWeights) -> Weigher:
    """The table of the site, or the one that fits the source. Raises ConfigFault."""
    return _weights(config, site_table(config.signal), load)


def _weights(config: Config, table: str, load: LoadWeights) -> Weigher:
    signal, folder = config.signal, Path(config.file).parent / "factors"
    try:
        return load(table, signal.basis, folder)
    except ConfigFault as fault:
        raise ConfigFault(
            [
                p if p.file != "factors" else Problem(config.file, "signal.factors", table, p.allowed, p.hint)
                for p in fault.problems
            ]
        ) from None


def signal_problems(config: Config, load: LoadWeights) -> list[Problem]:
    """What is wrong with the signal of a site, files included, for `edge check`."""
    try:
        if config.signal.kind not in AVERAGE:
            if config.signal.factors:
                _weights(config, config.signal.factors, load)
            return []
        site_source(config.signal, config.file)
        site_weights(config, load)
        read_key(config.signal.key_file)
    except ConfigFault as fault:
        return list(fault.problems)
    except DataFault as fault:
        return [Problem(config.file, "signal.key_file", None, str(fault).removeprefix("key_file "))]
    return []


def open_signal(config: Config, clock: Clock, load: LoadWeights) -> GridSignal:
    """The signal of a site, its fetching thread started. Raises ConfigFault.

    A key that is missing is no reason not to start: the site runs on the lower rungs, and says so.
    """
    signal = config.signal
    source, region = site_source(signal, config.file)
    weigher = site_weights(config, load)
    folder = Path(config.store.path) / SIGNAL if config.store.path else None
    fetcher = open_fetcher(signal, source, region, clock, folder)
    fetcher.start()
    return GridSignal(fetcher, weigher, f"{source.name}:{region}", folder / HISTORY if folder else None)


def open_fetcher(
    signal: Signal, source: Source, region: str, clock: Clock, folder: Path | None
) -> "Fetcher":  # fmt: skip
    """What asks the source, not started yet. `folder` None keeps no answers. Raises ConfigFault for a bad ca_file."""
    # Here, not above: urllib3 and TLS cost memory that a site with a file or pushed values need not spend.
    from edge.plan.signals.fetch.http import Http  # noqa: PLC0415  brings urllib3
    from edge.plan.signals.fetch.worker import Fetcher  # noqa: PLC0415  brings urllib3

    try:
        http = Http(clock, signal.ca_file)
    except DataFault as fault:
        raise ConfigFault([Problem("signal", "ca_file", signal.ca_file, str(fault))]) from None
    bodies = RawBodies(folder / BODIES, signal.bodies_max_bytes) if folder is not None else None
    return Fetcher(
        source, region, signal.basis, http, clock, base_url=signal.base_url, key_file=signal.key_file, bodies=bodies
    )


def kept_answer(store: Path, sha256: str) -> bytes | None:
    """The raw answer with this hash from a site's store; None when it is not kept, or is no more what it was."""
    try:
        return load_body(store / SIGNAL / BODIES, sha256)
    except DataFault:
        return None
