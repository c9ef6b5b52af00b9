"""A bus in virtual time: implements edge.field.port.Port; frames go to the slaves at once, replies come after wire time.

One request on the line at a time, as the master's discipline has it. `spoil` is where faults act: it gets request, reply
and the slave, and says what arrives when.
"""

import asyncio
from collections.abc import Callable, Sequence

from hil.slave import Slave

Arrivals = list[tuple[float, bytes]]  # (seconds after the slave's turnaround, bytes)
Spoil = Callable[[Slave, bytes, bytes], Arrivals | None]  # None: nothing is wrong


class WirePort:
    """One RS-485 segment with its slaves. `before` is called with the loop time ahead of each request."""

    def __init__(
        self,
        name: str,
        baud: int,
        slaves: Sequence[Slave],
        before: Callable[[], None] = lambda: None,
        spoil: Spoil | None = None,
    ) -> None:
        self.name = name
        self.is_cut = False
        self.request_count = 0
        self._char_s = 10 / baud
        self._slaves = {slave.address: slave for slave in slaves}
        self._before = before
        self._spoil = spoil
        self._on_bytes: Callable[[bytes], None] | None = None

    def open(self, on_bytes: Callable[[bytes], None]) -> None:
        if self.is_cut:
            raise OSError(f"{self.name}: the cable is cut")
        self._on_bytes = on_bytes

    def close(self) -> None:
        self._on_bytes = None

    def write(self, frame: bytes) -> None:
        """The frame reaches every slave; the one it is for answers."""
        if self.is_cut:
            raise OSError(f"{self.name}: the cable is cut")
        self.request_count += 1
        self._before()
        slave = self._slaves.get(frame[0])
        reply = slave.receive(frame) if slave is not None else None
        if slave is None or reply is None:
            return
        loop = asyncio.get_running_loop()
        heard_s = loop.time() + len(frame) * self._char_s + slave.turnaround_s
        arrivals = self._spoil(slave, frame, reply) if self._spoil is not None else None
        if arrivals is None:
            loop.call_at(heard_s + len(reply) * self._char_s, self._deliver, reply)
            return
        for delay_s, data in arrivals:
            loop.call_at(heard_s + delay_s + len(data) * self._char_s, self._deliver, data)

    def _deliver(self, data: bytes) -> None:
        if self._on_bytes is not None and not self.is_cut:
            self._on_bytes(data)
