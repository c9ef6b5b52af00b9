"""Somebody with the handbook page and Python comes to the same sum, and finds what was changed."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge.carbon.evidence.verify import verify
from tests.carbon.evidence.kit import BODY, BODY_SHA256, WHOLE, MemorySource, package_of, rich

STRANGER = Path(__file__).resolve().parents[1] / "stranger.py"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return package_of(rich(), WHOLE, {BODY_SHA256: BODY})


def ask(folder: Path, files: dict[str, bytes]) -> tuple[int, str]:
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(data)
    done = subprocess.run([sys.executable, "-I", STRANGER, folder], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_stranger_comes_to_the_same_sum(tmp_path: Path, files: dict[str, bytes]) -> None:
    report = verify(MemorySource(files))
    assert report.account is not None
    code, told = ask(tmp_path, files)
    assert (code, told.split()) == (
        0,
        [str(report.entry_count), str(report.root_count), str(report.account.location_ug)],
    )


@pytest.mark.parametrize("name", ["entries.jsonl", "manifest.json", "statement.html", f"payloads/{BODY_SHA256}"])
def test_a_stranger_finds_a_changed_byte(tmp_path: Path, files: dict[str, bytes], name: str) -> None:
    data = bytearray(files[name])
    at = data.index(b"0")
    data[at : at + 1] = b"7"
    code, told = ask(tmp_path, {**files, name: bytes(data)})
    assert code == 1 and told


def test_the_stranger_is_short_and_knows_nothing_of_ours() -> None:
    text = STRANGER.read_text()
    assert "edge." not in text.replace("tidewatt-edge", "") and len(text.splitlines()) <= 90
