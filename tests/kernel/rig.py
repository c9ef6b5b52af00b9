"""A kernel on a bench: one healthy site by default, every value of it to be spoiled by a test; time is a number.

The configuration is written straight into the struct: 100 ms cycles, units of 30 kW, LFP cells, 80 kW of import, no
export.
"""

from typing import Any

from edge.control.kernel import (
    UNKNOWN,
    BmsFlag,
    Command,
    Kernel,
    Mode,
    Order,
    PcsFlag,
    Safe,
    SiteCause,
    UnitCause,
    WishKind,
    ffi,
    lib,
    members,
)

RUN, HOLD, SERVICE, RESET, ESTOP = (int(Command[word]) for word in ("RUN", "HOLD", "SERVICE", "RESET", "ESTOP"))
PCS_OK = int(PcsFlag.RUNNING | PcsFlag.GUARDED)
BMS_OK = int(BmsFlag.CONNECTED | BmsFlag.GUARDED)

SITE = {
    "cycle_ms": 100, "import_max_w": 80_000, "fuse_max_w": 100_000, "export_max_w": 0,
    "setpoint_ramp_w_per_s": 1_000_000, "poc_age_fade_ms": 1_500, "poc_age_max_ms": 3_000,
    "voltage_min_dv": 1_950, "voltage_max_dv": 2_600, "frequency_min_mhz": 47_500, "frequency_max_mhz": 51_500,
    "grid_return_ms": 5_000, "io_required": 1, "io_age_max_ms": 2_000, "boot_settle_ms": 1_000, "reset_hold_ms": 10_000,
    "connect_max_ms": 10_000, "start_max_ms": 8_000, "stop_max_ms": 6_000, "cooldown_ms": 4_000,
    "safe_poc": Safe.ZERO, "safe_grid": Safe.ZERO, "safe_door": Safe.WARN,
}  # fmt: skip
UNIT = {
    "power_charge_max_w": 30_000, "power_discharge_max_w": 30_000, "reactive_max_var": 10_000, "deviation_max_w": 1_500,
    "soc_min_cpct": 1_000, "soc_max_cpct": 9_500, "soc_taper_cpct": 200, "soc_hysteresis_cpct": 100,
    "cell_voltage_dead_mv": 2_000, "cell_voltage_trip_low_mv": 2_500, "cell_voltage_min_mv": 2_800,
    "cell_voltage_derate_low_mv": 2_950, "cell_voltage_derate_high_mv": 3_450, "cell_voltage_max_mv": 3_550,
    "cell_voltage_trip_high_mv": 3_650, "cell_voltage_hysteresis_mv": 50,
    "pack_voltage_trip_low_dv": 6_000, "pack_voltage_min_dv": 6_720, "pack_voltage_max_dv": 8_520,
    "pack_voltage_trip_high_dv": 8_760,
    "temp_min_dc": -200, "temp_charge_min_dc": 0, "temp_charge_derate_low_dc": 100, "temp_charge_derate_high_dc": 400,
    "temp_charge_max_dc": 500, "temp_derate_high_dc": 450, "temp_max_dc": 550, "temp_trip_dc": 600,
    "temp_hysteresis_dc": 20, "temp_rise_max_dc_per_min": 50,
    "cell_spread_warn_mv": 80, "cell_spread_derate_mv": 160, "cell_spread_trip_mv": 400,
    "temp_spread_warn_dc": 80, "temp_spread_derate_dc": 120, "temp_spread_trip_dc": 200,
    "insulation_warn_kohm": 500, "insulation_trip_kohm": 100, "limit_rise_w_per_s": 100_000_000,
    "bms_age_max_ms": 2_000, "bms_age_stop_ms": 5_000, "bms_age_open_ms": 10_000, "heartbeat_max_ms": 5_000,
    "pcs_age_max_ms": 1_000, "pcs_age_stop_ms": 5_000, "pcs_age_open_ms": 20_000,
}  # fmt: skip


def configure(units: int = 1, **changes: int) -> Any:
    """tw_config_t of a healthy site; a change is of the site if it has such a field, else of every unit."""
    config = ffi.new("tw_config_t *")
    config.abi, config.unit_count = lib.TW_ABI, units
    values = SITE | {name: value for name, value in changes.items() if hasattr(config, name)}
    for name, value in values.items():
        setattr(config, name, value)
    values = UNIT | {name: value for name, value in changes.items() if not hasattr(config, name)}
    for index in range(units):
        for name, value in values.items():
            setattr(config.unit[index], name, value)
    return config


def heal_unit(unit: Any) -> None:
    unit.pcs_age_ms, unit.bms_age_ms = 50, 300
    unit.pcs_flags, unit.bms_flags = PCS_OK, BMS_OK
    unit.power_w = 0
    unit.pack_voltage_dv, unit.pack_current_da, unit.pcs_dc_voltage_dv = 7_680, 0, 7_680
    unit.soc_cpct = 5_500
    unit.current_charge_max_da = unit.current_discharge_max_da = 600
    unit.cell_voltage_min_mv, unit.cell_voltage_max_mv = 3_290, 3_300
    unit.cell_temp_min_dc, unit.cell_temp_max_dc = 240, 260
    unit.insulation_kohm, unit.bms_heartbeat = 2_000, UNKNOWN


def heal(tw_input: Any) -> None:
    """A healthy site that is asked to run: 40 kW of load, all devices up and fresh."""
    tw_input.commands, tw_input.flags, tw_input.io_age_ms = RUN, 0, 100
    tw_input.poc_power_w, tw_input.poc_age_ms = 40_000, 50
    tw_input.poc_voltage_dv, tw_input.poc_frequency_mhz = 2_300, 50_000
    tw_input.load_age_ms = tw_input.pv_age_ms = 2**31 - 1
    for index in range(8):
        heal_unit(tw_input.unit[index])


class Rig:
    """`changes` of the configuration are applied before the kernel starts; `run()` brings it into RUN with full limits.

    An `obedient` rig has devices that follow orders and setpoints; otherwise they stay as the test has put them.
    """

    def __init__(self, units: int = 1, obedient: bool = False, **changes: int) -> None:
        self.obedient = obedient
        self.config = configure(units, **changes)
        self.kernel = Kernel(self.config)
        self.input: Any = self.kernel.input
        self.out: Any = self.kernel.output
        self.state: Any = self.kernel.state
        heal(self.input)

    def put(self, **values: int) -> None:
        """Sets input fields: of the site, else of unit 0."""
        for name, value in values.items():
            setattr(self.input if hasattr(self.input, name) else self.input.unit[0], name, value)

    def step(self, cycles: int = 1, **values: int) -> Any:
        """Sets input fields, then runs cycles of 100 ms; returns the last output."""
        self.put(**values)
        for _ in range(cycles):
            self.input.mono_ms += self.config.cycle_ms
            self.kernel.step()
            if self.obedient:
                self.obey()
        return self.out

    def obey(self) -> None:
        """Devices that do at once what they are told: the next cycle sees it."""
        for index in range(self.config.unit_count):
            out, unit = self.out.unit[index], self.input.unit[index]
            if out.order in (Order.STOP, Order.OPEN):
                unit.pcs_flags &= ~PcsFlag.RUNNING
            if out.order == Order.OPEN:
                unit.bms_flags &= ~BmsFlag.CONNECTED
            if out.order in (Order.CONNECT, Order.START, Order.ISLAND):
                unit.bms_flags |= BmsFlag.CONNECTED
            if out.order in (Order.START, Order.ISLAND):
                unit.pcs_flags |= PcsFlag.RUNNING
            unit.power_w = out.setpoint_w

    def wait(self, time_ms: int) -> Any:
        """A whole number of cycles."""
        assert time_ms % self.config.cycle_ms == 0
        return self.step(time_ms // self.config.cycle_ms)

    def run(self) -> "Rig":
        self.step(30)
        assert self.out.mode == Mode.RUN, self.told()
        return self

    def wish(self, power_w: int, left_ms: int = 10_000, cycles: int = 1) -> Any:
        return self.step(cycles, wish_kind=WishKind.BATTERY, wish_w=power_w, wish_left_ms=left_ms)

    def reset(self) -> Any:
        """A person presses reset once."""
        commands = self.input.commands
        self.step(commands=commands | RESET)
        return self.step(commands=commands)

    def unit(self, index: int = 0) -> Any:
        return self.out.unit[index]

    def has(self, cause: UnitCause | SiteCause, index: int = 0) -> bool:
        """The cause is reported, of the site or of the unit."""
        why = self.out.why if isinstance(cause, SiteCause) else self.out.unit[index].why
        return bool(why >> cause & 1)

    def latched(self, cause: UnitCause | SiteCause, index: int = 0) -> bool:
        latched = self.out.latched if isinstance(cause, SiteCause) else self.out.unit[index].latched
        return bool(latched >> cause & 1)

    def told(self) -> str:
        """The output in words, for a test that fails."""
        site = [cause.name for cause in members(SiteCause, self.out.why)]
        units = [
            f"{Mode(self.out.unit[i].mode).name}: {[cause.name for cause in members(UnitCause, self.out.unit[i].why)]}"
            for i in range(self.config.unit_count)
        ]
        return f"{Mode(self.out.mode).name} {site} {units} battery {self.out.battery_w}"
