"""Where sessions come from: a UNIX socket (any number of peers up to a limit) and the tty of the service connector.

Both live in the control thread's loop and wait for nothing. A tty that is missing or unplugged is tried again; a socket
that cannot be opened is a fault of the configuration and stops the start.
"""

import asyncio
import os
import socket
import termios
import tty
from pathlib import Path

from edge.config.options import Console
from edge.console.session import Session
from edge.console.view import PlantView
from edge.errors import ConfigFault, Problem

SESSIONS_MAX = 8  # each may hold 16 KB of output; a ninth technician is a leak
REOPEN_S = 2.0


def open_tty(path: str, baud: int) -> int:
    """A raw 8N1 tty, non-blocking, without becoming our controlling terminal. Raises: OSError, termios.error."""
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        tty.setraw(fd)
        mode = termios.tcgetattr(fd)
        mode[2] = (mode[2] & ~termios.HUPCL) | termios.CLOCAL | termios.CREAD
        mode[4] = mode[5] = getattr(termios, f"B{baud}")
        termios.tcsetattr(fd, termios.TCSANOW, mode)
    except (OSError, termios.error):
        os.close(fd)
        raise
    return fd


class ConsoleServer:
    """Opens what the configuration names. `start` and `close` belong to the loop's thread."""

    def __init__(self, console: Console, plant: PlantView, config_file: str = "site.toml") -> None:
        self._console = console
        self._plant = plant
        self._config_file = config_file
        self._listener: socket.socket | None = None
        self._sessions: set[Session] = set()
        self._reopen: asyncio.TimerHandle | None = None
        self._closed = False
        self.refused_count = 0
        self.port_fault = ""

    def start(self) -> None:
        """Raises: ConfigFault when the socket path or the baud rate cannot be used."""
        self._loop = asyncio.get_running_loop()
        if self._console.socket:
            self._listen(Path(self._console.socket))
        if self._console.port:
            if not hasattr(termios, f"B{self._console.baud}"):
                allowed = "must be a standard rate such as 9600, 19200 or 115200"
                raise ConfigFault([Problem(self._config_file, "console.baud", self._console.baud, allowed)])
            self._open_port()

    def close(self) -> None:
        self._closed = True
        if self._reopen is not None:
            self._reopen.cancel()
        if self._listener is not None:
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
            Path(self._console.socket).unlink(missing_ok=True)
        for session in list(self._sessions):
            session.close()

    def session_count(self) -> int:
        return len(self._sessions)

    # ---- UNIX socket

    def _listen(self, path: Path) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._remove_stale(path)
            os.fchmod(listener.fileno(), 0o660)  # before bind, so that it is never open wider (Linux takes it over)
            listener.bind(str(path))
            listener.listen(SESSIONS_MAX)
        except OSError as fault:
            listener.close()
            problem = Problem(self._config_file, "console.socket", str(path), f"cannot listen there: {fault}")
            raise ConfigFault([problem]) from None
        listener.setblocking(False)
        self._listener = listener
        self._loop.add_reader(listener.fileno(), self._accept)

    def _remove_stale(self, path: Path) -> None:
        """A socket nobody answers on is left from a crash; one that answers, or a file, is left alone."""
        if not path.is_socket():
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.2)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            peer, _ = self._listener.accept()
        except OSError:  # gone again, or out of descriptors: the next one may work
            return
        if len(self._sessions) >= SESSIONS_MAX:
            self.refused_count += 1
            peer.close()
            return
        fd = peer.detach()
        self._begin(Session(self._plant, fd, fd, manner="lines", on_close=self._sessions.discard))

    def _begin(self, session: Session) -> None:
        self._sessions.add(session)
        session.start()

    # ---- service port

    def _open_port(self) -> None:
        self._reopen = None
        try:
            fd = open_tty(self._console.port, self._console.baud)
        except (OSError, termios.error) as fault:
            self.port_fault = str(fault)
            self._again()
            return
        self.port_fault = ""
        colour = "NO_COLOR" not in os.environ
        self._begin(Session(self._plant, fd, fd, manner="terminal", colour=colour, on_close=self._port_closed))

    def _port_closed(self, session: Session) -> None:
        self._sessions.discard(session)
        self._again()

    def _again(self) -> None:
        if not self._closed:
            self._reopen = self._loop.call_later(REOPEN_S, self._open_port)
