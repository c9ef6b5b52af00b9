"""Which metrics a site has in Sparkplug, on which device, under which alias. Facts and a numbering; nothing is sent here.

The node is the controller; the devices are the places that a person points at: `poc` (grid meter), `load`, `pv`,
`battery`, each only where the site file has it. A new column of the sample finds its device by the start of its name.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from edge.cloud.views.columns import TEXTS, Column, columns_of, texts_of
from edge.cloud.views.sparkplug.payload import DataType, Metric, Value
from edge.model import Sample

NODE = ""  # the device of what belongs to the node itself
BD_SEQ, REBIRTH = "bdSeq", "Node Control/Rebirth"
ANSWER = "command_answer"  # of the node: what became of the last command
WISH = "power_wish_w"  # of the battery: the one metric that a host may write, if the owner lets it
BATTERY = "battery"
# device -> how the names of its columns begin, and which of them say that it is there
DEVICES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "poc": (("poc_",), ("poc_power_w",)),
    "load": (("load_",), ("load_power_w",)),
    "pv": (("pv_",), ("pv_power_w",)),
    BATTERY: (("battery_", "soc_", "cell_"), ("battery_power_w", "soc_pct")),
}


@dataclass(frozen=True, slots=True)
class Tag:
    """One metric of the node or of a device; `shown` gives its value of a sample."""

    name: str
    alias: int
    datatype: DataType
    unit: str
    shown: Callable[[Sample], Value]
    in_history: bool = True  # False: it is of now, not of the sample

    def defined(self, value: Value, wall_ms: int) -> Metric:
        """As in a birth."""
        return Metric(self.name, value, self.alias, self.datatype, wall_ms, unit=self.unit)

    def changed(self, value: Value, wall_ms: int, *, historical: bool = False) -> Metric:
        """As in data."""
        return Metric(value=value, alias=self.alias, wall_ms=wall_ms, is_historical=historical)


BD_SEQ_ALIAS = 1  # of the birth; Rebirth has none, by the specification


class Layout:
    """All tags of one site: `tags` by device in the order of the births, `alive` what says that a device is there."""

    def __init__(self, devices: Iterable[str], held: Callable[[str], Value], *, setpoints: bool = False) -> None:
        """`devices`: names of DEVICES that the site has. `held` gives what is no column: ANSWER and WISH."""
        wanted = [device for device in DEVICES if device in set(devices)]
        self._next_alias = BD_SEQ_ALIAS + 1
        columns: dict[str, list[Column]] = {device: [] for device in (NODE, *DEVICES)}
        for column in columns_of():
            columns[_device_of(column.name)].append(column)
        self.alive = {
            device: tuple(column for column in columns[device] if column.name in DEVICES[device][1])
            for device in wanted
        }
        self.tags = {device: [self._tag(device, column) for column in columns[device]] for device in (NODE, *wanted)}
        for index, name in enumerate(TEXTS):
            self.tags[NODE].append(self._add(name, DataType.STRING, "", partial(_text, index)))
        self.tags[NODE].append(self._held(ANSWER, DataType.STRING, "", held))
        if setpoints:
            self.tags[BATTERY].append(self._held(WISH, DataType.INT64, "W", held))

    def _tag(self, device: str, column: Column) -> Tag:
        whole = column.divisor == 1
        name = column.name.removeprefix(f"{device}_") if device else column.name
        return self._add(name, DataType.INT64 if whole else DataType.DOUBLE, column.unit, column.shown)

    def _add(self, name: str, datatype: DataType, unit: str, shown: Callable[[Sample], Value]) -> Tag:
        alias, self._next_alias = self._next_alias, self._next_alias + 1
        return Tag(name, alias, datatype, unit, shown)

    def _held(self, name: str, datatype: DataType, unit: str, held: Callable[[str], Value]) -> Tag:
        return replace(self._add(name, datatype, unit, lambda _: held(name)), in_history=False)

    def present(self, sample: Sample) -> Iterator[str]:
        """Devices that this sample knows something of."""
        for device, columns in self.alive.items():
            if any(column.shown(sample) is not None for column in columns):
                yield device

    def find(self, device: str, metric: Metric) -> str:
        """The name of what a command means, by name or alias; "" when there is no such metric on that device."""
        for tag in self.tags.get(device, ()):
            if metric.alias == tag.alias if not metric.name else metric.name == tag.name:
                return tag.name
        return metric.name if device == NODE and metric.name == REBIRTH else ""


def _device_of(name: str) -> str:
    return next((device for device, (starts, _) in DEVICES.items() if name.startswith(starts)), NODE)


def _text(index: int, sample: Sample) -> Value:
    return texts_of(sample)[index]
