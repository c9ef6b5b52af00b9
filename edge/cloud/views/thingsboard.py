"""The ThingsBoard view: the JSON of its MQTT gateway API, so that a site is a device there without any rule chain.

`v1/gateway/telemetry` {"<site>": [{"ts": ms, "values": {...}}, ...]}, after `v1/gateway/connect` in each session. The
access token is the user name. Each second is sent, `every_s` of them in a message; an outage of ten minutes is held in
memory and sent with its own times, but what was under way when a connection broke is not sent again.
"""

import json
from collections import deque

from edge.cloud.dial import Backoff
from edge.cloud.link import Link, LinkSettings
from edge.cloud.views.base import access_to
from edge.cloud.views.columns import columns_of, named
from edge.config.options import Site
from edge.config.views import ThingsBoard
from edge.model import Sample

CONNECT, TELEMETRY, DISCONNECT = "v1/gateway/connect", "v1/gateway/telemetry", "v1/gateway/disconnect"
HELD_MAX_COUNT = 600
MESSAGE_MAX_COUNT = 60  # samples; about 30 kB, half of what ThingsBoard takes by default


class ThingsBoardView:
    """A View with a connection of its own."""

    def __init__(self, site: Site, spec: ThingsBoard, backoff: Backoff | None = None) -> None:
        client_id = f"{site.tenant}-{site.id}-tb"
        settings = LinkSettings(
            spec.host, spec.port, client_id=client_id, access=access_to(spec), keepalive_s=spec.keepalive_s
        )
        self.link = Link(settings, backoff=backoff)
        self._device, self._every_ms = site.id, 1_000 * spec.every_s
        self._columns = columns_of()
        self._held: deque[Sample] = deque(maxlen=HELD_MAX_COUNT)
        self._up_count = 0
        self._due_mono_ms = 0

    def note(self, sample: Sample) -> None:
        self._held.append(sample)

    def step(self, mono_ms: int) -> None:
        self.link.step(mono_ms)
        self.link.settled.clear()
        if not self.link.connected or mono_ms < self._due_mono_ms or self.link.room < 2:
            return
        if self.link.up_count != self._up_count:
            self._up_count = self.link.up_count
            self._publish(CONNECT, {"device": self._device})
        if self._held:
            self._due_mono_ms = mono_ms + (self._every_ms if len(self._held) <= MESSAGE_MAX_COUNT else 1_000)
            some = [self._held.popleft() for _ in range(min(MESSAGE_MAX_COUNT, len(self._held)))]
            self._publish(TELEMETRY, {self._device: [self._row(sample) for sample in some]})

    def _row(self, sample: Sample) -> dict[str, object]:
        return {"ts": sample.wall_ms, "values": dict(named(self._columns, sample))}

    def _publish(self, topic: str, what: dict[str, object]) -> None:
        self.link.publish(topic, json.dumps(what, separators=(",", ":")).encode(), qos=1)

    def close(self) -> None:
        """Sends what is held if it can, and says that the device is gone."""
        if self.link.connected and self.link.room >= 2:
            if self._held:
                newest = list(self._held)[-MESSAGE_MAX_COUNT:]
                self._publish(TELEMETRY, {self._device: [self._row(sample) for sample in newest]})
            self._publish(DISCONNECT, {"device": self._device})
        self.link.close()
