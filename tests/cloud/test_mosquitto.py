"""The broker files of deploy/cloud, started as they are (folders and ports apart): who may what, over real TLS."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.cloud.access import Access
from edge.cloud.codec import Ack, decode_batch, encode_ack
from edge.cloud.dial import Backoff
from edge.cloud.link import Link, LinkSettings
from edge.cloud.ranges import RangeSet
from edge.cloud.topics import ROOT, Topics, ingest_filters
from edge.cloud.views.sparkplug.tags import REBIRTH
from edge.cloud.views.sparkplug.view import SparkplugView
from hil.demo.broker import find_broker
from tests.cloud.authority import OPENSSL, PASSWORDS, Authority, Issued
from tests.cloud.broker import free_port, wait_until
from tests.cloud.test_sync import Gateway
from tests.cloud.views.kit import sample, site
from tests.cloud.views.schema import METRIC, PAYLOAD

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "cloud" / "mosquitto"
WHY = "" if OPENSSL and PASSWORDS and find_broker("mosquitto") else "needs mosquitto, mosquitto_passwd and openssl"
pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY), reason=WHY)]
SERVICES = ("ingest", "telegraf", "operator", "signals", "cluster")
MINE, THEIRS, ABROAD = Topics("acme", "gw-1"), Topics("acme", "gw-2"), Topics("other", "gw-1")


class Site:
    """A folder with a CA, and mosquitto on the files of deploy/cloud."""

    def __init__(self, folder: Path, file: str, users: dict[str, tuple[str, ...]]) -> None:
        self.folder = folder
        self.authority = Authority(folder / "ca")
        server = self.authority.issue("server", "IP:127.0.0.1")
        for name, source in (("ca.pem", self.authority.ca), ("server.pem", server.cert), ("server.key", server.key)):
            shutil.copy(source, folder / name)
        for source in FOLDER.glob("acl-*"):
            (folder / source.name).write_text(source.read_text())
        for passwords, names in users.items():
            (folder / passwords).touch()
            for name in names:
                words = [str(PASSWORDS), "-b", str(folder / passwords), name, f"secret of {name}"]
                subprocess.run(words, check=True, capture_output=True, timeout=30)
        self.ports: dict[int, int] = {}
        (folder / "broker.conf").write_text(self._moved((FOLDER / file).read_text()))
        program = find_broker("mosquitto")
        assert program is not None
        with (folder / "broker.log").open("wb") as log:
            self._process = subprocess.Popen([program.path, "-c", str(folder / "broker.conf")], stdout=log, stderr=log)
        assert wait_until(self._answers, 10), self.log()

    def _moved(self, text: str) -> str:
        """The folders and ports of a test; `user` because root gives its rights away otherwise."""
        lines = ["user root", "log_dest stderr"]
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["listener"]:
                self.ports[int(words[1])] = free_port()
                line = f"listener {self.ports[int(words[1])]} 127.0.0.1"
            elif words[:1] == ["persistence_location"]:
                line = f"persistence_location {self.folder}/"
            lines.append(line.replace("/etc/mosquitto/tidewatt", str(self.folder)))
        return "\n".join(lines) + "\n"

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            for port in self.ports.values():
                socket.create_connection(("127.0.0.1", port), 0.2).close()
            return True
        return False

    def log(self) -> str:
        return (self.folder / "broker.log").read_text()

    def end(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def gateway(self, name: str) -> Access:
        """`name`: tenant/gateway, the common name of its certificate."""
        issued = self.issue(name)
        return Access(tls=True, ca_file=str(self.authority.ca), cert_file=str(issued.cert), key_file=str(issued.key))

    def issue(self, name: str) -> Issued:
        """A client certificate; openssl wants the slash of a name escaped, a file none at all."""
        issued = self.authority.issue(name.replace("/", "-"), subject=name.replace("/", "\\/"))
        return issued

    def service(self, name: str) -> Access:
        file = self.folder / f"{name}.password"
        file.write_text(f"secret of {name}\n")
        return Access(name, str(file), True, str(self.authority.ca))


class Client:
    """One MQTT 5 client; `heard` are topics, `publish` tells whether the broker took it."""

    def __init__(self, port: int, access: Access, name: str = "", *subscribe: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._acks: dict[int, bool] = {}
        self.client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.tls_set_context(access.context())
        if access.username:
            self.client.username_pw_set(access.username, access.password())
        self.client.on_message = lambda _, __, message: self.heard.append((message.topic, bytes(message.payload)))
        self.client.on_publish = lambda _, __, mid, reason, ___: self._acks.update({mid: not reason.is_failure})
        self.drops = 0
        self.client.on_disconnect = self._on_disconnect
        self.client.connect("127.0.0.1", port)
        assert wait_until(self.client.is_connected, 5, self.step)
        for topic in subscribe:
            self.client.subscribe(topic, 1)
        self.settle()

    def _on_disconnect(self, *_: object) -> None:
        self.drops += 1

    def step(self) -> None:
        self.client.loop(0.005)

    def settle(self, seconds: float = 0.15) -> None:
        wait_until(lambda: False, seconds, self.step)

    def publish(self, topic: str, payload: bytes = b"x", retain: bool = False) -> bool:
        """True when it was acknowledged without a reason against it."""
        mid = self.client.publish(topic, payload, 1, retain).mid
        wait_until(lambda: mid in self._acks or bool(self.drops), 2, self.step)
        return self._acks.get(mid, False)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("fleet"), "mosquitto.conf", {"passwords": SERVICES})
    yield made
    made.end()


def gateway_client(fleet: Site, name: str = "acme/gw-1", *subscribe: str, client_id: str = "") -> Client:
    return Client(fleet.ports[8883], fleet.gateway(name), client_id, *subscribe)


def service_client(fleet: Site, name: str, *subscribe: str) -> Client:
    return Client(fleet.ports[8884], fleet.service(name), f"{name}-{time.monotonic_ns()}", *subscribe)


def written(topics: Topics) -> list[str]:
    return [topics.live("site"), topics.backfill("site"), topics.events, topics.status, topics.schema("0123"),
            topics.json("site"), topics.result("r-1"), topics.compute("compute/main/budget")]  # fmt: skip


def test_a_gateway_writes_all_of_its_own_topics_and_the_services_read_what_is_theirs(fleet: Site) -> None:
    gateway = gateway_client(fleet)
    ingest, telegraf = (service_client(fleet, name, f"{ROOT}/#") for name in ("ingest", "telegraf"))
    operator, cluster = (service_client(fleet, name, f"{ROOT}/#") for name in ("operator", "cluster"))
    for topic in written(MINE):
        assert gateway.publish(topic), topic
    for client in (ingest, telegraf, operator, cluster):
        client.settle()
    tm, bf, ev, st, sch, js, _, compute = written(MINE)
    assert [topic for topic, _ in operator.heard] == written(MINE)
    assert [topic for topic, _ in ingest.heard] == [tm, bf, ev, st, sch]
    assert [topic for topic, _ in telegraf.heard] == [tm, bf, sch, js]
    assert [topic for topic, _ in cluster.heard] == [compute]


@pytest.mark.parametrize(
    "topic",
    [*written(THEIRS), *written(ABROAD), MINE.ack, f"{MINE.status}x", f"{ROOT}/acme/gw-1", f"{ROOT}/acme/gw-1/cmd/operate",
     MINE.caps, MINE.intensity, "other/topic", "$SYS/x"],
)  # fmt: skip
def test_a_gateway_writes_nothing_else(fleet: Site, topic: str) -> None:
    ear = service_client(fleet, "operator", "#")
    gateway = gateway_client(fleet)
    assert not gateway.publish(topic)
    ear.settle()
    assert not ear.heard


def test_a_gateway_hears_its_own_acks_commands_and_signals_only(fleet: Site) -> None:
    gateway = gateway_client(fleet, "acme/gw-1", "#", f"{ROOT}/#", "$SYS/#")
    operator, ingest = service_client(fleet, "operator"), service_client(fleet, "ingest")
    signals, cluster = service_client(fleet, "signals"), service_client(fleet, "cluster")
    for topics in (MINE, THEIRS, ABROAD):
        assert ingest.publish(topics.ack) and signals.publish(topics.intensity)
        assert operator.publish(f"{ROOT}/{topics.tenant}/{topics.gateway}/cmd/operate")
        assert operator.publish(topics.replay) and operator.publish(topics.caps)
        assert cluster.publish(topics.compute("compute/main/announce"))
    gateway_client(fleet, "acme/gw-2").publish(THEIRS.live("site"))
    gateway.settle(0.3)
    wanted = {MINE.ack, MINE.intensity, f"{ROOT}/acme/gw-1/cmd/operate", MINE.replay}
    wanted |= {MINE.compute("compute/main/announce"), MINE.caps, ABROAD.caps}
    assert {topic for topic, _ in gateway.heard} == wanted


@pytest.mark.parametrize(
    ("name", "topic"),
    [("ingest", MINE.live("site")), ("ingest", f"{ROOT}/acme/gw-1/cmd/operate"), ("ingest", MINE.intensity),
     ("telegraf", MINE.ack), ("telegraf", MINE.live("site")), ("signals", MINE.ack), ("cluster", MINE.intensity),
     ("operator", MINE.live("site")), ("operator", MINE.ack), ("operator", MINE.schema("0123"))],
)  # fmt: skip
def test_a_service_writes_what_is_its_own_only(fleet: Site, name: str, topic: str) -> None:
    ear = service_client(fleet, "operator", f"{ROOT}/#")
    ear.heard.clear()  # what was retained
    assert not service_client(fleet, name).publish(topic)
    ear.settle()
    assert not ear.heard


def test_a_certificate_cannot_throw_out_another_gateway_by_its_client_id(fleet: Site) -> None:
    first = gateway_client(fleet, "acme/gw-1", client_id="acme/gw-1")
    second = gateway_client(fleet, "acme/gw-2", client_id="acme/gw-1")
    first.settle()
    assert first.client.is_connected() and second.client.is_connected() and not first.drops


def fault_of(port: int, access: Access) -> str:
    link = Link(LinkSettings("127.0.0.1", port, client_id="x", access=access), backoff=Backoff(50, 100, 10**6))
    assert not wait_until(lambda: link.connected, 0.7, lambda: link.step(time.monotonic_ns() // 1_000_000))
    link.close()
    return "refused"


def test_without_the_right_certificate_or_password_nobody_comes_in(fleet: Site, tmp_path: Path) -> None:
    ca = str(fleet.authority.ca)
    strangers = Authority(tmp_path).issue("acme-gw-1")
    for access in (Access(), Access(tls=True, ca_file=ca), fleet.service("ingest"),
                   Access(tls=True, ca_file=ca, cert_file=str(strangers.cert), key_file=str(strangers.key))):  # fmt: skip
        assert fault_of(fleet.ports[8883], access) == "refused"
    (fleet.folder / "wrong").write_text("wrong\n")
    for access in (Access(), Access(tls=True, ca_file=ca), Access("ingest", str(fleet.folder / "wrong"), True, ca)):
        assert fault_of(fleet.ports[8884], access) == "refused"


def test_a_gateway_and_an_ingest_do_their_whole_work_through_these_doors(fleet: Site, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, 0)
    gateway.link._settings = LinkSettings(
        "127.0.0.1", fleet.ports[8883], client_id="any", access=fleet.gateway("acme/gw-1"), will=(MINE.status, b"{}")
    )
    ingest = service_client(fleet, "ingest", *(f"$share/workers/{one}" for one in ingest_filters()))
    held = RangeSet()

    def step() -> None:
        gateway.step()
        ingest.step()
        for topic, payload in ingest.heard:
            if "/tm/" in topic or "/bf/" in topic:
                batch = decode_batch(payload)
                held.add(batch.seq0, batch.seq0 + len(batch.samples) - 1)
                done = held.around(1)
                ack = Ack("site", batch.epoch, done[1] if done else 0, tuple(held))
                ingest.client.publish(MINE.ack, encode_ack(ack), 1)
        ingest.heard.clear()

    gateway.note(30)
    assert wait_until(lambda: gateway.sync.acked_count == 30, 15, step), gateway.link.fault
    assert not gateway.link.refused_count and not ingest.drops
    gateway.sync.close()


@pytest.fixture(scope="module")
def scada(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(
        tmp_path_factory.mktemp("scada"), "sparkplug.conf", {"passwords-sparkplug": ("host", "gw-0001", "gw-2")}
    )
    yield made
    made.end()


def test_a_sparkplug_node_lives_and_is_ordered_through_its_door(scada: Site) -> None:
    host = Client(scada.ports[8885], scada.service("host"), "host", "spBv1.0/#")
    other = Client(scada.ports[8885], scada.service("gw-2"), "gw-2", "#")
    assert host.publish("spBv1.0/STATE/scada", b'{"online":true,"timestamp":1}', True)
    access = scada.service("gw-0001")
    config = site(port=scada.ports[8885], username="gw-0001", password_file=access.password_file, tls=True,
                  ca_file=access.ca_file, primary_host="scada")  # fmt: skip
    view = SparkplugView(config, print, print, Backoff(50, 100, 10**6))
    view.note(sample())

    def until(true: Callable[[], bool]) -> None:
        def step() -> None:
            view.step(time.monotonic_ns() // 1_000_000)
            host.step()

        assert wait_until(true, 8, step), (host.heard, scada.log())

    def verbs() -> list[str]:
        return [topic.split("/")[2] for topic, _ in host.heard]

    until(lambda: verbs().count("DBIRTH") == 4)
    rebirth = PAYLOAD(metrics=[METRIC(name=REBIRTH, boolean_value=True)]).SerializeToString()
    assert host.publish("spBv1.0/acme/NCMD/gw-0001", rebirth)
    until(lambda: verbs().count("NBIRTH") == 2)
    view.close()
    until(lambda: "NDEATH" in verbs())
    for topic in ("spBv1.0/acme/NBIRTH/gw-0001", "spBv1.0/acme/DCMD/gw-0001/battery", "spBv1.0/STATE/scada"):
        assert not other.publish(topic), topic
        other = Client(scada.ports[8885], scada.service("gw-2"), "gw-2", "#")
    assert not [topic for topic, _ in other.heard if "gw-0001" in topic]
