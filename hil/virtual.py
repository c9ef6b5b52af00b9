"""Virtual time: an event loop that never waits. When nothing is ready, its clock jumps to the next timer.

Only for peers inside the process; a PTY or a socket would race it.
"""

import asyncio
import heapq
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from edge.errors import EdgeError

T = TypeVar("T")
WALL_START_MS = 1_750_000_000_000  # 2025-06-15: any stamp that is plainly not the boot of a gateway
STEP_S = 1e-6


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0 s. A loop that waits for something that no timer will bring stops with an EdgeError."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._waiter = _NeverWaits(self)
        super().__init__(self._waiter)

    def time(self) -> float:
        return self.now_s


class _NeverWaits(selectors.SelectSelector):
    """Looks at the descriptors only when nothing else is left to do: that is how another thread's wake-up arrives."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            ready = super().select(0)
            if not ready:
                raise EdgeError("virtual time: everything waits and no timer is set")
            return ready
        scheduled: list[asyncio.TimerHandle] = getattr(self._loop, "_scheduled")  # noqa: B009 (not in the stubs)
        if timeout <= 0:
            # Who sets a timer for now, again and again, must see time pass, as it would on any machine.
            if scheduled and scheduled[0].when() <= self._loop.now_s:
                self._loop.now_s += STEP_S
        else:
            # To the timer's own time, not by the rounded difference, so that 0.1 s stays 0.1 s.
            while scheduled and scheduled[0].cancelled():
                handle = heapq.heappop(scheduled)
                setattr(handle, "_scheduled", False)  # noqa: B010 (as the loop does when it drops one)
                self._loop._timer_cancelled_count -= 1  # type: ignore[attr-defined]  # not in the stubs
            if scheduled:
                self._loop.now_s = max(self._loop.now_s, scheduled[0].when())
        return []


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
