"""All sources that are asked over HTTP, by the word of `signal.kind`; and the one of marginal rates, kept apart."""

from edge.plan.signals.grid import caiso, eia, entsoe, ercot, miso, nyiso, pjm
from edge.plan.signals.read.source import Source
from edge.plan.signals.relayed import electricitymaps, gb, watttime

_ALL = (ercot, caiso, eia, pjm, nyiso, miso, gb, entsoe, electricitymaps)
AVERAGE: dict[str, Source] = {module.SOURCE.name: module.SOURCE for module in _ALL}
MARGINAL: dict[str, Source] = {watttime.SOURCE.name: watttime.SOURCE}
SOURCES = AVERAGE | MARGINAL
