"""Collects the power readings around each step of a sign test, with the time at which each was asked for.

Fed with every reading of the buses while a test runs; what is older than one step needs is forgotten.
"""

import asyncio
import dataclasses
from collections.abc import Mapping

from edge.commission.average.fit import Lag, Step, lag_of, misfits
from edge.config.options import Config
from edge.field.device import BusDevice
from edge.model import Reading

BEFORE_MS = 2_000  # of the level before, for what the step begins at: its readings have settled by then
OVER_MS = 2_500  # PCS dead time and ramp, and a window of two seconds
POWER = ("meter.power", "pcs.power")


class StepReadings:
    """What POC meter and PCS said while the battery was stepped. `lag_ms`: by how much the meter is told to be late."""

    def __init__(self, config: Config, devices: Mapping[str, BusDevice]) -> None:
        self._poc = next(device.name for device in config.device if device.use == "poc")
        names = [self._poc, *(unit.pcs for unit in config.unit)]
        self.lag_ms = devices[self._poc].lag_ms
        self._lags = {name: devices[name].lag_ms for name in names}
        self._at = {name: _power_of(devices[name]) for name in names}
        self._series: dict[str, list[tuple[int, float]]] = {name: [] for name in names}
        self._begin_ms = 0
        self.steps: list[Step] = []

    def note(self, reading: Reading) -> None:
        """Any reading of the site."""
        index = self._at.get(reading.device, {}).get(reading.block)
        value = None if index is None else reading.values[index]
        if (
            value is not None
        ):  # the bus has made a mean as old as it is told to be: here it counts when it was asked for
            asked_ms = reading.taken_mono_ms + self._lags[reading.device]
            self._series[reading.device].append((asked_ms, float(value)))

    def begin(self, now_mono_ms: int) -> None:
        """The battery is told another power now, or the same again."""
        self._begin_ms = now_mono_ms
        for name, series in self._series.items():
            self._series[name] = [item for item in series if item[0] >= now_mono_ms - BEFORE_MS]

    def end(self) -> None:
        """The level that began last was another than the one before, and has been held long enough."""
        pcs = tuple(tuple(series) for name, series in self._series.items() if name != self._poc)
        self.steps.append(
            Step(self._begin_ms, self._begin_ms + OVER_MS + self.lag_ms, tuple(self._series[self._poc]), pcs)
        )

    def lag(self) -> Lag | str:
        """The result so far, without the window; in words why there is none."""
        return lag_of(self.steps)

    async def whole_lag(self) -> Lag | str:
        """The result with its window, worked out between other things."""
        found = self.lag()
        if isinstance(found, str):
            return found
        tried = []
        for item in misfits(self.steps, found.lag_ms):
            tried.append(item)
            await asyncio.sleep(0)
        return dataclasses.replace(found, window_ms=min(tried)[1])


def _power_of(device: BusDevice) -> dict[str, int]:
    """Block name -> where in its values the device's power is."""
    return {
        block.name: index
        for block in device.profile.blocks
        for index, point in enumerate(block.points)
        if point.role in POWER
    }
