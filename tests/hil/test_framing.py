"""The slave's own CRC: the published check value, and agreement with the kernel's that was written differently."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.field.line.rtu import crc16
from hil import framing


def test_the_published_check_value() -> None:
    assert framing.checksum(b"123456789") == 0x4B37
    assert framing.sealed(bytes.fromhex("010300000001")) == bytes.fromhex("010300000001840a")


@given(st.binary(max_size=256))
def test_two_authors_agree(data: bytes) -> None:
    assert framing.checksum(data) == crc16(data)


@given(st.binary(min_size=2, max_size=100), st.data())
def test_any_single_flipped_bit_is_seen(body: bytes, data: st.DataObject) -> None:
    frame = bytearray(framing.sealed(body))
    assert framing.is_intact(bytes(frame))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not framing.is_intact(bytes(frame))


def test_the_silence_of_the_standard() -> None:
    assert framing.silence_s(9_600, "E") == 3.5 * 11 / 9_600
    assert framing.silence_s(115_200) == 0.00175


def test_framing_and_slave_import_nothing_of_the_drivers_framing() -> None:
    ours = ("framing", "slave/device", "slave/registers", "wire", "pty", "faults", "lan/tcp", "lan/sunspec")
    for module in ours:
        text = (Path(framing.__file__).parent / f"{module}.py").read_text()
        assert "import edge._kernel" not in text and "from edge._kernel" not in text
        assert "from edge.field.line.rtu" not in text and "from edge.field import rtu" not in text
        assert "import pymodbus" not in text and "from pymodbus" not in text and "edge.field.sunspec." not in text
