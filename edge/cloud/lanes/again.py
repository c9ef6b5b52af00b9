"""What is sent again although the ingest has it: ranges that the fleet asks for, and wall times that are known better now.

Only the numbers are kept here; reading and sending is sync.py's. Rules and messages: deploy/handbook/wire.md. Pure: times
are given in.
"""

from collections import deque
from dataclasses import dataclass, field

from edge.cloud.codec import Ack
from edge.cloud.notices import Replay, ReplayResult
from edge.cloud.ranges import RangeSet

WAITING_MAX_COUNT = 8  # requests
PER_MINUTE_COUNT = 10
RESTAMP_AGAIN_MS = 60_000  # an ingest that still lists a range after this has not got it


@dataclass(slots=True)
class Job:
    """A request that is being answered."""

    replay: Replay
    next_seq: int
    tokens: set[int] = field(default_factory=set)  # batches the broker has not answered
    sent_count: int = 0
    gone_count: int = 0


class Replays:
    """Requests of the fleet, one after the other. `results` is what to tell it."""

    def __init__(self, stream: str, epoch: int) -> None:
        self._stream, self._epoch = stream, epoch
        self._jobs: deque[Job] = deque()
        self._asked_mono_ms: deque[int] = deque(maxlen=PER_MINUTE_COUNT)
        self.results: deque[ReplayResult] = deque(maxlen=WAITING_MAX_COUNT * 2 + PER_MINUTE_COUNT)

    def ask(self, replay: Replay, newest_seq: int, mono_ms: int) -> None:
        """Takes a request or refuses it; the answer is in `results`."""
        reason = self._reason_against(replay, newest_seq, mono_ms)
        if reason:
            self.results.append(ReplayResult(replay.command_id, "refused", reason))
            return
        self._asked_mono_ms.append(mono_ms)
        self._jobs.append(Job(replay, replay.first))
        self.results.append(ReplayResult(replay.command_id, "accepted"))

    def _reason_against(self, replay: Replay, newest_seq: int, mono_ms: int) -> str:
        if replay.stream != self._stream:
            return f"stream {replay.stream!r:.40}: this gateway has {self._stream}"
        if replay.epoch not in (0, self._epoch):
            return f"epoch {replay.epoch}: the one in use is {self._epoch}; an older store is not kept"
        if replay.last > newest_seq:
            return f"to {replay.last}: the newest number is {newest_seq}"
        if any(job.replay.command_id == replay.command_id for job in self._jobs):
            return "this id is being answered"
        if len(self._jobs) >= WAITING_MAX_COUNT:
            return f"{WAITING_MAX_COUNT} requests are waiting: ask again when one is done"
        full = len(self._asked_mono_ms) == PER_MINUTE_COUNT
        if full and mono_ms - self._asked_mono_ms[0] < 60_000:
            return f"more than {PER_MINUTE_COUNT} requests a minute: ask again later"
        return ""

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """What is still to be read, the request in hand first."""
        return tuple((job.next_seq, job.replay.last) for job in self._jobs if job.next_seq <= job.replay.last)

    def note_sent(self, until_seq: int, gone_count: int, token: int | None, sent_count: int) -> None:
        """The request in hand is answered up to `until_seq`."""
        job = next(one for one in self._jobs if one.next_seq <= one.replay.last)
        job.next_seq = until_seq + 1
        job.gone_count += gone_count
        job.sent_count += sent_count
        if token is not None:
            job.tokens.add(token)
        self._end()

    def note_settled(self, token: int) -> None:
        """The broker has answered a batch, or will not any more."""
        for job in self._jobs:
            job.tokens.discard(token)
        self._end()

    def _end(self) -> None:
        while self._jobs and self._jobs[0].next_seq > self._jobs[0].replay.last and not self._jobs[0].tokens:
            job = self._jobs.popleft()
            self.results.append(ReplayResult(job.replay.command_id, "done", "", job.sent_count, job.gone_count))


class Restamps:
    """Ranges that the ingest holds with wall times of a clock that was not synchronised then."""

    def __init__(self) -> None:
        self._listed = RangeSet()
        self._sent = RangeSet()
        self._hopeless = RangeSet()  # no better time will ever be known: a boot that was never synchronised
        self._sent_mono_ms = 0

    def take(self, ack: Ack, mono_ms: int) -> None:
        """The ack is the newest word of what is still to be put right."""
        self._listed = RangeSet()
        for first, last in ack.unsynced:
            self._listed.add(first, last)
        if mono_ms - self._sent_mono_ms >= RESTAMP_AGAIN_MS:
            self._sent = RangeSet()

    def first_range(self) -> tuple[int, int] | None:
        """The oldest range to be sent, or None."""
        taken = RangeSet()
        for some in (self._sent, self._hopeless):
            for first, last in some:
                taken.add(first, last)
        for first, last in self._listed:
            gap = taken.gap_from(first, last)
            if gap is not None:
                return gap
        return None

    def note_sent(self, first: int, last: int, mono_ms: int) -> None:
        self._sent.add(first, last)
        self._sent_mono_ms = mono_ms

    def give_up(self, first: int, last: int) -> None:
        """Gone from the ring, or its wall time will never be known."""
        self._hopeless.add(first, last)

    def begin(self) -> None:
        """A session began: what was under way may not have arrived."""
        self._sent = RangeSet()
