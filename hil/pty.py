"""An RS-485 bus on a pseudo terminal: one tty to open, N devices that hear everything, paced to the baud rate.

A PTY moves 256 bytes in 0.3 ms at any speed; here they take the time of the wire, both ways, and a frame ends with t3.5 of
silence. Bytes sent at another baud rate than the bus's are garbage to every device. Real time only.
Parity cannot be tested: a PTY drops it.
"""

import asyncio
import contextlib
import os
import termios
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hil.faults import FaultBox
from hil.framing import FRAME_MAX_BYTES, char_s, silence_s
from hil.slave import Slave

PORTION_BYTES = 16  # what a UART's FIFO hands over at once


@dataclass(slots=True, eq=False)
class _Reply:
    """One frame of a device that is, or will be, on the wire."""

    start_s: float
    end_s: float
    data: bytes
    sender: Slave
    is_spoiled: bool = False
    handles: list[asyncio.TimerHandle] = field(default_factory=list)


class PtyBus:
    """`start()` in a running loop, then open `path` as a serial port; `stop()`. `before` is called ahead of each frame."""

    def __init__(
        self,
        name: str,
        baud: int,
        slaves: Sequence[Slave],
        before: Callable[[], None] = lambda: None,
        *,
        parity: str = "N",
        stopbits: int = 1,
        faults: FaultBox | None = None,
        link: str = "",
    ) -> None:
        self.name, self.slaves = name, list(slaves)
        self.path = ""
        self.request_count = 0
        self.garbage_bytes = 0  # at a wrong baud rate, or collided
        self._link = link
        self._char_s = char_s(baud, parity, stopbits)
        self._silence_s = silence_s(baud, parity, stopbits)
        self._speed: int | None = getattr(termios, f"B{baud}", None)
        self._before, self._faults = before, faults or FaultBox()
        self._heard = bytearray()
        self._wire_end_s = 0.0
        self._frame_handle: asyncio.TimerHandle | None = None
        self._replies: set[_Reply] = set()
        self._main_fd = self._tty_fd = -1
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Opens the pair. `link`, if given, becomes a symbolic link to the tty, for a fixed name."""
        self._main_fd, self._tty_fd = os.openpty()  # our own end stays open: a master that closes is no hang-up
        tty.setraw(self._tty_fd)
        os.set_blocking(self._main_fd, False)
        self.path = os.ttyname(self._tty_fd)
        if self._link:
            Path(self._link).unlink(missing_ok=True)
            Path(self._link).symlink_to(self.path)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._main_fd, self._readable)

    def stop(self) -> None:
        if self._loop is None:
            return
        self._loop.remove_reader(self._main_fd)
        for handle in (self._frame_handle, *(handle for reply in self._replies for handle in reply.handles)):
            if handle is not None:
                handle.cancel()
        self._replies.clear()
        self._frame_handle = None
        os.close(self._main_fd)
        os.close(self._tty_fd)
        self._loop = None
        if self._link:
            Path(self._link).unlink(missing_ok=True)

    # ---- from the master

    def _readable(self) -> None:
        assert self._loop is not None
        try:
            data = os.read(self._main_fd, 4096)
        except (BlockingIOError, OSError):
            return
        now_s = self._loop.time()
        if not self._faults.hears(self.name, now_s):
            return
        spoiled = [reply for reply in self._replies if reply.start_s <= now_s < reply.end_s]
        for reply in spoiled:  # a collision spoils both
            reply.is_spoiled = True
        if spoiled or not self._is_our_speed():
            self.garbage_bytes += len(data)
            return
        self._wire_end_s = max(now_s, self._wire_end_s) + len(data) * self._char_s
        self._heard += data
        if self._frame_handle is not None:
            self._frame_handle.cancel()
        self._frame_handle = self._loop.call_at(self._wire_end_s + self._silence_s, self._frame_ends)

    def _is_our_speed(self) -> bool:
        return self._speed is None or termios.tcgetattr(self._tty_fd)[5] == self._speed

    def _frame_ends(self) -> None:
        frame = bytes(self._heard)
        self._heard.clear()
        self._frame_handle = None
        if len(frame) <= FRAME_MAX_BYTES:
            self.request_count += 1
            self._before()
            self._all_hear(frame, None)

    # ---- the devices

    def _all_hear(self, frame: bytes, sender: Slave | None) -> None:
        """Requests and other devices' replies alike; only an address and a checksum tell who is meant."""
        assert self._loop is not None
        loop_s = self._loop.time()
        now_s = self._wire_end_s if sender is None else loop_s
        for slave in self.slaves:
            if slave is sender or not self._faults.hears(slave.name, loop_s):
                continue
            reply = slave.receive(frame)
            if reply is None:
                continue
            start_s = now_s + max(slave.turnaround_s, self._silence_s)
            for delay_s, data in self._faults.shape(slave.name, frame, reply, loop_s):
                self._send(slave, data, start_s + delay_s)

    def _send(self, slave: Slave, data: bytes, start_s: float) -> None:
        assert self._loop is not None
        reply = _Reply(start_s, start_s + len(data) * self._char_s, data, slave)
        for other in self._replies:  # two devices talk at once: nobody understands either
            if other.start_s < reply.end_s and reply.start_s < other.end_s:
                other.is_spoiled = reply.is_spoiled = True
        self._replies.add(reply)
        for begin in range(0, len(data), PORTION_BYTES):
            end = min(begin + PORTION_BYTES, len(data))
            at_s = start_s + end * self._char_s
            reply.handles.append(self._loop.call_at(at_s, self._deliver, reply, begin, end))

    def _deliver(self, reply: _Reply, begin: int, end: int) -> None:
        assert self._loop is not None
        if end == len(reply.data):
            self._replies.discard(reply)
        if not self._faults.hears(self.name, self._loop.time()):
            return
        data = bytes(octet ^ 0x55 for octet in reply.data) if reply.is_spoiled else reply.data
        with contextlib.suppress(BlockingIOError):  # a master that never reads loses bytes, as on a UART
            os.write(self._main_fd, data[begin:end])
        if end == len(data):
            self._all_hear(data, reply.sender)
