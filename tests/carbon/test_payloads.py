"""Raw bodies: kept once, found by their hash, bounded, and never the cause of a fault."""

import os
import zlib
from pathlib import Path

import pytest

from edge.carbon.desk.payloads import BODY_MAX_BYTES, FOLDER, Payloads


def test_a_body_is_found_by_its_hash_and_kept_once(tmp_path: Path) -> None:
    store = Payloads(tmp_path, 1 << 20)
    digest = store.keep(b"body")
    assert store.keep(b"body") == digest and Payloads(tmp_path, 1 << 20).keep(b"body") == digest
    assert Payloads(tmp_path, 0).read(digest) == b"body" and store.read("00" * 32) is None
    assert len(list((tmp_path / FOLDER).iterdir())) == 1


def test_at_the_quota_the_oldest_go(tmp_path: Path) -> None:
    store = Payloads(tmp_path, 100_000)
    digests = []
    for index in range(100):
        digests.append(store.keep(os.urandom(3_000)))
        path = tmp_path / FOLDER / (digests[-1] + ".z")
        os.utime(path, ns=(index, index))
    used = sum(path.stat().st_size for path in (tmp_path / FOLDER).iterdir())
    assert used <= 100_000 and store.read(digests[-1]) is not None and store.read(digests[0]) is None
    kept = [store.read(digest) is not None for digest in digests]
    assert kept == sorted(kept)


def test_a_disk_that_will_not_take_it_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    store = Payloads(tmp_path, 1 << 20)
    assert store.read(store.keep(b"body")) is None
    assert Payloads(tmp_path / "x", 1 << 20).keep(bytes(BODY_MAX_BYTES + 1)) and not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "data", [b"", b"x", b"x\x9c", zlib.compress(b"other"), zlib.compress(bytes(BODY_MAX_BYTES + 9))]
)
def test_a_damaged_file_is_no_body(tmp_path: Path, data: bytes) -> None:
    store = Payloads(tmp_path, 1 << 20)
    digest = store.keep(b"body")
    (tmp_path / FOLDER / (digest + ".z")).write_bytes(data)
    assert store.read(digest) is None
