"""Grid intensity played from a CSV file, from `start` at `speed`; each row holds until the next.

The whole file is read once at start-up, so that a bad line stops the program before it runs, not in week three. After
that one row is in memory. A file that changes under us later is an operating fault: quality "none" and a text.
"""

from collections.abc import Iterator
from pathlib import Path

from edge.config.options import Signal
from edge.errors import ConfigFault, DataFault, Problem
from edge.plan.signals.base import IntensityReading, rate_reading
from edge.plan.signals.rows import Row, parse_time_ms, read_rows

SLICE_ROWS = 2_000  # rows per poll after a leap of the wall clock: about 5 ms, more would cost the cycle


class FileSignal:
    """Plays a file. `poll` reads at most a slice; while it catches up after a leap it answers "none".

    Raises: ConfigFault for path, column or start; DataFault for a bad line.
    """

    def __init__(self, signal: Signal, config_file: str, mono_ms: int, wall_ms: int) -> None:
        self._path = Path(signal.path)
        self._column = signal.column
        self._speed = signal.speed
        self._age_max_ms = signal.age_max_s * 1000
        self._source = f"file:{self._path.name}:{signal.column}"
        self.fault = ""
        first, last = self._check(config_file)
        self._start_mono_ms = mono_ms
        self._start_ms = self._parse_start(signal.start, config_file, first, last)
        self._rows: Iterator[Row] = iter(())
        self._now: Row | None = None
        self._next: Row | None = None
        self._rewind()
        self._advance(self._time_ms(mono_ms, wall_ms), None)

    def _check(self, config_file: str) -> tuple[Row, Row]:
        if not self._path.is_file():
            raise ConfigFault([Problem(config_file, "signal.path", str(self._path), "must be a CSV or CSV.GZ file")])
        first = last = None
        for row in read_rows(self._path, self._column):
            first, last = first or row, row
        if first is None or last is None:
            raise DataFault(f"{self._path}:2: no rows; expected at least one time and intensity")
        return first, last

    def _parse_start(self, start: str, config_file: str, first: Row, last: Row) -> int | None:
        if not start:
            if self._speed != 1:
                problem = Problem(config_file, "signal.speed", self._speed, "must be 1 while signal.start is empty")
                raise ConfigFault([problem])
            return None
        try:
            start_ms = parse_time_ms(start)
        except ValueError as fault:
            raise ConfigFault([Problem(config_file, "signal.start", start, str(fault))]) from None
        if not first.time_ms <= start_ms <= last.time_ms:
            allowed = f"must lie within the rows of {self._path.name} (lines {first.line} to {last.line})"
            raise ConfigFault([Problem(config_file, "signal.start", start, allowed)])
        return start_ms

    def _time_ms(self, mono_ms: int, wall_ms: int) -> int:
        if self._start_ms is None:
            return wall_ms
        return self._start_ms + (mono_ms - self._start_mono_ms) * self._speed

    def _rewind(self) -> None:
        self._rows = read_rows(self._path, self._column)
        self._now = None
        self._next = next(self._rows, None)

    def _advance(self, time_ms: int, limit: int | None) -> bool:
        """Moves to the row valid at `time_ms`; False when the limit of rows came first."""
        if self._now is not None and time_ms < self._now.time_ms:
            self._rewind()  # the wall clock went back
        read_count = 0
        while self._next is not None and self._next.time_ms <= time_ms:
            if read_count == limit:
                return False
            self._now, self._next = self._next, next(self._rows, None)
            read_count += 1
        return True

    def poll(self, mono_ms: int, wall_ms: int) -> IntensityReading:
        time_ms = self._time_ms(mono_ms, wall_ms)
        row = None if self.fault else self._find(time_ms)
        if row is None:
            return IntensityReading(None, None, "none", self._source)
        return rate_reading(row.value_mg_per_kwh, time_ms - row.time_ms, self._age_max_ms, self._source, row.time_ms)

    def _find(self, time_ms: int) -> Row | None:
        try:
            return self._now if self._advance(time_ms, SLICE_ROWS) else None
        except DataFault as fault:  # good at start-up, not now: stays so until somebody mends the file and restarts
            self.fault = str(fault)
            return None
