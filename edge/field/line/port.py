"""A serial port as the bus sees it: open with a callback, write, close. Real ttys here; simulators bring their own.

pyserial sets the line up; reading and writing go straight to the descriptor. No framing, no time-outs: see rtu and bus.
`Steps` are how the owner of a port waits: what comes is worked on in the callback that brings it.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Generic, Protocol, TypeVar

import serial
import serial.rs485

from edge.config import options

OnBytes = Callable[[bytes], None]  # b"" says that the port is gone
Come = TypeVar("Come")
T = TypeVar("T")


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
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise OSError(f"{settings.path}: {reason}") from error
        try:
            if settings.rs485 == "kernel":
                line.rs485_mode = serial.rs485.RS485Settings()
        except (OSError, ValueError) as error:  # this UART cannot turn the direction itself
            line.close()
            raise OSError(f'{settings.path}: rs485 = "kernel" is refused: {error}') from error
        try:
            if settings.low_latency != "off":
                line.set_low_latency_mode(True)
        except (OSError, ValueError, NotImplementedError) as error:  # the last is pyserial's, off Linux
            # A PTY and some adapters have no such mode: good enough, unless the site asks for it.
            if settings.low_latency == "on":
                line.close()
                raise OSError(f'{settings.path}: low_latency = "on" is refused: {error}') from error
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


class Steps(Generic[Come]):
    """Plays a coroutine that waits for answers and for the time, and is continued by the very callback that has them.

    A task would be continued one turn of the loop later, which costs as much as all the rest of a transaction.
    """

    def __init__(self) -> None:
        self._steps: Coroutine[Any, Any, object]
        self._ended: asyncio.Future[Any]
        self._loop: asyncio.AbstractEventLoop  # asked for once a play: before Python 3.12 it is a system call
        self._timer: asyncio.Handle | None = None  # while they wait for the time
        self._idle = False  # they do so only because nothing is due

    async def play(self, steps: Coroutine[Any, Any, T]) -> T:
        """To their end. A fault of theirs is raised here; cancelled, they stop where they wait."""
        self._loop = loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        self._steps = self._to_the_end(steps)
        try:
            self.resume(None)
            ended: T = await self._ended
            return ended
        finally:
            self._idle = False
            if self._timer is not None:
                self._timer.cancel()
            self._steps.close()

    async def _to_the_end(self, steps: Coroutine[Any, Any, object]) -> None:
        with self:
            self._ended.set_result(await steps)
        await self.what_comes()  # for ever: whoever played them closes them

    def resume(self, come: Come | None) -> None:
        """What they wait for is here; None: it is time."""
        self._idle = False
        if not self._ended.done():
            self._steps.send(come)

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> bool:
        """A fault of the steps goes to who awaits the play, whatever it is; nothing is judged here."""
        if not isinstance(error, Exception):
            return False
        self._ended.set_exception(error)
        return True

    @staticmethod
    @coroutine
    def what_comes() -> Generator[None, Come, Come]:
        """Inside the steps: waits for `resume`."""
        return (yield)

    def rest_until(self, when_s: float, *, idle: bool = False) -> Awaitable[Come]:
        """Inside the steps: `await` it to wait for the time. When idle, `wake` ends it early."""
        self._idle = idle
        self._timer = self._loop.call_at(when_s, self.resume, None)
        return self.what_comes()

    def wake(self) -> None:
        """Not at once: who brings a value does not wait for the port, and a newer one may follow."""
        if self._idle and self._timer is not None:
            self._idle = False
            self._timer.cancel()
            self._timer = self._loop.call_soon(self.resume, None)
