"""What must be true holds on the seeds of the fuzzer. `make fuzz` goes on from there."""

import shutil
from pathlib import Path

import pytest

from tests.native import corpus, fuzz


@pytest.mark.skipif(shutil.which("clang-19") is None, reason="no clang-19 on this machine; make fuzz installs it")
def test_what_must_be_true_holds_on_every_seed(tmp_path: Path) -> None:
    binary = fuzz.build(work=tmp_path)
    code, text = fuzz.fuzz(binary, seconds_s=1, seed=1)
    assert code == 0, text[-2_000:]


def test_a_seed_is_a_configuration_and_what_follows_it() -> None:
    data = corpus.vectors(corpus.WISH).read_bytes()
    found = list(fuzz.pieces(data))
    assert len(found) == corpus.WISH.count + 1
    assert all(piece[:1] == b"\x01" and len(piece) <= fuzz.PIECE_BYTES and piece in data for piece in found)
