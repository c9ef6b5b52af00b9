"""The cable is out for hours or days: the real controller, uplink, store and link in virtual time, and what came of it.

Two clocks meet here. The site lives in virtual time; the broker is a thread with a real socket. While the cable is in, each
step of the uplink goes on at the same virtual moment until the broker has answered all of it, so the network takes no
virtual time and the run does not depend on the speed of the machine. With the cable out, nothing waits for the broker.
"""

import asyncio
import time
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from edge.app import Controller, bus_devices
from edge.cloud.codec import Batch, decode_batch
from edge.cloud.notices import NumberedEvent, decode_events
from edge.cloud.ranges import RangeSet
from edge.cloud.sync import Sync
from edge.config.options import Config
from edge.uplink import Uplink, open_trace
from hil.assembly import unit_specs
from hil.day.image import day_config
from hil.day.wired import WiredSite, play
from hil.plant.site import SiteSpec
from tests.cloud.scripted import Message, ScriptedBroker

QUIET_S = 20  # before the cable goes out, and after all has arrived
ANSWER_MAX_S = 10.0  # real: a broker in a thread of this process
DRAIN_MAX_S = 3_600
PAUSE_S = 0.0002
STEP_S = 0.05  # of the uplink, as in the product
HOUR_S = 3_600
LIVE_MAX_S = 2.0  # from a sample to its way out, while there is a connection


@dataclass
class Taken:
    """One message, and when the site sent it."""

    at_s: float
    lane: str
    message: Message


@dataclass
class Outcome:
    """What the run came to. Times are seconds of the site."""

    seconds: int
    cycles_count: int = 0
    late_count: int = 0
    dropped_count: int = 0  # between the threads
    stored_count: int = 0
    lost_count: int = 0  # overwritten before anybody had them, as the gateway says
    pending_count: int = 0
    out_first: int = 0  # numbers of the first and the last sample that were taken while the cable was out
    out_last: int = 0
    back_s: float = 0.0  # when the cable was in again
    up_s: float = 0.0  # when a connection stood again, after the back-off
    drained_s: float = 0.0  # when everything was acknowledged
    ended_s: float = 0.0
    taken: list[Taken] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)  # of the logbook: name, text
    rollup_count: int = 0
    store_bytes: int = 0

    def batches(self, lane: str) -> list[tuple[float, Batch]]:
        return [(one.at_s, decode_batch(one.message.payload)) for one in self.taken if one.lane == lane]

    def held(self) -> RangeSet:
        """The numbers that arrived, by whichever lane."""
        held = RangeSet()
        for lane in ("tm", "bf"):
            for _, batch in self.batches(lane):
                held.add(batch.seq0, batch.seq0 + len(batch.samples) - 1)
        return held

    def told(self) -> list[NumberedEvent]:
        """The events that arrived."""
        return [
            one for taken in self.taken if taken.lane == "ev" for one in decode_events(taken.message.payload).events
        ]


class CabledSite(WiredSite):
    """A wired site whose uplink is the product's own."""

    real: Uplink

    def new_controller(self) -> Controller:
        self.real = Uplink(self.config, self.clock)
        self.controller = Controller(self.config, bus_devices(self.config), self.clock, self._open_port, self.real)
        self.real.offer, self.real.announce = self.controller.authority.offer, self.controller.forecast.offer
        self.real.trace = open_trace(self.config, self.controller.kernel)
        return self.controller

    @property
    def sync(self) -> Sync:
        assert self.real._sync is not None
        return self.real._sync


class Cable:
    """The uplink's steps, and the broker at the other end of the cable."""

    def __init__(self, site: CabledSite, broker: ScriptedBroker, outcome: Outcome) -> None:
        self._site, self._broker, self._outcome = site, broker, outcome
        self._loop = asyncio.get_running_loop()

    def step(self) -> None:
        """One step of the uplink; while the cable is in, until nothing is under way."""
        self._site.real.step()
        if not self._broker.silent:
            end_s = time.monotonic() + ANSWER_MAX_S
            while self._is_busy():
                assert time.monotonic() < end_s, self._site.real._link.fault if self._site.real._link else ""
                time.sleep(PAUSE_S)
                self._site.real.step()
        self._collect()

    def _is_busy(self) -> bool:
        engine = self._site.real._link
        assert engine is not None
        link = engine._link
        dialing = link._dial is not None or (link._session is not None and not link.connected)
        return dialing or bool(link._flying) or bool(engine._out)

    def _collect(self) -> None:
        messages = self._broker.messages
        while messages:
            message = messages.pop(0)
            self._outcome.taken.append(Taken(self._loop.time(), message.topic.split("/")[3], message))

    async def let(self, seconds: float) -> None:
        """Virtual time passes, with the uplink's own pace."""
        end_s = self._loop.time() + seconds
        while self._loop.time() < end_s:
            await asyncio.sleep(STEP_S if self._site.sync.connected else 1.0)
            self.step()


def play_outage(folder: Path, hours: float, **store: int) -> Outcome:
    """A quiet minute, the cable out for `hours`, and in again until all is acknowledged. `store`: options of [store]."""
    broker = ScriptedBroker(receive_max=10, puback=0, hold=True)
    config = outage_config(folder, broker.port, **store)
    outcome = Outcome(int(hours * HOUR_S))

    async def script(wired: WiredSite) -> None:
        assert isinstance(wired, CabledSite)
        cable = Cable(wired, broker, outcome)
        await cable.let(QUIET_S)
        outcome.out_first = wired.sync.log.next_seq
        broker.silent = True
        wired.controller.on_cycle = wired.real.step  # once a second is enough while there is nobody to talk to
        await asyncio.sleep(outcome.seconds)
        wired.controller.on_cycle = lambda: None
        outcome.out_last = wired.sync.log.next_seq - 1
        broker.silent, outcome.back_s = False, wired.clock.mono_ms() / 1_000
        broker.cut()  # what was opened to a dead end
        while wired.sync.pending_count > 2 or not wired.sync.connected:
            await cable.let(STEP_S)
            outcome.up_s = outcome.up_s or (wired.clock.mono_ms() / 1_000 if wired.sync.connected else 0.0)
            assert wired.clock.mono_ms() / 1_000 - outcome.back_s < DRAIN_MAX_S, wired.sync.pending_count
        outcome.drained_s = wired.clock.mono_ms() / 1_000
        await cable.let(QUIET_S)
        _close(outcome, wired)

    try:
        play(config, SiteSpec(units=unit_specs(config)), 1, script, plant_step_s=1.0, site=CabledSite)
    finally:
        broker.close()
    return outcome


def _close(outcome: Outcome, wired: CabledSite) -> None:
    status, cycle = wired.real.status(), wired.controller.cycle
    outcome.ended_s = wired.clock.mono_ms() / 1_000
    outcome.cycles_count, outcome.late_count = cycle.seq, cycle.late_count
    outcome.dropped_count, outcome.stored_count = status.dropped_count, status.stored_count
    outcome.lost_count, outcome.pending_count = wired.sync.lost_count, wired.sync.pending_count
    outcome.store_bytes = wired.sync.log.bytes_used
    journal, rollup = wired.real.logbook.journal, wired.real.logbook.rollup
    assert journal is not None and rollup is not None
    assert journal.flush()
    outcome.events = [(one.event.name, one.event.text) for one in journal.events_after(0, 1_000_000) or []]
    outcome.rollup_count = rollup.log.stored_count
    wired.real.close()


def outage_config(folder: Path, port: int, **store: int) -> Config:
    """The example site at 1 Hz with a store and a broker; a smaller ring than a site file may ask for is possible."""
    path = str(folder / "store")
    config = day_config(store={"path": path}, cloud={"host": "127.0.0.1", "port": port})
    return replace(config, store=replace(config.store, **store))


def complaints(found: Outcome, *, is_small: bool = False) -> list[str]:
    """What is not as promised, each as a sentence; `is_small`: the ring did not hold the outage."""
    checks = [
        (abs(found.cycles_count - found.ended_s) > 2, f"{found.cycles_count} cycles in {found.ended_s:.0f} s"),
        (found.late_count > 0, f"{found.late_count} late cycles"),
        (found.dropped_count > 0, f"{found.dropped_count} records dropped between the threads"),
        (found.pending_count > 2, f"{found.pending_count} samples never acknowledged"),
        (found.stored_count != found.cycles_count, f"{found.stored_count} samples of {found.cycles_count} seconds"),
        (is_small != (found.lost_count > 0), f"{found.lost_count} samples overwritten"),
        (is_small != ("store.overwritten" in dict(found.events)), "the event of it"),
    ]
    wrong = [text for is_wrong, text in checks if is_wrong]
    return wrong + _gaps(found) + _order(found) + _events(found)


def _gaps(found: Outcome) -> list[str]:
    """Only what was overwritten may be missing, and that is the oldest of the outage."""
    held = found.held()
    gap = held.gap_from(1, found.stored_count - 2)
    if gap is None:
        return [] if not found.lost_count else [f"{found.lost_count} are said to be lost, and arrived"]
    size = gap[1] - gap[0] + 1
    if gap[0] < found.out_first - 3 or size != found.lost_count:
        return [
            f"missing {gap[0]}..{gap[1]}, {found.lost_count} said to be lost, the outage began at {found.out_first}"
        ]
    more = held.gap_from(gap[1] + 1, found.stored_count - 2)
    return [f"missing {more[0]}..{more[1]} as well"] if more else []


def _order(found: Outcome) -> list[str]:
    """After the cable is in: events first, then the newest, then the backlog from its oldest on, once; and live goes on."""
    wrong = []
    back = [one for one in found.taken if one.at_s >= found.back_s]
    lanes = [one.lane for one in back if one.lane in ("ev", "tm", "bf")]
    if lanes[:1] != ["ev"] or lanes.index("tm") > lanes.index("bf"):
        wrong.append(f"after the outage came {lanes[:8]}")
    backlog = [batch for at_s, batch in found.batches("bf") if at_s >= found.back_s]
    for before, after in pairwise(backlog):
        if after.seq0 < before.seq0 + len(before.samples):
            wrong.append(f"backlog {after.seq0} after {before.seq0}")
    sent = [(at_s, batch.samples[-1].mono_ms) for at_s, batch in found.batches("tm")]
    online = [late for at_s, mono_ms in sent if (late := at_s - mono_ms / 1_000) > LIVE_MAX_S]
    return wrong + ([f"live samples were late by up to {max(online):.1f} s"] if online else [])


def _events(found: Outcome) -> list[str]:
    """Every event that was kept arrived, in its order."""
    numbers: list[int] = []
    for one in found.told():
        if not numbers or one.seq > numbers[-1]:
            numbers.append(one.seq)
    want = list(range(1, len(found.events) + 1))
    return [] if numbers == want else [f"events {numbers[-3:]} of {len(want)} arrived, {len(numbers)} in their order"]
