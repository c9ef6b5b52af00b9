"""The thread that asks one source, and the bounded queue through which the uplink gets what came. Nobody waits for it.

An answer is hashed, kept, parsed; only intervals that are newer than the last are handed over, but all of the first
answer, for they fill the history. Everything that goes wrong is a text without the key.
"""

import logging
import threading
from collections import deque
from dataclasses import dataclass

from edge.clock import Clock
from edge.errors import DataFault
from edge.plan.signals.fetch.bodies import RawBodies
from edge.plan.signals.fetch.http import Answer, Getter
from edge.plan.signals.fetch.keys import hide, read_key
from edge.plan.signals.fetch.pace import Pace
from edge.plan.signals.read.source import Ask, Source, reply_of
from edge.plan.signals.samples import Sample

QUEUE_MAX = 16  # an hour and more of the fastest source
log = logging.getLogger("edge.signal")


@dataclass(frozen=True, slots=True)
class Fetched:
    """One question and what came of it. `samples` in order of time; empty with a fault, or when nothing is new."""

    mono_ms: int
    wall_ms: int
    shown: str  # host and path
    samples: tuple[Sample, ...] = ()
    count: int = 0  # intervals in the answer
    size_bytes: int = 0
    sha256: str = ""
    took_ms: int = 0
    fault: str = ""


class Fetcher:
    """`fetch` and `run` belong to one thread, `poll` to another."""

    def __init__(
        self, source: Source, region: str, basis: str, http: Getter, clock: Clock, *, base_url: str = "",
        key_file: str = "", bodies: RawBodies | None = None, pace: Pace | None = None,
    ) -> None:  # fmt: skip
        self._source = source
        self._region = region
        self._basis = basis
        self._http = http
        self._clock = clock
        self._base_url = base_url or source.base_url
        self._key_file = key_file
        self._bodies = bodies
        self._pace = pace or Pace(source.interval_s)
        self._queue: deque[Fetched] = deque(maxlen=QUEUE_MAX)
        self._etag = self._modified = ""
        self._newest_start_ms: int | None = None
        self._token, self._token_mono_ms = "", 0
        self.wait_ms = self._pace.first_ms()  # until the next question

    def poll(self) -> Fetched | None:
        """The oldest that has not been taken yet; never waits."""
        try:
            return self._queue.popleft()
        except IndexError:
            return None

    def run(self, ended: threading.Event) -> None:
        """Asks until told to end."""
        while not ended.wait(self.wait_ms / 1000):
            self._queue.append(self.fetch())

    def start(self) -> threading.Event:
        """In a thread of its own that ends with the program, or with the event that is returned."""
        ended = threading.Event()
        threading.Thread(target=self.run, args=(ended,), name=f"signal {self._source.name}", daemon=True).start()
        return ended

    def fetch(self) -> Fetched:
        """One question, now."""
        began_mono_ms = self._clock.mono_ms()
        key = ""
        try:
            key = read_key(self._key_file)
            ask = Ask(self._base_url, self._region, self._basis, self._clock.wall_ms(), key)
            fetched = self._ask(ask, began_mono_ms)
        except DataFault as fault:
            self.wait_ms = self._pace.fault_ms(0)
            return self._told(began_mono_ms, "", hide(str(fault), key))
        return fetched

    def _ask(self, ask: Ask, began_mono_ms: int) -> Fetched:
        """Raises DataFault: the login fails or the answer is not believed."""
        key = ask.key
        if self._source.login is not None:
            ask = self._logged_in(ask)
        request = self._source.request(ask)
        answer = self._http.get(request, self._etag, self._modified)
        if answer.fault:
            self._token = "" if answer.status in (401, 403) else self._token
            self.wait_ms = self._pace.fault_ms(answer.status, answer.retry_after_s)
            return self._told(began_mono_ms, request.shown, hide(answer.fault, key))
        if answer.status == 304:
            self.wait_ms = self._pace.good_ms()
            return self._told(began_mono_ms, request.shown, "")
        wall_ms = self._clock.wall_ms()
        reply = reply_of(answer.body, self._region, wall_ms)
        samples = self._source.parse(reply)  # a DataFault leaves the old ETag: the same answer is not believed later
        self._keep(answer, reply.sha256, wall_ms)
        fresh = tuple(s for s in samples if self._newest_start_ms is None or s.start_wall_ms > self._newest_start_ms)
        self._newest_start_ms = samples[-1].start_wall_ms
        self._etag, self._modified = answer.etag, answer.modified
        self.wait_ms = self._pace.good_ms()
        mono_ms = self._clock.mono_ms()
        return Fetched(
            mono_ms,
            wall_ms,
            request.shown,
            fresh,
            len(samples),
            len(answer.body),
            reply.sha256,
            mono_ms - began_mono_ms,
        )

    def _keep(self, answer: Answer, sha256: str, wall_ms: int) -> None:
        if self._bodies is None:
            return
        before = self._bodies.fault
        if not self._bodies.keep(answer.body, sha256, wall_ms) and self._bodies.fault != before:
            log.warning("signal bodies fault=%r; answers are not kept", self._bodies.fault)

    def _logged_in(self, ask: Ask) -> Ask:
        """With the token in place of the key."""
        login = self._source.login
        assert login is not None
        now_mono_ms = self._clock.mono_ms()
        if not self._token or now_mono_ms - self._token_mono_ms >= login.lifetime_s * 1000:
            answer = self._http.get(login.request(ask))
            if answer.fault:
                raise DataFault(answer.fault)
            self._token, self._token_mono_ms = login.token(answer.body), now_mono_ms
        return Ask(ask.base_url, ask.region, ask.basis, ask.wall_ms, self._token)

    def _told(self, began_mono_ms: int, shown: str, fault: str) -> Fetched:
        mono_ms = self._clock.mono_ms()
        return Fetched(mono_ms, self._clock.wall_ms(), shown, took_ms=mono_ms - began_mono_ms, fault=fault)
