"""The traps of MQTT clients that were reproduced before this one was written: each is a test that it does not fall in."""

import time
from collections.abc import Iterator

import pytest

from edge.cloud.link import PUBACK_MAX_MS, WINDOW_MAX
from tests.cloud.broker import wait_until
from tests.cloud.scripted import ScriptedBroker
from tests.cloud.test_engine import Faulty, Site
from tests.cloud.test_link import Bench

pytestmark = pytest.mark.hil


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    broker = ScriptedBroker(puback=0)
    yield broker
    broker.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_trap_1_an_exception_does_not_leave_a_dead_thread_that_looks_connected(broker: ScriptedBroker) -> None:
    site = Site(broker.port, kind=Faulty)
    for round_count in range(1, 4):
        site.until(lambda: site.engine.connected and bool(site.engine.publish("a", b"x")))
        site.until(lambda count=round_count: len(site.engine.settled) == count)  # type: ignore[misc]  # bound now
        Faulty.broken.set()
        site.until(lambda: not site.engine.connected)
        assert "ZeroDivisionError" in site.engine.fault
    site.engine.close()


@pytest.mark.parametrize("code", [0x87, 0x97, 0x80], ids=["not authorised", "quota", "unspecified"])
def test_trap_2_a_refused_message_does_not_count_as_published(broker: ScriptedBroker, code: int) -> None:
    broker.puback = lambda topic, _: code if topic == "denied" else 0
    bench = Bench(broker.port)
    bench.connect()
    denied, fine = bench.link.publish("denied", b"x"), bench.link.publish("fine", b"x")
    assert wait_until(lambda: len(bench.link.settled) == 2, 2, bench.step)
    assert {one.token: one.outcome for one in bench.link.settled} == {denied: "refused", fine: "acked"}
    assert bench.link.settled[0].reason and bench.link.settled[0].topic == "denied"
    assert bench.link.connected and bench.link.room == bench.link.window == 5, "the refused one holds no place"


@pytest.mark.parametrize("granted", [1, 5, 10, 32])
def test_trap_3_the_receive_maximum_of_the_broker_is_kept(granted: int) -> None:
    broker = ScriptedBroker(receive_max=granted, puback=0)
    bench = Bench(broker.port)
    bench.connect()
    assert bench.link.window == min(granted, WINDOW_MAX)
    sent_count = 0
    end_s = time.monotonic() + 5
    while sent_count < 200 and time.monotonic() < end_s:
        sent_count += bench.link.publish("a", b"x" * 1_000) is not None
        bench.step()
    assert sent_count == 200 and broker.exceeded_count == 0 and broker.connected_count == 1
    broker.close()


def test_trap_4_a_slow_callback_does_not_hold_up_what_others_publish(broker: ScriptedBroker) -> None:
    site = Site(broker.port)
    site.engine.subscribe("slow", lambda _topic, _payload: time.sleep(0.5))
    site.connect()
    time.sleep(0.1)
    for index in range(3):
        site.engine.publish("a", b"%d" % index)
    broker.send("slow", b"")
    started_s = time.monotonic()
    assert wait_until(lambda: len(broker.messages) == 3, 1)
    assert time.monotonic() - started_s < 0.3
    site.until(lambda: len(site.engine.settled) == 3)
    site.engine.close()


def test_trap_5_a_lost_connection_leaks_no_place_of_the_window(broker: ScriptedBroker) -> None:
    broker.puback = None
    bench = Bench(broker.port)
    for round_count in range(1, 5):
        bench.connect()
        for _ in range(5):
            assert bench.link.publish("a", b"x") is not None
        assert bench.link.room == 0
        assert wait_until(lambda count=round_count: len(broker.messages) == 5 * count, 2, bench.step)  # type: ignore[misc]
        broker.cut()
        assert wait_until(lambda: not bench.link.connected, 2, bench.step)
        assert [one.outcome for one in bench.link.settled] == ["cut"] * 5 * round_count
    bench.connect()
    assert bench.link.room == 5


def test_trap_6_nothing_of_an_old_session_comes_back_by_itself(broker: ScriptedBroker) -> None:
    broker.puback = None
    bench = Bench(broker.port)
    bench.connect()
    for _ in range(5):
        bench.link.publish("a", b"old")
    assert wait_until(lambda: len(broker.messages) == 5, 2, bench.step)
    broker.cut()
    assert wait_until(lambda: bench.link.up_count == 2, 2, bench.step)
    bench.link.publish("a", b"new")
    assert wait_until(lambda: len(broker.messages) == 6, 2, bench.step)
    for _ in range(50):
        bench.step()
    assert [message.payload for message in broker.messages[5:]] == [b"new"], "who sends again is the owner's business"


def test_trap_8_nothing_is_published_before_the_broker_has_answered(broker: ScriptedBroker) -> None:
    answer, broker.connack = broker.connack, b"\x20"  # the first byte of the answer, and then silence
    bench = Bench(broker.port)
    assert wait_until(lambda: bool(broker.levels), 2, bench.step)
    for _ in range(20):
        assert bench.link.publish("a", b"x") is None
        bench.step()
    assert not broker.messages
    broker.connack = answer
    bench.leap_ms = 6_000
    bench.connect()
    assert bench.link.publish("a", b"x") is not None


# ---- other ways of a broker to fail


def test_a_broker_that_cuts_after_some_bytes_is_come_back_to(broker: ScriptedBroker) -> None:
    broker.cut_after_bytes = 400
    bench = Bench(broker.port)
    lost_count = 0
    end_s = time.monotonic() + 10
    while bench.link.up_count < 4 and time.monotonic() < end_s:
        bench.link.publish("a", b"x" * 150)
        bench.step()
        lost_count = sum(one.outcome == "cut" for one in bench.link.settled)
    assert bench.link.up_count == 4 and lost_count >= 3
    assert all(one.outcome in ("acked", "cut") for one in bench.link.settled)


def test_a_broker_that_accepts_and_resets_is_waited_for_longer_and_longer(broker: ScriptedBroker) -> None:
    broker.resets = True
    bench = Bench(broker.port)
    for _ in range(200):
        bench.step()
    assert 3 <= broker.connected_count <= 25 and not bench.link.connected and bench.link.fault
    broker.resets = False
    bench.connect()


def test_a_broker_that_answers_pings_but_no_messages_is_left(broker: ScriptedBroker) -> None:
    broker.puback = None
    bench = Bench(broker.port, keepalive_s=5)
    bench.connect()
    bench.link.publish("a", b"x")
    bench.leap_ms = PUBACK_MAX_MS
    bench.step()
    assert not bench.link.connected and "no PUBACK" in bench.link.fault
    assert [one.outcome for one in bench.link.settled] == ["lost"]


@pytest.mark.parametrize(
    "nonsense",
    [b"\xff" * 30, b"\x40\x02\xff\xff", b"\x30\xff\xff\xff\xff\xff", b"\x00\x00", b"\x90\x03\0\1\0", b"\xf0\0"],
)
def test_a_broker_that_talks_nonsense_in_a_session_is_only_a_fault(broker: ScriptedBroker, nonsense: bytes) -> None:
    broker.nonsense = nonsense
    bench = Bench(broker.port)
    bench.connect()
    bench.link.publish("a", b"x")
    for _ in range(50):
        bench.step()
    broker.nonsense = b""
    bench.leap_ms = PUBACK_MAX_MS + 1_000
    for _ in range(10):
        bench.step()
    bench.connect()
    count = len(bench.link.settled)
    bench.link.publish("a", b"y")
    assert wait_until(
        lambda: len(bench.link.settled) > count and bench.link.settled[-1].outcome == "acked", 5, bench.step
    )
