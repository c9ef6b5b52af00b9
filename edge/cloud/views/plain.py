"""The JSON view: one object a sample with plain names and engineering units, for Node-RED, Telegraf, a shell and jq.

{"wall_ms": 1780000000000, "poc_power_w": 41230, "soc_pct": 55.12, ..., "mode_text": "RUN"}; what is not known is left
out. QoS 0 on the cloud's own connection: what cannot be sent now is gone.
"""

import json

from edge.cloud.link import Connection
from edge.cloud.topics import Topics
from edge.cloud.views.columns import columns_of, named
from edge.model import Sample

STREAM = "site"


class JsonView:
    """A View on a connection that somebody else drives."""

    def __init__(self, link: Connection, topics: Topics, every_s: int) -> None:
        self._link, self._topic, self._every_ms = link, topics.json(STREAM), 1_000 * every_s
        self._columns = columns_of()
        self._due_mono_ms: int | None = None
        self._newest: Sample | None = None

    def note(self, sample: Sample) -> None:
        self._newest = sample

    def step(self, mono_ms: int) -> None:
        sample = self._newest
        if sample is None or (self._due_mono_ms is not None and mono_ms < self._due_mono_ms):
            return
        self._newest = None
        self._due_mono_ms = sample.mono_ms + self._every_ms  # by the samples, so that a late step skips none
        payload = json.dumps({"wall_ms": sample.wall_ms, **dict(named(self._columns, sample))}, separators=(",", ":"))
        self._link.publish(self._topic, payload.encode(), qos=0)

    def close(self) -> None:
        """Nothing of its own to end."""
