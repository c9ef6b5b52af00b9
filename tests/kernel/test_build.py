"""The kernel as an artefact: pedantic C, no symbol from outside, words that match their numbers, a right CRC."""

import shutil
import subprocess
from pathlib import Path

import pytest

from edge.control import authority, image, interlocks, orders
from edge.control.kernel import Mode, Order, UnitWhy, Why, ffi, lib
from edge.field import rules
from edge.roles import FLAGS

NATIVE = Path(__file__).resolve().parents[2] / "native"
PEDANTIC = "-std=c11 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Werror"


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_c_is_pedantic_and_needs_nothing_from_outside(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    sources = sorted(str(path) for path in NATIVE.glob("*.c"))
    flags = [*PEDANTIC.split(), "-ffreestanding", "-fno-stack-protector", "-fPIC"]
    built = tmp_path / "kernel.o"
    command = [compiler, *flags, "-nostdlib", "-r", "-o", str(built), *sources]
    subprocess.run(command, check=True, cwd=NATIVE)
    undefined = subprocess.run(["nm", "-u", str(built)], check=True, capture_output=True, text=True).stdout
    assert not [line for line in undefined.splitlines() if "_GLOBAL_OFFSET_TABLE_" not in line]


@pytest.mark.parametrize(("words", "prefix"), [(Mode, "MODE"), (Order, "ORDER"), (Why, "WHY"), (UnitWhy, "UNIT")])
def test_python_has_the_names_and_numbers_of_the_kernel(words: type, prefix: str) -> None:
    full = f"TW_{prefix}_"
    in_c = {name.removeprefix(full): getattr(lib, name) for name in dir(lib) if name.startswith(full)}
    assert {word.name: int(word) for word in words} == in_c  # type: ignore[attr-defined]


def test_flags_commands_and_kinds_are_those_of_the_kernel() -> None:
    for kind in ("pcs", "bms"):
        for name, mask in FLAGS[kind].items():
            assert getattr(lib, f"TW_{kind.upper()}_{name.upper()}") == mask
    assert (lib.TW_PCS_GUARDED, lib.TW_PCS_WRITE_FAILED) == (image.PCS_GUARDED, image.PCS_WRITE_FAILED)
    assert (lib.TW_BMS_GUARDED, lib.TW_AGE_NEVER) == (image.BMS_GUARDED, image.AGE_NEVER_MS)
    for name in ("RUN", "HOLD", "SERVICE", "RESET"):
        assert getattr(lib, f"TW_COMMAND_{name}") == getattr(authority, f"COMMAND_{name}")
    assert (lib.TW_ORDER_START, lib.TW_ORDER_STOP, lib.TW_ORDER_OPEN) == (
        orders.ORDER_START, orders.ORDER_STOP, orders.ORDER_OPEN,
    )  # fmt: skip
    assert (lib.TW_GATE_VALUE, lib.TW_GATE_POWER, lib.TW_GATE_START) == (
        rules.GATE_VALUE, rules.GATE_POWER, rules.GATE_START,
    )  # fmt: skip


def test_every_reason_bit_has_a_text_and_a_way_out() -> None:
    assert set(interlocks.SITE) == {word.name for word in Why}
    assert set(interlocks.UNIT) == {word.name for word in UnitWhy}
    for cause in [*interlocks.SITE.values(), *interlocks.UNIT.values()]:
        assert cause.text and cause.action and cause.hint


def test_the_crc_is_that_of_the_specification() -> None:
    for body, crc in (("01030000000a", 0xCDC5), ("", 0xFFFF), ("0207", 0x1241)):
        raw = bytes.fromhex(body)
        assert lib.tw_crc16(ffi.from_buffer(raw), len(raw)) == crc
