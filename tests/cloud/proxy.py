"""A TCP proxy on loopback that delays what it passes on, each way: a round trip through it takes twice that. One thread."""

import collections
import selectors
import socket
import threading
import time


class DelayProxy:
    """Between a client and `port`; the order of bytes is kept, their number is not limited."""

    def __init__(self, port: int, one_way_s: float) -> None:
        self._to_port, self._delay_s = port, one_way_s
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._peer: dict[socket.socket, socket.socket] = {}
        self._waiting: collections.deque[tuple[float, socket.socket, bytes]] = collections.deque()
        self._ended = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            while not self._ended.is_set():
                due_s = self._waiting[0][0] - time.monotonic() if self._waiting else 0.05
                for key, _ in selector.select(max(0.0, due_s)):
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    if sock is self._server:
                        self._accept(selector)
                    else:
                        self._take(selector, sock)
                self._pass_on()
        for sock in (self._server, *self._peer):
            sock.close()

    def _accept(self, selector: selectors.BaseSelector) -> None:
        client, _ = self._server.accept()
        broker = socket.create_connection(("127.0.0.1", self._to_port))
        for sock, peer in ((client, broker), (broker, client)):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peer[sock] = peer
            selector.register(sock, selectors.EVENT_READ)

    def _take(self, selector: selectors.BaseSelector, sock: socket.socket) -> None:
        try:
            data = sock.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            selector.unregister(sock)
        self._waiting.append((time.monotonic() + self._delay_s, self._peer[sock], data))

    def _pass_on(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, peer, data = self._waiting.popleft()
            try:
                if data:
                    peer.sendall(data)
                else:
                    peer.shutdown(socket.SHUT_WR)
            except OSError:
                continue
