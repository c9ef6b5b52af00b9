"""The Merkle tree over the entries of one day, as in RFC 6962 §2.1: leaves and nodes are hashed apart, none is doubled."""

import hashlib
from collections.abc import Sequence


def leaf_of(line: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + line).digest()


def merkle_root(leaves: Sequence[bytes]) -> str:
    """Root in hex over the leaves; of none it is the SHA-256 of nothing."""
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:  # a node without a sister goes up as it is: the same tree as splitting at a power of two
        pairs = [hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0].hex()
