"""From the kernel's output to what each device is told: values every cycle, commands only while they are needed.

The order of a start is battery first, then PCS; of a stop PCS first, then (for OPEN) the battery once no current flows.
The bus sends a command only when the device is not already there, and the gate has the last word on every write.
"""

from collections.abc import Callable
from typing import Any

from edge.config.options import Config
from edge.control.image import InputImage
from edge.control.kernel import Order, Signal
from edge.field.profile import Profile
from edge.roles import FLAGS

CONNECTED = FLAGS["bms"]["connected"]
RUNNING = FLAGS["pcs"]["running"]
CURRENT_OPEN_MAX_DA = 20  # 2 A: below this a contactor may be asked to open (reference: usual cabinet practice)
OPEN_WAIT_MAX_MS = 5_000  # after this it is asked anyway: the BMS judges for itself

SetValue = Callable[[str, str, int], None]
GiveCommand = Callable[[str, str], None]


class Orders:
    """Tells the devices of all units what the kernel wants, cycle by cycle."""

    def __init__(
        self,
        config: Config,
        profiles: dict[str, Profile],
        image: InputImage,
        set_value: SetValue,
        command: GiveCommand,
    ) -> None:
        self._units = [(unit.pcs, unit.bms) for unit in config.unit]
        self._reactive = [any(w.name == "reactive_set" for w in profiles[unit.pcs].writes) for unit in config.unit]
        self._curtailed = [
            device.name for device in config.device if device.use == "pv" and config.limits.pv_rated_w > 0
        ]  # fmt: skip
        self._outputs = [
            (device.name, write.name)
            for device in config.device
            if device.use == "io"
            for write in profiles[device.name].writes
        ]
        self._image = image
        self._set_value = set_value
        self._command = command
        self._open_since_ms = [-1] * len(self._units)

    def give(self, tw_input: Any, tw_output: Any) -> None:
        """One cycle's setpoints and commands."""
        for index, (pcs, bms) in enumerate(self._units):
            unit = tw_output.unit[index]
            self._set_value(pcs, "power_set", unit.setpoint_w)
            if self._reactive[index]:
                self._set_value(pcs, "reactive_set", unit.reactive_var)
            order = unit.order
            if order != Order.OPEN:
                self._open_since_ms[index] = -1
            if order:
                self._obey(index, order, pcs, bms, tw_input, tw_output)
        for name in self._curtailed:
            self._set_value(name, "power_limit", tw_output.pv_limit_w)
        for name, write in self._outputs:
            self._set_value(name, write, _wants_genset(tw_output) if write == "genset" else _wants_lamp(tw_output))

    def _obey(self, index: int, order: int, pcs: str, bms: str, tw_input: Any, tw_output: Any) -> None:
        if order == Order.CONNECT and not self._image.devices[bms].flags & CONNECTED:
            self._command(bms, "connect")
        elif order == Order.START and not self._image.devices[pcs].flags & RUNNING:
            self._command(pcs, "start")
        elif order == Order.STOP:
            self._stop(pcs)
        elif order == Order.OPEN:
            self._open(index, pcs, bms, tw_input.unit[index].pack_current_da, tw_output.mono_ms)

    def _stop(self, pcs: str) -> None:
        if self._image.devices[pcs].flags & RUNNING:
            self._command(pcs, "stop")

    def _open(self, index: int, pcs: str, bms: str, current_da: int, now_mono_ms: int) -> None:
        self._stop(pcs)
        if self._open_since_ms[index] < 0:
            self._open_since_ms[index] = now_mono_ms
        waited_ms = now_mono_ms - self._open_since_ms[index]
        still = abs(current_da) <= CURRENT_OPEN_MAX_DA and not self._image.devices[pcs].flags & RUNNING
        if (still or waited_ms > OPEN_WAIT_MAX_MS) and self._image.devices[bms].flags & CONNECTED:
            self._command(bms, "disconnect")


def _wants_genset(tw_output: Any) -> int:
    return int(bool(tw_output.signals & Signal.GENSET))


def _wants_lamp(tw_output: Any) -> int:
    """The lamp is on while something is latched: a person is needed."""
    return int(bool(tw_output.latched) or any(unit.latched for unit in tw_output.unit))
