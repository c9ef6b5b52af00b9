"""The demo site for these tests: one Site, five slaves on two lines, and how to ask them."""

from edge.field.decode import BlockDecoder
from edge.field.line.rtu import Expect, read_request
from edge.field.profiles.loader import load_profile
from hil.plant.faces import bms_face, it_meter_face, pcs_face, poc_meter_face, pv_face
from hil.plant.site import Site, SiteSpec
from hil.slave import Slave


class Kit:
    """`fast` holds POC meter (1) and PCS (2), `slow` BMS (1), PV (2) and IT meter (3)."""

    def __init__(self, site: Site | None = None) -> None:
        self.site = site = site or Site(SiteSpec(start_s=43_200.0))
        self.unit = unit = site.units[0]
        self.poc = Slave(load_profile("abb-b23"), 1, poc_meter_face(site), "poc")
        self.pcs = Slave(load_profile("sinexcel-pcs-30"), 2, pcs_face(site, unit), "pcs1")
        self.bms = Slave(load_profile("soltaro-rack-c"), 1, bms_face(site, unit), "bms1")
        self.pv = Slave(load_profile("sungrow-sg"), 2, pv_face(site), "pv1")
        self.it = Slave(load_profile("eastron-sdm630"), 3, it_meter_face(site), "it1")
        self.fast, self.slow = [self.poc, self.pcs], [self.bms, self.pv, self.it]
        self.all = [*self.fast, *self.slow]
        site.step(1.0)

    def step(self, seconds: float, dt_s: float = 0.1) -> None:
        for _ in range(round(seconds / dt_s)):
            self.site.step(dt_s)


def ask(slave: Slave, block: str) -> dict[str, int | None]:
    """One block through the driver's own request, check and decoder, by the names of its points."""
    found = next(b for b in slave.profile.blocks if b.name == block)
    request = read_request(slave.address, found.fc, found.start, found.count)
    reply = slave.receive(request)
    assert reply is not None
    payload = Expect(request).match(reply)
    assert isinstance(payload, bytes), payload
    values = BlockDecoder(found, slave.name).decode(payload, 0).values
    return {point.name: value for point, value in zip(found.points, values, strict=True)}
