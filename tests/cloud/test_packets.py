"""PUBLISH and PUBACK beside paho: the bytes of one, the sieve for the other, and the socket under both."""

import socket
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cloud.session.corked import CorkedSocket
from edge.cloud.session.packets import Acked, Malformed, Sieve, publish_packet
from edge.cloud.session.session import refusal_text

LENGTHS = [(0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001"), (2_097_152, "80808001")]


@pytest.mark.parametrize(("length", "shown"), LENGTHS)
def test_a_length_is_written_in_groups_of_seven_bits(length: int, shown: str) -> None:
    head_bytes = 2 + 1  # topic "a", no packet id, no properties
    if length >= head_bytes:
        packet = publish_packet("a", bytes(length - head_bytes), 0, 0, retain=False, v5=False)
        assert packet[1 : 1 + len(shown) // 2].hex() == shown and len(packet) == 1 + len(shown) // 2 + length
    assert Sieve().feed(b"\x30" + bytes.fromhex(shown)) == b"\x30" + bytes.fromhex(shown)


@given(
    st.text(st.characters(exclude_characters="+#\0", exclude_categories=["Cs"]), min_size=1, max_size=50),
    st.binary(max_size=400),
    st.integers(1, 0xFFFF),
    st.integers(0, 1),
    st.booleans(),
    st.booleans(),
)
def test_a_publish_says_what_it_was_given(
    topic: str, payload: bytes, packet_id: int, qos: int, retain: bool, v5: bool
) -> None:
    packet = publish_packet(topic, payload, packet_id, qos, retain=retain, v5=v5)
    assert packet[0] == 0x30 + 2 * qos + retain
    body = packet[2 if packet[1] < 0x80 else 3 :]
    size = packet[1] if packet[1] < 0x80 else packet[1] - 0x80 + 128 * packet[2]
    assert size == len(body)
    name_bytes = struct.unpack_from(">H", body)[0]
    assert body[2 : 2 + name_bytes].decode() == topic
    rest = body[2 + name_bytes :]
    if qos:
        assert struct.unpack_from(">H", rest)[0] == packet_id
        rest = rest[2:]
    if v5:
        assert rest[0] == 0, "no properties"
        rest = rest[1:]
    assert rest == payload


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b", "x" * 65_536])
def test_a_topic_that_cannot_be_published_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        publish_packet(topic, b"", 1, 1, retain=False, v5=True)


FRAMES = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 0xFFFF), st.sampled_from([None, 0, 0x10, 0x87]), st.binary(max_size=20)),
        st.tuples(st.sampled_from([0x20, 0x30, 0x32, 0x90, 0xD0, 0xE0]), st.binary(max_size=300)),
    ),
    max_size=12,
)


@given(FRAMES, st.lists(st.integers(0, 4_000), max_size=20))
def test_the_sieve_takes_pubacks_and_nothing_else_however_the_bytes_are_cut(
    frames: list[tuple[object, ...]], cuts: list[int]
) -> None:
    raw, rest, acked = b"", b"", []
    for frame in frames:
        if len(frame) == 3:
            packet_id, reason, tail = frame
            assert isinstance(packet_id, int) and isinstance(tail, bytes)
            body = packet_id.to_bytes(2) + (bytes((int(reason), *tail)) if isinstance(reason, int) else b"")
            raw += bytes((0x40, len(body))) + body
            acked.append(Acked(packet_id, int(reason) if isinstance(reason, int) else 0))
        else:
            kind, other = frame
            assert isinstance(kind, int) and isinstance(other, bytes)
            size = bytes((len(other),)) if len(other) < 128 else bytes((len(other) % 128 + 128, len(other) // 128))
            raw += bytes((kind,)) + size + other
            rest += bytes((kind,)) + size + other
    sieve = Sieve()
    ends = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    assert b"".join(sieve.feed(raw[start:end]) for start, end in pairwise(ends)) == rest
    assert sieve.acked == acked


@pytest.mark.parametrize("raw", ["4001ff", "4000", "43021234", "40ffff7f", "30ffffffff01"])
def test_what_is_no_packet_is_told(raw: str) -> None:
    with pytest.raises(Malformed):
        Sieve().feed(bytes.fromhex(raw))


@given(st.binary(max_size=200))
def test_noise_is_passed_on_or_told(noise: bytes) -> None:
    sieve = Sieve()
    try:
        passed = sieve.feed(noise)
    except Malformed:
        return
    assert len(passed) <= len(noise)


def test_a_refusal_has_words_even_when_its_code_is_unknown() -> None:
    assert refusal_text(0x87) == "Not authorized"
    assert refusal_text(0x9F) == "reason 0x9F" and refusal_text(0xF1) == "reason 0xF1"


# ---- the socket under paho


def pair() -> tuple[CorkedSocket, socket.socket]:
    ours, peer = socket.socketpair()
    ours.setblocking(False)
    return CorkedSocket(ours), peer


def test_what_is_written_leaves_in_one_piece() -> None:
    wire, peer = pair()
    peer.setblocking(False)
    for part in (b"one ", b"two ", b"three"):
        assert wire.send(part) == len(part)
    with pytest.raises(BlockingIOError):
        peer.recv(100)
    wire.flush()
    assert peer.recv(100) == b"one two three" and not wire.has_output
    wire.send(b"good-bye")
    wire.close()
    assert peer.recv(100) == b"good-bye" and peer.recv(100) == b""


def test_what_the_peer_does_not_take_is_kept_in_order() -> None:
    wire, peer = pair()
    data = bytes(range(256)) * 8_000
    wire.send(data)
    wire.flush()
    assert wire.has_output
    taken = b""
    while len(taken) < len(data):
        taken += peer.recv(1 << 16)
        wire.flush()
    assert taken == data and not wire.has_output


def test_the_end_is_told_after_what_came_before_it() -> None:
    wire, peer = pair()
    peer.sendall(bytes.fromhex("40021234") + b"\xd0\x00" + bytes.fromhex("4003123587"))
    peer.close()
    wire.send(b"nobody reads this")
    wire.flush()
    wire.fill()
    wire.fill()
    assert wire.acked == [Acked(0x1234, 0), Acked(0x1235, 0x87)]
    assert wire.recv(1) + wire.recv(10) == b"\xd0\x00" and wire.has_input
    with pytest.raises(OSError, match="Broken pipe"):
        wire.recv(1)
