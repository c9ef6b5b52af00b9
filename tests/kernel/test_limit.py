"""The bounds of one unit: a chain that only narrows, each link reported; tapers; falls at once, rises slowly."""

import pytest

from edge.control.kernel import Bound, Command, Mode, SiteCause
from tests.kernel.rig import RUN, Rig


def chain(rig: Rig, direction: str) -> dict[str, int]:
    values = rig.unit().charge_after_w if direction == "charge" else rig.unit().discharge_after_w
    return {bound.name: values[bound] for bound in Bound}


@pytest.mark.parametrize(("values", "direction", "bound", "expected_w"), [
    ({"current_charge_max_da": 100}, "charge", "BMS_CURRENT", 7_680),
    ({"current_discharge_max_da": 101, "pack_voltage_dv": 7_681}, "discharge", "BMS_CURRENT", 7_757),
    ({"current_charge_max_da": 100_000}, "charge", "BMS_CURRENT", 30_000),
    ({"cell_voltage_max_mv": 3_450, "cell_voltage_min_mv": 3_440}, "charge", "CELL_VOLTAGE", 30_000),
    ({"cell_voltage_max_mv": 3_451, "cell_voltage_min_mv": 3_440}, "charge", "CELL_VOLTAGE", 29_700),
    ({"cell_voltage_max_mv": 3_500, "cell_voltage_min_mv": 3_490}, "charge", "CELL_VOLTAGE", 15_000),
    ({"cell_voltage_max_mv": 3_549, "cell_voltage_min_mv": 3_490}, "charge", "CELL_VOLTAGE", 300),
    ({"cell_voltage_max_mv": 3_550, "cell_voltage_min_mv": 3_490}, "charge", "CELL_VOLTAGE", 0),
    ({"cell_voltage_min_mv": 2_950, "cell_voltage_max_mv": 2_960}, "discharge", "CELL_VOLTAGE", 30_000),
    ({"cell_voltage_min_mv": 2_949, "cell_voltage_max_mv": 2_960}, "discharge", "CELL_VOLTAGE", 29_800),
    ({"cell_voltage_min_mv": 2_801, "cell_voltage_max_mv": 2_860}, "discharge", "CELL_VOLTAGE", 200),
    ({"cell_voltage_min_mv": 2_800, "cell_voltage_max_mv": 2_860}, "discharge", "CELL_VOLTAGE", 0),
    ({"cell_temp_min_dc": 100, "cell_temp_max_dc": 120}, "charge", "TEMP", 30_000),
    ({"cell_temp_min_dc": 50, "cell_temp_max_dc": 90}, "charge", "TEMP", 15_000),
    ({"cell_temp_min_dc": 0, "cell_temp_max_dc": 20}, "charge", "TEMP", 0),
    ({"cell_temp_min_dc": 0, "cell_temp_max_dc": 20}, "discharge", "TEMP", 30_000),
    ({"cell_temp_min_dc": 400, "cell_temp_max_dc": 450}, "charge", "TEMP", 15_000),
    ({"cell_temp_min_dc": 400, "cell_temp_max_dc": 450}, "discharge", "TEMP", 30_000),
    ({"cell_temp_min_dc": 450, "cell_temp_max_dc": 500}, "discharge", "TEMP", 15_000),
    ({"cell_temp_min_dc": 540, "cell_temp_max_dc": 550}, "discharge", "TEMP", 0),
    ({"soc_cpct": 9_300}, "charge", "SOC", 30_000),
    ({"soc_cpct": 9_400}, "charge", "SOC", 15_000),
    ({"soc_cpct": 9_400}, "discharge", "SOC", 30_000),
    ({"soc_cpct": 9_500}, "charge", "SOC", 0),
    ({"soc_cpct": 1_200}, "discharge", "SOC", 30_000),
    ({"soc_cpct": 1_050}, "discharge", "SOC", 7_500),
    ({"soc_cpct": 1_000}, "discharge", "SOC", 0),
    ({"soc_cpct": -1}, "charge", "BMS_CURRENT", 0),
    ({"soc_cpct": -1}, "discharge", "SOC", 0),
])  # fmt: skip
def test_a_link_of_the_chain(values: dict[str, int], direction: str, bound: str, expected_w: int) -> None:
    rig = Rig(temp_rise_max_dc_per_min=1_500).run()
    rig.step(**values)
    found = chain(rig, direction)
    assert found[bound] == expected_w, found
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_two_tapers_multiply() -> None:
    rig = Rig().run()
    rig.step(soc_cpct=9_400, cell_voltage_max_mv=3_500, cell_voltage_min_mv=3_490)
    assert chain(rig, "charge")["SOC"] == 7_500


def test_without_a_taper_the_end_is_sharp() -> None:
    rig = Rig(soc_taper_cpct=0).run()
    rig.step(soc_cpct=1_001)
    assert rig.unit().discharge_max_w == 30_000
    rig.step(soc_cpct=1_000)
    assert rig.unit().discharge_max_w == 0
    rig.step(soc_cpct=9_499)
    assert rig.unit().charge_max_w == 30_000


def test_the_reserve_is_the_floor_of_the_taper() -> None:
    rig = Rig(soc_reserve_cpct=4_000).run()
    rig.step(soc_cpct=4_100)
    assert rig.unit().discharge_max_w == 15_000


def test_calibration_may_charge_to_the_very_top() -> None:
    rig = Rig().run()
    rig.step(soc_cpct=9_500)
    assert rig.unit().charge_max_w == 0
    rig.step(commands=RUN | Command.CALIBRATE)
    assert rig.unit().charge_max_w == 30_000
    rig.step(soc_cpct=9_900)
    assert rig.unit().charge_max_w == 15_000
    rig.step(soc_cpct=10_000)
    assert rig.unit().charge_max_w == 0
    rig.step(commands=RUN)
    assert rig.unit().charge_max_w == 0


def test_a_limit_falls_at_once_and_rises_slowly() -> None:
    rig = Rig(limit_rise_w_per_s=10_000)
    rig.step(60)
    assert rig.unit().discharge_max_w == 30_000
    assert rig.step(current_discharge_max_da=13).unit[0].discharge_max_w == 998
    rising = [rig.step(current_discharge_max_da=600).unit[0].discharge_max_w for _ in range(3)]
    assert rising == [1_998, 2_998, 3_998]
    assert rig.unit().charge_max_w == 30_000, "each direction by itself"


def test_a_rise_of_less_than_a_watt_a_cycle_is_exact_over_time() -> None:
    rig = Rig(limit_rise_w_per_s=3)
    rig.step(20)
    before_w = rig.unit().discharge_max_w
    assert rig.step(1_000).unit[0].discharge_max_w - before_w == 300


def test_while_the_site_forbids_there_is_no_band_but_the_units_own_limit_stays() -> None:
    rig = Rig(limit_rise_w_per_s=10_000)
    rig.step(60)
    unit = rig.step(io_age_ms=2_001).unit[0]
    assert chain(rig, "charge") == chain(rig, "discharge")
    assert list(unit.charge_after_w) == [30_000] * 6 + [0, 0]
    assert (unit.mode, unit.charge_max_w, rig.out.band_max_w) == (Mode.RUN, 0, 0) and rig.has(SiteCause.NO_UNIT)
    rig.step(11, io_age_ms=100)
    assert rig.unit().charge_max_w == rig.unit().discharge_max_w == 30_000, "at once: only the site forbade it"


def test_a_limit_does_not_rise_in_a_cycle_whose_time_is_unknown() -> None:
    rig = Rig(limit_rise_w_per_s=1_000).run()
    rig.step(current_discharge_max_da=0)
    rig.input.mono_ms -= 200
    assert rig.step(current_discharge_max_da=600).unit[0].discharge_max_w == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("soc_cpct", -1), ("soc_cpct", 10_001), ("pack_voltage_dv", 0), ("pack_voltage_dv", 20_001),
        ("current_charge_max_da", -1), ("current_discharge_max_da", -1), ("current_charge_max_da", 100_001),
        ("current_discharge_max_da", 100_001), ("pack_current_da", 100_001), ("pack_current_da", -100_001),
        ("cell_voltage_min_mv", -1), ("cell_voltage_max_mv", 5_001), ("cell_voltage_max_mv", 3_289),
        ("cell_temp_min_dc", -601), ("cell_temp_max_dc", 1_501), ("cell_temp_max_dc", 239), ("insulation_kohm", -1),
        ("soc_cpct", -(2**31)), ("cell_temp_max_dc", 2**31 - 1), ("pack_current_da", -(2**31)),
    ],
)  # fmt: skip
def test_an_impossible_value_closes_both_directions_without_a_latch(name: str, value: int) -> None:
    rig = Rig(obedient=True).run()
    rig.wish(10_000)
    good = getattr(rig.input.unit[0], name)
    unit = rig.step(**{name: value}).unit[0]
    assert (unit.setpoint_w, unit.charge_max_w, unit.discharge_max_w, unit.latched) == (0, 0, 0, 0)
    rig.step(30, **{name: good})
    assert rig.unit().setpoint_w == 10_000


@pytest.mark.parametrize(
    ("name", "value"),
    [("soc_cpct", 10_000), ("pack_voltage_dv", 20_000), ("current_charge_max_da", 100_000), ("cell_voltage_min_mv", 0),
     ("cell_voltage_max_mv", 5_000), ("cell_temp_min_dc", -600), ("cell_temp_max_dc", 1_500), ("soc_cpct", 0),
     ("insulation_kohm", 0), ("insulation_kohm", -(2**31) + 1)],
)  # fmt: skip
def test_an_extreme_value_is_still_a_value(name: str, value: int) -> None:
    unit = Rig().run().step(**{name: value}).unit[0]
    assert not unit.why >> 17 & 1
