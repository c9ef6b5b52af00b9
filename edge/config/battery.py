"""One battery unit: its ratings, its SOC window, and the thresholds of its interlocks.

The names are those of `tw_unit_config_t`. A range ends at the loosest value that is still safe for LFP (the cell maker's
and the BMS's values prevail): an interlock can be tightened, never switched off.
"""

from dataclasses import dataclass

from edge.config.option import NAME, option, power

MAKER = "the cell maker's values prevail"
TIGHTEN = "tighten only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One PCS with the BMS behind it."""

    pcs: str = option(pattern=NAME)
    bms: str = option(pattern=NAME)
    capacity_wh: int = option(low=100, high=1_000_000_000)
    cell_count: int = option(
        low=1, high=500, when="cells in series: the pack's voltage limits are the cells' times this"
    )
    efficiency_permille: int = option(
        950, low=700, high=1_000, when="AC to cells, each way: the root of the round trip of its data sheet; for carbon"
    )
    power_charge_max_w: int = power()
    power_discharge_max_w: int = power()
    power_efficient_min_w: int = power(0, when="several units: one with less to do is spared while another can do it")
    reactive_max_var: int = power(0, when="what the PCS may supply or take; 0: no reactive power")
    deviation_max_w: int = option(2_000, low=100, high=50_000, when="setpoint against measurement; or 10 % if more")
    soc_min_cpct: int = option(1_000, low=0, high=10_000)
    soc_max_cpct: int = option(9_500, low=0, high=10_000)
    soc_reserve_cpct: int = option(0, low=0, high=10_000, when="kept for an outage: no discharge below while on grid")
    soc_taper_cpct: int = option(
        200, low=0, high=2_000, when="power falls over this width before the SOC window's ends"
    )
    soc_hysteresis_cpct: int = option(200, low=10, high=1_000)
    cell_voltage_dead_mv: int = option(2_000, low=2_000, high=2_500, when=TIGHTEN)
    cell_voltage_trip_low_mv: int = option(2_750, low=2_100, high=3_200, when=MAKER)
    cell_voltage_min_mv: int = option(2_950, low=2_500, high=3_300, when=MAKER)
    cell_voltage_derate_low_mv: int = option(3_100, low=2_600, high=3_350, when=MAKER)
    cell_voltage_derate_high_mv: int = option(3_450, low=3_300, high=3_640, when=MAKER)
    cell_voltage_max_mv: int = option(3_550, low=3_300, high=3_650, when=MAKER)
    cell_voltage_trip_high_mv: int = option(3_650, low=3_310, high=3_700, when=MAKER)
    cell_voltage_hysteresis_mv: int = option(100, low=10, high=300)
    temp_min_dc: int = option(-100, low=-300, high=200)
    temp_charge_min_dc: int = option(0, low=-290, high=200)
    temp_charge_derate_low_dc: int = option(50, low=-280, high=250)
    temp_charge_derate_high_dc: int = option(400, low=150, high=540)
    temp_charge_max_dc: int = option(500, low=200, high=550)
    temp_derate_high_dc: int = option(450, low=200, high=545)
    temp_max_dc: int = option(550, low=250, high=550)
    temp_trip_dc: int = option(600, low=260, high=650)
    temp_hysteresis_dc: int = option(50, low=10, high=150)
    temp_rise_max_dc_per_min: int = option(10, low=2, high=20)
    cell_spread_warn_mv: int = option(150, low=20, high=150, when=TIGHTEN)
    cell_spread_derate_mv: int = option(300, low=30, high=300, when=TIGHTEN)
    cell_spread_trip_mv: int = option(500, low=40, high=1_000)
    temp_spread_warn_dc: int = option(80, low=20, high=80, when=TIGHTEN)
    temp_spread_derate_dc: int = option(120, low=30, high=120, when=TIGHTEN)
    temp_spread_trip_dc: int = option(150, low=40, high=150, when=TIGHTEN)
    insulation_warn_ohm_per_v: int = option(500, low=500, high=10_000, when="tighten (raise) only")
    insulation_trip_ohm_per_v: int = option(100, low=100, high=5_000, when="tighten (raise) only")
    limit_rise_w_per_s: int = power(5_000, low=1, when="limits fall at once, rise this slowly")
    bms_age_max_ms: int = option(2_000, low=200, high=2_000, when=TIGHTEN)
    bms_age_stop_ms: int = option(5_000, low=500, high=5_000, when=TIGHTEN)
    bms_age_open_ms: int = option(10_000, low=1_000, high=10_000, when=TIGHTEN)
    heartbeat_max_ms: int = option(5_000, low=1_000, high=10_000, when="a BMS counter that stands still this long")
    pcs_age_max_ms: int = option(2_000, low=100, high=2_000, when=TIGHTEN)
    pcs_age_stop_ms: int = option(5_000, low=500, high=5_000, when=TIGHTEN)
    pcs_age_open_ms: int = option(15_000, low=1_000, high=120_000, when="its own watchdog and a margin")


ASCENDING: tuple[tuple[str, ...], ...] = (
    ("soc_min_cpct", "soc_max_cpct"),
    ("cell_voltage_dead_mv", "cell_voltage_trip_low_mv", "cell_voltage_min_mv", "cell_voltage_derate_low_mv",
     "cell_voltage_derate_high_mv", "cell_voltage_max_mv", "cell_voltage_trip_high_mv"),
    ("temp_min_dc", "temp_charge_min_dc", "temp_charge_derate_low_dc", "temp_charge_derate_high_dc",
     "temp_charge_max_dc"),
    ("temp_charge_max_dc", "temp_trip_dc"),
    ("temp_derate_high_dc", "temp_max_dc", "temp_trip_dc"),
    ("cell_spread_warn_mv", "cell_spread_derate_mv", "cell_spread_trip_mv"),
    ("temp_spread_warn_dc", "temp_spread_derate_dc", "temp_spread_trip_dc"),
    ("insulation_trip_ohm_per_v", "insulation_warn_ohm_per_v"),
    ("bms_age_max_ms", "bms_age_stop_ms", "bms_age_open_ms"),
    ("pcs_age_max_ms", "pcs_age_stop_ms", "pcs_age_open_ms"),
)  # fmt: skip
