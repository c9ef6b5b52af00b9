"""The kernel does what it did when the golden hashes were written. `make cross` asks it of every compiler and machine."""

import shutil

import pytest

from tests.native import corpus

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on this machine")


@pytest.mark.parametrize("whole", [False, True], ids=["guard", "kernel"])
def test_the_vectors_give_the_golden_bytes(whole: bool) -> None:
    golden = corpus.expected()
    found = corpus.hashes(corpus.REFERENCE, whole)
    assert found == {name: golden[name] for name in found}, "if it was meant to: make golden"
