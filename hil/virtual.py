"""Virtual time: an event loop that never waits. When nothing is ready, its clock jumps to the next timer.

Only for peers inside the process; a PTY or a socket would race it.
"""

import asyncio
import contextvars
import heapq
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple, Unpack

from edge.errors import EdgeError

T = TypeVar("T")
Args = TypeVarTuple("Args")
WALL_START_MS = 1_750_000_000_000  # 2025-06-15: any stamp that is plainly not the boot of a gateway
STEP_S = 1e-6
TOGETHER_S = 1e-9  # timers this close are due together, as in a loop with a real clock


class _Timer(asyncio.TimerHandle):
    """A timer without what only debugging asks for. Cancelled, it stays in the heap until its time.

    All timers of a loop share one context: nothing here keeps anything in context variables.
    """

    __slots__ = ()
    _scheduled = False  # the same for all: fewer to set
    _repr = _source_traceback = None

    def __init__(self, when_s: float, callback: Any, args: Any, loop: Any, context: contextvars.Context) -> None:
        self._when, self._callback, self._args, self._loop = when_s, callback, args, loop
        self._context, self._cancelled = context, False


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0 s. A loop that waits for something that no timer will bring stops with an EdgeError.

    One turn is written anew because a day has millions: timers by plain tuples, and descriptors are looked at only when
    nothing else is left to do (that is how another thread's wake-up arrives).
    """

    __slots__ = ("_numbers", "_shared", "_timers", "now_s")  # quicker to find than among the many of its base

    _ready: Any  # not in the stubs, nor is `_run_once`: the heart of asyncio's own loops
    _stopping: bool
    _selector: Any
    _process_events: Any

    def __init__(self) -> None:
        self.now_s = 0.0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._numbers = itertools.count()  # timers of one time fire in the order they were set
        self._shared = contextvars.copy_context()
        super().__init__()

    def time(self) -> float:
        return self.now_s

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Args]], object],
        *args: *Args,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context or self._shared)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _run_once(self) -> None:
        """Timers that are alone at their time follow each other here; with anything else it is a turn as usual."""
        ready, timers = self._ready, self._timers
        while timers and not ready and not self._stopping:
            when_s, _, timer = heapq.heappop(timers)
            if timer._cancelled:
                continue
            # To the timer's own time. Who sets one for now, again and again, sees time pass, as on any machine.
            self.now_s = when_s if when_s > self.now_s else self.now_s + STEP_S
            if timers and timers[0][0] <= self.now_s + TOGETHER_S:
                ready.append(timer)
            else:
                timer._callback(*timer._args)
        if not ready and not self._stopping:
            self._look_outside()
        due_s = self.now_s + TOGETHER_S
        while timers and timers[0][0] <= due_s:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:  # a fault in a callback ends the run; a loop with a real clock would log it
                handle._context.run(handle._callback, *handle._args)

    def _look_outside(self) -> None:
        events = self._selector.select(0)
        if not events:
            raise EdgeError("virtual time: everything waits and no timer is set")
        self._process_events(events)


class StepClock:
    """edge.clock.Clock moved by hand; the wall runs with it. For what has no loop."""

    def __init__(self, wall_start_ms: int = WALL_START_MS) -> None:
        self.now_ms = 0
        self._wall_start_ms = wall_start_ms

    def mono_us(self) -> int:
        return self.now_ms * 1_000

    def mono_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return self._wall_start_ms + self.now_ms


class VirtualClock:
    """edge.clock.Clock over a virtual loop; the wall clock may be moved without disturbing the monotonic one."""

    def __init__(self, loop: VirtualLoop, wall_start_ms: int = WALL_START_MS) -> None:
        self._loop = loop
        self.wall_start_ms = wall_start_ms

    def mono_us(self) -> int:
        return round(self._loop.now_s * 1_000_000)

    def mono_ms(self) -> int:
        return int(self._loop.now_s * 1000 + 1e-6)

    def wall_ms(self) -> int:
        return self.wall_start_ms + self.mono_ms()


def run(main: Coroutine[Any, Any, T], loop: VirtualLoop | None = None) -> T:
    """Like asyncio.run, in virtual time. Pass a loop when a VirtualClock must exist before."""
    with asyncio.Runner(loop_factory=lambda: loop or VirtualLoop()) as runner:
        return runner.run(main)


def run_virtual(
    main: Callable[[VirtualLoop, VirtualClock], Coroutine[Any, Any, T]], wall_start_ms: int = WALL_START_MS
) -> T:
    """`run` for a main that wants its loop and a clock over it."""
    loop = VirtualLoop()
    return run(main(loop, VirtualClock(loop, wall_start_ms)), loop)
