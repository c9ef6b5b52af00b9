"""The link in a thread of its own: what waits for a disk never delays keep-alive or what is already handed over.

Between the two threads: bounded queues of immutable records, and one frozen LinkState that is replaced whole. The owner
sees the same face as that of a Link, as of its last `step`; its callbacks run inside `step`, in its own thread. Without
`start` everything runs inline, so that virtual time stays possible. A programming fault ends the thread with a traceback;
the owner tells it in `fault`, reports what was under way as lost, and after a back-off begins with a new Link and thread.
"""

import json
import logging
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge.clock import Clock
from edge.cloud.access import access_of
from edge.cloud.dial import Backoff
from edge.cloud.link import WINDOW_MAX, Link, LinkSettings, Received, Settled
from edge.cloud.topics import ROOT, Topics
from edge.config.options import Cloud, Site

WAIT_S = 0.1  # the link looks at its time-outs this often
OUT_MAX_COUNT = 256  # handed over and not yet with the link: the window bounds QoS 1, this the rest
MESSAGES_MAX_COUNT = 1_000  # received and not yet taken by an owner that waits for its disk; then the oldest goes
END_S = 2.0  # for the last words
RESTART_FIRST_MS, RESTART_MAX_MS, RESTART_STABLE_MS = 1_000, 60_000, 300_000

GONE = json.dumps({"online": False}).encode()  # the will

log = logging.getLogger("edge.cloud")


@dataclass(frozen=True, slots=True)
class LinkState:
    """What the thread last said of its link."""

    connected: bool = False
    window: int = WINDOW_MAX
    up_count: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Outgoing:
    kind: Literal["publish", "subscribe"]
    token: int
    topic: str
    payload: bytes = b""
    qos: int = 1
    retain: bool = False


class Engine:
    """One thread owns the Link; another, the owner, calls the methods here."""

    def __init__(self, make: Callable[[], Link], clock: Clock, *, restart: Backoff | None = None) -> None:
        self._make, self._clock = make, clock
        self._restart = restart or Backoff(RESTART_FIRST_MS, RESTART_MAX_MS, RESTART_STABLE_MS)
        # ---- shared: queues, one reference, two descriptors to wake each other
        self._out: deque[_Outgoing] = deque()
        self._settled_in: deque[Settled] = deque()  # never more than what was handed over
        self._messages: deque[tuple[str, str, bytes]] = deque(maxlen=MESSAGES_MAX_COUNT)
        self._shared = LinkState()
        self._ended = threading.Event()
        self._wake_link = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wake_owner = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # ---- the owner's
        self._state = LinkState()
        self._callbacks: dict[str, Received] = {}
        self._flying: set[int] = set()
        self._next_token = 1
        self._thread: threading.Thread | None = None
        self.settled: deque[Settled] = deque(maxlen=4_096)
        # ---- the thread's, while it runs
        self._link = make()
        self._tokens: dict[int, int] = {}  # of the link: of the owner
        self._patterns: list[str] = []
        # ---- of both, one after the other
        self._failure = ""
        self._restart_mono_ms = 0

    # ---- the owner's side: the face of a Link

    @property
    def connected(self) -> bool:
        return self._state.connected

    @property
    def window(self) -> int:
        return self._state.window

    @property
    def up_count(self) -> int:
        return self._state.up_count

    @property
    def fault(self) -> str:
        return self._state.fault

    @property
    def room(self) -> int:
        """How many QoS 1 messages the window still takes."""
        return max(0, self.window - len(self._flying)) if self.connected else 0

    def fileno(self) -> int:
        """The descriptor that is readable when something came; without a thread that of the link."""
        if self._ended.is_set():
            return -1
        return self._wake_owner if self._thread is not None else self._link.fileno()

    def wants_write(self) -> bool:
        return self._thread is None and self._link.wants_write()

    def subscribe(self, topic: str, callback: Received) -> None:
        """Asks for `topic` now and after every reconnection; `callback(topic, payload)` runs inside `step`."""
        self._callbacks[topic] = callback
        self._hand_over(_Outgoing("subscribe", 0, topic))

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> int | None:
        """A token, later found in `settled` (QoS 1 only); None when not connected or there is no room."""
        if not self.connected or (qos and not self.room) or len(self._out) >= OUT_MAX_COUNT:
            return None
        token = self._next_token
        self._next_token += 1
        if qos:
            self._flying.add(token)
        self._hand_over(_Outgoing("publish", token, topic, payload, qos, retain))
        return token

    def _hand_over(self, one: _Outgoing) -> None:
        self._out.append(one)
        if self._thread is not None:
            os.eventfd_write(self._wake_link, 1)

    def start(self) -> None:
        """From now on the link runs in its own thread."""
        if self._thread is None:
            self._launch()

    def _launch(self) -> None:
        self._thread = threading.Thread(target=self._run, name="cloud link", daemon=True)
        self._thread.start()

    def step(self, mono_ms: int) -> None:
        """Takes what came, runs the callbacks. Without a thread the link is driven here."""
        if self._ended.is_set():
            return
        if self._thread is None:
            self._turn(mono_ms)
        else:
            _clear(self._wake_owner)
            if not self._thread.is_alive():
                self._look_after(mono_ms)
        self._state = self._shared
        while self._settled_in:
            one = self._settled_in.popleft()
            self._flying.discard(one.token)
            self.settled.append(one)
        for _ in range(len(self._messages)):
            pattern, topic, payload = self._messages.popleft()
            self._callbacks[pattern](topic, payload)

    def _look_after(self, mono_ms: int) -> None:
        """The thread has ended by a fault: what was under way is lost, and after the back-off another one begins."""
        if self._failure:
            log.error("cloud thread=ended reason=%r", self._failure)
            for token in self._tokens.values():
                self._settled_in.append(Settled(token, "lost", self._failure))
            self._tokens.clear()
            self._shared = LinkState(fault=self._failure, up_count=self._link.up_count)
            self._failure = ""
            self._link.abandon()
            self._restart_mono_ms = mono_ms + self._restart.wait_ms(mono_ms - self._restart_mono_ms)
        elif mono_ms >= self._restart_mono_ms:
            up_count, self._link = self._link.up_count, self._make()
            self._link.up_count = up_count  # what the owner looks at for a change
            for pattern in self._patterns:
                self._subscribe(self._link, pattern)
            self._launch()

    def close(self) -> None:
        """What is handed over still goes out if it can; then the good-bye. The will is not sent."""
        if self._ended.is_set():
            return
        self._ended.set()
        if self._thread is not None:
            os.eventfd_write(self._wake_link, 1)
            self._thread.join(END_S)
        else:
            self._finish(self._clock.mono_ms())
        self._state = LinkState(fault="closed", up_count=self._state.up_count)
        if self._thread is None or not self._thread.is_alive():
            os.close(self._wake_link)
            os.close(self._wake_owner)

    # ---- the thread's side

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._wait()
                self._turn(self._clock.mono_ms())
            self._finish(self._clock.mono_ms())
        finally:
            error = sys.exception()
            if error is not None:  # the owner looks after it; the traceback goes where that of any thread goes
                self._failure = f"the link failed: {type(error).__name__}: {error}"
                os.eventfd_write(self._wake_owner, 1)

    def _wait(self) -> None:
        fd = self._link.fileno()
        reads = [self._wake_link] if fd < 0 else [self._wake_link, fd]
        wait_s = 0.0 if self._out else WAIT_S
        select.select(reads, [fd] if fd >= 0 and self._link.wants_write() else [], [], wait_s)
        _clear(self._wake_link)

    def _turn(self, mono_ms: int) -> None:
        """One round: what is handed over to the link, the link's step, what came of it back."""
        link = self._link
        before = (self._shared, len(self._messages))
        link.step(mono_ms)
        self._pass_on(link)
        link.step(mono_ms)  # paho has written already; this reads what is there by now
        while link.settled:
            one = link.settled.popleft()
            token = self._tokens.pop(one.token, 0)
            if token:
                self._settled_in.append(Settled(token, one.outcome, one.reason, one.topic))
        self._shared = LinkState(link.connected, link.window, link.up_count, link.fault)
        if self._thread is not None and (self._settled_in or before != (self._shared, len(self._messages))):
            os.eventfd_write(self._wake_owner, 1)

    def _pass_on(self, link: Link) -> None:
        for _ in range(len(self._out)):
            one = self._out.popleft()
            if one.kind == "subscribe":
                self._patterns.append(one.topic)
                self._subscribe(link, one.topic)
                continue
            token = link.publish(one.topic, one.payload, one.qos, one.retain)
            if token is None:
                self._settled_in.append(
                    Settled(one.token, "lost", "the connection ended before it was sent", one.topic)
                )
            elif one.qos:
                self._tokens[token] = one.token

    def _subscribe(self, link: Link, pattern: str) -> None:
        link.subscribe(pattern, lambda topic, payload: self._messages.append((pattern, topic, payload)))

    def _finish(self, mono_ms: int) -> None:
        """Last words, as far as the socket takes them now."""
        self._pass_on(self._link)
        self._link.step(mono_ms)
        self._link.close()


def link_of(site: Site, cloud: Cloud, clock: Clock) -> Engine:
    """The link of a site as configured, with its will."""
    settings = LinkSettings(
        cloud.host,
        cloud.port,
        client_id=f"{ROOT}-{site.tenant}-{site.id}",
        access=access_of(cloud),
        keepalive_s=cloud.keepalive_s,
        will=(Topics(site.tenant, site.id).status, GONE),
        retry_loss_ms=cloud.reconnect_max_s * 1_000,
    )
    return Engine(lambda: Link(settings), clock)


def _clear(fd: int) -> None:
    try:
        os.eventfd_read(fd)
    except BlockingIOError:
        return
