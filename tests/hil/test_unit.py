"""PCS, pack and BMS of one unit between two steps of the plant, where a command may arrive."""

from hil.plant.site import Site, SiteSpec, UnitSpec


def test_a_pcs_can_be_started_the_moment_the_contactor_is_seen_closed() -> None:
    for dt_s in (0.05, 0.1, 1.0):
        site = Site(SiteSpec(units=(UnitSpec(connected=False),)))
        unit = site.units[0]
        unit.bms.connect()
        while unit.bms.contactor != "closed":
            assert unit.pcs.dc_voltage_v == 0.0
            site.step(dt_s)
        unit.pcs.start()
        assert unit.pcs.state == "starting" and not unit.pcs.fault_names, f"{dt_s} s"
