"""Our own transaction on a line of these tests: one request at a time with `edge`'s port and matching, no schedule."""

import asyncio

from edge.config import options
from edge.field.line.port import TtyPort
from edge.field.line.rtu import Answer, Expect

GAP_S = 0.003  # above the 1.75 ms that end a frame at 115200 baud


class Line:
    """`async with Line(path) as line: answer = await line.ask(request)`."""

    def __init__(self, path: str) -> None:
        self._port = TtyPort(options.Port(name="interop", path=path, baud=115_200))
        self._received = bytearray()
        self._news = asyncio.Event()

    async def __aenter__(self) -> "Line":
        self._port.open(self._on_bytes)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._port.close()

    def _on_bytes(self, data: bytes) -> None:
        self._received += data
        self._news.set()

    async def ask(self, request: bytes, timeout_s: float = 0.3, *, gap_s: float = GAP_S) -> Answer:
        """The payload, an exception code, or how it failed, after a silence before the request."""
        await asyncio.sleep(gap_s)
        self._received.clear()
        expect = Expect(request)
        self._port.write(request)
        try:
            async with asyncio.timeout(timeout_s):
                while (answer := expect.match(self._received)) is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return expect.verdict(self._received)
        return answer

    async def hear(self, request: bytes, for_s: float = 0.1) -> bytes:
        """Any request, also a wrong one, and whatever comes within a time."""
        await asyncio.sleep(GAP_S)
        self._received.clear()
        self._port.write(request)
        await asyncio.sleep(for_s)
        return bytes(self._received)
