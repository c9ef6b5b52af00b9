"""The wish half on random bits, built with the sanitizers: nothing undefined, and the whole answer written each time."""

import shutil
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
SOURCE = Path(__file__).with_name("wish_garbage.c")
FLAGS = ["-O1", "-g", "-std=c11", "-fsanitize=undefined", "-fno-sanitize-recover=all", f"-I{NATIVE}"]
RUNS, SEEDS = "4000", ("1", "88172645463325252", "12297829382473034411")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on this machine")
def test_any_bits_leave_the_wish_half_defined_and_its_answer_whole(tmp_path: Path) -> None:
    binary = tmp_path / "garbage"
    sources = [str(SOURCE), *(str(path) for path in sorted(NATIVE.glob("*.c")))]
    subprocess.run(["gcc", *FLAGS, "-o", str(binary), *sources], check=True)
    for seed in SEEDS:
        result = subprocess.run([str(binary), RUNS, seed], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
