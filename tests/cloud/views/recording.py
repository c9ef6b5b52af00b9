"""A broker that writes down every packet, for what only the bytes of MQTT show: flags, QoS, reason codes."""

import contextlib
import io
import socket
import threading


class RecordingBroker:
    """Keeps every packet it was sent, as (kind, the rest); says yes to CONNECT and SUBSCRIBE. `old`: knows 3.1.1 only."""

    def __init__(self, *, old: bool = False) -> None:
        self._server, self._old = socket.create_server(("127.0.0.1", 0)), old
        self.port = int(self._server.getsockname()[1])
        self.packets: list[tuple[int, bytes]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            sock, _ = self._server.accept()
            with contextlib.suppress(OSError, EOFError), sock, sock.makefile("rb") as file:
                self._talk(sock, file)

    def _talk(self, sock: socket.socket, file: io.BufferedReader) -> None:
        while head := file.read(1):
            size = shift = 0
            while True:
                (byte,) = file.read(1)
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            kind, data = head[0] >> 4, file.read(size)
            self.packets.append((kind, data))
            if kind == 1:
                refused = self._old and data[6] == 5
                sock.sendall(bytes((0x20, 2, 0, 1 if refused else 0)) if self._old else bytes((0x20, 3, 0, 0, 0)))
                if refused:
                    return
            elif kind == 8:
                sock.sendall(bytes((0x90, 3 if self._old else 4)) + data[:2] + bytes(1 if self._old else 2))

    def of(self, kind: int) -> list[bytes]:
        return [data for number, data in self.packets if number == kind]
