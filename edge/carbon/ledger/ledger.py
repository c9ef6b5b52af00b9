"""The ledger of one site: intervals in, entries out, each naming the hash of the one before. Nothing is ever rewritten.

Owned by the uplink's thread. `note_*` only queue; `step` writes at most a few entries, so that filling a long gap does
not hold the thread. A day is the entries since the last day_root; its root closes it when the first interval of another
UTC day comes, or with the one that ends at midnight. Signature and time stamp follow as entries of their own.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from edge.carbon.account import Kept
from edge.carbon.flow import UNKNOWN_MG_PER_KWH
from edge.carbon.interval import FactorUse, Interval
from edge.carbon.ledger.balance import balance_doubts, interval_fault
from edge.carbon.ledger.body import body_of, factor_body, import_mj
from edge.carbon.ledger.entry import (
    FIRST_PREVIOUS,
    Body,
    Entry,
    Kind,
    deflate,
    inflate,
    leaf_of,
    make_entry,
    merkle_root,
    parse_line,
    utc_day,
)
from edge.carbon.ledger.gaps import fill_gap, join_registers
from edge.carbon.ledger.market import ug_of
from edge.carbon.ledger.plan import changes_of, plan_of
from edge.carbon.ledger.seal import Sealer
from edge.carbon.pool import PoolState
from edge.config.options import Config
from edge.errors import DataFault
from edge.model import EventLevel

STEP_MAX_COUNT = 4  # queued things a step deals with: some milliseconds on the slowest gateway
DAY_MS = 86_400_000
TAIL_COUNT = 200  # rows read at the start: two days; more where a day has more
TAIL_MAX_COUNT = 3_200
WEEK_COUNT = 1_600  # rows among which the same weekday of the week before is looked for
RETRY_MS = 600_000
CLOCK_MIN_MS = 1_000  # a clock that was wrong by less than this moves no interval
NOTES_MAX_COUNT = 100

# What stands in where nothing at all is known of the grid; see flow.py for the number.
UNKNOWN_ANNUAL = FactorUse(
    factor_id="unknown", kind="annual", value_mg_per_kwh=UNKNOWN_MG_PER_KWH, source="default of unknown electricity",
    version="1", published_wall_ms=None, payload_sha256="", quality="default",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LedgerNote:
    """Something worth an event: as the logbook wants it."""

    name: str
    text: str
    level: EventLevel


@dataclass(frozen=True, slots=True)
class Correction:
    """What entry `no` (whose hash is `digest`) should have said, of the same time; who says so, and why."""

    no: int
    digest: str
    interval: Interval
    who: str
    why: str


class Ledger:
    """`rows` gives the newest N rows that are kept, oldest first, None when that cannot be read; `append` keeps one more."""

    def __init__(
        self,
        config: Config,
        rows: Callable[[int], list[bytes] | None],
        append: Callable[[int, int, bytes], None],
        *,
        annual: FactorUse = UNKNOWN_ANNUAL,
        sealer: Sealer | None = None,
    ) -> None:
        self._site, self._rows, self._append, self._annual = config.site.id, rows, append, annual
        self._tenant = config.site.tenant
        self._config_plan = plan_of(config)
        self.sealer = sealer or Sealer(config.evidence.key_file, config.evidence.stamp_url)
        self._queue: deque[tuple[Interval, int]] = deque()
        self._revisions: deque[tuple[int, FactorUse, str]] = deque()
        self._corrections: deque[Correction] = deque()
        self.notes: deque[LedgerNote] = deque(maxlen=NOTES_MAX_COUNT)
        self.head: Entry | None = None
        self.seal_fault = ""
        self._is_open = False
        self._plan: Body | None = None  # as last written in this day
        self._plan_before: Body | None = None  # as last written at all
        self._last: Body | None = None  # newest interval
        self._leaves: list[bytes] = []  # of the day in hand
        self._first_no = 1
        self._unsigned: deque[Entry] = deque()
        self._unstamped: deque[Entry] = deque()
        self._unsure: list[tuple[int, int]] = []  # (entry, wall - mono) of intervals whose clock was not synchronised
        self._filled_to_ms = 0  # up to here gaps were looked at
        self._seal_mono_ms = 0
        self._told_unsigned = False  # once in a run
        self._now = (0, 0)

    # ---- what is to be written

    def note(self, interval: Interval, mono_ms: int) -> None:
        """A closed interval; `mono_ms` is when it closed."""
        self._queue.append((interval, mono_ms))

    def note_factor(self, start_wall_ms: int, factor: FactorUse, why: str) -> None:
        """A factor that came late, or was published anew, for the interval that began then."""
        self._revisions.append((start_wall_ms, factor, why))

    def correct(self, correction: Correction) -> None:
        """What an entry should have said. Both stay; the newest correction counts."""
        self._corrections.append(correction)

    @property
    def waiting_count(self) -> int:
        return len(self._queue) + len(self._revisions) + len(self._corrections)

    def last_kept(self) -> Kept | None:
        """The end of the newest interval that is kept, for the account to go on from; None: none, or not readable now."""
        for row in reversed(self._rows(TAIL_COUNT) or []):
            try:
                entry = parse_line(inflate(row))
            except DataFault:
                return None  # `step` tells of it
            if entry.kind == "interval":
                pool = entry.body["pool"]
                return Kept(entry.body["stop_ms"], PoolState(pool["close_uj"], pool["close_ug"]))
        return None

    # ---- driving

    def step(self, mono_ms: int, wall_ms: int) -> None:
        """A few of what waits; then the seal. Call often."""
        self._now = (mono_ms, wall_ms)
        if not self._is_open and not self._open():
            return
        for _ in range(STEP_MAX_COUNT):
            if self._queue:
                self._take(*self._queue.popleft())
            elif self._corrections:
                self._correct(self._corrections.popleft())
            elif self._revisions:
                self._revise(*self._revisions.popleft())
            else:
                break
        self._seal(mono_ms)

    def close(self) -> None:
        """Writes what waits (not what would be filled for long) and ends the child."""
        if self._is_open:
            while self.waiting_count:
                self.step(*self._now)
        self.sealer.close()

    def _open(self) -> bool:
        """Takes the chain up where it ends; once."""
        count = TAIL_COUNT
        while True:
            rows = self._rows(count)
            if rows is None:
                return False
            try:
                entries = [parse_line(inflate(row)) for row in rows]
            except DataFault as fault:
                self._tell(
                    "damaged", f"the newest rows of the ledger cannot be read ({fault}): a new chain begins", "alarm"
                )
                entries = []
            if len(rows) < count or count >= TAIL_MAX_COUNT or any(one.kind == "day_root" for one in entries):
                break
            count *= 2
        self._is_open = True
        for entry in entries:
            self._recall(entry)
        if not entries:
            why = "damaged" if rows else "first"
            self._write("opening", {"plan": self._config_plan, "tenant": self._tenant, "why": why})
        elif self._plan_before != self._config_plan:
            self._write_plan()
        return True

    def _recall(self, entry: Entry) -> None:
        """One entry that is kept already."""
        self.head = entry
        self._follow(entry)
        if entry.kind == "interval":
            self._last = entry.body
        elif entry.kind == "signature":
            self._unsigned = deque(one for one in self._unsigned if one.no != entry.body["entry"])
        elif entry.kind == "time_stamp":
            self._unstamped = deque(one for one in self._unstamped if one.no != entry.body["entry"])

    def _follow(self, entry: Entry) -> None:
        """What every entry, new or recalled, does to the day in hand."""
        if entry.kind == "day_root":
            self._leaves, self._first_no, self._plan = [], entry.no + 1, None
            self._unsigned.append(entry)
            self._unstamped.append(entry)
            return
        self._leaves.append(leaf_of(entry.line))
        if entry.kind in ("plan", "opening"):
            self._plan = self._plan_before = entry.body["plan"]

    def _write(self, kind: Kind, body: Body) -> Entry:
        no, previous = (self.head.no + 1, self.head.digest) if self.head is not None else (1, FIRST_PREVIOUS)
        entry = make_entry(kind, no, self._now[1], self._site, previous, body)
        self._append(*self._now, deflate(entry))
        self.head = entry
        self._follow(entry)
        return entry

    def _tell(self, name: str, text: str, level: EventLevel = "info") -> None:
        self.notes.append(LedgerNote(f"ledger.{name}", text, level))

    # ---- intervals

    def _take(self, interval: Interval, mono_ms: int) -> None:
        self._note_clock(interval, mono_ms)
        if self._last is not None and interval.start_wall_ms > max(self._last["stop_ms"], self._filled_to_ms):
            self._filled_to_ms = interval.start_wall_ms  # whatever comes of it, this gap is not looked at again
            filled = fill_gap(self._last, interval, self._plan_before or self._config_plan, self._annual, self._imports)
            if filled:
                self._tell("gap", f"{len(filled)} intervals without data, made of the registers", "warning")
                self._queue.extendleft(reversed([*((one, mono_ms) for one in filled), (interval, mono_ms)]))
                return
            self._tell(
                "gap", f"no data from {self._last['stop_ms']} to {interval.start_wall_ms}, and no register", "alarm"
            )
        if self._last is not None and utc_day(self._last["start_ms"]) != utc_day(interval.start_wall_ms):
            self._close_day(utc_day(self._last["start_ms"]))
        if self._last is not None and self._last["stop_ms"] == interval.start_wall_ms:
            interval = join_registers(self._last, interval, self._plan_before or self._config_plan)
        self._write_interval(interval, mono_ms)
        if interval.stop_wall_ms % DAY_MS == 0:
            self._close_day(utc_day(interval.start_wall_ms))

    def _write_interval(self, interval: Interval, mono_ms: int) -> None:
        plan = self._plan if self._plan is not None else self._write_plan()
        body = body_of(interval, plan)
        fault = interval_fault(body, plan)
        if fault is not None:  # written all the same: a ledger that leaves out what it does not like is none
            self._tell("unbalanced", f"{fault.field}: {fault.found}, expected {fault.expected}", "alarm")
        for doubt in balance_doubts(body, plan):
            self._tell("doubt", doubt, "warning")
        if self._last is not None:
            self._note_pool(self._last["pool"], body["pool"])
        entry = self._write("interval", body)
        self._last = body
        if not interval.clock.synced:
            self._unsure.append((entry.no, interval.stop_wall_ms - mono_ms))
        for span in body["registers"]:
            self._note_register(entry, span, plan)

    def _note_pool(self, before: Body, now: Body) -> None:
        """A restart that lost the battery's content, or found it anew: said, so that carbon goes on balancing."""
        was, found = (before["close_uj"], before["close_ug"]), (now["open_uj"], now["open_ug"])
        if was != found:
            self._write("pool_step", {"from_ug": was[1], "from_uj": was[0], "to_ug": found[1], "to_uj": found[0]})

    def _note_register(self, entry: Entry, span: Body, plan: Body) -> None:
        start, stop, delta = span["start_wh"], span["stop_wh"], span["delta_wh"]
        if None in (start, stop, delta) or stop >= start:
            return
        body = {**span, "entry": entry.no}
        if span["reason"].startswith("rollover"):
            self._write("rollover", body)
        elif span["reason"].startswith("exchange"):
            self._write("meter_exchange", {**body, "who": "registers", "why": span["reason"]})

    def _write_plan(self) -> Body:
        if self._plan_before is not None:
            for kind, body in changes_of(self._plan_before, self._config_plan):
                self._write(kind, body)
                self._tell(kind, f"{body['meter']}: {', '.join(body['changes'])}")
        self._write("plan", {"plan": self._config_plan})
        return self._config_plan

    def _close_day(self, day: str) -> None:
        if not self._leaves or self.head is None:
            return
        root = merkle_root(self._leaves)
        body = {
            "count": len(self._leaves),
            "day": day,
            "first_no": self._first_no,
            "last_no": self.head.no,
            "root": root,
        }
        self._write("day_root", body)
        if not self.sealer.key_file and not self._told_unsigned:
            self._told_unsigned = True
            self._tell("unsigned", "no key: the daily roots are not signed (evidence.key_file)", "warning")

    def _imports(self) -> dict[int, int]:
        """Start of each interval of the newest days -> what it imported, for the shape of a weekday."""
        entries = [parse_line(inflate(row)) for row in self._rows(WEEK_COUNT) or []]
        return {one.body["start_ms"]: import_mj(one.body) for one in entries if one.kind == "interval"}

    def _note_clock(self, interval: Interval, mono_ms: int) -> None:
        """The first interval with a good clock says how wrong the ones before it were stamped."""
        if not self._unsure or not interval.clock.synced:
            return
        base_ms = interval.stop_wall_ms - mono_ms
        for no, then_ms in self._unsure:
            if abs(base_ms - then_ms) >= CLOCK_MIN_MS:
                why = "the clock was not synchronised then"
                self._write(
                    "clock_correction", {"entry": no, "offset_ms": base_ms - then_ms, "who": "clock", "why": why}
                )
                self._filled_to_ms = interval.start_wall_ms
        self._unsure = []

    # ---- what is found later

    def _find(self, wanted: Callable[[Entry], bool]) -> Entry | None:
        for row in reversed(self._rows(WEEK_COUNT) or []):
            entry = parse_line(inflate(row))
            if entry.kind == "interval" and wanted(entry):
                return entry
        return None

    def _revise(self, start_wall_ms: int, factor: FactorUse, why: str) -> None:
        entry = self._find(lambda one: one.body["start_ms"] == start_wall_ms)
        if entry is None:
            self._tell("late", f"a factor for {start_wall_ms}, of which no interval is kept", "warning")
            return
        ug = ug_of(import_mj(entry.body), factor.value_mg_per_kwh)
        difference_ug = ug - entry.body["location_ug"]
        body = {
            "difference_ug": difference_ug,
            "digest": entry.digest,
            "entry": entry.no,
            "factor": factor_body(factor),
        }
        self._write("factor_revised", {**body, "why": why})

    def _correct(self, correction: Correction) -> None:
        spans = tuple(replace(span, quality="corrected") for span in correction.interval.registers)
        made = body_of(replace(correction.interval, registers=spans), self._plan_before or self._config_plan)
        made["quality"] = "corrected"
        told = {"digest": correction.digest, "entry": correction.no, "who": correction.who, "why": correction.why}
        entry = self._write("correction", {**told, "interval": made})
        self._tell(
            "correction", f"entry {entry.no} corrects {correction.no}: {correction.who}: {correction.why}", "warning"
        )

    # ---- the seal

    def _seal(self, mono_ms: int) -> None:
        answer = self.sealer.poll(mono_ms)
        if answer is not None:
            self._sealed(answer, mono_ms)
        if self.sealer.busy or mono_ms < self._seal_mono_ms:
            return
        if self._unsigned and self.sealer.key_file:
            fault = self.sealer.start("sign", self._unsigned[0].digest, mono_ms)
        elif self._unstamped and self.sealer.stamp_url:
            fault = self.sealer.start("stamp", self._unstamped[0].digest, mono_ms)
        else:
            return
        if fault:
            self._sealed({"fault": fault}, mono_ms)

    def _sealed(self, answer: dict[str, Any], mono_ms: int) -> None:
        fault = str(answer.get("fault", ""))
        if fault and fault != self.seal_fault:
            self._tell("seal", fault, "warning")
        self.seal_fault = fault
        if fault:
            self._seal_mono_ms = mono_ms + RETRY_MS
        elif "signature" in answer:
            root = self._unsigned.popleft()
            self._write("signature", {"digest": root.digest, "entry": root.no, **answer})
        else:
            root = self._unstamped.popleft()
            self._write("time_stamp", {"digest": root.digest, "entry": root.no, **answer})
