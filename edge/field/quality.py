"""How good what a device says is: GOOD, HELD, STALE or BAD, with a monotonic age. Nothing is ever stamped anew.

* Missing: a sentinel, an infinity, a value outside its point's range (decode.py). A reading that lacks a mandatory value
  refreshes no age; whoever used the last whole one goes on with it, at its own age.
* Step: a value that differs from the last believed one by more than the point's `step_max` is held back once, that is
  missing from this reading. If the next one is within `step_max` of the one held back, it is believed; if not, it is
  held back in turn. So one wild value costs one reading, a real jump is late by one, and rubbish grows old.
* Frozen: a device that answers but whose values stand still. Its age is that of the last change, whatever it answers:
  - a heartbeat that does not count for HEARTBEAT_MS (BMS: the kernel judges that too);
  - energy counters that all stand still while the power read beside them should have moved them by ENERGY_COUNTS
    counts, and for a minute at least;
  - the POC's power to the watt the same for POC_STILL_MS, and not 0, although load, PV and battery together have moved
    the grid by a hundredth of the site since: counted from when the slower meters have seen what the POC saw last, and
    believed when the POC has had time to see it too. A single jump of the others proves nothing: one of them may be
    the one that stood still.
* A device is BAD when it is the wrong one, frozen or was never read whole; STALE when a block it cannot do without is
  older than the limit; HELD when the last answer of such a block could not be used; else GOOD.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.config.options import Config
from edge.field.profile import Block, Profile
from edge.model import Quality, Reading

STALE_MIN_MS, STALE_PERIODS = 3_000, 3  # where the kernel has no limit of its own: polls that may be missed
HEARTBEAT_MS = 5_000  # of those that have one, the slowest count once a second
ENERGY_COUNTS, ENERGY_STILL_MS = 20, 60_000  # a scale that is wrong by ten is no frozen counter
POC_STILL_MS = 5_000  # slow meters have a new value once a second or two
METER_LAG_MS = 2_000  # the slowest of the others is read once a second, and means are of the last half
MOVED_PART, MOVED_MIN_W = 100, 500  # of the import limit: clear of what is not metered
MOVES_MIN_COUNT = 3  # seconds in which the others moved
JUDGE_MS = 1_000


class BlockWatch:
    """One block of one device: when it was last whole, why its last answer could not be used, what jumps in it."""

    __slots__ = ("_believed", "_held", "block", "fault", "is_judged", "steps", "taken_mono_ms")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.is_judged = bool(block.mandatory)
        self.taken_mono_ms: int | None = None
        self.fault = ""  # of the last answer, in words
        self.steps = tuple((i, p.step_max) for i, p in enumerate(block.points) if p.step_max is not None)
        self._believed: dict[int, int] = {}
        self._held: dict[int, int] = {}

    def note(self, reading: Reading) -> Reading:
        """The reading as it may be believed."""
        if self.steps:
            reading = self._hold_steps(reading)
        if reading.complete:
            self.taken_mono_ms, self.fault = reading.taken_mono_ms, ""
        elif not self._held:
            points = self.block.points
            missing = [points[index].name for index in self.block.mandatory if reading.values[index] is None]
            self.fault = f"{', '.join(missing)}: not available or out of range"
        return reading

    def _hold_steps(self, reading: Reading) -> Reading:
        values = list(reading.values)
        for index, step_max in self.steps:
            value = values[index]
            if value is None:
                continue
            believed, held = self._believed.get(index), self._held.pop(index, None)
            near = believed is None or abs(value - believed) <= step_max
            if near or (held is not None and abs(value - held) <= step_max):
                self._believed[index] = value
                continue
            self._held[index] = value
            values[index] = None
            self.fault = f"{self.block.points[index].name}: jumped from {believed} to {value}, held back once"
        if not self._held:
            return reading
        complete = reading.complete and not any(index in self._held for index in self.block.mandatory)
        return reading._replace(values=tuple(values), complete=complete)

    def quality(self, now_mono_ms: int, stale_ms: int) -> Quality:
        if self.taken_mono_ms is None:
            return Quality.BAD
        if now_mono_ms - self.taken_mono_ms > stale_ms:
            return Quality.STALE
        return Quality.HELD if self.fault else Quality.GOOD


@dataclass(slots=True)
class Counter:
    """A point that must move: what it said, and since when it says that."""

    value: int | None = None
    since_mono_ms: int = 0

    def note(self, value: int | None, mono_ms: int) -> None:
        if value is not None and value != self.value:
            self.value, self.since_mono_ms = value, mono_ms


class DeviceWatch:
    """One device: its blocks, and whether its values stand still. `power_w` is the last one read, None before."""

    __slots__ = (
        "_energy", "_energy_least_wh", "_heartbeat", "_kinds", "_should_ws", "averaging_ms", "blocks", "frozen",
        "frozen_since_ms", "limit_ms", "power_w",
    )  # fmt: skip

    def __init__(self, profile: Profile, averaging_ms: int = 0) -> None:
        self.blocks = tuple(BlockWatch(block) for block in profile.blocks)
        judged = [block.period_ms for block in profile.blocks if block.mandatory]
        self.limit_ms = max(STALE_MIN_MS, STALE_PERIODS * max(judged, default=0))
        self.averaging_ms = averaging_ms
        self.frozen = ""  # in words
        self.frozen_since_ms: int | None = None
        self._kinds: dict[str, tuple[tuple[int, Counter], ...]] = {}
        self.power_w, self._heartbeat = Counter(), Counter()
        self._energy: dict[str, Counter] = {}
        self._energy_least_wh = 0.0
        self._should_ws = 0.0  # what has flowed since an energy counter moved
        for block in profile.blocks:
            self._find(block)

    def _find(self, block: Block) -> None:
        """Which points of a block are watched for standing still."""
        found: list[tuple[int, Counter]] = []
        for index, point in enumerate(block.points):
            kind, _, word = point.role.partition(".")
            if word == "power":
                found.append((index, self.power_w))
            elif word == "heartbeat":
                found.append((index, self._heartbeat))
            elif word.startswith("energy") and kind:
                found.append((index, self._energy.setdefault(point.name, Counter())))
                count_wh = float(point.factor) / (10 if point.type == "f32" else 1)  # a float shows tenths at least
                self._energy_least_wh = max(self._energy_least_wh, ENERGY_COUNTS * count_wh)
        if found:
            self._kinds[block.name] = tuple(found)

    def note(self, reading: Reading) -> None:
        """After `BlockWatch.note`: what moved."""
        for index, counter in self._kinds.get(reading.block, ()):
            value = reading.values[index]
            if value != counter.value:
                counter.note(value, reading.taken_mono_ms)

    def judge(self, now_mono_ms: int, passed_ms: int, *, power_min_w: int, evidence: str = "") -> None:
        """Is it frozen now? `evidence` is what others say against its power; `power_min_w` what moves a counter."""
        causes = [*self._still_heartbeat(now_mono_ms), *self._still_energy(now_mono_ms, passed_ms, power_min_w)]
        if evidence:
            causes.append((self.power_w.since_mono_ms, evidence))
        self.frozen_since_ms, self.frozen = min(causes) if causes else (None, "")

    def _still_heartbeat(self, now_mono_ms: int) -> Iterable[tuple[int, str]]:
        beat = self._heartbeat
        if beat.value is not None and now_mono_ms - beat.since_mono_ms > HEARTBEAT_MS:
            yield beat.since_mono_ms, f"its heartbeat stands at {beat.value}"

    def _still_energy(self, now_mono_ms: int, passed_ms: int, power_min_w: int) -> Iterable[tuple[int, str]]:
        counters = [counter for counter in self._energy.values() if counter.value is not None]
        if not counters:
            return
        moved_ms = max(counter.since_mono_ms for counter in counters)
        power_w = abs(self.power_w.value or 0)
        if now_mono_ms - moved_ms <= passed_ms:  # just now
            self._should_ws = 0.0
        elif power_w >= power_min_w:
            self._should_ws += power_w * passed_ms / 1000
        should_wh = self._should_ws / 3600
        if should_wh > self._energy_least_wh and now_mono_ms - moved_ms > ENERGY_STILL_MS:
            yield moved_ms, f"its energy counters stand still, {should_wh:.0f} Wh have flowed"

    def age_ms(self, now_mono_ms: int) -> int | None:
        """Of the oldest block it cannot do without, or of the last change when it is frozen."""
        taken = [watch.taken_mono_ms for watch in self.blocks if watch.is_judged]
        known = [since_ms for since_ms in taken if since_ms is not None]
        if len(known) < len(taken) or not taken:
            return None
        oldest_ms = min(known)
        if self.frozen_since_ms is not None:
            oldest_ms = min(oldest_ms, self.frozen_since_ms)
        return now_mono_ms - oldest_ms

    def quality(self, now_mono_ms: int) -> tuple[Quality, str]:
        """Of the worst block it cannot do without, and why in words."""
        if self.frozen:
            return Quality.BAD, f"frozen: {self.frozen}"
        worst, why = Quality.GOOD, ""
        for watch in self.blocks:
            if watch.is_judged:
                quality = watch.quality(now_mono_ms, self.limit_ms)
                if quality > worst:
                    worst, why = quality, watch.fault and f"{watch.block.name}: {watch.fault}"
        return worst, why


class SiteWatch:
    """All devices of a site, judged once a second: here they speak against each other."""

    def __init__(self, config: Config, watches: dict[str, DeviceWatch]) -> None:
        """`watches` by the names of the devices."""
        uses: dict[str, list[DeviceWatch]] = {}
        for device in config.device:
            uses.setdefault(device.use, []).append(watches[device.name])
        self._all = tuple(watches.values())
        self._poc = uses["poc"][0] if "poc" in uses else None  # one a site
        self._loads, self._sources = (
            uses.get("load", []),
            [watch for use in ("pv", "pcs", "genset") for watch in uses.get(use, [])],
        )
        self._moved_w = max(MOVED_MIN_W, config.limits.import_max_w // MOVED_PART)
        lag_ms = METER_LAG_MS + (self._poc.averaging_ms if self._poc else 0)
        self._lag_ms, self._still_ms = lag_ms, max(POC_STILL_MS, 2 * lag_ms)
        self._others_w: int | None = None  # what the others said once they had seen what the POC saw last
        self._before_w, self._moves_count = 0, 0
        self._moved_since_ms: int | None = None
        self._evidence = ""
        self._judged_mono_ms = 0
        for limit_ms, names in _limits(config):
            for name in names:
                watches[name].limit_ms = limit_ms

    def judge(self, now_mono_ms: int) -> None:
        """Call it every cycle; it looks once a second."""
        passed_ms = now_mono_ms - self._judged_mono_ms
        if passed_ms < JUDGE_MS:
            return
        self._judged_mono_ms = now_mono_ms
        evidence = "" if self._poc is None else self._against(self._poc.power_w, now_mono_ms)
        for watch in self._all:
            said = evidence if watch is self._poc else ""
            watch.judge(now_mono_ms, passed_ms, power_min_w=self._moved_w, evidence=said)

    def _against(self, poc: Counter, now_mono_ms: int) -> str:
        """What load, PV and battery together did to the grid while the POC's power stood still."""
        still_ms = now_mono_ms - poc.since_mono_ms
        if not poc.value or still_ms <= self._lag_ms:
            self._others_w, self._moved_since_ms, self._evidence = None, None, ""
            return ""
        others_w = _sum_w(self._loads) - _sum_w(self._sources)
        if self._others_w is None:
            self._others_w = self._before_w = others_w
            self._moves_count = 0
        self._moves_count += others_w != self._before_w
        self._before_w = others_w
        moved_w = abs(others_w - self._others_w)
        if moved_w < self._moved_w or self._moves_count < MOVES_MIN_COUNT:
            self._moved_since_ms = None
        elif self._moved_since_ms is None:
            self._moved_since_ms = now_mono_ms
        elif now_mono_ms - self._moved_since_ms >= self._lag_ms and still_ms > self._still_ms and not self._evidence:
            self._evidence = f"its power stands at {poc.value} W, the others moved the grid by {moved_w} W"
        return self._evidence  # until it moves: that the others come back to where they were proves nothing


def _sum_w(watches: Sequence[DeviceWatch]) -> int:
    return sum(watch.power_w.value or 0 for watch in watches)


def _limits(config: Config) -> Iterable[tuple[int, list[str]]]:
    """Where the kernel has an age limit: that one."""
    yield config.limits.poc_age_max_ms, [device.name for device in config.device if device.use == "poc"]
    for unit in config.unit:
        yield unit.pcs_age_max_ms, [unit.pcs]
        yield unit.bms_age_max_ms, [unit.bms]
