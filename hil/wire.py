"""A port of the bus whose wire and devices are simulated: for virtual time, where a day of frames takes seconds.

The time of a transaction is that of the real wire: request, the device's turnaround (at least t3.5), reply, all at 10 or
11 bits a character. A request that runs into a reply is lost with it, as it would be. Faults act by a schedule (`faults`)
or by a test's own `spoil`. The plant is asked when the request is written, a few ms earlier than a device would.
"""

import asyncio
from collections.abc import Callable, Sequence

from edge.errors import EdgeError
from hil.faults import Arrivals, FaultBox
from hil.framing import char_s, silence_s
from hil.slave import Slave

OnBytes = Callable[[bytes], None]
Spoil = Callable[[Slave, bytes, bytes], Arrivals | None]  # (slave, request, reply); None: nothing is wrong


class WirePort:
    """Implements edge.field.line.port.Port over slaves of this process. `before` is called ahead of each request."""

    def __init__(
        self,
        name: str,
        baud: int,
        slaves: Sequence[Slave],
        before: Callable[[], None] = lambda: None,
        spoil: Spoil | None = None,
        *,
        parity: str = "N",
        stopbits: int = 1,
        faults: FaultBox | None = None,
    ) -> None:
        self.name = name
        self.is_cut = False  # the adapter is gone: the port says so, unlike a bus_cut
        self.request_count = 0
        self.lost_count = 0  # requests that ran into a reply
        self._char_s = char_s(baud, parity, stopbits)
        self._silence_s = silence_s(baud, parity, stopbits)
        self._slaves = {slave.address: slave for slave in slaves}
        if len(self._slaves) != len(slaves):
            raise EdgeError(f"port {name}: two devices have one address")
        self._before, self._spoil, self._faults = before, spoil, faults
        self._on_bytes: OnBytes | None = None
        self._loop: asyncio.AbstractEventLoop  # from the first opening on
        self._reply_start_s = self._reply_end_s = 0.0
        self._reply: asyncio.TimerHandle | None = None

    def open(self, on_bytes: OnBytes) -> None:
        if self.is_cut:
            raise OSError(f"{self.name}: the cable is cut")
        self._on_bytes, self._loop = on_bytes, asyncio.get_running_loop()

    def close(self) -> None:
        self._on_bytes = None

    def write(self, frame: bytes) -> None:
        """Sends a request; replies come through `on_bytes`."""
        if self.is_cut or self._on_bytes is None:
            raise OSError(f"{self.name}: the cable is cut or the port was never opened")
        self.request_count += 1
        self._before()
        now_s, faults = self._loop.time(), self._faults
        if self._reply_start_s <= now_s < self._reply_end_s and self._reply is not None:
            self.lost_count += 1
            self._reply.cancel()
            return
        slave = self._slaves.get(frame[0])
        if slave is None:
            return
        if faults is not None and not (faults.hears(self.name, now_s) and faults.hears(slave.name, now_s)):
            return
        reply = slave.receive(frame)
        if reply is None:
            return
        start_s = now_s + len(frame) * self._char_s + max(slave.turnaround_s, self._silence_s)
        arrivals = self._spoil(slave, frame, reply) if self._spoil is not None else None
        if arrivals is None:
            if faults is None:
                self._send(reply, start_s)
                return
            arrivals = faults.shape(slave.name, frame, reply, now_s)
        for delay_s, data in arrivals:
            self._send(data, start_s + delay_s)

    def _send(self, data: bytes, start_s: float) -> None:
        self._reply_start_s = start_s
        self._reply_end_s = end_s = start_s + len(data) * self._char_s
        self._reply = self._loop.call_at(end_s, self._deliver, data)

    def _deliver(self, data: bytes) -> None:
        if self._on_bytes is not None and not self.is_cut:
            self._on_bytes(data)
