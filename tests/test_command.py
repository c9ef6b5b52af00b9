"""The words of `edge` as a shell sees them: what is said before a line is opened, and when nobody reads on."""

import subprocess
import sys
from pathlib import Path

import pytest

SITE = str(Path(__file__).resolve().parent.parent / "deploy" / "site.example.toml")


def edge(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *words], capture_output=True, text=True, timeout=30, check=False
    )


def test_a_wrong_name_of_a_point_is_told_before_the_line_is_opened() -> None:
    done = edge("read", "-c", SITE, "poc", "power_totl")
    assert done.returncode == 2 and "poc has no point 'power_totl' (did you mean power_total?)" in done.stderr
    assert "/dev" not in done.stderr


def test_a_line_that_is_not_there_is_told_once_with_what_to_do() -> None:
    done = edge("read", "-c", SITE, "poc", "power_total")
    assert done.returncode == 2 and done.stderr.count("/dev/edge/rs485-1") == 1, done.stderr
    assert "No such file or directory: the line cannot be opened; " in done.stderr


@pytest.mark.parametrize("word", ["profile list --json", f"check -c {SITE}"])
def test_who_stops_reading_gets_no_trace(word: str) -> None:
    command = f"{sys.executable} -m edge {word} | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
