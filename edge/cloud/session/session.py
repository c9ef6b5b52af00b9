"""One MQTT session on one open socket: steps in, events out.

paho speaks CONNECT, SUBSCRIBE, PING, what comes in and the good-bye; its threads, its reconnection, its window and its
queue of messages are not used. What we publish and what is answered to it goes past paho (packets.py). paho's callbacks
only put events into a queue; what they mean is decided by the owner. A broker that talks nonsense ends the session with
an event like any other. Everything that is written leaves with `flush`, in one piece.
"""

import socket
from collections import deque
from typing import Any, NamedTuple

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge.cloud.session.corked import CorkedSocket
from edge.cloud.session.packets import Acked, publish_packet

DISCONNECT_WITH_WILL = ReasonCode(PacketTypes.DISCONNECT, identifier=0x04)
ID_MIN, ID_MAX = 0x8000, 0xFFFF  # packet ids of what we publish; paho numbers its subscriptions from 1
FAILURE = 0x80  # reason codes from here on
NONSENSE = (OSError, ValueError, IndexError, KeyError, RuntimeError, TypeError)  # what paho raises for it


class Will(NamedTuple):
    topic: str
    payload: bytes
    retain: bool


class _Client(paho.Client):
    """A paho client on a socket that is already open."""

    handed: CorkedSocket

    def _create_socket(self) -> Any:  # a test fails when paho no longer asks here
        return self.handed


class Session:
    """One connection from CONNECT to its end.

    `events`: ("connack", reason, properties), ("message", message), ("suback", reasons), and the last ("gone", reason).
    """

    def __init__(self, sock: socket.socket, client_id: str, protocol: MQTTProtocolVersion, will: Will | None) -> None:
        self.events: deque[tuple[Any, ...]] = deque()
        self._is_v5 = protocol == MQTTProtocolVersion.MQTTv5
        self._wire = CorkedSocket(sock)
        self._underway: set[int] = set()
        self._next_id = ID_MIN
        clean = None if self._is_v5 else True
        self._client = _Client(CallbackAPIVersion.VERSION2, client_id, clean, protocol=protocol)
        self._client.handed = self._wire
        self._client.suppress_exceptions = True
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        self._hook(self._client)

    def _hook(self, client: _Client) -> None:
        put = self.events.append
        client.on_connect = lambda _c, _u, _f, reason, properties: put(("connack", reason, properties))
        client.on_disconnect = lambda _c, _u, _f, reason, _p: put(("gone", reason))
        client.on_message = lambda _c, _u, message: put(("message", message))
        client.on_subscribe = lambda _c, _u, _mid, reasons, _p: put(("suback", reasons))

    def login(self, username: str, password: str | None) -> None:
        self._client.username_pw_set(username, password)

    def begin(self, host: str, port: int, keepalive_s: int) -> None:
        """Says CONNECT. Raises OSError or ValueError."""
        start = True if self._is_v5 else paho.MQTT_CLEAN_START_FIRST_ONLY  # what 3.1.1 wants to hear
        self._client.connect(host, port, keepalive_s, clean_start=start)
        self.flush()

    # ---- for select

    def fileno(self) -> int:
        return self._wire.fileno()

    def wants_write(self) -> bool:
        return self._wire.has_output

    # ---- use

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, qos=1)

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> int:
        """The packet id under which it is acked; leaves with the next `flush` or `drive`. Raises ValueError."""
        packet_id = self._free_id() if qos else 0
        self._wire.send(publish_packet(topic, payload, packet_id, qos, retain=retain, v5=self._is_v5))
        if qos:
            self._underway.add(packet_id)
        return packet_id

    def _free_id(self) -> int:
        while True:
            found, self._next_id = self._next_id, self._next_id + 1 if self._next_id < ID_MAX else ID_MIN
            if found not in self._underway:
                return found

    def take_acked(self) -> list[Acked]:
        """What the broker has answered to what was published, each once."""
        found = [one for one in self._wire.acked if one.packet_id in self._underway]
        self._wire.acked.clear()
        self._underway.difference_update(one.packet_id for one in found)
        return found

    def drive(self) -> None:
        """Sends, reads and keeps alive, whatever is possible now."""
        try:
            self.flush()
            self._wire.fill()
            while self._wire.has_input and self._client.socket() is not None:
                if self._client.loop_read():
                    break
            self._client.loop_misc()
            self.flush()
        except NONSENSE as error:
            self.events.append(("gone", error))
        if self._client.socket() is None and not any(one[0] == "gone" for one in self.events):
            self.events.append(("gone", "connection lost"))

    def flush(self) -> None:
        """What was written goes out, as far as the socket takes it now."""
        self._wire.flush()

    def end(self, *, with_will: bool) -> None:
        """The good-bye, after what is still to be written."""
        self._client.disconnect(DISCONNECT_WITH_WILL if with_will and self._is_v5 else None)
        self.flush()

    def close(self) -> None:
        self._client.on_disconnect = None
        self._wire.close()


def refusal_text(code: int) -> str:
    """What a reason code of a PUBACK says."""
    try:
        return str(ReasonCode(PacketTypes.PUBACK, identifier=code))
    except (KeyError, ValueError):  # not known at all, or not for a PUBACK
        return f"reason 0x{code:02X}"
