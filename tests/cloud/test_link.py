"""The link against scripted brokers: the window, refusals, silence, nonsense; and the back-off."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho

from edge.cloud.access import Access
from edge.cloud.dial import Backoff, Dial
from edge.cloud.link import PUBACK_MAX_MS, WINDOW_MAX, Link, LinkSettings
from tests.cloud.broker import free_port, wait_until
from tests.cloud.scripted import ScriptedBroker

pytestmark = pytest.mark.hil


class Bench:
    """A link with its own clock: real time plus leaps."""

    def __init__(self, port: int, **more: Any) -> None:
        self.leap_ms = 0
        self.link = Link(LinkSettings("127.0.0.1", port, **more), backoff=Backoff(50, 100, 10**6))

    def step(self) -> None:
        self.link.step(time.monotonic_ns() // 1_000_000 + self.leap_ms)
        time.sleep(0.002)

    def connect(self) -> None:
        assert wait_until(lambda: self.link.connected, 5, self.step), self.link.fault


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    broker = ScriptedBroker()
    yield broker
    broker.close()


def test_paho_still_asks_for_its_socket_where_we_answer() -> None:
    assert callable(paho.Client._create_socket)  # Link hands its own socket over there


def test_the_window_is_what_the_broker_grants(broker: ScriptedBroker) -> None:
    bench = Bench(broker.port)
    assert bench.link.publish("a", b"") is None
    bench.connect()
    assert bench.link.window == 5
    tokens = [bench.link.publish("a", b"%d" % index) for index in range(9)]
    assert [token is None for token in tokens] == [False] * 5 + [True] * 4
    assert wait_until(lambda: len(broker.published) == 5, 2, bench.step)
    assert bench.link.publish("a", b"", qos=0) is not None


def test_a_broker_that_never_acks_is_left_and_all_is_reported_lost(broker: ScriptedBroker) -> None:
    bench = Bench(broker.port)
    bench.connect()
    tokens = [bench.link.publish("a", b"x") for _ in range(5)]
    bench.leap_ms = PUBACK_MAX_MS
    bench.step()
    assert not bench.link.connected and "PUBACK" in bench.link.fault
    assert [(one.token, one.outcome) for one in bench.link.settled] == [(token, "lost") for token in tokens]
    bench.connect()
    assert broker.connected_count == 2 and bench.link.room == 5
    time.sleep(0.1)
    bench.step()
    assert len(broker.published) == 5  # nothing of the old session came back by itself


def test_a_refused_message_is_parked_and_counted() -> None:
    broker = ScriptedBroker(puback=0x87, receive_max=100)
    bench = Bench(broker.port)
    bench.connect()
    assert bench.link.window == WINDOW_MAX
    token = bench.link.publish("denied", b"x")
    assert wait_until(lambda: bool(bench.link.settled), 2, bench.step)
    assert bench.link.settled[0].token == token and bench.link.settled[0].outcome == "refused"
    assert bench.link.refused_count == 1 and bench.link.settled[0].topic == "denied"
    assert bench.link.connected and bench.link.room == WINDOW_MAX
    broker.close()


@pytest.mark.parametrize(
    "connack",
    [
        bytes((0x20, 3, 0, 0x87, 0)),
        b"\x20\x00",
        b"\xff" * 40,
        b"\x00",
        bytes((0x20, 6, 0, 0, 3, 0x21, 0, 0)),
        bytes((0x20, 6, 0, 0, 0xFF, 0x21, 0, 0)),
    ],
)
def test_a_broker_that_talks_nonsense_is_only_a_fault(connack: bytes) -> None:
    broker = ScriptedBroker(connack=connack)
    bench = Bench(broker.port)
    assert wait_until(lambda: broker.connected_count > 0, 2, bench.step)
    for _ in range(30):
        bench.step()
    bench.leap_ms = 11_000
    bench.step()
    assert bench.link.fault or bench.link.connected
    broker.close()


def test_nobody_listening_costs_no_time(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "192.0.2.1", "no-such-host.invalid"):
        link = Link(LinkSettings(host, free_port()))
        worst_s = 0.0
        for step in range(20):
            before_s = time.monotonic()
            link.step(step * 10)
            worst_s = max(worst_s, time.monotonic() - before_s)
        assert worst_s < 0.05 and not link.connected
        link.close()
    link = Link(LinkSettings("127.0.0.1", 1, access=Access("u", str(tmp_path / "none"))))
    link.step(0)
    link.close()


def test_tls_without_a_tls_broker_ends_in_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        bench = Bench(server.getsockname()[1], access=Access(tls=True))
        server.settimeout(3)
        for _ in range(3):
            bench.step()
        peer, _ = server.accept()
        peer.sendall(b"no tls here at all, sorry")
        assert wait_until(lambda: bool(bench.link.fault), 3, bench.step)
        peer.close()
    bench = Bench(1, access=Access(tls=True, ca_file="no/such/file"))
    bench.step()
    assert "ca_file" in bench.link.fault


def test_the_back_off_doubles_with_full_jitter_and_forgets_after_stability() -> None:
    backoff = Backoff(1_000, 8_000, 300_000, draw=lambda: 0.5)
    assert [backoff.wait_ms() for _ in range(6)] == [500, 1_000, 2_000, 4_000, 4_000, 4_000]
    assert backoff.wait_ms(10_000) == 4_000
    assert backoff.wait_ms(300_000) == 500


def test_a_dial_that_hangs_gives_up() -> None:
    dial = Dial("192.0.2.1", 1883, None, 0)
    dial.step(0)
    dial.step(10_000)
    assert dial.fault and dial.fileno() == -1


def old_broker(connack: bytes) -> ScriptedBroker:
    """Speaks 3.1.1 and answers anything newer with `connack`."""
    broker = ScriptedBroker(connack=b"\x20\x02\x00\x00")
    broker.connack_v5 = connack
    return broker


@pytest.mark.parametrize(
    "refusal", [b"\x20\x02\x00\x01", bytes((0x20, 3, 0, 0x84, 0)), b""], ids=["1", "0x84", "hang-up"]
)
def test_a_broker_of_mqtt_3_1_1_is_spoken_to_in_it(refusal: bytes) -> None:
    broker = old_broker(refusal)
    bench = Bench(broker.port)
    bench.connect()
    assert broker.levels[:2] == [5, 4] and bench.link.window == WINDOW_MAX
    bench.link._down("cut by the test")
    bench.connect()
    assert broker.levels == [5, 4, 4], "what was understood once is spoken next time"
    bench.leap_ms = 400_000
    bench.step()
    bench.link._down("cut by the test")
    bench.connect()
    assert broker.levels == [5, 4, 4, 5, 4], "but not for ever: the broker may be a newer one by now"
    broker.close()


def test_a_broker_that_has_answered_in_mqtt_5_is_never_spoken_to_in_less() -> None:
    broker = ScriptedBroker()
    bench = Bench(broker.port)
    bench.connect()
    broker.connack_v5 = b""  # it hangs up from now on: overloaded, not old
    bench.link._down("cut by the test")
    assert wait_until(lambda: broker.connected_count >= 4, 5, bench.step)
    assert set(broker.levels) == {5}
    broker.close()


def test_a_refused_password_is_no_reason_to_speak_less() -> None:
    broker = ScriptedBroker(connack=bytes((0x20, 3, 0, 0x86, 0)))
    bench = Bench(broker.port)
    assert wait_until(lambda: broker.connected_count >= 3, 5, bench.step)
    assert set(broker.levels) == {5} and "check username and password_file" in bench.link.fault
    broker.close()
