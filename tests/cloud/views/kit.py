"""What the tests of the views share: a site, samples by name, and which MUST of the specification a test proves."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from edge.cloud.views.sparkplug.node import Message
from edge.config.options import Config
from edge.config.views import Sparkplug, Views
from edge.model import SAMPLE_FIELDS, Sample
from hil.demo.site import example_config
from tests.cloud.views.schema import PAYLOAD, value_of

PROVEN: dict[str, str] = {}  # tck-id of the specification, without its prefix: the test that proves it
WALL_MS = 1_780_000_000_000
_Test = TypeVar("_Test", bound=Callable[..., Any])
NAMES = [name for name, _ in SAMPLE_FIELDS]


def proves(ids: str) -> Callable[[_Test], _Test]:
    """Marks a test with the requirements that it shows, as the specification numbers them."""

    def note(test: _Test) -> _Test:
        for name in ids.split():
            PROVEN[name] = test.__name__
        return test

    return note


def sample(second: int = 0, **values: int | None) -> Sample:
    """One second of a quiet site; `values` by their names in SAMPLE_FIELDS."""
    quiet: dict[str, int | None] = dict.fromkeys(NAMES, 0)
    quiet |= {"poc_power_w": 40_000, "load_power_w": 50_000, "pv_power_w": 5_000, "battery_power_w": 5_000}
    quiet |= {"soc_cpct": 5_512, "mode": 5, "cell_voltage_min_mv": 3_301, "cell_voltage_max_mv": 3_312}
    quiet |= {"grid_intensity_mg_per_kwh": 312_500, **values}
    return Sample(1_000 * second, WALL_MS + 1_000 * second, tuple(quiet[name] for name in NAMES))


def site(**sparkplug: Any) -> Config:
    """The example site with a Sparkplug view: group "acme", node "gw-0001"."""
    spec = Sparkplug(**{"host": "127.0.0.1", "group": "acme", **sparkplug})
    return replace(example_config(), views=Views(sparkplug=spec))


class Heard:
    """One message as a host sees it."""

    def __init__(self, message: Message) -> None:
        self.topic, self.raw = message
        words = self.topic.split("/")
        self.verb, self.device = words[2], "/".join(words[4:])
        self.payload = PAYLOAD.FromString(self.raw)
        self.seq = self.payload.seq if self.payload.HasField("seq") else None
        self.metrics = list(self.payload.metrics)

    def values(self) -> dict[Any, Any]:
        """By name in a birth, by alias in data."""
        return {metric.name or metric.alias: value_of(metric) for metric in self.metrics}


class Mirror:
    """A host's memory: names of aliases from the births, values by (device, name)."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, str]] = {}
        self.values: dict[tuple[str, str], Any] = {}
        self.history: list[tuple[str, str, int, Any]] = []
        self.seqs: list[int] = []

    def hear(self, heard: Heard) -> None:
        if heard.verb == "NBIRTH":
            self._names.clear()
            self.values.clear()
        if heard.seq is not None:
            self.seqs.append(heard.seq)
        for metric in heard.metrics:
            if heard.verb.endswith("BIRTH"):
                if metric.HasField("alias"):
                    assert metric.alias not in self._names or self._names[metric.alias] == (heard.device, metric.name)
                    self._names[metric.alias] = (heard.device, metric.name)
                self.values[heard.device, metric.name] = value_of(metric)
            elif heard.verb in ("NDATA", "DDATA"):
                device, name = self._names[metric.alias]
                assert device == heard.device and not metric.HasField("name")
                if metric.is_historical:
                    self.history.append((device, name, metric.timestamp, value_of(metric)))
                else:
                    self.values[device, name] = value_of(metric)
