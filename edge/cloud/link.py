"""One MQTT connection that comes back by itself, driven from outside: `step(mono_ms)` never waits.

Rules. Every connection is a new session (session/session.py) with a clean start, so that nothing of an old one can come
back. What was not acknowledged when a connection ended is reported `lost`; who sends it again is decided by the owner of
the data. The window is ours: paho ignores the broker's Receive Maximum. A message the broker refuses is counted and told,
never sent again here. Nothing raises for a fault of the network; `fault` says what is wrong.

MQTT 5 is spoken first. When a broker refuses it, or hangs up on it before it ever understood it, the next attempt is
MQTT 3.1.1: no granted window then, and no reasons for what it refuses.
"""

import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTProtocolVersion

from edge.clock import SystemClock
from edge.cloud.access import Access
from edge.cloud.dial import Backoff, Dial, ended
from edge.cloud.session.packets import Acked
from edge.cloud.session.session import FAILURE, Session, Will, refusal_text
from edge.cloud.tls.papers import Note, Papers
from edge.errors import DataFault
from edge.ops.clockfloor import ClockFloor

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
MESSAGE_MAX_BYTES = 1 << 20  # larger ones are not for us
NEVER_MS = 1 << 62

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
    floor: ClockFloor | None = None  # who knows how early it can be at most; None: what this machine knows


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
        self._papers = Papers(
            settings.access, settings.host, settings.port, settings.floor or ClockFloor(SystemClock().wall_ms)
        )
        self._dial: Dial | None = None
        self._session: Session | None = None
        self._subscriptions: dict[str, Received] = {}
        self._flying: dict[int, tuple[int, int, str]] = {}  # packet id: (token, sent at, topic)
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
        self._is_changing_over = False  # to a connection opened with renewed certificates: nothing new on this one

    # ---- for select

    def fileno(self) -> int:
        """The descriptor to wait for, or -1 while there is none (then wait for time only)."""
        if self._dial is not None:
            return self._dial.fileno()
        return self._session.fileno() if self._session is not None else -1

    def wants_write(self) -> bool:
        if self._dial is not None:
            return self._dial.wants_write()
        return self._session is not None and self._session.wants_write()

    # ---- use

    def subscribe(self, topic: str, callback: Received) -> None:
        """Asks for `topic` now and after every reconnection; `callback(topic, payload)` runs inside `step`."""
        self._subscriptions[topic] = callback
        if self.connected and self._session is not None:
            self._session.subscribe(topic)

    @property
    def room(self) -> int:
        """How many QoS 1 messages the window still takes."""
        is_open = self.connected and not self._is_changing_over
        return max(0, self.window - len(self._flying)) if is_open else 0

    @property
    def notes(self) -> deque[Note]:
        """What is to be told of the certificate files; the owner takes it out."""
        return self._papers.notes

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> int | None:
        """A token, later found in `settled` (QoS 1 only); None when not connected or the window is full."""
        token = self.gather(topic, payload, qos, retain)
        if token is not None and self._session is not None:
            self._session.flush()
        return token

    def gather(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> int | None:
        """As `publish`, but it leaves with the next `step`, in one piece with what else was gathered."""
        session = self._session
        if session is None or not self.connected or (qos and not self.room):
            return None
        packet_id = session.publish(topic, payload, qos, retain)
        token = self._next_token
        self._next_token += 1
        if qos:
            self._flying[packet_id] = (token, self._now_mono_ms, topic)
        return token

    def step(self, mono_ms: int) -> None:
        """Reads, writes, keeps alive, reconnects: whatever is possible now, without waiting."""
        self._now_mono_ms = mono_ms
        if self._session is not None:
            self._session.drive()
            for acked in self._session.take_acked():
                self._on_acked(acked)
            self._handle_events(self._session)
            self._check_patience()
            self._change_over()
        elif self._dial is not None:
            self._dial.step(mono_ms)
            if self._dial.socket:
                self._start_session(self._dial.socket)
            elif self._dial.fault:
                self._down(self._dial.fault)
        elif mono_ms >= self._retry_mono_ms or (self._retry_mono_ms < NEVER_MS and self._papers.judge.hurry(mono_ms)):
            self._start_dial()

    def close(self) -> None:
        """Says good-bye if it can; the will is sent then only if `will_at_close`, so publish a last status before."""
        if self._session is not None and self.connected:
            self._session.end(with_will=self._settings.will_at_close)
        self._down("closed")
        self._retry_mono_ms = NEVER_MS

    # ---- connecting

    def _start_dial(self) -> None:
        try:
            self._dial = self._papers.dial(self._now_mono_ms)
        except DataFault as fault:
            self._down(str(fault))

    def _start_session(self, sock: socket.socket) -> None:
        settings = self._settings
        self._dial = None
        session = Session(sock, settings.client_id, self._protocol, self._will())
        try:
            if settings.access.username:
                session.login(settings.access.username, settings.access.password())
        except DataFault as fault:
            sock.close()
            self._down(str(fault))
            return
        self._session, self._understood = session, False
        self._connack_end_mono_ms = self._now_mono_ms + CONNACK_MAX_MS
        try:
            session.begin(settings.host, settings.port, settings.keepalive_s)
        except (OSError, ValueError) as error:
            self._down(f"{settings.host}: {error}")

    def _will(self) -> Will | None:
        will = self._settings.will() if callable(self._settings.will) else self._settings.will
        return Will(*will, self._settings.will_retained) if will else None

    # ---- a session

    def _handle_events(self, session: Session) -> None:
        while session.events and session is self._session:
            name, *rest = session.events.popleft()
            if name == "connack":
                self._on_connack(session, rest[0], rest[1])
            elif name == "message":
                self._on_message(rest[0])
            elif name == "suback" and any(reason.is_failure for reason in rest[0]):
                self.fault = f"{self._settings.host}: a subscription was refused: {rest[0][0]}"
            elif name == "gone":
                self._down(f"{self._settings.host}: {ended(rest[0]) if self._understood else self._hung_up()}", "cut")

    def _hung_up(self) -> str:
        """The end of a session that the broker never answered."""
        asks = "does it ask for a client certificate (cert_file)?" if self._settings.access.tls else ""
        why = self._papers.hint() or asks
        return f"the broker hung up without an answer{'; ' if why else ''}{why}"

    def _change_over(self) -> None:
        """To a connection that stands already, opened with renewed certificates; once nothing is under way on this one."""
        self._is_changing_over = self.connected and self._papers.renew(self._now_mono_ms)
        if not self._is_changing_over or self._flying:
            return
        sock = self._papers.take().socket
        assert self._session is not None and sock is not None
        self._session.end(with_will=False)
        self._down("the certificate files were renewed: connecting anew with them")
        self._start_session(sock)

    def _on_connack(self, session: Session, reason: Any, properties: Any) -> None:
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
        for topic in self._subscriptions:
            session.subscribe(topic)
        session.flush()

    def _on_acked(self, acked: Acked) -> None:
        token, _, topic = self._flying.pop(acked.packet_id)
        if acked.reason >= FAILURE:
            self.refused_count += 1
            self.settled.append(Settled(token, "refused", refusal_text(acked.reason), topic))
        else:
            self.settled.append(Settled(token, "acked", "", topic))

    def _on_message(self, message: paho.MQTTMessage) -> None:
        if len(message.payload) > MESSAGE_MAX_BYTES:
            return
        for pattern, callback in self._subscriptions.items():
            if paho.topic_matches_sub(_unshared(pattern), message.topic):
                callback(message.topic, bytes(message.payload))

    def _check_patience(self) -> None:
        if self._session is None:
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
        if self._session is not None:
            self._session.close()
        self._dial = self._session = None

    def _down(self, fault: str, outcome: Literal["cut", "lost"] = "lost") -> None:
        """The end of an attempt or a session; the next one comes after the back-off."""
        session, self._session = self._session, None
        if self._dial is not None:
            self._dial.close()
            self._dial = None
        if session is not None:
            session.close()
            self._choose_protocol()
        session_ms = self._now_mono_ms - self._up_mono_ms if self.connected else 0
        if session_ms >= STABLE_MS:
            self._protocol = (
                MQTTProtocolVersion.MQTTv5
            )  # the broker may be another by now, or only have been in a hurry
        lost_session = self.connected
        self.connected, self.fault, self._is_changing_over = False, fault, False
        for token, _, topic in self._flying.values():
            self.settled.append(Settled(token, outcome, fault, topic))
        self._flying.clear()
        self._retry_mono_ms = self._now_mono_ms + self._backoff.wait_ms(session_ms, lost_session=lost_session)
