"""One cycle, and the beat that runs it. The file to read first.

Freeze the inputs, decide with a pure function, give orders that the gate still checks, record what was seen and done.
A cycle waits for nothing: no bus, no disk, no network. Its lateness is measured every time.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from edge.clock import Clock
from edge.control.authority import Authority
from edge.control.forecast import Forecast
from edge.control.image import InputImage
from edge.control.orders import Orders
from edge.model import AuditEntry, CycleRecord, Event, SiteFlows, SiteHealth, UplinkStatus

LATE_KEPT_COUNT = 6_000  # ten minutes at 100 ms: enough for a p99 that means something
LATE_LIMIT_US = 5_000  # counted as late: a twentieth of the usual period


class Decider(Protocol):
    """The kernel as the cycle sees it."""

    input: Any
    output: Any

    def step(self) -> None: ...

    def images(self) -> tuple[bytes, bytes, bytes]: ...


class Handover:
    """The border to the uplink, seen from the control side. Nothing here may block."""

    def note_record(self, record: CycleRecord) -> None:
        """One cycle."""

    def note_flows(self, flows: SiteFlows) -> None:
        """One second."""

    def note_health(self, health: SiteHealth) -> None:
        """One second of devices and ports."""

    def note_audit(self, entry: AuditEntry) -> None:
        """Somebody asked for something."""

    def status(self) -> UplinkStatus:
        return UplinkStatus()

    def events(self) -> tuple[Event, ...]:
        """The newest events, oldest first."""
        return ()


class Cycle:
    """Runs the kernel once per period and hands each record on."""

    def __init__(
        self,
        kernel: Decider,
        image: InputImage,
        authority: Authority,
        forecast: Forecast,
        orders: Orders,
        clock: Clock,
        on_record: Callable[[CycleRecord], None] | None = None,
    ) -> None:
        self._kernel = kernel
        self.image = image
        self._authority = authority
        self._forecast = forecast
        self._orders = orders
        self._clock = clock
        self._on_record = on_record
        self.seq = 0
        self.late_us: deque[int] = deque(maxlen=LATE_KEPT_COUNT)
        self.late_count = 0

    def run_once(self, late_us: int) -> None:
        """One cycle, now."""
        now_mono_ms = self._clock.mono_ms()
        standing = self._authority.settle(now_mono_ms)
        self.image.note_announcements(self._forecast.settle(now_mono_ms))
        self.image.freeze(now_mono_ms, standing)
        self._kernel.step()
        self._orders.give(self._kernel.input, self._kernel.output)
        self.late_us.append(late_us)
        self.late_count += late_us > LATE_LIMIT_US
        if self._on_record is not None:
            images = self._kernel.images()
            self._on_record(CycleRecord(self.seq, now_mono_ms, self._clock.wall_ms(), late_us, *images))
        self.seq += 1


class Beaten(Protocol):
    """What is run once a period."""

    def run_once(self, late_us: int) -> None: ...


async def beat(cycle: Beaten, period_ms: int, after_each: Callable[[], None]) -> None:
    """Runs `cycle` every `period_ms` on absolute deadlines; a missed one is skipped, never caught up in a burst."""
    loop = asyncio.get_running_loop()
    period_s = period_ms / 1000
    due_s = loop.time() + period_s
    while True:
        await _until(loop, due_s)
        late_us = max(0, int((loop.time() - due_s) * 1_000_000))
        cycle.run_once(late_us)
        after_each()
        due_s += period_s
        if loop.time() > due_s:
            due_s = loop.time() + period_s - (loop.time() - due_s) % period_s


async def _until(loop: asyncio.AbstractEventLoop, when_s: float) -> None:
    done = loop.create_future()
    handle = loop.call_at(when_s, _release, done)
    try:
        await done
    finally:
        handle.cancel()


def _release(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)
