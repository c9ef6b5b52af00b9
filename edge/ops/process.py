"""Tuning and watchdog of the controller process. sd_notify speaks the service manager's datagram protocol directly.

The watchdog is fed after a complete cycle only; a thread that feeds it regardless would prove nothing.
"""

import asyncio
import contextlib
import gc
import os
import selectors
import socket
import sys

SWITCH_INTERVAL_S = 0.0005  # the default 5 ms is what a busy second thread costs the cycle (measured: reference)


def tune_interpreter() -> None:
    """After start-up: what exists now is never collected, and the threads change hands ten times faster."""
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def fine_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose timers are not rounded up to a millisecond, as epoll's are: a silence on a bus takes two."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


class ServiceNotice:
    """sd_notify(3) without a dependency; does nothing outside a service manager."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._socket = (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) if self._address else None
        )
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]

    def say(self, text: str) -> None:
        """`READY=1`, `WATCHDOG=1`, `STOPPING=1`."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(text.encode(), self._address)
