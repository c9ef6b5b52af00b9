"""One MQTT connection that comes back by itself, driven from outside: `step(mono_ms)` never waits.

Rules. paho is a codec with a socket here: its threads and its reconnection are not used, and every connection is a new
paho client with a clean session, so that nothing of an old one can come back. What was not acknowledged when a
connection ended is reported `lost`; who sends it again is decided by the owner of the data. paho's callbacks only put
events into a queue. The window is ours: paho ignores the broker's Receive Maximum. A message the broker refuses is
counted and told, never sent again here. Nothing raises for a fault of the network; `fault` says what is wrong.

MQTT 5 is spoken first. When a broker refuses it, or hangs up on it before it ever understood it, the next attempt is
MQTT 3.1.1: no granted window then, and no reasons for what it refuses.
"""

import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge.cloud.access import Access
from edge.cloud.dial import Backoff, Dial
from edge.errors import DataFault

WINDOW_MAX = 16  # HiveMQ grants 10, EMQX 32; more gains nothing at our rates
CONNACK_MAX_MS = 5_000  # TCP and TLS are done by then; a 3.1.1 broker may wait for the rest of what it misread
PUBACK_MAX_MS = 20_000  # a broker that answers pings but no messages is as good as gone
RETRY_FIRST_MS = 2_000
RETRY_MAX_MS = 300_000
RETRY_LOSS_MS = 60_000  # after the end of a session: a dead broker is lost by all gateways at once
STABLE_MS = 300_000
REMEDIES = {  # what to do about a refusal, by reason code of the CONNACK
    0x85: "; the broker does not take this client id: check site.tenant and site.id",
    0x86: "; check username and password_file",
    0x87: "; check username, password_file and what the broker allows them",
    0x8C: "; the broker wants another way to log in, e.g. a certificate: cert_file",
}
VERSION_REFUSED = 0x84  # CONNACK; what 3.1.1 brokers say as 1, paho shows as this
DISCONNECT_WITH_WILL = ReasonCode(PacketTypes.DISCONNECT, identifier=0x04)
MESSAGE_MAX_BYTES = 1 << 20  # larger ones are not for us

ANYBODY = Access()  # no user, no TLS
Received = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Where to and as whom; `will` is (topic, payload), sent by the broker when we are gone.

    A will that differs from connection to connection is a function: it is asked for each CONNECT.
    """

    host: str
    port: int = 1883
    client_id: str = ""
    access: Access = ANYBODY
    keepalive_s: int = 30
    will: tuple[str, bytes] | Callable[[], tuple[str, bytes]] | None = None
    will_retained: bool = True
    will_at_close: bool = False  # a good-bye in MQTT 5 sends it as well
    retry_first_ms: int = RETRY_FIRST_MS
    retry_max_ms: int = RETRY_MAX_MS
    retry_loss_ms: int = 0  # longest first wait after the end of a session; 0: as after any other failure


@dataclass(frozen=True, slots=True)
class Settled:
    """How a publish ended: "acked" by the broker, "refused" by it, "cut" when it closed the connection, "lost" with it."""

    token: int
    outcome: Literal["acked", "refused", "cut", "lost"]
    reason: str = ""  # of all but "acked"
    topic: str = ""


class Connection(Protocol):
    """What the owner of data needs of a Link, or of an Engine that runs one."""

    settled: deque[Settled]

    @property
    def connected(self) -> bool: ...
    @property
    def window(self) -> int: ...
    @property
    def room(self) -> int: ...
    @property
    def up_count(self) -> int: ...
    @property
    def fault(self) -> str: ...
    def fileno(self) -> int: ...
    def wants_write(self) -> bool: ...
    def subscribe(self, topic: str, callback: Received) -> None: ...
    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> int | None: ...
    def step(self, mono_ms: int) -> None: ...
    def close(self) -> None: ...


class _Client(paho.Client):
    """A paho client on a socket that is already open."""

    handed: socket.socket

    def _create_socket(self) -> Any:  # a test fails when paho no longer asks here
        return self.handed


def _unshared(pattern: str) -> str:
    """The filter inside `$share/group/filter`, by which its messages come; any other as it is."""
    return pattern.split("/", 2)[2] if pattern.startswith("$share/") else pattern


class Link:
    """The connection. `up_count` rises with each session; watch it to publish a birth."""

    def __init__(self, settings: LinkSettings, *, backoff: Backoff | None = None) -> None:
        self._settings = settings
        self._backoff = backoff or Backoff(
            settings.retry_first_ms, settings.retry_max_ms, STABLE_MS, loss_ms=settings.retry_loss_ms
        )
        self._dial: Dial | None = None
        self._client: _Client | None = None
        self._events: deque[tuple[Any, ...]] = deque()
        self._subscriptions: dict[str, Received] = {}
        self._flying: dict[int, tuple[int, int, str]] = {}  # mid: (token, sent at, topic)
        self._next_token = 1
        self._retry_mono_ms = 0
        self._connack_end_mono_ms = 0
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._v5_known = False  # this broker has answered in MQTT 5: never again less
        self._understood = True  # the broker has answered this session's CONNECT in its protocol
        self._up_mono_ms = 0
        self._now_mono_ms = 0
        self.connected = False
        self.window = WINDOW_MAX
        self.settled: deque[Settled] = deque(maxlen=4_096)
        self.refused_count = 0
        self.up_count = 0
        self.fault = ""

    # ---- for select

    def fileno(self) -> int:
        """The descriptor to wait for, or -1 while there is none (then wait for time only)."""
        if self._dial is not None:
            return self._dial.fileno()
        found = self._client.socket() if self._client else None
        return found.fileno() if found else -1

    def wants_write(self) -> bool:
        if self._dial is not None:
            return self._dial.wants_write()
        return bool(self._client and self._client.want_write())

    # ---- use

    def subscribe(self, topic: str, callback: Received) -> None:
        """Asks for `topic` now and after every reconnection; `callback(topic, payload)` runs inside `step`."""
        self._subscriptions[topic] = callback
        if self.connected and self._client:
            self._client.subscribe(topic, qos=1)

    @property
    def room(self) -> int:
        """How many QoS 1 messages the window still takes."""
        return max(0, self.window - len(self._flying)) if self.connected else 0

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> int | None:
        """A token, later found in `settled` (QoS 1 only); None when not connected or the window is full."""
        client = self._client
        if client is None or not self.connected or (qos and not self.room):
            return None
        info = client.publish(topic, payload, qos=qos, retain=retain)
        token = self._next_token
        self._next_token += 1
        if qos:
            self._flying[info.mid] = (token, self._now_mono_ms, topic)
        return token

    def step(self, mono_ms: int) -> None:
        """Reads, writes, keeps alive, reconnects: whatever is possible now, without waiting."""
        self._now_mono_ms = mono_ms
        if self._client is not None:
            self._drive(self._client)
            self._handle_events()
            self._check_patience()
        elif self._dial is not None:
            self._dial.step(mono_ms)
            if self._dial.socket:
                self._start_session(self._dial.socket)
            elif self._dial.fault:
                self._down(self._dial.fault)
        elif mono_ms >= self._retry_mono_ms:
            self._start_dial()

    def close(self) -> None:
        """Says good-bye if it can; the will is sent then only if `will_at_close`, so publish a last status before."""
        if self._client is not None and self.connected:
            with_will = self._settings.will_at_close and self._protocol == MQTTProtocolVersion.MQTTv5
            self._client.disconnect(DISCONNECT_WITH_WILL if with_will else None)
            self._client.loop_write()
        self._down("closed")
        self._retry_mono_ms = 1 << 62

    # ---- connecting

    def _start_dial(self) -> None:
        settings = self._settings
        try:
            context = settings.access.context()
        except DataFault as fault:
            self._down(str(fault))
            return
        self._dial = Dial(settings.host, settings.port, context, self._now_mono_ms)

    def _start_session(self, sock: socket.socket) -> None:
        settings = self._settings
        self._dial = None
        v5 = self._protocol == MQTTProtocolVersion.MQTTv5
        clean = None if v5 else True
        client = _Client(CallbackAPIVersion.VERSION2, settings.client_id, clean, protocol=self._protocol)
        client.handed = sock
        client.suppress_exceptions = True
        try:
            if settings.access.username:
                client.username_pw_set(settings.access.username, settings.access.password())
        except DataFault as fault:
            sock.close()
            self._down(str(fault))
            return
        if settings.will:
            topic, will = settings.will() if callable(settings.will) else settings.will
            client.will_set(topic, will, qos=1, retain=settings.will_retained)
        self._hook(client)
        self._client, self._understood = client, False
        self._connack_end_mono_ms = self._now_mono_ms + CONNACK_MAX_MS
        try:
            start = True if v5 else paho.MQTT_CLEAN_START_FIRST_ONLY  # what 3.1.1 wants to hear
            client.connect(settings.host, settings.port, settings.keepalive_s, clean_start=start)
        except (OSError, ValueError) as error:
            self._down(f"{settings.host}: {error}")

    def _hook(self, client: _Client) -> None:
        put = self._events.append
        client.on_connect = lambda _c, _u, _f, reason, properties: put(("connack", client, reason, properties))
        client.on_disconnect = lambda _c, _u, _f, reason, _p: put(("gone", client, reason))
        client.on_publish = lambda _c, _u, mid, reason, _p: put(("puback", client, mid, reason))
        client.on_message = lambda _c, _u, message: put(("message", client, message))
        client.on_subscribe = lambda _c, _u, _mid, reasons, _p: put(("suback", client, reasons))

    # ---- a session

    def _drive(self, client: _Client) -> None:
        try:
            if client.want_write():
                client.loop_write()
            client.loop_read()
            pending = getattr(client.socket(), "pending", None)  # TLS: bytes that select no longer sees
            for _ in range(64):
                if not (pending and client.socket() and pending()):
                    break
                client.loop_read()
            client.loop_misc()
        except (OSError, ValueError, IndexError, KeyError, RuntimeError, TypeError) as error:
            self._down(f"{self._settings.host}: {error}")  # a broker that talks nonsense
        if self._client is client and client.socket() is None and not any(e[0] == "gone" for e in self._events):
            self._events.append(("gone", client, "connection lost"))

    def _handle_events(self) -> None:
        while self._events:
            name, client, *rest = self._events.popleft()
            if client is not self._client:
                continue  # of a session that is over
            if name == "connack":
                self._on_connack(rest[0], rest[1])
            elif name == "puback":
                self._on_puback(rest[0], rest[1])
            elif name == "message":
                self._on_message(rest[0])
            elif name == "suback" and any(reason.is_failure for reason in rest[0]):
                self.fault = f"{self._settings.host}: a subscription was refused: {rest[0][0]}"
            elif name == "gone":
                self._down(f"{self._settings.host}: {rest[0] if self._understood else self._hung_up()}", "cut")

    def _hung_up(self) -> str:
        """The end of a session that the broker never answered."""
        asks = "; does it ask for a client certificate (cert_file)?" if self._settings.access.tls else ""
        return f"the broker hung up without an answer{asks}"

    def _on_connack(self, reason: Any, properties: Any) -> None:
        self._understood = reason.value != VERSION_REFUSED
        self._v5_known |= self._understood and self._protocol == MQTTProtocolVersion.MQTTv5
        if reason.is_failure:
            self._down(f"{self._settings.host}: refused: {reason}{REMEDIES.get(reason.value, '')}")
            return
        granted = getattr(properties, "ReceiveMaximum", WINDOW_MAX) if properties is not None else WINDOW_MAX
        self.window = max(1, min(int(granted), WINDOW_MAX))
        self.connected, self.fault = True, ""
        self.up_count += 1
        self._up_mono_ms = self._now_mono_ms
        assert self._client is not None
        for topic in self._subscriptions:
            self._client.subscribe(topic, qos=1)

    def _on_puback(self, mid: int, reason: Any) -> None:
        flying = self._flying.pop(mid, None)
        if flying is None:
            return
        token, _, topic = flying
        if reason is not None and reason.is_failure:
            self.refused_count += 1
            self.settled.append(Settled(token, "refused", str(reason), topic))
        else:
            self.settled.append(Settled(token, "acked", "", topic))

    def _on_message(self, message: paho.MQTTMessage) -> None:
        if len(message.payload) > MESSAGE_MAX_BYTES:
            return
        for pattern, callback in self._subscriptions.items():
            if paho.topic_matches_sub(_unshared(pattern), message.topic):
                callback(message.topic, bytes(message.payload))

    def _check_patience(self) -> None:
        if self._client is None:
            return
        if not self.connected and self._now_mono_ms >= self._connack_end_mono_ms:
            self._down(f"{self._settings.host}: no CONNACK within {CONNACK_MAX_MS} ms")
        oldest_mono_ms = next(iter(self._flying.values()), (0, self._now_mono_ms, ""))[1]
        if self._now_mono_ms - oldest_mono_ms >= PUBACK_MAX_MS:
            self._down(f"{self._settings.host}: no PUBACK within {PUBACK_MAX_MS} ms")

    def _choose_protocol(self) -> None:
        """After a CONNECT that was not understood: the other protocol next, unless the broker is known to speak 5."""
        if not self._understood and not self._v5_known:
            v5 = self._protocol == MQTTProtocolVersion.MQTTv5
            self._protocol = MQTTProtocolVersion.MQTTv311 if v5 else MQTTProtocolVersion.MQTTv5

    def abandon(self) -> None:
        """Closes what is open without a word, and without the care of `close`: for a link that is broken itself."""
        if self._dial is not None:
            self._dial.close()
        if self._client is not None:
            self._client.handed.close()
        self._dial = self._client = None

    def _down(self, fault: str, outcome: Literal["cut", "lost"] = "lost") -> None:
        """The end of an attempt or a session; the next one comes after the back-off."""
        client, self._client = self._client, None
        if self._dial is not None:
            self._dial.close()
            self._dial = None
        if client is not None:
            sock = cast("socket.socket | None", client.socket()) or client.handed
            client.on_disconnect = None
            sock.close()
            self._choose_protocol()
        session_ms = self._now_mono_ms - self._up_mono_ms if self.connected else 0
        if session_ms >= STABLE_MS:
            self._protocol = (
                MQTTProtocolVersion.MQTTv5
            )  # the broker may be another by now, or only have been in a hurry
        lost_session = self.connected
        self.connected, self.fault = False, fault
        for token, _, topic in self._flying.values():
            self.settled.append(Settled(token, outcome, fault, topic))
        self._flying.clear()
        self._events.clear()
        self._retry_mono_ms = self._now_mono_ms + self._backoff.wait_ms(session_ms, lost_session=lost_session)
