"""The logbook of a site: takes what the uplink sees, keeps events and audit in the journal, quarters in the rollup ring.

Owned by the uplink's thread but for `recent`, which is replaced whole. Without a store it keeps the newest events in memory.
"""

import itertools
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path

from edge.cloud.codec import decode_sample, schema_json
from edge.config.options import Config
from edge.logbook.damper import Damper
from edge.logbook.health import HealthWatch, StatusWatch
from edge.logbook.standstill import Standstill, StandstillFile
from edge.logbook.transitions import Transitions
from edge.model import AuditEntry, CycleRecord, Event, Sample, SiteHealth, UplinkStatus
from edge.ops.timesync import is_synchronised
from edge.store.clockmap import ClockMap
from edge.store.db.journal import RECENT_MAX_COUNT, Journal
from edge.store.disk import Disk
from edge.store.rollup import SEGMENT_BYTES, Rollup
from edge.store.segments import SegmentLog

SECOND_MS = 1_000
ROLLUP_SYNC_MS = 60_000  # a quarter of an hour that is not synced is made again from the seconds
RESUME_MAX_COUNT = 90_000  # seconds looked at after a start to make the quarters that are missing: a day
_LOG_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "alarm": logging.ERROR}
log = logging.getLogger("edge.event")


class Logbook:
    """`telemetry` is the ring whose samples are rolled up; `give_room` is asked for disk space when there is none."""

    def __init__(
        self,
        config: Config,
        telemetry: SegmentLog | None,
        give_room: Callable[[], int],
        *,
        is_synced: Callable[[], bool | None] = is_synchronised,
        disk: Disk | None = None,
    ) -> None:
        self._config, self._telemetry, self._is_synced = config, telemetry, is_synced
        self._transitions, self._health, self._status = Transitions(config), HealthWatch(), StatusWatch()
        self._damper = Damper()
        self._newest: deque[Event] = deque(maxlen=RECENT_MAX_COUNT)
        self.recent: tuple[Event, ...] = ()  # for other threads
        self._started = False
        self._second_mono_ms = 0
        self.journal: Journal | None = None
        self.rollup: Rollup | None = None
        self._standstill: StandstillFile | None = None
        if telemetry is not None:
            store, folder = config.store, Path(config.store.path)
            self._standstill = StandstillFile(config, folder)
            self.journal = Journal(folder, max_bytes=store.journal_max_bytes, give_room=give_room, disk=disk)
            ring = SegmentLog(
                folder / "rollup", max_bytes=store.rollup_max_bytes, stream="rollup", context=schema_json(),
                segment_bytes=SEGMENT_BYTES, sync_ms=ROLLUP_SYNC_MS, ram_max_count=96, give_room=give_room, disk=disk,
            )  # fmt: skip
            self.rollup = Rollup(ring)

    @property
    def clock(self) -> ClockMap | None:
        return self.journal.clock if self.journal is not None else None

    @property
    def standstill(self) -> Standstill:
        """What an earlier life left standing, for before the first cycle."""
        return self._standstill.before if self._standstill is not None else Standstill()

    @property
    def fault(self) -> str:
        if self.journal is None or self.rollup is None or self._standstill is None:
            return ""
        return self.journal.fault or self.rollup.log.fault or self._standstill.fault

    def start(self, mono_ms: int, wall_ms: int) -> None:
        """What was kept comes back. Before anything is noted; a second call does nothing."""
        if self._started:
            return
        self._started = True
        if self.journal is not None:
            changed = self.journal.keep_config(mono_ms, wall_ms, self._site_file())
            self._newest.extendleft(reversed(self.journal.recent))
            if changed:
                self.note_event(Event(mono_ms, wall_ms, "config.changed", f"{self._config.file} is not as before"))
        self.note_event(Event(mono_ms, wall_ms, "start", f"site {self._config.site.id}"))
        if standing := self.standstill.text():
            self.note_event(Event(mono_ms, wall_ms, "standstill", f"as before this start: {standing}", "warning"))
        if self._telemetry is not None and self.rollup is not None:
            for note in (*self._telemetry.notes, *self.rollup.log.notes):
                self.note_event(Event(mono_ms, wall_ms, "store.damaged", note, "warning"))
            self._resume(self._telemetry, self.rollup)

    # ---- what is seen

    def note_record(self, record: CycleRecord) -> None:
        if self._standstill is not None:
            self._standstill.note(record)
        for event in self._transitions.note(record):
            self.note_event(event)

    def note_health(self, health: SiteHealth) -> None:
        for event in self._health.note(health):
            self.note_event(event)

    def note_audit(self, entry: AuditEntry) -> None:
        if self.journal is not None:
            self.journal.note_audit(entry)
        self.note_event(Event(entry.mono_ms, entry.wall_ms, f"asked.{entry.action}", f"{entry.who}: {entry.text}"))

    def note_sample(self, seq: int, sample: Sample) -> None:
        if self.rollup is not None and self._telemetry is not None:
            self.rollup.note(self._telemetry.epoch, self._telemetry.boot, seq, sample)

    def note_event(self, event: Event) -> None:
        passed = self._damper.passes(event)
        if passed is None:
            return
        log.log(_LOG_LEVELS[passed.level], "event=%s text=%r", passed.name, passed.text)
        self._newest.append(passed)
        self.recent = tuple(self._newest)
        if self.journal is not None:
            self.journal.note_event(passed)

    # ---- driving

    def step(self, mono_ms: int, wall_ms: int, status: UplinkStatus) -> None:
        """Writes what waits; once a second also looks at the clock. A sync of the disk may take its time here."""
        for event in self._status.note(mono_ms, wall_ms, status, self.fault):
            self.note_event(event)
        if self.journal is None or self.rollup is None:
            return
        if mono_ms - self._second_mono_ms >= SECOND_MS:
            self._second_mono_ms = mono_ms
            self.journal.note_clock(mono_ms, wall_ms, bool(self._is_synced()))
        self.rollup.log.sync_if_due(mono_ms)
        self.journal.step(mono_ms, wall_ms)

    def _site_file(self) -> str:
        try:
            return Path(self._config.file).read_text(errors="replace")
        except OSError:
            return f"{self._config.file} cannot be read"

    def _resume(self, telemetry: SegmentLog, rollup: Rollup) -> None:
        """Seconds that were in no quarter yet when the process ended; those of an earlier schema stay seconds."""
        schema = schema_json()
        first_seq = rollup.covered_seq(telemetry.epoch) + 1
        for entry in itertools.islice(telemetry.read_from(first_seq), RESUME_MAX_COUNT):
            sample = decode_sample(entry.body)
            if sample is not None and entry.context == schema:
                rollup.note(telemetry.epoch, entry.boot, entry.seq, sample)

    def close(self, mono_ms: int, wall_ms: int) -> None:
        """Everything to the disk. The quarter in hand is not ended: the next start goes on with it."""
        self.note_event(Event(mono_ms, wall_ms, "stop", "told to stop"))
        if self.journal is not None:
            self.journal.close()
        if self.rollup is not None:
            self.rollup.log.close()
