"""The Sparkplug view against a real broker and against one that writes down every packet: sessions from birth to death."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.cloud.dial import Backoff
from edge.cloud.views.sparkplug.tags import ANSWER, BATTERY, NODE, REBIRTH, WISH
from edge.cloud.views.sparkplug.view import REST_MS, SparkplugView
from edge.config.options import Config
from edge.model import AuditEntry, Request
from hil.demo.broker import find_broker
from tests.cloud.broker import Broker, wait_until
from tests.cloud.views.kit import WALL_MS, Heard, Mirror, proves, sample, site
from tests.cloud.views.recording import RecordingBroker
from tests.cloud.views.schema import METRIC, PAYLOAD

pytestmark = pytest.mark.hil
_FOUND = find_broker()
needs_broker = pytest.mark.skipif(
    _FOUND is None or _FOUND.name != "mosquitto", reason="the host of these tests speaks MQTT 5: needs mosquitto"
)


class Host:
    """A host application: hears everything under spBv1.0, says STATE and commands."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[Heard, int, bool]] = []  # message, QoS, retained
        self.mirror = Mirror()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "host", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("spBv1.0/acme/#", qos=1)
        assert wait_until(self._client.is_connected, 5, self.step)

    def _on_message(self, _: object, __: object, message: paho.MQTTMessage) -> None:
        if message.payload and "CMD" not in message.topic:
            heard = Heard((message.topic, bytes(message.payload)))
            self.heard.append((heard, message.qos, message.retain))
            self.mirror.hear(heard)

    def step(self) -> None:
        self._client.loop(0.005)

    def verbs(self) -> list[str]:
        return [heard.verb for heard, _, _ in self.heard]

    def say_state(self, online: bool, timestamp: int) -> None:
        payload = json.dumps({"online": online, "timestamp": timestamp})
        self._client.publish("spBv1.0/STATE/scada", payload, 1, True)

    def command(self, topic: str, timestamp: int = WALL_MS, **metric: Any) -> None:
        raw = PAYLOAD(timestamp=timestamp, metrics=[METRIC(**metric)]).SerializeToString()
        self._client.publish(f"spBv1.0/acme/{topic}", raw, 0)


class Gateway:
    """A view with leaps of its own clock, and what it asked of the rest."""

    def __init__(self, port: int, **sparkplug: Any) -> None:
        self.leap_ms, self.second = 0, 0
        self.asked: list[Request] = []
        self.told: list[AuditEntry] = []
        self.config: Config = site(port=port, **sparkplug)
        self.view = SparkplugView(self.config, self.asked.append, self.told.append, Backoff(20, 50, 10**6))
        self._start_ms = time.monotonic_ns() // 1_000_000

    @property
    def mono_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000 - self._start_ms + self.leap_ms

    def step(self) -> None:
        self.view.step(self.mono_ms)

    def note(self, **values: int | None) -> None:
        self.second += 1
        self.view.note(sample(self.second, **values))


class Bench:
    """Host and gateway on one broker."""

    def __init__(self, port: int, **sparkplug: Any) -> None:
        self.port, self.host, self.gateway = port, Host(port), Gateway(port, **sparkplug)

    def step(self) -> None:
        self.gateway.step()
        self.host.step()

    def until(self, true: Callable[[], bool], limit_s: float = 8) -> None:
        assert wait_until(true, limit_s, self.step), (self.host.verbs(), self.host.mirror.values)

    def settle(self, seconds: float = 0.3) -> None:
        wait_until(lambda: False, seconds, self.step)

    def born(self, count: int = 1) -> None:
        """Until the host has seen so many births, each complete."""
        self.until(
            lambda: self.host.verbs().count("NBIRTH") == count and self.host.verbs().count("DBIRTH") == 4 * count
        )


@pytest.fixture
def bench(broker: Broker) -> Iterator[Bench]:
    made = Bench(broker.port)
    yield made
    made.gateway.view.close()


@needs_broker
@proves(
    "topics-nbirth-mqtt topics-dbirth-mqtt topics-ndata-mqtt topics-ddata-mqtt topics-ddeath-mqtt payloads-nbirth-qos"
    " payloads-nbirth-retain payloads-dbirth-qos payloads-dbirth-retain payloads-ndata-qos payloads-ndata-retain"
    " payloads-ddata-qos payloads-ddata-retain message-flow-edge-node-birth-publish-nbirth-qos"
    " message-flow-edge-node-birth-publish-nbirth-retained message-flow-device-birth-publish-dbirth-qos"
    " message-flow-device-birth-publish-dbirth-retained message-flow-edge-node-birth-publish-connect"
    " operational-behavior-edge-node-intentional-disconnect-ndeath"
)
def test_a_whole_session_birth_data_death_of_a_device_and_of_the_node(bench: Bench) -> None:
    bench.gateway.note(wish_w=1)
    bench.born()
    bench.gateway.note(wish_w=2, poc_power_w=41_000)
    bench.gateway.note(wish_w=2, pv_power_w=None)
    bench.until(lambda: "DDEATH" in bench.host.verbs())
    bench.gateway.view.close()
    bench.until(lambda: "NDEATH" in bench.host.verbs())
    assert bench.host.verbs()[:8] == ["NBIRTH", *["DBIRTH"] * 4, "NDATA", "DDATA", "DDEATH"]
    assert all((qos, retain) == (0, False) for heard, qos, retain in bench.host.heard if heard.verb != "NDEATH")
    assert bench.host.mirror.seqs == list(range(len(bench.host.mirror.seqs)))
    birth, death = bench.host.heard[0][0], bench.host.heard[-1][0]
    assert death.verb == "NDEATH" and death.values() == {"bdSeq": birth.values()["bdSeq"]} == {"bdSeq": 0}
    late = Host(bench.port)
    wait_until(lambda: False, 0.3, late.step)
    assert not late.heard, "nothing of a node is retained, its death included"


@needs_broker
def test_a_node_that_is_cut_dies_by_its_will_and_comes_back_with_the_next_number_and_its_history(
    broker: Broker,
) -> None:
    bench = Bench(broker.port, keepalive_s=5)
    bench.gateway.note(wish_w=0)
    bench.born()
    for second in range(1, 6):
        bench.gateway.note(wish_w=second)
    bench.until(lambda: bench.host.mirror.values[NODE, "wish_w"] == 5)
    broker.kill()
    assert wait_until(lambda: not bench.gateway.view.born, 5, bench.gateway.step)
    for second in range(6, 30):
        bench.gateway.note(wish_w=second)
    broker.start()
    bench.host = Host(broker.port)
    bench.gateway.leap_ms += 1_000
    bench.born()
    assert bench.host.heard[0][0].values()["bdSeq"] > 0
    bench.gateway.note(wish_w=100)
    for _ in range(8):
        bench.settle(0.05)
        bench.gateway.leap_ms += 1_000
    wishes = [(at, value) for device, name, at, value in bench.host.mirror.history if name == "wish_w"]
    assert [value for _, value in wishes] == list(range(29)), "in doubt, then missed, oldest first; the newest was born"
    assert all(at == WALL_MS + 1_000 * (value + 1) for at, value in wishes)
    assert bench.host.mirror.values[NODE, "wish_w"] == 100, "history does not move the present"
    historical = [heard for heard, _, _ in bench.host.heard if any(metric.is_historical for metric in heard.metrics)]
    assert all(all(metric.is_historical for metric in heard.metrics) for heard in historical) and len(historical) >= 9
    bench.gateway.view.close()


@needs_broker
def test_without_history_an_outage_is_a_gap(broker: Broker) -> None:
    bench = Bench(broker.port, history_s=0)
    for _ in range(5):
        bench.gateway.note()
    bench.born()
    bench.gateway.leap_ms += 5_000
    bench.settle()
    assert not bench.host.mirror.history
    bench.gateway.view.close()


@needs_broker
@proves(
    "operational-behavior-data-commands-rebirth-action-1 operational-behavior-data-commands-rebirth-action-2"
    " operational-behavior-data-commands-rebirth-action-3 operational-behavior-data-commands-ncmd-rebirth-verb"
)
def test_a_rebirth_is_a_whole_new_birth_with_the_same_number_before_any_more_data(bench: Bench) -> None:
    bench.gateway.note(wish_w=1)
    bench.born()
    bench.gateway.leap_ms += 1_000
    for _ in range(20):  # a host in a hurry
        bench.host.command("NCMD/gw-0001", name=REBIRTH, boolean_value=True)
    bench.settle(0.1)
    bench.gateway.note(wish_w=2)
    bench.gateway.leap_ms += 1_000
    bench.settle()
    verbs = bench.host.verbs()
    again = verbs.index("NBIRTH", 1)
    assert verbs[again : again + 5] == ["NBIRTH", *["DBIRTH"] * 4]
    assert 2 <= verbs.count("NBIRTH") <= 3, "one a second, however often it is asked for"
    assert {heard.values()["bdSeq"] for heard, _, _ in bench.host.heard if heard.verb == "NBIRTH"} == {0}
    assert [heard.seq for heard, _, _ in bench.host.heard if heard.verb == "NBIRTH"] == [0] * verbs.count("NBIRTH")
    assert bench.host.mirror.values[NODE, "wish_w"] == 2 and not bench.gateway.told


@needs_broker
@proves(
    "message-flow-edge-node-birth-publish-phid-wait message-flow-edge-node-birth-publish-phid-wait-id"
    " message-flow-edge-node-birth-publish-phid-offline operational-behavior-edge-node-termination-host-offline"
    " operational-behavior-edge-node-termination-host-offline-reconnect operational-behavior-edge-node-birth-sequence-wait"
    " operational-behavior-primary-application-state-with-multiple-servers-single-server"
)
def test_with_a_primary_host_nothing_is_said_while_it_is_offline(broker: Broker) -> None:
    bench = Bench(broker.port, primary_host="scada")
    bench.host._client.publish("spBv1.0/STATE/other", json.dumps({"online": True, "timestamp": 9}), 1, True)
    bench.gateway.note(wish_w=1)
    bench.settle(0.5)
    assert bench.host.verbs() == [], "connected, but the host is not there"
    bench.host.say_state(True, 100)
    bench.born()
    bench.host.say_state(False, 99)  # of a host that was replaced
    bench.settle()
    assert "NDEATH" not in bench.host.verbs()
    bench.host.say_state(False, 100)
    bench.until(lambda: "NDEATH" in bench.host.verbs())
    assert not bench.gateway.view.born
    for second in range(2, 5):
        bench.gateway.note(wish_w=second)
    bench.gateway.leap_ms += REST_MS
    bench.settle(0.5)
    assert bench.host.verbs().count("NBIRTH") == 1
    bench.host.say_state(True, 101)
    bench.born(2)
    assert bench.host.heard[-5][0].values()["bdSeq"] == 1
    bench.gateway.leap_ms += 1_000
    bench.until(lambda: len([1 for row in bench.host.mirror.history if row[1] == "wish_w"]) == 2)
    bench.gateway.view.close()


@needs_broker
def test_a_host_that_was_online_before_the_connection_broke_must_be_heard_anew(broker: Broker) -> None:
    bench = Bench(broker.port, primary_host="scada")
    bench.host.say_state(True, 100)
    bench.gateway.note(wish_w=1)
    bench.born()
    broker.kill()
    assert wait_until(lambda: not bench.gateway.view.born, 5, bench.gateway.step)
    broker.start()  # it has forgotten what was retained: the host may be gone as well
    bench.host = Host(broker.port)
    bench.gateway.leap_ms += 1_000
    bench.gateway.note(wish_w=2)
    bench.settle(0.7)
    assert bench.host.verbs() == []
    bench.host.say_state(True, 101)
    bench.born()
    bench.gateway.view.close()


@needs_broker
@proves("message-flow-device-dcmd-subscribe message-flow-edge-node-ncmd-subscribe")
def test_a_wish_is_a_lease_that_is_shown_and_ends(broker: Broker) -> None:
    bench = Bench(broker.port, setpoints=True, setpoint_lease_s=30)
    bench.gateway.note()
    bench.born()
    assert bench.host.mirror.values[BATTERY, WISH] is None
    bench.host.command("DCMD/gw-0001/battery", name=WISH, long_value=90_000)
    bench.until(lambda: bool(bench.gateway.asked))
    (asked,) = bench.gateway.asked
    assert (asked.source, asked.kind, asked.form, asked.power_w) == ("fleet", "power", "battery", 30_000)
    assert 29_000 < asked.expires_mono_ms - bench.gateway.mono_ms <= 30_000
    bench.gateway.note()
    bench.until(lambda: bench.host.mirror.values[BATTERY, WISH] == 30_000)
    assert bench.host.mirror.values[NODE, ANSWER] == "taken for 30 s: 30000 W, of the 90000 W that were asked for"
    bench.host.command("DCMD/gw-0001/battery", name=WISH, long_value=2_000)
    bench.until(lambda: len(bench.gateway.asked) == 2)
    assert len(bench.gateway.told) == 1 and "30000 W" in bench.gateway.told[0].text, "the audit has the beginning"
    bench.gateway.leap_ms += 30_000
    bench.settle(0.05)
    bench.gateway.note()
    bench.until(lambda: bench.host.mirror.values[BATTERY, WISH] is None)
    assert len(bench.gateway.asked) == 2, "nobody renews it but the host"
    bench.gateway.view.close()


@needs_broker
def test_what_a_host_may_not_is_refused_and_told_but_not_again_and_again(bench: Bench) -> None:
    bench.gateway.note()
    bench.born()
    bench.gateway.leap_ms += 10_000
    for _ in range(50):
        bench.host.command("NCMD/gw-0001", name="Node Control/Reboot", boolean_value=True)
    bench.host.command("DCMD/gw-0001/battery", alias=9_999, long_value=1)
    bench.settle()
    bench.gateway.note()
    bench.until(lambda: "alias 9999" in str(bench.host.mirror.values[NODE, ANSWER]))
    assert not bench.gateway.asked and len(bench.gateway.told) == 1
    assert bench.gateway.told[0].who == "sparkplug" and "refused Node Control/Reboot" in bench.gateway.told[0].text
    bench.gateway.leap_ms += 5_000
    bench.settle(0.05)
    bench.host.command("NCMD/gw-0001", name="mode", long_value=1)
    bench.until(lambda: len(bench.gateway.told) == 2)
    assert bench.gateway.told[1].text.endswith("(50 before it not told)")


@proves(
    "payloads-ndeath-will-message payloads-ndeath-will-message-qos payloads-ndeath-will-message-retain"
    " message-flow-edge-node-birth-publish-will-message message-flow-edge-node-birth-publish-will-message-qos"
    " message-flow-edge-node-birth-publish-will-message-will-retained"
    " payloads-ndeath-will-message-publisher-disconnect-mqtt50"
)
def test_the_packets_themselves_in_mqtt_5() -> None:
    broker = RecordingBroker()
    gateway = Gateway(broker.port)
    gateway.note()
    assert wait_until(lambda: gateway.view.born, 5, gateway.step)
    wait_until(lambda: False, 0.2, gateway.step)  # all answers are read: a socket closed over unread ones is reset
    gateway.view.close()
    assert wait_until(lambda: bool(broker.of(14)), 2, lambda: time.sleep(0.01))
    connect = broker.of(1)[0]
    assert connect[2:7] == b"MQTT\x05"
    flags = connect[7]
    assert flags & 0x02 and flags & 0x04, "clean start, and a will"
    assert flags >> 3 & 3 == 1 and not flags & 0x20, "will of QoS 1, not retained"
    assert b"spBv1.0/acme/NDEATH/gw-0001" in connect
    assert connect[10] == 0, "no properties: the session expires with the connection"
    filters = b"".join(broker.of(8))
    assert b"spBv1.0/acme/NCMD/gw-0001\x01" in filters and b"spBv1.0/acme/DCMD/gw-0001/battery\x01" in filters, "QoS 1"
    assert [data[:1] for data in broker.of(14)] == [b"\x04"], "a good-bye with will"
    last = broker.of(3)[-1]
    assert b"spBv1.0/acme/NDEATH/gw-0001" in last, "and it was told before"


@proves("payloads-ndeath-will-message-publisher-disconnect-mqtt311")
def test_the_packets_themselves_in_mqtt_3_1_1() -> None:
    broker = RecordingBroker(old=True)
    gateway = Gateway(broker.port)
    gateway.note()
    assert wait_until(lambda: gateway.view.born, 5, gateway.step)
    wait_until(lambda: False, 0.2, gateway.step)  # all answers are read: a socket closed over unread ones is reset
    gateway.view.close()
    assert wait_until(lambda: bool(broker.of(14)), 2, lambda: time.sleep(0.01))
    first, second = broker.of(1)[0], broker.of(1)[1]
    assert second[2:7] == b"MQTT\x04" and second[7] & 0x02, "clean session"
    assert broker.of(14) == [b""] and b"NDEATH" in broker.of(3)[-1]
    numbers = [Heard(("spBv1.0/acme/NDEATH/gw-0001", connect[connect.index(b"gw-0001", 40) + 9 :])).values()["bdSeq"]
               for connect in (first, second)]  # fmt: skip
    assert numbers == [0, 1], "each CONNECT counts, the refused one too"


@needs_broker
def test_a_broker_that_is_away_costs_nothing_and_memory_stays_bounded(tmp_path: Path) -> None:
    gateway = Gateway(1, history_s=30)
    for _ in range(2_000):
        gateway.note()
        gateway.leap_ms += 1_000
        gateway.step()
    assert len(gateway.view._history) == 30 and not gateway.view.born
    gateway.view.close()
