"""Everything that may wait: signals, carbon, the rule, the rings on disk, the broker. One thread, or inline.

Takes frozen records from two bounded queues (oldest dropped when full, and counted) and gives leases back. Touches
neither a port nor the kernel, and no socket of the cloud: that is the thread of edge/cloud/engine.py. What it last found
out of itself is one frozen UplinkStatus, replaced whole.

Nor does it wait for the disk: syncs of the telemetry ring are one other thread's, logbook, trace, ledger and checkpoint
("the desk") are another's. The desk is lent: while it is away nothing of it is touched here, and what comes for it queues.
"""

import logging
import select
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from edge.carbon.desk.inbox import Inbox
from edge.carbon.interval import ClockState
from edge.carbon.ledger.later import Correction
from edge.carbon.ledger.ledger import Ledger
from edge.clock import Clock
from edge.cloud.engine import link_of
from edge.cloud.lanes.events import EventLane
from edge.cloud.lanes.pace import pace_of
from edge.cloud.lanes.stretch import telemetry_log
from edge.cloud.notices import NumberedEvent
from edge.cloud.sync import ACK_MAX_MS, Sync
from edge.cloud.topics import Topics
from edge.cloud.views.choice import views_of
from edge.config.options import Config
from edge.control.kernel import Kernel, abi_hash
from edge.cycle import Handover
from edge.logbook.book import Logbook
from edge.logbook.latest import latest_wall_ms
from edge.mission.ledger import ledger_of
from edge.mission.second import Mission, sample_of
from edge.model import (
    Announcement,
    AuditEntry,
    CycleRecord,
    Event,
    Request,
    Sample,
    SiteFlows,
    SiteHealth,
    UplinkStatus,
)  # fmt: skip
from edge.ops.clockfloor import ClockFloor
from edge.ops.timesync import is_synchronised
from edge.plan.announced import announce_topic, parse_announcement
from edge.store.cursor import CursorFile
from edge.store.db.checkpoint import CheckpointFile
from edge.store.ring.aside import Aside
from edge.store.trace import TraceWriter

RECORDS_MAX = 1_200  # two minutes of cycles at 100 ms
FLOWS_MAX = 600  # ten minutes of seconds
AUDIT_MAX = 500
NOTED_MAX = 3_600  # samples for the rollup: an hour of a disk that does not answer
STEP_S = 0.05  # a live sample leaves within this
ROOM_S = 2.0  # the desk waits for room on the disk; then it asks again later


log = logging.getLogger("edge.uplink")


class Uplink(Handover):
    """The uplink of one site. `note_*` are called from the control thread, everything else from the uplink's."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._clock = clock
        self._records: deque[CycleRecord] = deque(maxlen=RECORDS_MAX)
        self._flows: deque[SiteFlows] = deque(maxlen=FLOWS_MAX)
        self._audit: deque[AuditEntry] = deque(maxlen=AUDIT_MAX)
        self._health: SiteHealth | None = None  # the newest counts: its counters only grow
        self._noted: deque[tuple[int, Sample]] = deque(maxlen=NOTED_MAX)
        self._desk, self._rings = Aside("logbook"), Aside("telemetry")
        self._room_wanted, self._room_given, self._room_bytes = threading.Event(), threading.Event(), 0
        self._dropped_count = 0
        self.refused_count = 0  # announcements that were none
        self._status = UplinkStatus()
        self.offer: Callable[[Request], None] = lambda request: None
        self.announce: Callable[[Announcement], None] = lambda announcement: None
        kept = CheckpointFile(Path(config.store.path) / "carbon.checkpoint") if config.store.path else None
        self.mission = Mission(config, clock, kept)
        self.trace: TraceWriter | None = None  # set before the first cycle
        self._topics = Topics(config.site.tenant, config.site.id)
        self._host = config.cloud.host
        self._floor = ClockFloor(clock.wall_ms)
        self._link = link_of(config.site, config.cloud, clock, self._floor) if config.cloud.host else None
        self._link_said = ""  # connected, or the fault, as last logged
        self._sync: Sync | None = None
        self._message: tuple[str, bytes] | None = None  # newest to the cluster that found no room yet
        ring = telemetry_log(config.store) if config.store.path else None
        self.logbook = Logbook(config, ring, self._give_room)
        journal = self.logbook.journal if config.evidence.enabled else None
        self.ledger: Ledger | None = None
        if journal is not None:
            self.ledger = ledger_of(config, journal.ledger_rows, journal.append_ledger, journal.has_ledger_room)
        self._inbox = Inbox(Path(config.store.path))
        self._store = config.store.path
        self._begun = False  # the account knows how far the ledger got, the clock's floor how late it is at least
        if ring is not None:
            self._sync = Sync(
                self._topics, ring, CursorFile(Path(config.store.path) / "telemetry.cursor"), self._link,
                pace=pace_of(config.cloud), clock=self.logbook.clock, events=self._event_lane(config.store.path),
                aside=self._rings, live_every_s=config.cloud.live_every_s,
            )  # fmt: skip
        self._views = views_of(config, self._topics, self._link, self._wish, self.note_audit)
        if self._link is not None and config.signal.kind == "mqtt":
            self._link.subscribe(self._topics.intensity, self._on_intensity)
        if self._link is not None:
            self._link.subscribe(self._topics.compute(announce_topic(config.rule.cluster)), self._on_announcement)

    def _event_lane(self, folder: str) -> EventLane | None:
        """Events go out from the journal only: what is published is on the disk."""
        journal = self.logbook.journal
        if journal is None:
            return None

        def read(seq: int, max_count: int) -> list[NumberedEvent] | None:
            found = None if self._desk.busy else journal.events_after(seq, max_count)
            return None if found is None else [NumberedEvent(one.seq, one.event, one.sure) for one in found]

        return EventLane(read, lambda: journal.events_seq, CursorFile(Path(folder) / "events.cursor"), ACK_MAX_MS)

    # ---- control thread

    def note_record(self, record: CycleRecord) -> None:
        self._dropped_count += len(self._records) == RECORDS_MAX
        self._records.append(record)

    def note_flows(self, flows: SiteFlows) -> None:
        self._dropped_count += len(self._flows) == FLOWS_MAX
        self._flows.append(flows)

    def note_health(self, health: SiteHealth) -> None:
        self._health = health

    def note_audit(self, entry: AuditEntry) -> None:
        self._dropped_count += len(self._audit) == AUDIT_MAX
        self._audit.append(entry)

    def status(self) -> UplinkStatus:
        return self._status

    def events(self) -> tuple[Event, ...]:
        return self.logbook.recent

    # ---- uplink thread

    def run(self, ended: threading.Event) -> None:
        """Steps until told to end; then empties the queues, flushes and closes. Link and disk get threads of their own."""
        self._begin()
        if self._link is not None:
            self._link.start()
        self._desk.start()
        self._rings.start()
        while not ended.is_set():
            self.step()
            self._wait()
        while self._desk.busy or self._rings.busy:
            self._grant_room()
            self._desk.wait(STEP_S)
            self._rings.wait(STEP_S)
        self._desk.end()
        self._rings.end()
        self.step()
        self.close()

    def _wait(self) -> None:
        link = self._link
        fd = link.fileno() if link is not None else -1
        if link is None or fd < 0:
            select.select([], [], [], STEP_S)
        else:
            select.select([fd], [fd] if link.wants_write() else [], [], STEP_S)

    def step(self) -> None:
        """Whatever has arrived and whatever is due."""
        mono_ms = self._clock.mono_ms()
        self._begin()
        while self._flows:
            self._second(self._flows.popleft())
        if self._sync is not None:
            self._sync.step(mono_ms)
        for view in self._views:
            view.step(mono_ms)
        self._tell_cluster()
        self._log_link()
        self._grant_room()
        self._status = self._summary()
        if not self._desk.busy:
            account = self.mission.account
            kept = account.freeze_due(mono_ms, now=bool(account.closed))
            self._desk.give(partial(self._step_desk, mono_ms, self._status, kept))

    # ---- the desk: in its own thread while the uplink runs in one

    def _step_desk(self, mono_ms: int, status: UplinkStatus, account: dict[str, Any] | None) -> None:
        """Whatever may wait for the disk. `account`: for the checkpoint, frozen before its closed quarters are taken."""
        if self._sync is not None:
            self._note_refusals(self._sync)
        self._note_papers()
        while self._noted:
            self.logbook.note_sample(*self._noted.popleft())
        while self._records:
            record = self._records.popleft()
            self.logbook.note_record(record)
            if self.trace is not None:
                self.trace.note(record)
        while self._audit:
            self.logbook.note_audit(self._audit.popleft())
        health, self._health = self._health, None  # one that arrives between is told a second later
        if health is not None:
            self.logbook.note_health(health)
        if self.trace is not None:
            self.trace.sync_if_due(mono_ms)
        self._write_ledger(mono_ms)
        self.logbook.step(mono_ms, self._clock.wall_ms(), status)
        self.mission.account.keep(account)

    def _note_refusals(self, sync: Sync) -> None:
        while sync.refusals:
            topic, reason = sync.refusals.popleft()
            text = f"{topic}: {reason}; kept here, and sent again only when it is asked for"
            self.logbook.note_event(
                Event(self._clock.mono_ms(), self._clock.wall_ms(), "cloud.refused", text, "warning")
            )

    def _note_papers(self) -> None:
        """What the link has to say of its certificate files, and the sync of the store."""
        now = self._clock.mono_ms(), self._clock.wall_ms()
        while self._link is not None and self._link.notes:
            note = self._link.notes.popleft()
            self.logbook.note_event(Event(*now, note.name, note.text, note.level))
        while self._sync is not None and self._sync.notes:
            self.logbook.note_event(Event(*now, "store.rewound", self._sync.notes.popleft(), "alarm"))

    def _second(self, flows: SiteFlows) -> None:
        synced = bool(is_synchronised())
        request, step, message = self.mission.second(flows, ClockState("system" if synced else "none", None, synced))
        if request is not None:
            self.offer(request)
        if message is not None:
            self._message = message
        sample = sample_of(flows, step, self.mission.status.grid_intensity_mg_per_kwh)
        if self._sync is not None:
            self._noted.append((self._sync.note(sample), sample))
        for view in self._views:
            view.note(sample)

    def _wish(self, request: Request) -> None:
        """Of a view; `offer` is set after it was made."""
        self.offer(request)

    def _begin(self) -> None:
        """Once. The account goes on where the ledger ends, should its checkpoint be older; certificates are judged by
        nothing that is earlier than what the store knows."""
        if self._begun:
            return
        self._begun = True
        self.logbook.start(self._clock.mono_ms(), self._clock.wall_ms())
        if self.ledger is not None and (kept := self.ledger.last_kept()) is not None:
            self.mission.account.begin_after(kept)
        if self._sync is not None and self.logbook.clock is not None:
            known = latest_wall_ms(Path(self._store), self._sync.log, self.logbook.clock)
            self._floor.note("the newest record of the store", known)

    def _write_ledger(self, mono_ms: int) -> None:
        """Closed quarters, what else waits for the ledger, and what it has to say."""
        closed = self.mission.account.closed
        while closed:
            interval = closed.popleft()
            if self.ledger is not None:
                self.mission.late.note_closed(interval)
                self.ledger.note(interval, mono_ms)
        if self.ledger is not None:
            self._step_ledger(self.ledger, mono_ms)

    def _step_ledger(self, ledger: Ledger, mono_ms: int) -> None:
        wall_ms = self._clock.wall_ms()
        for told in self._inbox.take(mono_ms):
            if isinstance(told, Correction):
                ledger.correct(told)
            else:
                ledger.deliver(told)
        for one in self.mission.late.poll():
            ledger.note_factor(one.start_wall_ms, one.factor, "the source published it after the interval was booked")
        ledger.step(mono_ms, wall_ms)
        while ledger.notes:
            note = ledger.notes.popleft()
            self.logbook.note_event(Event(mono_ms, wall_ms, note.name, note.text, note.level))

    def _give_room(self) -> int:
        """Disk space for what must not be lost: the oldest telemetry, then the oldest trace."""
        given_bytes = self._ask_for_room() if self._desk.is_here else self._spare_telemetry()
        return given_bytes or (self.trace.log.give_room() if self.trace is not None else 0)

    def _spare_telemetry(self) -> int:
        return self._sync.log.give_room() if self._sync is not None else 0

    def _ask_for_room(self) -> int:
        """From the desk: the telemetry is the other thread's to delete."""
        self._room_bytes = 0
        self._room_given.clear()
        self._room_wanted.set()
        self._room_given.wait(ROOM_S)
        return self._room_bytes

    def _grant_room(self) -> None:
        if self._room_wanted.is_set():
            self._room_wanted.clear()
            self._room_bytes = self._spare_telemetry()
            self._room_given.set()

    def _tell_cluster(self) -> None:
        if self._message is not None and self._link is not None and self._link.connected:
            topic, payload = self._message
            if self._link.publish(self._topics.compute(topic), payload, 1, True) is not None:
                self._message = None

    def _log_link(self) -> None:
        """Changes of the connection, and changes of the reason why there is none."""
        link = self._link
        if link is None:
            return
        state = "connected" if link.connected else link.fault
        if state and state != self._link_said:
            self._link_said = state
            if link.connected:
                log.info("cloud state=connected host=%s", self._host)
            else:
                log.warning("cloud state=away fault=%r", state)

    def _on_intensity(self, topic: str, payload: bytes) -> None:
        self.mission.pushed.note(payload, self._clock.mono_ms(), self._clock.wall_ms())

    def _on_announcement(self, topic: str, payload: bytes) -> None:
        found = parse_announcement(payload, self._clock.mono_ms(), self._clock.wall_ms())
        if isinstance(found, str):
            self.refused_count += 1
            log.warning("announcement refused reason=%s", found)
        else:
            log.info("announcement event=%s delta_w=%d at_mono_ms=%d", found.event, found.delta_w, found.at_mono_ms)
            self.announce(found)

    def _summary(self) -> UplinkStatus:
        sync, trace = self._sync, self.trace
        fault = self._link.fault if self._link is not None and not self._link.connected else ""
        status = replace(self.mission.status, dropped_count=self._dropped_count, cloud_fault=fault)
        if sync is None:
            return status
        trace_fault = trace.log.fault if trace is not None else ""
        return replace(
            status,
            connected=sync.connected,
            stored_count=sync.stored_count,
            acked_count=sync.acked_count,
            pending_count=sync.pending_count,
            queue_age_ms=sync.queue_age_ms,
            parked_count=sync.parked_count,
            lost_count=sync.lost_count if self._link is not None else 0,  # nobody else asks for them
            store_bytes=sync.log.bytes_used,
            store_fault=sync.fault or trace_fault or self.logbook.fault,
        )

    def close(self) -> None:
        """Everything to the disk, a last word to the broker."""
        if self.trace is not None:
            self.trace.close()
        for view in self._views:
            view.close()
        if self._sync is not None:
            self._sync.close()
        self.mission.account.keep(self.mission.account.freeze_due(self._clock.mono_ms(), now=True))
        if self.ledger is not None:
            self.ledger.close()
        self.logbook.close(self._clock.mono_ms(), self._clock.wall_ms())


def open_trace(config: Config, kernel: Kernel) -> TraceWriter | None:
    """The trace ring of a site, beginning with the state before its first cycle."""
    if not config.store.path:
        return None
    tw_input, state, output = kernel.images()
    sizes = (len(tw_input), len(state), len(output))
    folder = Path(config.store.path) / "trace"
    return TraceWriter(
        folder, kernel.config_bytes(), abi_hash(), sizes, max_bytes=config.store.trace_max_bytes,
        sync_ms=config.store.sync_ms, initial_state=state,
    )  # fmt: skip
