"""A multi-drop RS-485 segment on a pseudo-terminal, paced to its baud rate. Real time, inside an asyncio loop.

The master opens `path` like any tty. What it writes is taken as one frame when it is complete by its own length or the
line has been silent for t3.5; the reply appears when its last character would have. One talker at a time: a request that
comes while a reply is still on the line is a collision and is lost, as on copper.
"""

import asyncio
import os
import tty
from collections.abc import Callable, Sequence

from hil.framing import is_intact
from hil.slave import Slave
from hil.wire import Spoil

REQUEST_BYTES = {3: 8, 4: 8, 5: 8, 6: 8}  # fixed lengths; FC15 and FC16 say theirs in byte 6


class PtyBus:
    """One segment with its slaves. `before` is called ahead of each request: the plant moves up to now."""

    def __init__(
        self,
        name: str,
        baud: int,
        slaves: Sequence[Slave],
        before: Callable[[], None] = lambda: None,
        spoil: Spoil | None = None,
    ) -> None:
        self.name, self.path = name, ""
        self.is_cut = False
        self.request_count = self.collision_count = 0
        self._char_s = 10 / baud
        self._silence_s = 3.5 * self._char_s if baud <= 19_200 else 0.00175
        self._slaves = {slave.address: slave for slave in slaves}
        self._before, self._spoil = before, spoil
        self._fd = self._far_fd = -1
        self._heard = bytearray()
        self._busy_until_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Makes the terminal; `path` is then the tty to open. Needs a running loop."""
        self._fd, self._far_fd = os.openpty()  # the far end stays open here: a master may come and go
        tty.setraw(self._far_fd)
        os.set_blocking(self._fd, False)
        self.path = os.ttyname(self._far_fd)
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def stop(self) -> None:
        """The adapter is pulled. Twice is harmless."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            os.close(self._far_fd)
            self._fd = self._far_fd = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, 512)
        except (BlockingIOError, OSError):
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._busy_until_s:
            self.collision_count += 1
            return
        self._heard += data
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_whole():
            self._frame_end()
        else:
            self._timer = loop.call_later(self._silence_s, self._frame_end)

    def _is_whole(self) -> bool:
        heard = self._heard
        if len(heard) < 8:
            return False
        size = REQUEST_BYTES.get(heard[1]) or 9 + heard[6]
        return len(heard) == size and is_intact(bytes(heard))

    def _frame_end(self) -> None:
        """A PTY hands bytes over at once: their time on the wire is added here."""
        frame = bytes(self._heard)
        self._heard.clear()
        self._timer = None
        if self.is_cut or not frame:
            return
        self.request_count += 1
        self._before()
        slave = self._slaves.get(frame[0])
        reply = slave.receive(frame) if slave is not None else None
        if slave is None or reply is None:
            return
        loop = asyncio.get_running_loop()
        heard_s = loop.time() + len(frame) * self._char_s + slave.turnaround_s
        arrivals = self._spoil(slave, frame, reply) if self._spoil is not None else None
        for delay_s, data in [(0.0, reply)] if arrivals is None else arrivals:
            until_s = heard_s + delay_s + len(data) * self._char_s
            self._busy_until_s = max(self._busy_until_s, until_s - 0.0005)  # its end may be answered at once
            loop.call_at(until_s, self._send, data)

    def _send(self, data: bytes) -> None:
        if self._fd >= 0 and not self.is_cut:
            try:
                os.write(self._fd, data)
            except BlockingIOError:  # nobody reads: the bytes are gone, as on a line
                self.collision_count += 1
