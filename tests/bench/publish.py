"""Publishing QoS 1 to mosquitto on loopback: the link as the product runs it, in its own thread, against paho's loop_start.

Alike for both: MQTT 5, one connection, payload, topic, a window of 16, the number of messages, one thread that publishes
and one that owns the socket. They take turns in one process, and who goes first changes; what counts is the median of
the rounds' ratios, because others use this machine too.
"""

import os
import select
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.clock import SystemClock
from edge.cloud.engine import Engine
from edge.cloud.link import WINDOW_MAX, Link, LinkSettings

TOPIC, PAYLOAD = "bench/a", os.urandom(274)  # one sample of 60 values, uncompressed
WINDOW, MESSAGES_COUNT, ROUNDS = WINDOW_MAX, 4_000, 9
FASTER_MIN = 1.8


@dataclass(frozen=True, slots=True)
class Run:
    """One client's messages: how many a second the broker has acked, and CPU of this process for each."""

    per_s: float
    cpu_us: float


def compare(port: int) -> tuple[Run, Run, float]:
    """(paho, ours, how many times as fast ours is), each the median of the rounds."""
    theirs: list[Run] = []
    ours: list[Run] = []
    for index in range(ROUNDS):
        for ours_now in (index % 2 == 0, index % 2 == 1):
            (ours if ours_now else theirs).append(engine_run(port) if ours_now else paho_run(port))
    ratio = statistics.median(one.per_s / other.per_s for one, other in zip(ours, theirs, strict=True))
    return _median(theirs), _median(ours), ratio


def _median(runs: list[Run]) -> Run:
    return Run(statistics.median(one.per_s for one in runs), statistics.median(one.cpu_us for one in runs))


def _timed(work: Callable[[], None]) -> Run:
    started_s, started_cpu_s = time.monotonic(), time.process_time()
    work()
    took_s, cpu_s = time.monotonic() - started_s, time.process_time() - started_cpu_s
    return Run(MESSAGES_COUNT / took_s, cpu_s * 1e6 / MESSAGES_COUNT)


def engine_run(port: int) -> Run:
    """Over our engine in its own thread, the owner waiting for it as the uplink does."""
    clock = SystemClock()
    engine = Engine(lambda: Link(LinkSettings("127.0.0.1", port, client_id="bench-ours")), clock)
    engine.start()
    while not engine.connected:
        engine.step(clock.mono_ms())
        time.sleep(0.001)
    assert engine.window == WINDOW

    def work() -> None:
        sent_count = acked_count = 0
        while acked_count < MESSAGES_COUNT:
            while sent_count < MESSAGES_COUNT and engine.publish(TOPIC, PAYLOAD) is not None:
                sent_count += 1
            select.select([engine.fileno()], [], [], 0.1)
            engine.step(clock.mono_ms())
            acked_count += len(engine.settled)
            engine.settled.clear()

    run = _timed(work)
    engine.close()
    return run


def paho_run(port: int) -> Run:
    """Over paho's loop_start; the application waits for room in the window, as one must to bound its memory."""
    client = paho.Client(CallbackAPIVersion.VERSION2, "bench-paho", protocol=MQTTProtocolVersion.MQTTv5)
    room, ready = threading.Semaphore(WINDOW), threading.Event()
    client.on_publish = lambda *_: room.release()
    client.on_connect = lambda *_: ready.set()
    client.max_inflight_messages_set(WINDOW)
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(5)

    def work() -> None:
        for _ in range(MESSAGES_COUNT):
            room.acquire()
            client.publish(TOPIC, PAYLOAD, qos=1)
        for _ in range(WINDOW):  # the last of them are acked
            room.acquire()

    run = _timed(work)
    client.disconnect()
    client.loop_stop()
    return run
