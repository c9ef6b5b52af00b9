"""The oracle's own data: configuration, input, wish, state and output, with the header's field names in its order.

Inputs are named tuples and never change; state is the only thing that a step writes. No cffi here.
"""

from typing import Any, NamedTuple

from tests.kernel.oracle.words import HOURLY, SITE_CAUSES, UNIT_CAUSES, named


def _record(name: str, fields: str) -> Any:
    return NamedTuple(name, [(field, int) for field in fields.split()])


UnitConfig = _record(
    "UnitConfig",
    "power_charge_max_w power_discharge_max_w power_efficient_min_w reactive_max_var deviation_max_w"
    " soc_min_cpct soc_max_cpct soc_reserve_cpct soc_taper_cpct soc_hysteresis_cpct"
    " cell_voltage_dead_mv cell_voltage_trip_low_mv cell_voltage_min_mv cell_voltage_derate_low_mv"
    " cell_voltage_derate_high_mv cell_voltage_max_mv cell_voltage_trip_high_mv cell_voltage_hysteresis_mv"
    " pack_voltage_trip_low_dv pack_voltage_min_dv pack_voltage_max_dv pack_voltage_trip_high_dv"
    " temp_min_dc temp_charge_min_dc temp_charge_derate_low_dc"
    " temp_charge_derate_high_dc temp_charge_max_dc temp_derate_high_dc temp_max_dc temp_trip_dc"
    " temp_hysteresis_dc temp_rise_max_dc_per_min"
    " cell_spread_warn_mv cell_spread_derate_mv cell_spread_trip_mv"
    " temp_spread_warn_dc temp_spread_derate_dc temp_spread_trip_dc insulation_warn_kohm insulation_trip_kohm"
    " limit_rise_w_per_s bms_age_max_ms bms_age_stop_ms bms_age_open_ms heartbeat_max_ms"
    " pcs_age_max_ms pcs_age_stop_ms pcs_age_open_ms",
)
# `wish` is the clever half's and stays unread here.
Config = _record(
    "Config",
    "abi unit_count cycle_ms import_max_w fuse_max_w export_max_w setpoint_ramp_w_per_s pv_rated_w pv_lost_max_w"
    " poc_age_fade_ms poc_age_max_ms voltage_min_dv voltage_max_dv frequency_min_mhz frequency_max_mhz"
    " grid_return_ms io_required io_age_max_ms boot_settle_ms reset_hold_ms connect_max_ms start_max_ms stop_max_ms"
    " cooldown_ms safe_poc safe_grid safe_door unit",
)
UnitInput = _record(
    "UnitInput",
    "pcs_age_ms bms_age_ms pcs_flags bms_flags power_w pcs_dc_voltage_dv pack_voltage_dv pack_current_da soc_cpct"
    " current_charge_max_da current_discharge_max_da cell_voltage_min_mv cell_voltage_max_mv cell_temp_min_dc"
    " cell_temp_max_dc insulation_kohm bms_heartbeat power_at_poc_w",
)
# `announcement` is the clever half's.
Input = _record(
    "Input",
    "mono_ms commands flags io_age_ms wish_kind wish_w wish_left_ms poc_power_w poc_age_ms poc_voltage_dv"
    " poc_frequency_mhz load_power_w load_age_ms pv_power_w pv_age_ms window_left_ms billed_peak_w unit",
)
Wish = _record(
    "Wish", "battery_w reactive_permille reference_w functions signals dead_time_ms period_ms gain_permille stage_w"
)
Rule = _record(
    "Rule",
    "port_index address function kind reg count value_min value_max scale_w unit_index modes order interval_ms",
)
Write = _record("Write", "port_index address function reserved reg count value reserved_2 mono_ms")


class UnitState:
    """Of one unit; `busy` is the set of causes whose timer is not 0, so that idle ones cost nothing."""

    FIELDS = named(
        "active latched charge_limit_mw discharge_limit_mw timer_ms recent_ms clear_ms fresh_ms mode mode_ms"
        " cooldown_ms tries setpoint_w heartbeat heartbeat_ms temp_then_dc temp_then_ms seen"
    )
    __slots__ = (*FIELDS, "busy")

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)
        self.timer_ms = [0] * len(UNIT_CAUSES)
        self.recent_ms = [0] * (2 * HOURLY)


class State:
    """Of the site, without the clever half's part."""

    FIELDS = named(
        "mono_ms first_out_mono_ms started commands active latched timer_ms overrun_recent_ms clear_ms grid_good_ms"
        " held mode first_out first_out_unit cycle_count sharing pv_limit_w config_sum"
    )
    __slots__ = (*FIELDS, "busy", "unit")

    def __init__(self, units: int) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)
        self.timer_ms = [0] * len(SITE_CAUSES)
        self.overrun_recent_ms = [0, 0]
        self.unit = [UnitState() for _ in range(units)]


class UnitOutput(NamedTuple):
    why: int
    latched: int
    setpoint_w: int
    charge_max_w: int
    discharge_max_w: int
    reactive_var: int
    order: int
    mode: int
    event: int
    reserved: int
    charge_after_w: list[int]
    discharge_after_w: list[int]


class Output(NamedTuple):
    mono_ms: int
    first_out_mono_ms: int
    cycle_count: int
    mode: int
    why: int
    latched: int
    functions: int
    signals: int
    battery_w: int
    band_min_w: int
    band_max_w: int
    wish_w: int
    net_load_w: int
    reference_w: int
    pv_limit_w: int
    reactive_permille: int
    reserved: int
    dead_time_ms: int
    period_ms: int
    gain_permille: int
    first_out: int
    first_out_unit: int
    low_after_w: list[int]
    high_after_w: list[int]
    stage_w: list[int]
    unit: list[UnitOutput]
