"""Opening a connection without waiting: name, TCP, TLS, each in steps. Ends as a socket to hand to MQTT, or a reason.

Resolving a name is the one call that cannot be made in steps; it runs in a thread of its own that ends with it (none is
needed for a numeric address). Who retries when is not decided here.
"""

import errno
import random
import select
import socket
import ssl
import threading
from collections.abc import Callable

DIAL_MAX_MS = 10_000  # name, TCP and TLS together


class Backoff:
    """Full jitter: the n-th wait is uniform in 0..first*2^n, at most `longest_ms`; stability starts it anew.

    After the loss of a session the wait is uniform in at least 0..`loss_ms`.
    """

    def __init__(
        self,
        first_ms: int,
        longest_ms: int,
        stable_ms: int,
        draw: Callable[[], float] | None = None,
        *,
        loss_ms: int = 0,
    ) -> None:
        self._first_ms, self._longest_ms, self._stable_ms, self._loss_ms = first_ms, longest_ms, stable_ms, loss_ms
        self._draw = draw or random.SystemRandom().random
        self._count = 0

    def wait_ms(self, session_ms: int = 0, *, lost_session: bool = False) -> int:
        """How long to wait after a failure, or after a session that lasted `session_ms`."""
        if session_ms >= self._stable_ms:
            self._count = 0
        bound = min(self._longest_ms, self._first_ms << min(self._count, 20))
        self._count += 1
        if lost_session:
            bound = max(bound, min(self._loss_ms, self._longest_ms))
        return int(bound * self._draw())


def _remedy(error: OSError) -> str:
    """What to do about a fault of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "; check ca_file, that the certificate is for cloud.host, and the clock"
    return "; does TLS begin on this port?" if isinstance(error, ssl.SSLError) else ""


class Dial:
    """One attempt. Call `step` until `socket` or `fault` is set; `fileno` and `wants_write` say what to wait for."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, mono_ms: int) -> None:
        self._host, self._port, self._context = host, port, context
        self._end_mono_ms = mono_ms + DIAL_MAX_MS
        self._addresses: list[tuple[int, tuple[object, ...]]] | None = None
        self._name_fault = ""
        self._sock: socket.socket | None = None
        self._secure = False
        self._wants_write = False
        self.socket: socket.socket | None = None
        self.fault = ""
        self._start_name()

    def _start_name(self) -> None:
        try:
            self._addresses = self._resolve(socket.AI_NUMERICHOST)
        except OSError:
            threading.Thread(target=self._resolve_name, name="dial name", daemon=True).start()

    def _resolve(self, flags: int) -> list[tuple[int, tuple[object, ...]]]:
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=flags)
        return [(int(family), address) for family, _, _, _, address in found]

    def _resolve_name(self) -> None:
        try:
            self._addresses = self._resolve(0)
        except (OSError, UnicodeError) as error:
            self._name_fault = f"name {self._host}: {error}"

    def fileno(self) -> int:
        """The descriptor to wait for, or -1 while there is none."""
        return self._sock.fileno() if self._sock else -1

    def wants_write(self) -> bool:
        return self._wants_write

    def step(self, mono_ms: int) -> None:
        """Goes on as far as possible without waiting."""
        if self.socket or self.fault:
            return
        try:
            if self._sock is None:
                self._start_tcp()
            elif self._wants_write and not self._secure and not self._poll_tcp():
                pass
            else:
                self._finish()
        except OSError as error:
            self._next_address(f"{self._host}:{self._port}: {error.strerror or error}{_remedy(error)}")
        except ValueError as error:  # a certificate that cannot be compared with the host name
            self._give_up(f"{self._host}:{self._port}: {error}")
        if mono_ms >= self._end_mono_ms and not (self.socket or self.fault):
            self._give_up(f"{self._host}:{self._port}: no connection within {DIAL_MAX_MS} ms")

    def _start_tcp(self) -> None:
        if self._name_fault:
            self._give_up(self._name_fault)
        if not self._addresses:
            return
        family, address = self._addresses[0]
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wants_write = True
        code = self._sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, errno.errorcode.get(code, str(code)))

    def _poll_tcp(self) -> bool:
        assert self._sock is not None
        poll = select.poll()
        poll.register(self._sock, select.POLLOUT)
        if not poll.poll(0):
            return False
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, errno.errorcode.get(code, str(code)))
        return True

    def _finish(self) -> None:
        assert self._sock is not None
        if self._context is None:
            self.socket, self._sock = self._sock, None
            return
        if not self._secure:
            self._sock = self._context.wrap_socket(
                self._sock, server_hostname=self._host, do_handshake_on_connect=False
            )
            self._secure = True
        assert isinstance(self._sock, ssl.SSLSocket)
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            self._wants_write = False
            return
        except ssl.SSLWantWriteError:
            self._wants_write = True
            return
        self.socket, self._sock = self._sock, None

    def _next_address(self, fault: str) -> None:
        if self._addresses:
            del self._addresses[0]
        self._close()
        if not self._addresses:
            self._give_up(fault)

    def _close(self) -> None:
        if self._sock is not None:
            self._sock.close()
        self._sock, self._secure, self._wants_write = None, False, False

    def _give_up(self, fault: str) -> None:
        self._close()
        self.fault = fault

    def close(self) -> None:
        """Ends the attempt; the socket that was handed over is not touched."""
        self._give_up("closed")
