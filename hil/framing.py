"""The simulated device's own RTU framing and CRC.

Written apart from the driver's on purpose (table-driven here, bitwise C there), so that a shared misunderstanding cannot
hide: nothing of edge.field.rtu or the kernel may be imported in this file.
"""

POLYNOMIAL = 0xA001  # x^16 + x^15 + x^2 + 1, bits reversed
FRAME_MIN_BYTES = 4  # address, function, CRC
FRAME_MAX_BYTES = 256


def _entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ POLYNOMIAL if value & 1 else value >> 1
    return value


_TABLE = tuple(_entry(index) for index in range(256))


def checksum(data: bytes) -> int:
    """CRC-16/MODBUS: 0x4B37 for b'123456789'."""
    table, register = _TABLE, 0xFFFF
    for octet in data:
        register = register >> 8 ^ table[(register ^ octet) & 0xFF]
    return register


def sealed(body: bytes) -> bytes:
    """The frame: body and checksum, low octet first."""
    register = checksum(body)
    return body + bytes((register & 0xFF, register >> 8))


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
