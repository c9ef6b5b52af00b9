"""The link in its own thread: what the owner waits for delays nothing, a fault in the thread is told and survived."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from edge.clock import SystemClock
from edge.cloud.dial import Backoff
from edge.cloud.engine import Engine
from edge.cloud.link import Link, LinkSettings
from tests.cloud.broker import wait_until
from tests.cloud.scripted import ScriptedBroker

pytestmark = pytest.mark.hil


class Faulty(Link):
    """A link with a programming fault that shows when it is told to."""

    broken = threading.Event()

    def step(self, mono_ms: int) -> None:
        if self.broken.is_set():
            self.broken.clear()
            raise ZeroDivisionError("in the link")
        super().step(mono_ms)


class Site:
    """An owner with its engine, in real time."""

    def __init__(self, port: int, kind: type[Link] = Link, **more: Any) -> None:
        settings = LinkSettings("127.0.0.1", port, client_id="gw-1", **more)
        self.clock = SystemClock()
        restart = Backoff(20, 40, 10**6)
        make = lambda: kind(settings, backoff=Backoff(20, 40, 10**6))  # noqa: E731 - one line of two values
        self.engine = Engine(make, self.clock, restart=restart)
        self.seen: list[tuple[str, bytes]] = []
        self.engine.subscribe("to/us", lambda topic, payload: self.seen.append((topic, payload)))
        self.engine.start()

    def step(self) -> None:
        self.engine.step(self.clock.mono_ms())
        time.sleep(0.001)

    def until(self, true: Any, limit_s: float = 5) -> None:
        assert wait_until(true, limit_s, self.step), self.engine.fault

    def connect(self) -> None:
        self.until(lambda: self.engine.connected)


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    broker = ScriptedBroker(receive_max=20, puback=0)
    yield broker
    broker.close()


def test_messages_go_both_ways_and_each_is_settled_once(broker: ScriptedBroker) -> None:
    site = Site(broker.port)
    assert site.engine.publish("a", b"") is None and site.engine.room == 0
    site.connect()
    tokens: list[int] = []
    while len(tokens) < 200:
        token = site.engine.publish("a", b"%d" % len(tokens))
        if token is None:
            site.step()
        else:
            tokens.append(token)
    site.until(lambda: len(site.engine.settled) == 200)
    assert [one.token for one in site.engine.settled] == tokens
    assert {one.outcome for one in site.engine.settled} == {"acked"} and site.engine.room == site.engine.window == 16
    assert [message.payload for message in broker.messages] == [b"%d" % index for index in range(200)]
    broker.send("to/us", b"hello")
    site.until(lambda: site.seen == [("to/us", b"hello")])
    site.engine.close()


def test_an_owner_that_waits_for_its_disk_delays_neither_keep_alive_nor_what_it_has_handed_over(
    broker: ScriptedBroker,
) -> None:
    site = Site(broker.port, keepalive_s=1)
    site.connect()
    for index in range(10):
        assert site.engine.publish("live", b"%d" % index) is not None
    handed_s = time.monotonic()
    assert wait_until(lambda: len(broker.messages) == 10, 1), "the owner takes no step here"
    assert time.monotonic() - handed_s < 0.5
    time.sleep(2.6)  # a sync of a slow disk, longer than keep-alive allows
    assert broker.ping_count >= 2
    site.step()
    assert site.engine.connected and broker.connected_count == 1 and len(site.engine.settled) == 10
    site.engine.close()


def test_a_slow_network_does_not_delay_the_owner() -> None:
    broker = ScriptedBroker(receive_max=20)  # never acks
    site = Site(broker.port)
    site.connect()
    worst_s = 0.0
    for _ in range(300):
        before_s = time.monotonic()
        site.engine.publish("a", b"x" * 50_000)
        site.engine.step(site.clock.mono_ms())
        worst_s = max(worst_s, time.monotonic() - before_s)
    assert worst_s < 0.1 and site.engine.room == 0
    site.engine.close()
    broker.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_the_thread_is_told_and_a_new_link_goes_on(broker: ScriptedBroker) -> None:
    broker.puback = None
    site = Site(broker.port, kind=Faulty)
    site.connect()
    token = site.engine.publish("a", b"1")
    assert wait_until(lambda: len(broker.messages) == 1, 2)
    Faulty.broken.set()
    site.until(lambda: not site.engine.connected)
    assert "ZeroDivisionError: in the link" in site.engine.fault
    site.until(lambda: bool(site.engine.settled))
    assert [(one.token, one.outcome) for one in site.engine.settled] == [(token, "lost")]
    broker.puback = 0
    site.connect()
    assert site.engine.up_count == 2 and broker.connected_count == 2
    assert site.engine.publish("a", b"2") is not None
    site.until(lambda: len(site.engine.settled) == 2)
    broker.send("to/us", b"again")
    site.until(lambda: bool(site.seen))
    site.engine.close()


def test_what_is_handed_over_last_leaves_before_the_good_bye(broker: ScriptedBroker) -> None:
    site = Site(broker.port)
    site.connect()
    site.engine.publish("st", b"gone", retain=True)
    site.engine.close()
    site.engine.step(site.clock.mono_ms())
    assert not site.engine.connected and site.engine.fault == "closed"
    assert wait_until(lambda: bool(broker.messages), 1) and broker.messages[0].retain
    assert not [one for one in threading.enumerate() if one.name == "cloud link"]


def test_without_a_thread_it_is_driven_inline(broker: ScriptedBroker) -> None:
    clock = SystemClock()
    engine = Engine(lambda: Link(LinkSettings("127.0.0.1", broker.port)), clock)
    step = lambda: engine.step(clock.mono_ms())  # noqa: E731 - for wait_until
    assert wait_until(lambda: engine.connected, 2, step) and engine.fileno() >= 0
    engine.publish("a", b"x")
    assert wait_until(lambda: bool(engine.settled), 2, step)
    engine.close()
