"""An RS-485 line for processes that are not ours: one tty for the master, one for each slave, everybody hears the others.

What one end says takes the time of the wire and then arrives at every other end, in portions as a UART hands them over.
Bytes of two ends at the same time are spoiled and counted. No framing and no addresses: those are the peers' business.
"""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable
from dataclasses import dataclass, field

from hil.framing import char_s

PORTION_BYTES = 16  # a UART's FIFO
MASTER = 0


@dataclass(slots=True, eq=False)
class _Burst:
    """What one end said at once, while it is on the wire."""

    talker: int
    end_s: float
    is_spoiled: bool = False
    handles: list[asyncio.TimerHandle] = field(default_factory=list)


class Hub:
    """`start()` in a running loop, then open `paths`: the first is the master's, the others are the slaves'.

    `echo`: the master also hears itself, as with an adapter whose receiver is never switched off.
    `heard` is what passed on the wire: (loop time of the last byte, index of who spoke, bytes). `spoil` may change what the
    master says.
    """

    def __init__(self, slave_count: int, baud: int = 115_200, *, echo: bool = False) -> None:
        self.paths: list[str] = []
        self.collision_count = 0
        self.heard: list[tuple[float, int, bytes]] = []
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        self._slave_count, self._char_s, self._echo = slave_count, char_s(baud), echo
        self._pairs: list[tuple[int, int]] = []
        self._bursts: list[_Burst] = []

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        for index in range(1 + self._slave_count):
            main_fd, tty_fd = os.openpty()  # both stay open: a peer that closes is no hang-up
            tty.setraw(tty_fd)
            os.set_blocking(main_fd, False)
            self._pairs.append((main_fd, tty_fd))
            self.paths.append(os.ttyname(tty_fd))
            self._loop.add_reader(main_fd, self._readable, index)

    def stop(self) -> None:
        for handle in (handle for burst in self._bursts for handle in burst.handles):
            handle.cancel()
        for main_fd, tty_fd in self._pairs:
            self._loop.remove_reader(main_fd)
            os.close(main_fd)
            os.close(tty_fd)
        self._pairs.clear()

    def _readable(self, index: int) -> None:
        data = os.read(self._pairs[index][0], 4096)
        self._say(index, self.spoil(data) if index == MASTER else data)

    def _say(self, index: int, data: bytes) -> None:
        now_s = self._loop.time()
        self._bursts = [burst for burst in self._bursts if burst.end_s > now_s]
        others = [burst for burst in self._bursts if burst.talker != index]
        start_s = max([now_s, *(burst.end_s for burst in self._bursts if burst.talker == index)])
        burst = _Burst(index, start_s + len(data) * self._char_s, bool(others))
        for other in others:  # two talk at once: nobody understands either
            other.is_spoiled = True
        self.collision_count += bool(others)
        self._bursts.append(burst)
        self.heard.append((burst.end_s, index, data))
        for begin in range(0, len(data), PORTION_BYTES):
            portion = data[begin : begin + PORTION_BYTES]
            at_s = start_s + (begin + len(portion)) * self._char_s
            burst.handles.append(self._loop.call_at(at_s, self._deliver, burst, portion))

    def _deliver(self, burst: _Burst, portion: bytes) -> None:
        if burst.is_spoiled:
            portion = bytes(octet ^ 0x55 for octet in portion)
        for other, (main_fd, _) in enumerate(self._pairs):
            if other != burst.talker or (self._echo and other == MASTER):
                with contextlib.suppress(BlockingIOError):  # who never reads loses bytes, as on a UART
                    os.write(main_fd, portion)
