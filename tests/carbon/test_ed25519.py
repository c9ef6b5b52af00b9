"""Our check of a signature against RFC 8032's own examples, and against a library that signs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.carbon.ledger.ed25519 import L, is_signed

# RFC 8032 §7.1, tests 1 to 3: public key, message, signature
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_the_examples_of_the_rfc(public: str, message: str, signature: str) -> None:
    key, text, signed = (bytes.fromhex(part) for part in (public, message, signature))
    assert is_signed(key, text, signed)
    assert not is_signed(key, text + b"x", signed)
    for at in range(0, 64, 7):
        changed = bytearray(signed)
        changed[at] ^= 1
        assert not is_signed(key, text, bytes(changed))
    scalar = int.from_bytes(signed[32:], "little") + L  # the same signature written otherwise
    assert not is_signed(key, text, signed[:32] + scalar.to_bytes(32, "little"))


@given(st.binary(max_size=40), st.binary(max_size=70), st.binary(max_size=40))
@settings(max_examples=60, deadline=None)
def test_garbage_is_no_signature(public: bytes, signature: bytes, message: bytes) -> None:
    assert not is_signed(public, message, signature)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=60))
@settings(max_examples=30, deadline=None)
def test_what_a_library_signs_is_signed(seed: bytes, message: bytes) -> None:
    crypto = pytest.importorskip(
        "cryptography.hazmat.primitives.asymmetric.ed25519", reason="the extra `sign` is not installed"
    )
    key = crypto.Ed25519PrivateKey.from_private_bytes(seed)
    assert is_signed(key.public_key().public_bytes_raw(), message, key.sign(message))
