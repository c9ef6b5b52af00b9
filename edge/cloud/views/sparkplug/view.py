"""The Sparkplug view of a site: its own connection, the life of the session, history after an outage, orders of a host.

Rules. Samples are never sent as live that were taken while nobody could hear them: they go as history, a few a second.
What was sent within the last moments before a connection broke goes once more as history, for QoS 0 does not tell what
arrived. Nothing is published before the births, nor while the primary host (if one is configured) is offline.
"""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from edge.cloud.dial import Backoff
from edge.cloud.link import RETRY_FIRST_MS, RETRY_MAX_MS, STABLE_MS, Link, LinkSettings
from edge.cloud.views.base import access_to
from edge.cloud.views.sparkplug.host import PrimaryHost
from edge.cloud.views.sparkplug.node import Message, Names, Node
from edge.cloud.views.sparkplug.orders import Order, Rights, read_orders
from edge.cloud.views.sparkplug.payload import Value
from edge.cloud.views.sparkplug.tags import ANSWER, BATTERY, NODE, REBIRTH, WISH, Layout
from edge.config.options import Config
from edge.model import AuditEntry, Request, Sample

HISTORY_COUNT = 10  # samples a second, about 10 kB: a quarter of an hour in 90 s
HISTORY_EVERY_MS = 1_000
BIRTH_EVERY_MS = 1_000  # about 2 kB; a host that asks for a rebirth in a loop gets one a second
REST_MS = 5_000  # between leaving because of the primary host and coming again
TELL_EVERY_MS = 5_000  # a host that writes nonsense each second must not fill the audit

log = logging.getLogger("edge.sparkplug")


class SparkplugView:
    """A View. `offer` takes wishes to the authority, `tell` what belongs into the audit."""

    def __init__(
        self,
        config: Config,
        offer: Callable[[Request], None],
        tell: Callable[[AuditEntry], None],
        backoff: Backoff | None = None,
    ) -> None:
        spec = self._spec = config.views.sparkplug
        self._site, self._offer, self._tell = config.site, offer, tell
        self._names = Names(spec.group, config.site.id)
        self._rights = rights_of(config)
        self._held: dict[str, Value] = {ANSWER: "", WISH: None}
        uses = {device.use for device in config.device}
        devices = [BATTERY, *(use for use in ("poc", "load", "pv") if use in uses)]
        self._layout = Layout(devices, self._held.__getitem__, setpoints=spec.setpoints)
        self._node = Node(self._names, self._layout)
        self._host = PrimaryHost(spec.primary_host)
        self._backoff = backoff or Backoff(RETRY_FIRST_MS, RETRY_MAX_MS, STABLE_MS)
        self._link: Link | None = None
        self._link_due_mono_ms = 0
        self._up_count = 0
        self._said = ""
        self.born = False
        self._birth_due = False  # asked for by the host
        self._birth_next_mono_ms = 0
        self._newest: Sample | None = None
        self._fresh: deque[Sample] = deque(maxlen=max(1, spec.history_s))
        self._doubt_s = 2 * spec.keepalive_s  # a connection that is gone is noticed within 1.5 keepalives
        self._sent: deque[Sample] = deque(maxlen=min(self._doubt_s, spec.history_s))
        self._history: deque[Sample] = deque(maxlen=spec.history_s)
        self._history_due_mono_ms = 0
        self._wish_end_mono_ms: int | None = None
        self._tell_due_mono_ms = 0
        self._untold_count = 0
        self._now_mono_ms = 0

    # ---- as a View

    def note(self, sample: Sample) -> None:
        self._newest = sample
        self._fresh.append(sample)

    def step(self, mono_ms: int) -> None:
        self._now_mono_ms = mono_ms
        self._end_wish()
        link = self._drive()
        connected = link is not None and link.connected
        if self.born and not connected:
            self._cut()
        if link is not None and connected and self.born and not self._host.online:
            self._leave(link)
        elif link is not None and connected and self._host.online and self._newest is not None:
            self._publish(link, self._newest)
        while not self.born and len(self._fresh) > 1:  # the newest will be in the births
            self._history.append(self._fresh.popleft())

    def close(self) -> None:
        if self._link is not None:
            self._leave(self._link)

    # ---- the session

    def _drive(self) -> Link | None:
        """The connection, stepped; a new one where there is none and one may be."""
        if self._link is None and self._now_mono_ms >= self._link_due_mono_ms:
            self._link, self._up_count = self._connect(), 0
        link = self._link
        if link is None:
            return None
        link.step(self._now_mono_ms)
        link.settled.clear()
        if link.up_count != self._up_count:  # a new session: what was born belonged to the old one
            self._up_count = link.up_count
            if self.born:
                self._cut()
        self._log(link)
        return link

    def _connect(self) -> Link:
        spec = self._spec
        link = Link(
            LinkSettings(
                spec.host, spec.port, client_id=f"{self._site.tenant}-{self._site.id}-spb", access=access_to(spec),
                keepalive_s=spec.keepalive_s, will=self._begin, will_retained=False, will_at_close=True,
            ),
            backoff=self._backoff,
        )  # fmt: skip
        link.subscribe(self._names.topic("NCMD"), partial(self._take, NODE))
        for device in self._layout.alive:
            link.subscribe(self._names.topic("DCMD", device), partial(self._take, device))
        if self._host.topic:
            link.subscribe(self._host.topic, lambda _, payload: self._host.note(payload))
        return link

    def _begin(self) -> Message:
        """A CONNECT is about to be sent: whatever the host was, it must be heard anew."""
        self._host.forget()
        return self._node.will()

    def _publish(self, link: Link, newest: Sample) -> None:
        if not self.born or self._birth_due:
            if self._now_mono_ms < self._birth_next_mono_ms:
                return  # a host that asks all the time; no data before the births
            self._send_births(link, newest)
        while self._fresh:
            sample = self._fresh.popleft()
            self._send(link, self._node.data(sample, self._wall_ms(newest)))
            self._sent.append(sample)
        if self._history and self._now_mono_ms >= self._history_due_mono_ms:
            self._history_due_mono_ms = self._now_mono_ms + HISTORY_EVERY_MS
            some = [self._history.popleft() for _ in range(min(HISTORY_COUNT, len(self._history)))]
            self._send(link, self._node.history(some, self._wall_ms(newest)))

    def _send_births(self, link: Link, newest: Sample) -> None:
        """With the newest values; samples that wait behind them are history by now."""
        self._history.extend(sample for sample in self._fresh if sample is not newest)
        self._fresh.clear()
        self._send(link, self._node.births(newest, self._wall_ms(newest)))
        self._sent.append(newest)
        self.born, self._birth_due = True, False
        self._birth_next_mono_ms = self._now_mono_ms + BIRTH_EVERY_MS
        self._history_due_mono_ms = self._now_mono_ms + HISTORY_EVERY_MS

    def _send(self, link: Link, messages: list[Message]) -> None:
        for topic, payload in messages:
            link.publish(topic, payload, qos=0)

    def _wall_ms(self, newest: Sample) -> int:
        return newest.wall_ms + max(0, self._now_mono_ms - newest.mono_ms)

    def _cut(self) -> None:
        """The connection broke: what was sent last may not have arrived."""
        self.born = False
        since_mono_ms = self._now_mono_ms - 1_000 * self._doubt_s
        doubtful = [sample for sample in self._sent if sample.mono_ms >= since_mono_ms]
        kept = [*doubtful, *self._history]
        self._history.clear()
        self._history.extend(kept)
        self._sent.clear()

    def _leave(self, link: Link) -> None:
        """On purpose: NDEATH, then good-bye with the will."""
        if self.born and self._newest is not None:
            topic, payload = self._node.death(self._wall_ms(self._newest))
            link.publish(topic, payload, qos=1)
            link.step(self._now_mono_ms)
        link.close()
        self._link, self.born = None, False
        self._sent.clear()
        self._link_due_mono_ms = self._now_mono_ms + REST_MS

    # ---- orders

    def _take(self, device: str, _: str, payload: bytes) -> None:
        wall_ms = self._wall_ms(self._newest) if self._newest is not None else None
        for order in read_orders(payload, device, self._layout, self._rights, wall_ms):
            if order.refused:
                self._answer("command", f"refused {order.name}: {order.refused}", told=True)
            elif order.name == REBIRTH:
                self._birth_due = True
            else:
                self._wish(order)

    def _wish(self, order: Order) -> None:
        lease_ms = 1_000 * self._spec.setpoint_lease_s
        begins = self._wish_end_mono_ms is None
        self._wish_end_mono_ms = self._now_mono_ms + lease_ms
        self._held[WISH] = order.power_w
        self._offer(
            Request("fleet", "power", order.power_w, self._wish_end_mono_ms, "a wish over Sparkplug", "battery")
        )
        cut = f", of the {order.cut} that were asked for" if order.cut else ""
        self._answer("power", f"taken for {self._spec.setpoint_lease_s} s: {order.power_w} W{cut}", told=begins)

    def _end_wish(self) -> None:
        """The lease ends in the authority by itself; here the host is shown that it has."""
        if self._wish_end_mono_ms is not None and self._now_mono_ms >= self._wish_end_mono_ms:
            self._wish_end_mono_ms = self._held[WISH] = None

    def _answer(self, action: str, text: str, *, told: bool) -> None:
        self._held[ANSWER] = text
        if not told:
            return
        if self._newest is None or self._now_mono_ms < self._tell_due_mono_ms:
            self._untold_count += 1
            return
        more = f" ({self._untold_count} before it not told)" if self._untold_count else ""
        self._tell_due_mono_ms, self._untold_count = self._now_mono_ms + TELL_EVERY_MS, 0
        self._tell(AuditEntry(self._now_mono_ms, self._wall_ms(self._newest), "sparkplug", action, text + more))

    def _log(self, link: Link) -> None:
        """Changes of the connection only."""
        said = "connected" if link.connected else link.fault
        if said and said != self._said:
            self._said = said
            (log.info if link.connected else log.warning)("sparkplug state=%r host=%s", said, self._spec.host)


def rights_of(config: Config) -> Rights:
    """What a host may do here: the owner's word, and the ratings of all units together."""
    return Rights(
        config.views.sparkplug.setpoints,
        -sum(unit.power_charge_max_w for unit in config.unit),
        sum(unit.power_discharge_max_w for unit in config.unit),
    )
