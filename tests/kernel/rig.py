"""A kernel on a bench: one healthy site by default, every value of it to be spoiled by a test; time is a number."""

from pathlib import Path
from typing import Any

from edge.config.reader import load_config
from edge.control.kernel import Kernel, config_struct

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "site.example.toml"
RUN, HOLD, SERVICE, RESET, ESTOP = 1, 2, 4, 8, 16
PCS_OK = 2 | 16  # running, guarded
BMS_OK = 1 | 32  # connected, guarded


def healthy_unit(unit: Any) -> None:
    unit.pcs_age_ms, unit.bms_age_ms = 50, 300
    unit.pcs_flags, unit.bms_flags = PCS_OK, BMS_OK
    unit.power_w = 0
    unit.pack_voltage_dv, unit.pack_current_da = 7_680, 0
    unit.soc_cpct = 5_500
    unit.current_charge_max_da = unit.current_discharge_max_da = 600
    unit.cell_voltage_min_mv, unit.cell_voltage_max_mv = 3_290, 3_300
    unit.cell_temp_min_dc, unit.cell_temp_max_dc = 240, 260


class Rig:
    """`config` is applied before the kernel starts; `run()` brings it into RUN with full limits."""

    def __init__(self, units: int = 1, **limits: int) -> None:
        self.config = config_struct(load_config(EXAMPLE))
        self.config.unit_count = units
        for index in range(1, units):
            self.config.unit[index] = self.config.unit[0]
        for name, value in limits.items():
            setattr(self.config.unit[0] if hasattr(self.config.unit[0], name) else self.config, name, value)
        self.kernel = Kernel(self.config)
        self.input: Any = self.kernel.input
        self.out: Any = self.kernel.output
        self.input.poc_power_w, self.input.poc_age_ms = 40_000, 50
        self.input.commands = RUN
        for index in range(units):
            healthy_unit(self.input.unit[index])

    def step(self, cycles: int = 1, **values: int) -> Any:
        """Sets input fields (of the site, else of unit 0), then runs cycles of 100 ms; returns the last output."""
        for name, value in values.items():
            setattr(self.input if hasattr(self.input, name) else self.input.unit[0], name, value)
        for _ in range(cycles):
            self.input.mono_ms += self.config.cycle_ms
            self.kernel.step()
        return self.out

    def run(self) -> "Rig":
        self.step(200)
        assert self.out.mode == 2, f"mode {self.out.mode}, why {self.out.why:#x}, unit {self.out.unit[0].why:#x}"
        return self

    def wish(self, power_w: int, left_ms: int = 10_000) -> Any:
        return self.step(wish_w=power_w, wish_left_ms=left_ms)
