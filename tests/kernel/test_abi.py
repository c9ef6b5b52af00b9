"""The struct layout that traces depend on, the rest of the Python face, and a replay that is equal to the last bit."""

import subprocess
from pathlib import Path

import pytest

from edge.control import kernel as face
from edge.control.kernel import BmsFlag, Command, Kernel, PcsFlag, crc16, ffi, lib
from edge.errors import DataFault
from tests.kernel.rig import Rig

NATIVE = Path(__file__).resolve().parents[2] / "native"
STRUCTS = (
    "tw_unit_config_t", "tw_config_t", "tw_unit_input_t", "tw_input_t", "tw_unit_state_t", "tw_state_t",
    "tw_unit_output_t", "tw_output_t", "tw_gate_rule_t", "tw_write_t",
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


@pytest.mark.parametrize(("words", "prefix"), [(Command, "COMMAND"), (PcsFlag, "PCS"), (BmsFlag, "BMS")])
def test_flags_and_commands_are_those_of_the_kernel(words: type, prefix: str) -> None:
    full = f"TW_{prefix}_"
    in_c = {name.removeprefix(full): getattr(lib, name) for name in dir(lib) if name.startswith(full)}
    assert {word.name: int(word) for word in words} == in_c  # type: ignore[attr-defined]


def test_the_crc_goes_out_low_byte_first() -> None:
    assert crc16(bytes.fromhex("01030000000a")).to_bytes(2, "little") == bytes.fromhex("c5cd")
    assert crc16(bytes.fromhex("01030000000ac5cd")) == 0, "over a frame with its CRC it is zero"


def test_a_module_built_from_another_header_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face, "abi_hash", lambda: "0" * 64)
    with pytest.raises(ImportError, match="make setup"):
        face._check_abi()


def test_a_replay_from_raw_bytes_is_equal_to_the_last_bit() -> None:
    rig = Rig(units=3).run()
    twin = Kernel.from_bytes(rig.kernel.config_bytes())
    twin.load_state(rig.kernel.images()[1])
    for cycle in range(200):
        rig.step(wish_w=cycle * 997 % 60_000 - 30_000, wish_left_ms=500, poc_power_w=cycle * 7_919 % 120_000 - 20_000,
                 soc_cpct=900 + cycle * 50)  # fmt: skip
        twin.load(rig.kernel.images()[0], None)
        twin.step()
        assert twin.images() == rig.kernel.images()


def test_raw_bytes_of_another_size_are_refused() -> None:
    rig = Rig()
    for spoil in (b"", rig.kernel.images()[1] + b"\0"):
        with pytest.raises(DataFault, match="another version"):
            rig.kernel.load_state(spoil)
    with pytest.raises(DataFault, match="another version"):
        Kernel.from_bytes(rig.kernel.config_bytes()[:-1])


FUZZ = """
#include <stdio.h>
#include "kernel.h"
static uint32_t seed = 2463534242U;
static uint32_t draw(void) { seed ^= seed << 13; seed ^= seed >> 17; seed ^= seed << 5; return seed; }
static uint32_t word(void)
{
    const uint32_t odd[8] = {0U, 1U, 0xFFFFFFFFU, 0x7FFFFFFFU, 0x80000000U, 100U, 5000U, 100000000U};
    return draw() & 1U ? odd[draw() & 7U] : draw() >> (draw() & 31U);
}
static void fill(void *at, size_t size)
{
    for (size_t i = 0; i < size / 4; i++) { ((uint32_t *)at)[i] = word(); }
}
int main(void)
{
    static _Alignas(8) tw_config_t config, good; static tw_state_t state; static tw_input_t input;
    static tw_output_t output;
    tw_unit_config_t unit = {50000, 50000, 1000, 9500, 200, 2950, 3550, 2750, 3650, 100, 0, -100, 500, 600, 50, 5000,
                             2000, 5000, 10000, 2000, 5000};
    good = (tw_config_t){TW_ABI, 8, 100, 80000, 0, 500, 500, 3000, 1000, 10000, {unit, unit, unit, unit, unit, unit,
                                                                                 unit, unit}};
    for (int round = 0; round < 200000; round++) {
        if (round & 1) { fill(&config, sizeof config); } else { config = good; }
        if (round & 2) { config.abi = TW_ABI; config.unit_count = 1 + (int32_t)(draw() & 7U); config.cycle_ms = 100; }
        fill(&state, sizeof state); fill(&input, sizeof input);
        if (draw() & 1U) { tw_init(&config, &state); }
        for (int cycle = 0; cycle < 3; cycle++) {
            tw_step(&config, &state, &input, &output);
            input.mono_ms = (int64_t)((uint64_t)state.mono_ms + (draw() & 255U));
            for (int i = 0; i < TW_UNITS; i++) {
                int64_t set_w = output.unit[i].setpoint_w;
                if (set_w > 0 && set_w > config.unit[i].power_discharge_max_w) { puts("discharge"); return 1; }
                if (set_w < 0 && -set_w > config.unit[i].power_charge_max_w) { puts("charge"); return 1; }
            }
        }
        tw_gate_rule_t rules[2]; tw_write_t write;
        fill(rules, sizeof rules); fill(&write, sizeof write);
        if (draw() & 1U) { rules[1].function = write.function = 6; rules[1].reg = write.reg; }
        (void)tw_tx_allowed(rules, (int32_t)(draw() & 2U), &output, &write);
    }
    return 0;
}
"""


def test_no_bytes_make_the_c_overflow_or_read_outside(tmp_path: Path) -> None:
    """600 000 steps under the address and undefined-behaviour sanitizers; the seed is fixed."""
    (tmp_path / "fuzz.c").write_text(FUZZ)
    sources = [str(tmp_path / "fuzz.c"), *(str(path) for path in sorted(NATIVE.glob("*.c")))]
    flags = ["-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{NATIVE}"]
    binary = str(tmp_path / "fuzz")
    subprocess.run(["gcc", *flags, "-o", binary, *sources], check=True)
    done = subprocess.run([binary], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2_000:]
