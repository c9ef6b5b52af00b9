"""The layout that traces depend on, a replay equal to the last bit, what tw_init accepts, and the guard under fuzz."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge.control import kernel as face
from edge.control.kernel import Kernel, KernelFault, ffi, lib
from edge.errors import DataFault
from tests.kernel.rig import Rig, configure

NATIVE = Path(__file__).resolve().parents[2] / "native"
STRUCTS = (
    "tw_unit_config_t", "tw_wish_config_t", "tw_config_t", "tw_unit_input_t", "tw_announcement_t", "tw_input_t",
    "tw_unit_state_t", "tw_wish_state_t", "tw_state_t", "tw_unit_output_t", "tw_output_t", "tw_gate_rule_t",
    "tw_write_t", "tw_cause_row_t",
)  # fmt: skip


def c_layout(folder: Path) -> list[str]:
    """What gcc says of every struct: size, then the offset of every field."""
    lines = []
    for name in STRUCTS:
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        fields = [field for field, _ in ffi.typeof(name).fields]
        lines += [f'printf("{name}.{field} %zu\\n", offsetof({name}, {field}));' for field in fields]
    source = folder / "layout.c"
    source.write_text('#include <stdio.h>\n#include "kernel.h"\nint main(void) {' + "\n".join(lines) + "}\n")
    binary = folder / "layout"
    subprocess.run(["gcc", "-std=c11", f"-I{NATIVE}", "-o", str(binary), str(source)], check=True)
    return subprocess.run([str(binary)], check=True, capture_output=True, text=True).stdout.split("\n")[:-1]


def test_python_and_c_agree_on_every_offset(tmp_path: Path) -> None:
    ours = []
    for name in STRUCTS:
        ours.append(f"{name} {ffi.sizeof(name)}")
        ours += [f"{name}.{field} {ffi.offsetof(name, field)}" for field, _ in ffi.typeof(name).fields]
    assert ours == c_layout(tmp_path)


def test_no_struct_has_padding_that_a_trace_would_carry_as_noise() -> None:
    for name in STRUCTS:
        fields = ffi.typeof(name).fields
        assert sum(ffi.sizeof(field.type) for _, field in fields) == ffi.sizeof(name), name


def test_the_sizes_are_those_that_every_machine_must_have() -> None:
    sizes = {name: ffi.sizeof(f"tw_{name}_t") for name in ("config", "input", "state", "output", "gate_rule", "write")}
    assert sizes == {"config": 1760, "input": 712, "state": 4120, "output": 1064, "gate_rule": 36, "write": 24}


def test_a_module_built_from_another_header_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face, "abi_hash", lambda: "0" * 64)
    with pytest.raises(ImportError, match="make setup"):
        face._check_abi()


def test_a_replay_from_raw_bytes_is_equal_to_the_last_bit() -> None:
    rig = Rig(units=3, obedient=True).run()
    twin = Kernel.from_bytes(rig.kernel.config_bytes())
    twin.load(None, rig.kernel.images()[1])
    for cycle in range(200):
        rig.put(soc_cpct=900 + cycle * 50, poc_power_w=cycle * 7_919 % 120_000 - 20_000)
        rig.input.mono_ms += 100
        rig.input.wish_w = cycle * 997 % 60_000 - 30_000
        twin.load(rig.kernel.images()[0], None)
        rig.kernel.step()
        twin.step()
        assert twin.images() == rig.kernel.images()


def test_raw_bytes_of_another_size_are_refused() -> None:
    rig = Rig()
    for spoil in (b"", rig.kernel.images()[1] + b"\0"):
        with pytest.raises(DataFault, match="another version"):
            rig.kernel.load(None, spoil)
    with pytest.raises(DataFault, match="another version"):
        Kernel.from_bytes(rig.kernel.config_bytes()[:-1])


def test_every_byte_of_the_output_is_written_in_every_cycle() -> None:
    rig = Rig(units=2).run()
    twin = Kernel.from_bytes(rig.kernel.config_bytes())
    for fill in (0x55, 0xAA):
        rig.kernel.load(None, rig.kernel.images()[1])
        ffi.buffer(rig.out)[:] = bytes([fill]) * ffi.sizeof("tw_output_t")
        twin.load(*rig.kernel.images()[:2])
        ffi.buffer(twin.output)[:] = bytes([fill ^ 0xFF]) * ffi.sizeof("tw_output_t")
        rig.kernel.step()
        twin.step()
        assert twin.images()[2] == rig.kernel.images()[2]


def test_init_leaves_no_byte_of_the_state_to_chance() -> None:
    states = []
    for fill in (0x55, 0xAA):
        state = ffi.new("tw_state_t *")
        ffi.buffer(state)[:] = bytes([fill]) * ffi.sizeof("tw_state_t")
        assert lib.tw_init(configure(), state) == lib.TW_OK
        states.append(bytes(ffi.buffer(state)))
    assert states[0] == states[1]


REFUSED = [
    {"abi": 2}, {"unit_count": 0}, {"unit_count": 9}, {"cycle_ms": 49}, {"cycle_ms": 1_001}, {"import_max_w": -1},
    {"fuse_max_w": -1}, {"export_max_w": 100_000_001}, {"setpoint_ramp_w_per_s": 19}, {"pv_rated_w": -1},
    {"pv_lost_max_w": -1}, {"poc_age_fade_ms": 0}, {"poc_age_fade_ms": 3_001}, {"poc_age_max_ms": 600_001},
    {"voltage_min_dv": 0}, {"voltage_max_dv": 0}, {"voltage_max_dv": 1_950}, {"frequency_min_mhz": 0},
    {"frequency_max_mhz": 47_000}, {"grid_return_ms": 0}, {"io_required": 2}, {"io_age_max_ms": 0},
    {"boot_settle_ms": 0}, {"reset_hold_ms": 0}, {"connect_max_ms": 0}, {"start_max_ms": 0}, {"stop_max_ms": 0},
    {"cooldown_ms": 0}, {"safe_poc": 2}, {"safe_poc": 3}, {"safe_grid": 3}, {"safe_door": 2}, {"safe_door": -1},
    {"power_charge_max_w": -1}, {"power_discharge_max_w": 100_000_001}, {"power_efficient_min_w": 30_001},
    {"reactive_max_var": -1}, {"deviation_max_w": 0}, {"soc_min_cpct": -1}, {"soc_min_cpct": 9_500},
    {"soc_max_cpct": 10_001}, {"soc_reserve_cpct": 9_501}, {"soc_reserve_cpct": -1}, {"soc_taper_cpct": -1},
    {"soc_taper_cpct": 8_501}, {"soc_hysteresis_cpct": 0}, {"cell_voltage_dead_mv": 0}, {"cell_voltage_dead_mv": 2_500},
    {"cell_voltage_trip_low_mv": 2_800}, {"cell_voltage_min_mv": 2_950}, {"cell_voltage_derate_low_mv": 3_450},
    {"cell_voltage_derate_high_mv": 3_550}, {"cell_voltage_max_mv": 3_650}, {"cell_voltage_trip_high_mv": 5_001},
    {"cell_voltage_hysteresis_mv": 0}, {"pack_voltage_trip_low_dv": 0}, {"pack_voltage_min_dv": 6_000},
    {"pack_voltage_max_dv": 6_720}, {"pack_voltage_trip_high_dv": 8_520}, {"temp_min_dc": -601}, {"temp_min_dc": 0},
    {"temp_charge_min_dc": 100}, {"temp_charge_derate_low_dc": 400}, {"temp_charge_derate_high_dc": 500},
    {"temp_charge_max_dc": 551}, {"temp_derate_high_dc": 550}, {"temp_derate_high_dc": -200}, {"temp_max_dc": 600},
    {"temp_trip_dc": 1_501}, {"temp_hysteresis_dc": 0}, {"temp_rise_max_dc_per_min": 0}, {"cell_spread_warn_mv": 0},
    {"cell_spread_derate_mv": 79}, {"cell_spread_trip_mv": 159}, {"temp_spread_warn_dc": 0},
    {"temp_spread_trip_dc": 2_101}, {"insulation_trip_kohm": 0}, {"insulation_warn_kohm": 99}, {"limit_rise_w_per_s": 0},
    {"bms_age_max_ms": 0}, {"bms_age_stop_ms": 2_000}, {"bms_age_open_ms": 5_000}, {"bms_age_open_ms": 600_001},
    {"heartbeat_max_ms": 0}, {"pcs_age_max_ms": 0}, {"pcs_age_stop_ms": 1_000}, {"pcs_age_open_ms": 5_000},
]  # fmt: skip


def spoil(config: Any, change: dict[str, int]) -> None:
    for name, value in change.items():
        setattr(config if hasattr(config, name) else config.unit[config.unit_count - 1], name, value)


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: f"{next(iter(change))}")
def test_what_cannot_be_kept_is_refused_at_init_and_in_every_step(change: dict[str, int]) -> None:
    config = configure(units=3)
    kernel = Kernel(config)
    spoil(config, change)
    with pytest.raises(KernelFault):
        Kernel(config)
    kernel.step()
    assert kernel.output.why == 1 << 16 | 1


ACCEPTED = [
    {"import_max_w": 0}, {"fuse_max_w": 0}, {"export_max_w": 100_000_000}, {"cycle_ms": 50}, {"cycle_ms": 1_000},
    {"setpoint_ramp_w_per_s": 20}, {"poc_age_fade_ms": 3_000}, {"voltage_min_dv": 0, "voltage_max_dv": 0},
    {"power_charge_max_w": 0}, {"soc_taper_cpct": 0}, {"soc_reserve_cpct": 9_500}, {"soc_min_cpct": 0},
    {"soc_max_cpct": 10_000}, {"cell_voltage_dead_mv": 1}, {"temp_charge_max_dc": 550}, {"temp_min_dc": -600},
    {"cell_spread_derate_mv": 80}, {"insulation_warn_kohm": 100}, {"limit_rise_w_per_s": 1}, {"unit_count": 1},
]  # fmt: skip


@pytest.mark.parametrize("change", ACCEPTED, ids=lambda change: f"{next(iter(change))}")
def test_the_ends_of_the_ranges_are_inside(change: dict[str, int]) -> None:
    config = configure(units=3)
    spoil(config, change)
    Kernel(config).step()


def test_two_configurations_of_one_sum_are_told_apart_within_64_cycles() -> None:
    rig = Rig().run()
    rig.config.unit[0].soc_min_cpct += 9_000  # the sixth word counts eleven times
    rig.config.unit[0].deviation_max_w -= 11_000  # the fifth nine times
    for _ in range(64):
        rig.step()
    assert rig.out.why == 1 << 16 | 1


def test_two_thresholds_that_change_places_are_seen_in_the_next_step() -> None:
    rig = Rig().run()
    unit = rig.config.unit[0]
    unit.cell_voltage_min_mv, unit.cell_voltage_max_mv = unit.cell_voltage_max_mv, unit.cell_voltage_min_mv
    assert rig.step().why == 1 << 16 | 1 and rig.out.battery_w == 0


def test_no_bits_make_the_guard_overflow_or_allow_what_it_must_not(tmp_path: Path) -> None:
    """480 000 steps under the address and undefined-behaviour sanitizers, with a wish half that answers noise."""
    flags = ["-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{NATIVE}"]
    sources = [str(Path(__file__).with_name("door_fuzz.c")), *(str(path) for path in sorted(NATIVE.glob("*.c")))]
    binary = str(tmp_path / "fuzz")
    subprocess.run(["gcc", *flags, "-Wl,-z,muldefs", "-o", binary, *sources], check=True)
    done = subprocess.run([binary], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2_000:]
