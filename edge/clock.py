"""The only module that may ask the operating system for the time.

Two times, never mixed: mono (intervals, ages, leases) and wall (stamps only; may jump). Nobody subtracts wall times.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """What every part is given instead of the `time` module."""

    def mono_us(self) -> int: ...

    def mono_ms(self) -> int: ...

    def wall_ms(self) -> int: ...


class SystemClock:
    """CLOCK_MONOTONIC and the wall clock of this machine."""

    def mono_us(self) -> int:
        return time.monotonic_ns() // 1_000

    def mono_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000
