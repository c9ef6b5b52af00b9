"""The master's side of one line: one request out, the bytes that come back, one answer; the silence around it.

Who is asked what is the bus's business. Whether the adapter hands back what is sent is a fact of the line: until an answer
has shown it, a write whose answer is its own request (FC5, FC6) counts as answered only when it was heard twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from edge.config import options
from edge.field.line.port import Port, Steps
from edge.field.line.rtu import BUFFER_MAX_BYTES, Answer, Expect
from edge.field.line.timing import NEVER_S, Load, char_s
from edge.model import Outcome

DRAIN_MAX_S = 0.5  # the longest frame at 9600 baud takes half of it
SHORTEST_REPLY_BYTES = 5
TIMER_SLACK_S = 1e-6  # a loop may fire a timer this much early; without it the bus would spin until it is due

T = TypeVar("T")


class Master:
    """Owns one port while it is played. One transaction at a time; `took_s` is how long the last one was."""

    def __init__(
        self,
        settings: options.Port,
        port: Port,
        gap_s: float,
        on_open: Callable[[], None],
        on_stray: Callable[[int, float], None],
    ) -> None:
        """`on_stray`: the first byte of what nobody waited for, and when."""
        self.steps: Steps[Answer] = Steps()
        self.loop: asyncio.AbstractEventLoop  # while steps are played
        self.now_s: Callable[[], float] = lambda: 0.0  # its time; before it runs there is none
        self.gap_s = gap_s
        self.free_s = NEVER_S  # when the line was last in use
        self.took_s = 0.0
        self.load = Load()
        self.is_open, self.error = False, ""
        # Does the adapter hand us what we send? None: not known yet. Over TCP nothing does.
        self.hears_itself: bool | None = None
        self._is_echo_free = settings.kind == "tcp"
        self._port, self._char_s = port, char_s(settings)
        self._on_open, self._on_stray = on_open, on_stray
        self._buffer = bytearray()
        self._expect: Expect | None = None  # while an answer is waited for
        self._sent_s = self._expiry_s = NEVER_S  # when it was asked for; when it is waited for no longer
        self._watch: asyncio.TimerHandle | None = None  # looks at the expiry; outlives many requests
        self._watch_s = NEVER_S
        self._ended_s = NEVER_S  # when our own last transaction ended

    async def play(self, steps: Coroutine[Any, Any, T]) -> T:
        """Until they end or are cancelled. The port stays as it is."""
        self.loop = loop = asyncio.get_running_loop()
        self.now_s = loop.time
        try:
            return await self.steps.play(steps)
        finally:
            self._expect, self.free_s = None, loop.time()  # also when cut short: the next request keeps its distance
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None

    # ---- the port

    def try_open(self) -> bool:
        try:
            self._port.open(self._on_bytes)
        except OSError as error:
            self.error = str(error)
            return False
        self.is_open, self.error = True, ""
        self.hears_itself = False if self._is_echo_free else None
        self._on_open()
        return True

    def close(self, error: str) -> None:
        """Whoever waits for an answer gets none."""
        if self.is_open:
            self._port.close()
        self.is_open, self.error, self.hears_itself = False, error, None
        if self._expect is not None:
            self._settle(Outcome.PORT)

    # ---- one transaction

    def exchange(self, expect: Expect, patience_s: float) -> Awaitable[Answer]:
        """Inside the steps: `await` it for the payload, an exception code, or how it failed. First the silence."""
        now_s = self.loop.time()
        if not self.is_open or self.free_s + self.gap_s > now_s + TIMER_SLACK_S:
            return self._exchange_later(expect, patience_s)
        return self.steps.what_comes() if self._transmit(expect, patience_s, now_s) else _at_once(Outcome.PORT)

    async def _exchange_later(self, expect: Expect, patience_s: float) -> Answer:
        while self.is_open:
            if self.free_s + self.gap_s <= self.loop.time() + TIMER_SLACK_S:
                return await self.exchange(expect, patience_s)
            await self.steps.rest_until(self.free_s + self.gap_s)
        return Outcome.PORT

    def _transmit(self, expect: Expect, patience_s: float, sent_s: float) -> bool:
        """The request goes out and its time begins. False when the port is gone."""
        self._buffer.clear()  # whatever came late belongs to nobody
        try:
            self._port.write(expect.request)
        except OSError as error:
            self.close(str(error))
            return False
        self._expect, self._sent_s = expect, sent_s
        self._expiry_s = expiry_s = sent_s + expect.wire_chars * self._char_s + patience_s
        if self._watch is None or self._watch_s > expiry_s:
            self._watch_until_expiry()
        return True

    def _watch_until_expiry(self) -> None:
        """One timer for many requests: it may look too early and then looks again, but never too late."""
        if self._watch is not None:
            self._watch.cancel()
        self._watch_s = self._expiry_s
        self._watch = self.loop.call_at(self._expiry_s, self._look)

    def _look(self) -> None:
        self._watch = None
        expect = self._expect
        if expect is None:
            return
        if self.loop.time() + TIMER_SLACK_S < self._expiry_s:
            self._watch_until_expiry()
        elif expect.is_mirrored and self.hears_itself is None and self._buffer == expect.request:
            self._settle(Outcome.TIMEOUT)  # the echo, or the answer: nobody can say, so it is none
        else:
            self._settle(expect.verdict(self._buffer))

    def _on_bytes(self, data: bytes) -> None:
        expect = self._expect
        if not data:
            self.close("the port is gone")
        elif expect is None:
            self._note_stray(data[0])
        else:
            buffer, received = self._buffer, data
            if buffer or len(data) > BUFFER_MAX_BYTES:
                buffer += data
                del buffer[:-BUFFER_MAX_BYTES]
                received = bytes(buffer)
            hears = self.hears_itself
            heard = expect.beyond_echo(received) if hears or (hears is None and expect.is_mirrored) else received
            answer = expect.match(heard) if len(heard) >= SHORTEST_REPLY_BYTES else None
            if answer is not None:
                if not hears:
                    self._note_heard(expect, received, answer)
                self._settle(answer)
            elif received is data:
                buffer += data

    def _note_heard(self, expect: Expect, received: bytes, answer: bytes | int) -> None:
        """What a whole answer says of the adapter: our own request ahead of it, or nothing but the answer."""
        if len(expect.beyond_echo(received)) not in (0, len(received)):
            self.hears_itself = True
        elif self.hears_itself is None and not expect.is_mirrored and len(received) == expect.length_of(answer):
            self.hears_itself = False

    def _settle(self, answer: Answer) -> None:
        self._expect = None
        now_s = self.free_s = self._ended_s = self.loop.time()
        self.took_s = took_s = now_s - self._sent_s
        self.load.note(now_s, took_s)
        self.steps.resume(answer)

    def _note_stray(self, address: int) -> None:
        """Bytes that nobody waits for: the late answer of a device that failed? The line is not free while they come.

        But it does not wait for a babbler for ever: what must be said is said into the noise.
        """
        now_s = self.loop.time()
        if now_s - self._ended_s < DRAIN_MAX_S:
            self.free_s = now_s
        self._on_stray(address, now_s)


async def _at_once(answer: Answer) -> Answer:
    return answer
