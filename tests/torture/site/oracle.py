"""The judge outside: reads the ring's files by the format alone, listens at the broker, and looks into the fleet's database.

It shares no code with the ring it judges but the decoding of what is inside a record and a message.
"""

import contextlib
import json
import sqlite3
import struct
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.cloud.codec import decode_ack, decode_batch, decode_sample
from edge.cloud.topics import LANES, parse
from edge.errors import DataFault

Key = tuple[int, int]  # epoch, number
Content = tuple[int, tuple[int | None, ...]]  # mono time, values

_HEADER = struct.Struct("<8sHHIQQ16sQI")
_RECORD = struct.Struct("<IIBQ")


def read_ring(folder: Path) -> dict[Key, Content]:
    """Every whole record of the files as they lie there, by the format that edge/store/ring/frames.py describes."""
    found: dict[Key, Content] = {}
    for path in sorted(folder.glob("*.seg")):
        raw = path.read_bytes()
        if len(raw) < _HEADER.size or not raw.startswith(b"TWSEGMNT"):
            continue  # cut off while it was made
        *_, context_bytes, epoch, _first, _boot, _skipped, salt = _HEADER.unpack_from(raw)
        at = _HEADER.size + context_bytes
        while at + _RECORD.size <= len(raw):
            crc, size, kind, seq = _RECORD.unpack_from(raw, at)
            end = at + _RECORD.size + size
            if not kind or zlib.crc32(raw[at + 4 : end], salt) != crc:
                break
            sample = decode_sample(raw[at + _RECORD.size : end]) if kind == 1 else None
            if sample is not None:
                found[epoch, seq] = (sample.mono_ms, tuple(sample.values))
            at = end
    return found


def read_fleet(file: Path) -> dict[Key, Content]:
    """Every row that the ingest has committed."""
    if not file.exists():
        return {}
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as base:
        try:
            rows = base.execute("SELECT epoch, seq, mono_ms, data FROM samples").fetchall()
        except sqlite3.OperationalError:
            return {}  # killed before it had made its tables
    return {(epoch, seq): (mono_ms, tuple(json.loads(data))) for epoch, seq, mono_ms, data in rows}


@dataclass(slots=True)
class Listener:
    """A client of the broker that hears what the gateway sends and what the ingest says it has."""

    port: int
    sent: dict[Key, Content] = field(default_factory=dict)
    changed_count: int = 0  # numbers that were sent with another content than before
    acked: list[tuple[int, int, int]] = field(default_factory=list)  # epoch, first, last
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _client: paho.Client | None = None

    def start(self) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, "oracle")
        client.suppress_exceptions = True
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        client.on_message = lambda _client, _user, message: self._take(message.topic, bytes(message.payload))
        client.connect_async("127.0.0.1", self.port)
        client.loop_start()
        self._client = client

    def stop(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def _take(self, topic: str, payload: bytes) -> None:
        address = parse(topic)
        if address is None:
            return
        try:
            if address.kind in LANES:
                batch = decode_batch(payload)
                with self._lock:
                    for index, sample in enumerate(batch.samples):
                        self._sent((batch.epoch, batch.seq0 + index), (sample.mono_ms, tuple(sample.values)))
            elif address.kind == "ack":
                ack = decode_ack(payload)
                with self._lock:
                    self.acked += [(ack.epoch, first, last) for first, last in (*ack.ranges, (1, ack.contiguous_seq))]
        except DataFault:
            self.changed_count += 1  # nobody here sends rubbish

    def _sent(self, key: Key, content: Content) -> None:
        if self.sent.setdefault(key, content) != content:
            self.changed_count += 1

    def take_heard(self) -> tuple[dict[Key, Content], list[tuple[int, int, int]]]:
        """A copy of what was heard so far."""
        with self._lock:
            return dict(self.sent), list(self.acked)
