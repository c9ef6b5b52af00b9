"""Where the fuzzer begins. That nothing is found is `make fuzz`: to build it alone takes longer than a test may."""

from tests.native import corpus, fuzz


def test_a_seed_is_a_configuration_and_what_follows_it() -> None:
    data = corpus.vectors(corpus.WISH).read_bytes()
    found = list(fuzz.pieces(data))
    assert len(found) == corpus.WISH.count + 2
    assert all(piece[:1] == b"\x01" and len(piece) <= fuzz.PIECE_BYTES and piece in data for piece in found)
    assert list(fuzz.pieces(found[0])) == found[:1]
