"""The socket under paho: what is written is gathered and goes out in one piece, what came is read in one piece.

paho makes a system call for each packet that it sends and three for each that it receives. Here it finds memory instead:
`fill` reads what has come, `flush` sends what was written, and neither waits. PUBACKs are taken out on the way. Works
over a plain socket and over TLS.
"""

import socket
import ssl

from edge.cloud.session.packets import Malformed, Sieve

READ_BYTES = 1 << 16
FILL_MAX_BYTES = 1 << 18  # of one `fill`: a broker that sends without end does not keep us from sending
RECORD_BYTES = 1 << 14  # of TLS: what was begun with so many bytes is gone on with no fewer
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class CorkedSocket:
    """A socket for paho: `recv`, `send` and `close` as it expects them of a non-blocking one."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._is_tls = sock, isinstance(sock, ssl.SSLSocket)
        self._out = bytearray()
        self._in, self._at = b"", 0
        self._sieve = Sieve()
        self.acked = self._sieve.acked  # PUBACKs, for the owner to take
        self._ended: OSError | Malformed | None = None  # why nothing more comes; told after what had come before
        self._eof = False

    # ---- for the owner

    def fill(self) -> None:
        """Reads what there is."""
        parts, count = [self._in[self._at :]], 0
        try:
            while count < FILL_MAX_BYTES and not self._eof:
                part = self._sock.recv(READ_BYTES)
                self._eof = not part
                parts.append(self._sieve.feed(part))
                count += len(part)
                if len(part) < READ_BYTES and not self._is_tls:
                    break  # all that there was: saves asking once more
        except _NOT_NOW:
            pass
        except (OSError, Malformed) as error:
            self._ended = self._ended or error
        self._in, self._at = b"".join(parts), 0

    @property
    def has_input(self) -> bool:
        """Whether paho has something to look at: bytes, or the end of the connection."""
        return self._at < len(self._in) or self._eof or self._ended is not None

    @property
    def has_output(self) -> bool:
        return bool(self._out)

    def flush(self) -> None:
        """Sends as much as is taken now. A fault is told to who reads, after what had come before it."""
        try:
            while self._out:
                sent_count = self._sock.send(self._out[:RECORD_BYTES] if self._is_tls else self._out)
                del self._out[:sent_count]
        except _NOT_NOW:
            return
        except OSError as error:
            self._ended = self._ended or error
            self._out.clear()

    # ---- for paho

    def recv(self, size: int) -> bytes:
        if self._at < len(self._in):
            part = self._in[self._at : self._at + size]
            self._at += len(part)
            return part
        if self._ended is not None:
            raise self._ended
        if self._eof:
            return b""
        raise BlockingIOError

    def send(self, data: bytes) -> int:
        self._out += data
        return len(data)

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, blocking: bool) -> None:
        self._sock.setblocking(blocking)

    def close(self) -> None:
        """With the last words, as far as they are taken now."""
        self.flush()
        self._sock.close()
