"""The kernel as an artefact: pedantic C, no symbol from outside, nothing kept, words that match their numbers, a CRC."""

import re
import shutil
import subprocess
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest

from edge.control import kernel
from edge.control.kernel import ffi, lib

NATIVE = Path(__file__).resolve().parents[2] / "native"
PEDANTIC = "-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Werror"
COMPILERS = [name for name in ("gcc", "clang", "clang-19") if shutil.which(name)] or ["gcc"]


@pytest.fixture(scope="module", params=[(name, level) for name in COMPILERS for level in ("-O2", "-O3")], ids="".join)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler, level = request.param
    sources = sorted(str(path) for path in NATIVE.glob("*.c"))
    flags = [*PEDANTIC.split(), level, "-ffreestanding", "-fno-stack-protector", "-fPIC"]
    out = tmp_path_factory.mktemp("built") / "kernel.o"
    subprocess.run([compiler, *flags, "-nostdlib", "-r", "-o", str(out), *sources], check=True, cwd=NATIVE)
    return out


def symbols(built: Path, *options: str) -> list[list[str]]:
    text = subprocess.run(["nm", *options, str(built)], check=True, capture_output=True, text=True).stdout
    return [line.split() for line in text.splitlines() if "_GLOBAL_OFFSET_TABLE_" not in line]


def test_the_c_is_pedantic_and_needs_nothing_from_outside(built: Path) -> None:
    assert symbols(built, "-u") == []


def test_the_kernel_keeps_nothing_between_two_calls(built: Path) -> None:
    kinds = {line[-2] for line in symbols(built)}
    assert not kinds & set("bBcCdDsSgG"), "a variable that can be written"


def test_there_is_no_float_and_no_loop_without_a_bound() -> None:
    for path in NATIVE.glob("*.[ch]"):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        assert not re.search(r"\b(float|double|goto|malloc)\b|\bwhile \((1|true)\)|for \(;;\)", code), path.name
        assert not re.search(r"^static (?!const\b|inline\b)[^(]*[;=]", code, re.M), f"{path.name}: a static variable"


@pytest.mark.parametrize(("word", "prefix"), [
    ("Mode", "MODE"), ("Event", "EVENT"), ("Order", "ORDER"), ("Level", "LEVEL"), ("Latch", "LATCH"), ("Reset", "RESET"),
    ("SiteCause", "SITE_C"), ("UnitCause", "UNIT_C"), ("Bound", "BOUND"), ("Band", "BAND"), ("Stage", "STAGE"),
    ("Function", "FUNCTION"), ("Signal", "SIGNAL"), ("WishKind", "WISH"), ("Safe", "SAFE"), ("GateKind", "GATE"),
    ("Command", "COMMAND"), ("PcsFlag", "PCS"), ("BmsFlag", "BMS"), ("SiteFlag", "SITE"),
])  # fmt: skip
def test_python_has_the_names_and_numbers_of_the_kernel(word: str, prefix: str) -> None:
    words: type[IntEnum] | type[IntFlag] = getattr(kernel, word)
    full = f"TW_{prefix}_"
    in_c = {name.removeprefix(full): getattr(lib, name) for name in dir(lib) if name.startswith(full)}
    if prefix == "SITE":
        in_c = {name: number for name, number in in_c.items() if not name.startswith("C_") and name != "CAUSES"}
    assert {member.name: int(member) for member in words} == in_c


def test_the_counts_are_those_of_the_words() -> None:
    assert (lib.TW_MODES, lib.TW_EVENTS, lib.TW_SITE_CAUSES, lib.TW_UNIT_CAUSES) == (12, 12, 32, 52)
    assert (lib.TW_BOUNDS, lib.TW_BANDS, lib.TW_STAGES, lib.TW_FUNCTIONS) == (8, 4, 10, 15)
    assert (kernel.UNKNOWN, kernel.UNITS, kernel.AGE_NEVER_MS) == (-(2**31) + 1, 8, 2**31 - 1)


def test_a_row_of_no_cause_is_all_zero() -> None:
    for number in (-1, 52, 2**31 - 1, -(2**31)):
        for row in (lib.tw_unit_row(number), lib.tw_site_row(number)):
            assert [getattr(row, name) for name, _ in ffi.typeof("tw_cause_row_t").fields] == [0] * 6


def test_masks_and_members_are_each_other_s_inverse() -> None:
    causes = [kernel.UnitCause.BMS_STALE, kernel.UnitCause.COOLDOWN]
    assert kernel.mask(*causes) == 1 | 1 << 51
    assert kernel.members(kernel.UnitCause, kernel.mask(*causes)) == causes


def test_the_crc_is_that_of_the_specification() -> None:
    for body, crc in (("01030000000a", 0xCDC5), ("", 0xFFFF), ("0207", 0x1241)):
        raw = bytes.fromhex(body)
        assert lib.tw_crc16(ffi.from_buffer(raw), len(raw)) == crc
    assert kernel.crc16(bytes.fromhex("01030000000a")).to_bytes(2, "little") == bytes.fromhex("c5cd")
    assert kernel.crc16(bytes.fromhex("01030000000ac5cd")) == 0, "over a frame with its CRC it is zero"
