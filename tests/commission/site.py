"""The example site in virtual time without a controller: slaves on simulated wires, and a Hand that asks them."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from edge.commission.hand import Hand, site_devices
from edge.config import options
from edge.config.options import Config
from edge.field.device import BusDevice
from hil.assembly import build_site, build_slaves, unit_specs
from hil.day.image import day_config
from hil.plant.site import Site, SiteSpec
from hil.slave import Slave
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from hil.wire import Spoil, WirePort

T = TypeVar("T")


class _HeardPort(WirePort):
    """A simulated wire with an ear on it: every request goes into `sent`, and on."""

    def __init__(self, name: str, baud: int, slaves: Sequence[Slave], spoil: Spoil | None, sent: list[bytes]) -> None:
        super().__init__(name, baud, slaves, spoil=spoil)
        self._sent = sent

    def write(self, frame: bytes) -> None:
        self._sent.append(frame)
        super().write(frame)


class HandSite:
    """`hand` is open while `play` runs; every frame that was sent is in `sent`."""

    def __init__(self, config: Config, clock: VirtualClock, spoil: Spoil | None) -> None:
        self.config, self.clock, self.spoil = config, clock, spoil
        self.site: Site = build_site(config, SiteSpec(units=unit_specs(config, connected=True), start_s=43_200.0), 1)
        self.site.step(1.0)
        self.slaves: dict[str, list[Slave]] = build_slaves(config, self.site)
        self.devices = {device.name: device for device in site_devices(config)}
        self.sent: list[bytes] = []
        self.hand = Hand(config.port, tuple(self.devices.values()), self._port)

    def _port(self, port: options.Port) -> WirePort:
        return _HeardPort(port.name, port.baud, self.slaves[port.name], self.spoil, self.sent)

    def slave(self, name: str) -> Slave:
        return next(slave for slaves in self.slaves.values() for slave in slaves if slave.name == name)

    def device(self, name: str) -> BusDevice:
        return self.devices[name]


def play(
    script: Callable[[HandSite], Coroutine[Any, Any, T]],
    spoil: Spoil | None = None,
    before: Callable[[HandSite], None] = lambda site: None,
    tables: Sequence[tuple[str, dict[str, Any]]] = (),
) -> T:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> T:
        site = HandSite(day_config(**{"site": {"cycle_ms": 100}, **dict(tables)}), clock, spoil)
        before(site)
        async with site.hand:
            return await script(site)

    return run_virtual(main)
