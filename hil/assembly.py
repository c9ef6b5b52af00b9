"""From a site file to its simulated devices: one slave per [[device]], with the same profile, read in reverse.

Here is the only place that says which face, which machine of the plant and which kind a use of a device gets.
"""

from edge.config.options import Config, Device
from edge.field.profiles.loader import load_profile
from hil.plant.bms import Bms
from hil.plant.faces import Face, bms_face, genset_meter_face, io_face, it_meter_face, pcs_face, poc_meter_face, pv_face
from hil.plant.pack import PackSpec
from hil.plant.pcs import Pcs, PcsSpec
from hil.plant.pv import Pv
from hil.plant.site import Contacts, Site, SiteSpec, UnitSpec
from hil.slave import Slave


def unit_specs(config: Config, connected: bool = False) -> tuple[UnitSpec, ...]:
    """The battery units a site file describes; contactors open, as a site is found in the morning."""
    return tuple(
        UnitSpec(
            PackSpec(capacity_wh=float(unit.capacity_wh), series_count=unit.cell_count),
            PcsSpec(rating_w=float(max(unit.power_charge_max_w, unit.power_discharge_max_w))),
            connected,
        )
        for unit in config.unit
    )


def build_site(config: Config, spec: SiteSpec, seed: int) -> Site:
    """The plant behind the devices of `config`. `spec.units` should be those of `unit_specs`."""
    if len(spec.units) != len(config.unit):
        raise ValueError(f"the plant has {len(spec.units)} units, the site file {len(config.unit)}")
    return Site(spec, seed)


def build_slaves(config: Config, site: Site) -> dict[str, list[Slave]]:
    """Slaves by port name, in the order of the site file."""
    slaves: dict[str, list[Slave]] = {port.name: [] for port in config.port}
    for device in config.device:
        face = _face(config, device, site)
        slaves[device.port].append(Slave(load_profile(device.profile, config.file), device.address, face, device.name))
    return slaves


def plant_devices(config: Config, site: Site) -> dict[str, Pcs | Bms | Pv | Contacts]:
    """The machines behind the devices, by name: what a plant fault acts on. Meters have none."""
    found: dict[str, Pcs | Bms | Pv | Contacts] = {d.name: site.pv for d in config.device if d.use == "pv"}
    found |= {device.name: site.contacts for device in config.device if device.use == "io"}
    for settings, unit in zip(config.unit, site.units, strict=True):
        found |= {settings.pcs: unit.pcs, settings.bms: unit.bms}
    return found


def device_kinds(config: Config) -> dict[str, str]:
    """Name -> pcs, bms, pv, meter, io or port: what a fault may be put on."""
    kinds = {
        device.name: "meter" if device.use in ("poc", "load", "genset") else device.use for device in config.device
    }
    return kinds | {port.name: "port" for port in config.port}


def _face(config: Config, device: Device, site: Site) -> Face:
    match device.use:
        case "poc":
            return poc_meter_face(site)
        case "load":
            return it_meter_face(site)
        case "genset":
            return genset_meter_face(site)
        case "pv":
            return pv_face(site)
        case "io":
            return io_face(site)
        case "pcs":
            return pcs_face(site, site.units[[unit.pcs for unit in config.unit].index(device.name)])
        case _:
            return bms_face(site, site.units[[unit.bms for unit in config.unit].index(device.name)])
