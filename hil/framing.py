"""The simulated device's own RTU framing and CRC.

Written apart from the driver's on purpose (a table here, bitwise C there), so that a shared misunderstanding cannot hide:
nothing of edge.field.line.rtu or the kernel may be imported in this file.
"""

import struct

POLYNOMIAL = 0xA001  # x^16 + x^15 + x^2 + 1, bits reversed
FRAME_MIN_BYTES = 4  # address, function, CRC
FRAME_MAX_BYTES = 256


def _entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ POLYNOMIAL if value & 1 else value >> 1
    return value


_OCTETS = [_entry(index) for index in range(256)]
# Two octets at once: the register is shifted out whole, so what remains depends on its sum with them alone.
_PAIRS = [_OCTETS[(step := index >> 8 ^ _OCTETS[index & 0xFF]) & 0xFF] ^ step >> 8 for index in range(65_536)]


_WORDS = [struct.Struct(f"<{count}H").unpack_from for count in range(FRAME_MAX_BYTES // 2 + 1)]


def checksum(data: bytes) -> int:
    """CRC-16/MODBUS of at most a frame: 0x4B37 for b'123456789'."""
    table, register, size = _PAIRS, 0xFFFF, len(data)
    for pair in _WORDS[size >> 1](data):
        register = table[register ^ pair]
    return register >> 8 ^ _OCTETS[(register ^ data[-1]) & 0xFF] if size & 1 else register


def sealed(body: bytes) -> bytes:
    """The frame: body and checksum, low octet first."""
    return body + checksum(body).to_bytes(2, "little")


def is_intact(frame: bytes) -> bool:
    """Long enough, short enough, right checksum."""
    return FRAME_MIN_BYTES <= len(frame) <= FRAME_MAX_BYTES and sealed(frame[:-2]) == frame


def refusal(address: int, function: int, code: int) -> bytes:
    """An exception reply: 1 function, 2 address, 3 value, 4 device failure."""
    return sealed(bytes((address, function | 0x80, code)))


def char_s(baud: int, parity: str = "N", stopbits: int = 1) -> float:
    """Seconds of one character on the wire: 10 bits with 8N1, 11 with 8E1 or 8N2."""
    return (9 + (parity != "N") + stopbits) / baud


def silence_s(baud: int, parity: str = "N", stopbits: int = 1) -> float:
    """t3.5, the silence that ends a frame: fixed 1.75 ms above 19 200 baud (Modbus over Serial Line V1.02)."""
    return 0.00175 if baud > 19_200 else 3.5 * char_s(baud, parity, stopbits)
