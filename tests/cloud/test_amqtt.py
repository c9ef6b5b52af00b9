"""The whole way over amqtt, the broker in Python that stands in where mosquitto is not installed: MQTT 3.1.1 only."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.cloud.engine import GONE
from hil.demo.broker import find_broker
from tests.cloud.broker import Broker, running, socket_of
from tests.cloud.test_sync import TOPICS, Gateway, IngestProcess, complete, rows, watch

NO_AMQTT = "amqtt is not installed (the `hil` extra; BROKER=amqtt make test installs it)"
pytestmark = [pytest.mark.hil, pytest.mark.skipif(find_broker("amqtt") is None, reason=NO_AMQTT)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running(tmp_path, name="amqtt") as broker:
        yield broker


def test_samples_arrive_once_over_a_broker_of_mqtt_3_1_1_that_is_killed(tmp_path: Path, broker: Broker) -> None:
    file = tmp_path / "fleet.db"
    ingest = IngestProcess(file, broker.port)
    gateway = Gateway(tmp_path, broker.port)
    gateway.note(200)
    gateway.until(lambda: gateway.link.connected, 20)
    gateway.drain()
    broker.kill()
    gateway.until(lambda: not gateway.link.connected)
    gateway.note(100)
    broker.start()
    gateway.until(lambda: gateway.link.connected, 20)
    gateway.drain()
    assert (gateway.sync.stored_count, gateway.sync.acked_count) == (300, 300)
    assert ingest.end() == 0
    assert rows(file) == complete(300)


def test_status_and_will_are_retained_over_3_1_1(tmp_path: Path, broker: Broker) -> None:
    gateway = Gateway(tmp_path, broker.port)
    gateway.until(lambda: gateway.link.connected, 20)
    for _ in range(20):
        gateway.step()
    seen: dict[str, bytes] = {}
    watcher = watch(broker.port, TOPICS.status, lambda topic, payload: seen.update({topic: payload}))
    end_s = time.monotonic() + 5
    while not seen and time.monotonic() < end_s:
        watcher()
    assert b'"online": true' in seen[TOPICS.status]
    socket_of(gateway.link).shutdown(socket.SHUT_RDWR)
    while seen[TOPICS.status] != GONE and time.monotonic() < end_s:
        watcher()
    assert seen[TOPICS.status] == GONE
