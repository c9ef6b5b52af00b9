"""Many simulated gateways in one thread: the codec, the link and the acks are the real ones; their ring is a rule.

A sample can be made anew from its number, so nothing needs to be kept: what is not acknowledged in time is made and sent
again, live first, as a real gateway does. The first value of a sample is its number.
"""

import heapq
import resource
import secrets
import select
from collections import deque
from collections.abc import Sequence

from edge.cloud.codec import Ack, Batch, decode_ack, encode_batch, schema_id, schema_json
from edge.cloud.link import Link, LinkSettings
from edge.cloud.ranges import RangeSet
from edge.cloud.topics import Topics
from edge.errors import DataFault
from edge.model import Sample

STREAM, TENANT = "site", "sim"
FIELDS = tuple((f"metric_{number:02}", "W") for number in range(60))
SCHEMA = schema_json(FIELDS)
SCHEMA_ID = schema_id(SCHEMA)
PERIOD_MS = 1_000
PATIENCE_MS = 5_000
BATCH_MAX_COUNT = 100
BACKLOG_BATCHES = 4  # a period
SPARE_FILES = 64
START_MAX_PER_S = 200  # connections


def sample(seq: int, wall_ms: int) -> Sample:
    """Sample `seq`, the same whenever it is made."""
    values = (seq, *(number * 1_000 + (seq * (number + 7)) % 61 for number in range(1, len(FIELDS))))
    return Sample(seq * PERIOD_MS, wall_ms, values)


class Gateway:
    """One of them; `tick` each period, `link.step` whenever its socket has something."""

    def __init__(self, name: str, settings: LinkSettings, start_wall_ms: int, rate: int) -> None:
        self.name, self.link, self.topics = name, Link(settings), Topics(TENANT, name)
        self.epoch = 1 + secrets.randbits(62)
        self.last_seq, self.acked = 0, RangeSet()
        self._rate, self._start_wall_ms = rate, start_wall_ms
        self._underway: deque[tuple[int, int, int]] = deque()  # first, last, due
        self._up_count = self._next_mono_ms = 0
        self.link.subscribe(self.topics.ack, self._take)

    @property
    def unacked_count(self) -> int:
        return self.last_seq - self.acked.count()

    def _take(self, _topic: str, payload: bytes) -> None:
        try:
            ack: Ack = decode_ack(payload)
        except DataFault:
            return
        if ack.epoch == self.epoch:
            for first, last in (*ack.ranges, (1, ack.contiguous_seq)):
                self.acked.add(first, min(last, self.last_seq))

    def tick(self, mono_ms: int, *, more: bool) -> None:
        """New samples when `more`, then what waits for its ack too long."""
        first, more = self.last_seq + 1, more and mono_ms >= self._next_mono_ms
        if more:
            self._next_mono_ms = (self._next_mono_ms or mono_ms) + PERIOD_MS
            self.last_seq += self._rate
        self.link.step(mono_ms)
        self.link.settled.clear()
        if not self.link.connected:
            return
        if self.link.up_count != self._up_count:
            self._up_count = self.link.up_count
            self._underway.clear()
            self.link.publish(self.topics.schema(SCHEMA_ID), SCHEMA, 1, True)
        if more:
            self._send(self.topics.live(STREAM), first, self.last_seq, mono_ms)
        while self._underway and self._underway[0][2] <= mono_ms:
            self._underway.popleft()
        for _ in range(BACKLOG_BATCHES):
            gap = self._gap()
            if gap is None or not self._send(self.topics.backfill(STREAM), *gap, mono_ms):
                return

    def _gap(self) -> tuple[int, int] | None:
        taken = RangeSet()
        for first, last in (*self.acked, *(one[:2] for one in self._underway)):
            taken.add(first, last)
        found = taken.gap_from(1, self.last_seq)
        return found and (found[0], min(found[1], found[0] + BATCH_MAX_COUNT - 1))

    def _send(self, topic: str, first: int, last: int, mono_ms: int) -> bool:
        if not self.link.room:
            return False
        step_ms = PERIOD_MS // self._rate
        samples = tuple(sample(seq, self._start_wall_ms + seq * step_ms) for seq in range(first, last + 1))
        historical = topic == self.topics.backfill(STREAM)
        message = encode_batch(Batch(SCHEMA_ID, self.epoch, first, samples, historical))
        if self.link.publish(topic, message, 1) is None:
            return False
        self._underway.append((first, last, mono_ms + PATIENCE_MS))
        return True


class Swarm:
    """All of them. `step` until `unacked_count` is 0; `more` decides whether new samples are made."""

    def __init__(self, settings: Sequence[LinkSettings], wall_ms: int, mono_ms: int, rate: int = 1) -> None:
        _allow_files(len(settings) + SPARE_FILES)
        names = [f"sim-{number:05}" for number in range(1, len(settings) + 1)]
        self.gateways = [Gateway(name, one, wall_ms, rate) for name, one in zip(names, settings, strict=True)]
        self._poll, self._by_fd = select.epoll(), dict[int, Gateway]()
        start_ms = max(PERIOD_MS, len(names) * 1_000 // START_MAX_PER_S)
        self._due = [(mono_ms + index * start_ms // len(names), index) for index in range(len(names))]
        heapq.heapify(self._due)

    @property
    def unacked_count(self) -> int:
        return sum(gateway.unacked_count for gateway in self.gateways)

    @property
    def sample_count(self) -> int:
        return sum(gateway.last_seq for gateway in self.gateways)

    @property
    def connected_count(self) -> int:
        return sum(gateway.link.connected for gateway in self.gateways)

    def step(self, mono_ms: int, *, more: bool, wait_s: float = 0.02) -> None:
        """What is due, and what the sockets have."""
        while self._due and self._due[0][0] <= mono_ms:
            due_mono_ms, index = self._due[0]
            gateway = self.gateways[index]
            up = gateway.link.connected
            gateway.tick(mono_ms, more=more)
            self._watch(gateway)
            heapq.heapreplace(self._due, (max(due_mono_ms + (PERIOD_MS if up else 50), mono_ms), index))
        for fd, _ in self._poll.poll(wait_s):
            gateway = self._by_fd[fd]
            gateway.link.step(mono_ms)
            if gateway.link.fileno() != fd:
                self._watch(gateway)

    def _watch(self, gateway: Gateway) -> None:
        fd = gateway.link.fileno()
        if fd >= 0:
            self._by_fd[fd] = gateway
            try:
                self._poll.register(fd, select.EPOLLIN)
            except FileExistsError:
                return  # it is watched already

    def close(self) -> None:
        for gateway in self.gateways:
            gateway.link.close()
        self._poll.close()


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and count > hard:
        raise DataFault(f"{count} open files are needed, {hard} allowed: raise the limit (ulimit -n {count})")
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
