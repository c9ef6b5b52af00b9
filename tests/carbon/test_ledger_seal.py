"""Signature and time stamp: made by a child that ends, checked by what did not make them."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.carbon.ledger.seal import CHILD_MAX_MS, CREDENTIAL, Sealer, sign, signed_message
from tests.carbon.authority import Authority, have_openssl
from tests.carbon.ledger_kit import Kept, Plant, site

crypto = pytest.importorskip(
    "cryptography.hazmat.primitives.asymmetric.ed25519", reason="the extra `sign` is not installed"
)
serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
DIGEST = "ab" * 32


def key_file(folder: Path) -> Path:
    key = crypto.Ed25519PrivateKey.generate()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "ledger.pem"
    path.write_bytes(key.private_bytes(*form))
    return path


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    pytest.importorskip("rfc3161_client", reason="the extra `sign` is not installed")
    if not have_openssl():
        pytest.skip("openssl is not installed: no local time stamp authority")
    (tmp_path / "tsa").mkdir()
    found = Authority(tmp_path / "tsa")
    yield found
    found.close()


def wait(kept: Kept) -> None:
    """Until no child works any more: real time, some tenths of a second."""
    while kept.ledger.sealer.busy:
        child = kept.ledger.sealer._child
        assert child is not None
        child.process.wait(30)
        kept.settle()


@pytest.mark.hil
def test_a_day_is_signed_and_stamped_in_entries_of_their_own(tmp_path: Path, authority: Authority) -> None:
    kept = Kept(sealer=Sealer(str(key_file(tmp_path)), authority.url))
    plant = Plant()
    for _ in range(96):
        kept.note(plant.interval())
    wait(kept)
    (root,), (signature,), (stamp,) = kept.of("day_root"), kept.of("signature"), kept.of("time_stamp")
    assert signature.body["entry"] == root.no == stamp.body["entry"]
    public = crypto.Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.body["key"]))
    public.verify(bytes.fromhex(signature.body["signature"]), signed_message(root.digest))
    (tmp_path / "token").write_bytes(base64.b64decode(stamp.body["token"]))
    (tmp_path / "data").write_bytes(signed_message(root.digest))
    asked = ["openssl", "ts", "-verify", "-in", tmp_path / "token", "-data", tmp_path / "data"]
    found = subprocess.run([*asked, "-CAfile", authority.roots], capture_output=True, text=True, check=False)
    assert "Verification: OK" in found.stdout + found.stderr


@pytest.mark.hil
def test_a_root_that_was_not_signed_before_a_kill_is_signed_after_it(tmp_path: Path) -> None:
    kept, plant = Kept(), Plant()
    for _ in range(96):
        kept.note(plant.interval())
    assert not kept.of("signature") and any(note.name == "ledger.unsigned" for note in kept.ledger.notes)
    kept = Kept(rows=kept.rows, sealer=Sealer(str(key_file(tmp_path)), ""))
    kept.settle()
    wait(kept)
    assert kept.of("signature")[0].body["entry"] == kept.of("day_root")[0].no
    kept = Kept(rows=kept.rows, sealer=Sealer(str(key_file(tmp_path)), ""))
    kept.settle()
    assert not kept.ledger.sealer.busy  # once is enough


@pytest.mark.hil
@pytest.mark.parametrize("answer", [b"", b"<html>", b"\x30\x03\x02\x01\x02"])
def test_an_authority_that_does_not_answer_is_said_and_asked_again(authority: Authority, answer: bytes) -> None:
    authority.answer = answer
    kept, plant = Kept(sealer=Sealer("", authority.url)), Plant()
    for _ in range(96):
        kept.note(plant.interval())
    wait(kept)
    assert "evidence.stamp_url" in kept.ledger.seal_fault and not kept.of("time_stamp")
    authority.answer = None
    kept.settle()
    assert not kept.ledger.sealer.busy  # not at once
    kept.mono_ms += 600_000
    kept.settle()
    wait(kept)
    assert kept.of("time_stamp") and not kept.ledger.seal_fault


def test_a_key_that_is_none_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "key"
    assert "No such file" in sign(wrong, DIGEST)["fault"]
    wrong.write_text("no key")
    assert "Ed25519 private key in PEM" in sign(wrong, DIGEST)["fault"]
    if have_openssl():
        subprocess.run(["openssl", "genrsa", "-out", wrong, "2048"], check=True, capture_output=True)
        assert "openssl genpkey" in sign(wrong, DIGEST)["fault"]


def test_the_credential_of_the_service_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Sealer("", "").key_file == ""
    (tmp_path / CREDENTIAL).write_text("")
    assert Sealer("", "").key_file == str(tmp_path / CREDENTIAL)
    assert Sealer("other", "").key_file == "other"


@pytest.mark.hil
def test_a_child_that_hangs_is_ended(tmp_path: Path, authority: Authority) -> None:
    sealer = Sealer("", authority.url)
    assert sealer.start("stamp", DIGEST, 0) == "" and sealer.busy
    found = sealer.poll(CHILD_MAX_MS)
    assert found is not None and (not sealer.busy)


def test_without_a_key_the_site_says_so_and_goes_on() -> None:
    kept = Kept(site())
    kept.note(Plant().interval())
    assert kept.ledger.sealer.key_file == "" and kept.kinds() == ["opening", "interval"]
