"""A serial port as the bus sees it: open with a callback, write, close. Real ttys here; simulators bring their own.

pyserial sets the line up; reading and writing go straight to the descriptor. No framing, no time-outs: see rtu and bus.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Protocol

import serial
import serial.rs485

from edge.config import options

OnBytes = Callable[[bytes], None]  # b"" says that the port is gone


class Port(Protocol):
    """What a bus needs. `open` raises OSError; after it, `on_bytes` is called in the event loop with what arrives."""

    name: str

    def open(self, on_bytes: OnBytes) -> None: ...

    def write(self, frame: bytes) -> None: ...

    def close(self) -> None: ...


class TtyPort:
    """A tty (or PTY) of this machine, owned exclusively while open."""

    def __init__(self, settings: options.Port) -> None:
        self.name = settings.name
        self._settings = settings
        self._serial: serial.Serial | None = None
        self._fd = -1
        self._on_bytes: OnBytes | None = None

    def open(self, on_bytes: OnBytes) -> None:
        """Opens and configures the line. Raises OSError with the path in its text."""
        settings = self._settings
        try:
            line = serial.Serial(
                settings.path,
                settings.baud,
                parity=settings.parity,
                stopbits=settings.stopbits,
                timeout=0,
                exclusive=True,
            )
        except (serial.SerialException, ValueError) as error:
            raise OSError(f"{settings.path}: {error}") from error
        try:
            if settings.rs485 == "kernel":
                line.rs485_mode = serial.rs485.RS485Settings()
        except (OSError, ValueError) as error:  # this UART cannot turn the direction itself
            line.close()
            raise OSError(f'{settings.path}: rs485 = "kernel" is refused: {error}') from error
        with contextlib.suppress(OSError, serial.SerialException, ValueError, NotImplementedError):
            line.set_low_latency_mode(True)  # a PTY and some adapters have none
        self._serial, self._fd, self._on_bytes = line, line.fileno(), on_bytes
        os.set_blocking(self._fd, False)
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, 512)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if self._on_bytes is not None:
            self._on_bytes(data)

    def write(self, frame: bytes) -> None:
        """Hands the frame to the driver. Raises OSError when the port is gone or takes no more bytes."""
        if os.write(self._fd, frame) != len(frame):
            raise OSError(f"{self._settings.path}: the line takes no more bytes")

    def close(self) -> None:
        if self._serial is not None:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._serial.close()
            self._serial, self._fd = None, -1
