"""The lines of a site in a technician's hand while no controller runs: every port its own, exclusively, reads only."""

from collections.abc import Callable, Sequence
from types import TracebackType

from edge.commission.line import READ_FUNCTIONS, Heard, ReadLine
from edge.config import options
from edge.config.options import Config
from edge.errors import ConfigFault, Problem
from edge.field.device import BusDevice
from edge.field.line.port import Port
from edge.field.line.rtu import Expect
from edge.field.line.timing import gap_us, hole_max_count
from edge.field.profile import Profile
from edge.field.profiles.loader import load_profile


def site_devices(config: Config) -> list[BusDevice]:
    """Every device of a site with its profile. Raises ConfigFault with what is wrong with any of them."""
    devices: list[BusDevice] = []
    problems: list[Problem] = []
    for settings in config.device:
        try:
            devices.append(bus_device(config, settings, load_profile(settings.profile, config.file)))
        except ConfigFault as fault:
            problems += fault.problems
    if problems:
        raise ConfigFault(problems)
    return devices


def bus_device(config: Config, settings: options.Device, profile: Profile) -> BusDevice:
    """One device as the controller would have it on its port."""
    port = next(port for port in config.port if port.name == settings.port)
    return BusDevice(settings, profile, config.site.cycle_ms, hole_max_count(port, profile.link))


class Hand:
    """Opens the ports that `devices` need; an asynchronous context manager. Raises LineFault when one cannot be opened."""

    def __init__(
        self, ports: Sequence[options.Port], devices: Sequence[BusDevice], open_port: Callable[[options.Port], Port]
    ) -> None:
        self._lines: dict[str, ReadLine] = {}
        for port in ports:
            mine = [device for device in devices if device.settings.port == port.name]
            if mine:
                gap_s = gap_us(port, [device.profile.link for device in mine]) / 1e6
                self._lines[port.name] = ReadLine(port, open_port(port), gap_s, READ_FUNCTIONS)

    async def __aenter__(self) -> "Hand":
        for line in self._lines.values():
            await line.open()
        return self

    async def __aexit__(self, *fault: type[BaseException] | BaseException | TracebackType | None) -> None:
        for line in self._lines.values():
            line.close()

    async def ask(self, device: BusDevice, expect: Expect) -> Heard:
        """One question to one device, with the patience that its profile asks for."""
        return await self._lines[device.settings.port].ask(expect, device.trust.timeout_s)
