"""A publisher on this machine that behaves well or badly, one behaviour a question, and remembers what it was asked."""

import gzip
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HANG_S = 3.0


@dataclass
class Behaviour:
    """`cut`: so many bytes of the body are sent, the length promised is the whole; `hang`: nothing is sent."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    hang: bool = False
    repeat: int = 1  # the body so many times, without a length


@dataclass
class Publisher:
    url: str
    script: list[Behaviour]  # the last one stays
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def publisher(*script: Behaviour, cert: Path | None = None, key: Path | None = None) -> Iterator[Publisher]:
    """Serves on 127.0.0.1; with a certificate over TLS."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

        def do_GET(self) -> None:
            told.asked.append((self.path, dict(self.headers)))
            now = told.script.pop(0) if len(told.script) > 1 else told.script[0]
            if now.hang:
                ended.wait(HANG_S)
                return
            self.send_response(now.status)
            if now.repeat == 1:
                self.send_header("Content-Length", str(len(now.body)))
            for name, value in now.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for _ in range(now.repeat):
                    self.wfile.write(now.body[: now.cut])
            except OSError:
                pass  # the other side has seen enough
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if cert is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if cert is None else "https"
    told = Publisher(f"{scheme}://127.0.0.1:{server.server_address[1]}", list(script) or [Behaviour()])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def zipped(body: bytes) -> Behaviour:
    return Behaviour(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
