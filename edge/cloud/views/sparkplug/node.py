"""What a Sparkplug edge node says: samples in, messages out. It owns seq, bdSeq, the values last told and who was born.

Rules of the specification kept here: an NBIRTH begins a new count of seq and is followed by the births of the devices
that are there; data is what has changed; a device that the controller does not see dies, and is born again when it is
back; history goes in payloads of its own. When a birth is due, and whether anybody listens, is `view.py`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.cloud.views.sparkplug.payload import DataType, Metric, Payload, Value, encode_payload
from edge.cloud.views.sparkplug.tags import BD_SEQ, BD_SEQ_ALIAS, NODE, REBIRTH, Layout
from edge.model import Sample

ROOT = "spBv1.0"
COUNT = 256  # seq and bdSeq: 0..255, then 0


@dataclass(frozen=True, slots=True)
class Names:
    """The topics of one edge node."""

    group: str
    node: str

    def topic(self, verb: str, device: str = NODE) -> str:
        """`verb`: N... without a device, D... with one."""
        return "/".join((ROOT, self.group, verb, self.node, *([device] if device else [])))


Message = tuple[str, bytes]  # topic, payload


class Node:
    """One edge node in one process. Times are those of the wall, in ms."""

    def __init__(self, names: Names, layout: Layout) -> None:
        self._names, self._layout = names, layout
        self.bd_seq = COUNT - 1
        self._seq = 0
        self._told: dict[int, Value] = {}  # alias: value
        self._born: set[str] = set()  # devices

    def will(self) -> Message:
        """For the next CONNECT: its number is that of the births of this session."""
        self.bd_seq = (self.bd_seq + 1) % COUNT
        return self.death(None)

    def death(self, wall_ms: int | None) -> Message:
        """NDEATH: the number of the session and nothing else."""
        metric = Metric(BD_SEQ, self.bd_seq, datatype=DataType.INT64, wall_ms=wall_ms)
        return self._names.topic("NDEATH"), encode_payload(Payload((metric,), wall_ms))

    def births(self, sample: Sample, wall_ms: int) -> list[Message]:
        """NBIRTH with seq 0, and a DBIRTH of each device that is there."""
        self._seq = COUNT - 1
        self._born.clear()
        fixed = [
            Metric(BD_SEQ, self.bd_seq, BD_SEQ_ALIAS, DataType.INT64, wall_ms),
            Metric(REBIRTH, False, datatype=DataType.BOOLEAN, wall_ms=wall_ms),
        ]
        messages = [self._message("NBIRTH", NODE, [*fixed, *self._defined(NODE, sample)], wall_ms)]
        return messages + [self._birth(device, sample, wall_ms) for device in self._layout.present(sample)]

    def _birth(self, device: str, sample: Sample, wall_ms: int) -> Message:
        self._born.add(device)
        return self._message("DBIRTH", device, self._defined(device, sample), wall_ms)

    def _defined(self, device: str, sample: Sample) -> list[Metric]:
        found = [(tag, tag.shown(sample)) for tag in self._layout.tags[device]]
        self._told |= {tag.alias: value for tag, value in found}
        return [tag.defined(value, sample.wall_ms) for tag, value in found]

    def data(self, sample: Sample, wall_ms: int) -> list[Message]:
        """What has changed since the last sample: deaths and births of devices, then values."""
        present = set(self._layout.present(sample))
        messages = [
            self._message("DDEATH", device, [], wall_ms)
            for device in self._layout.alive
            if device in self._born - present
        ]
        self._born &= present
        newborn = [device for device in self._layout.alive if device in present - self._born]
        messages += [self._birth(device, sample, wall_ms) for device in newborn]
        for device in (NODE, *(device for device in self._layout.alive if device in self._born)):
            changed = self._changed(device, sample)
            if changed:
                messages.append(self._message(_data(device), device, changed, wall_ms))
        return messages

    def _changed(self, device: str, sample: Sample) -> list[Metric]:
        changed = []
        for tag in self._layout.tags[device]:
            value = tag.shown(sample)
            if value != self._told[tag.alias]:
                self._told[tag.alias] = value
                changed.append(tag.changed(value, sample.wall_ms))
        return changed

    def history(self, samples: Sequence[Sample], wall_ms: int) -> list[Message]:
        """Older samples, each value with its own time. Only for devices that are born: data of others is not allowed."""
        messages = []
        for device in (NODE, *(device for device in self._layout.alive if device in self._born)):
            metrics = [
                tag.changed(value, sample.wall_ms, historical=True)
                for sample in samples
                for tag in self._layout.tags[device]
                if tag.in_history and (value := tag.shown(sample)) is not None
            ]
            if metrics:
                messages.append(self._message(_data(device), device, metrics, wall_ms))
        return messages

    def _message(self, verb: str, device: str, metrics: Sequence[Metric], wall_ms: int) -> Message:
        self._seq = (self._seq + 1) % COUNT
        return self._names.topic(verb, device), encode_payload(Payload(tuple(metrics), wall_ms, self._seq))


def _data(device: str) -> str:
    return "DDATA" if device else "NDATA"
