"""PUBLISH and PUBACK, the two packets of which there are many; all others are paho's.

paho builds some forty objects and three tables for each PUBACK and holds four locks on the way: more work than all the
rest of a message. Layout: MQTT 5.0, 2.1.4 and 3.3, 3.4; MQTT 3.1.1 is the same without properties and reasons.
"""

import struct
from typing import NamedTuple

PUBLISH, PUBACK = 0x30, 0x40
TOPIC_MAX_BYTES = 0xFFFF
REMAINING_MAX_BYTES = (1 << 28) - 1  # four groups of seven bits
ACK_MAX_BYTES = 1 << 16  # with a reason text of the broker's; more is nonsense


class Malformed(ValueError):
    """What came is no MQTT: the session has to end."""


class Acked(NamedTuple):
    packet_id: int
    reason: int  # 0: taken; from 0x80 on: refused


def publish_packet(topic: str, payload: bytes, packet_id: int, qos: int, *, retain: bool, v5: bool) -> bytes:
    """One PUBLISH of QoS 0 or 1, without properties. Raises ValueError for what cannot be published."""
    name = topic.encode()
    if not name or len(name) > TOPIC_MAX_BYTES or b"+" in name or b"#" in name or b"\0" in name:
        raise ValueError(f"topic {topic[:80]!r}: 1..{TOPIC_MAX_BYTES} bytes without + and #")
    head = struct.pack(f">H{len(name)}s", len(name), name)
    if qos:
        head += packet_id.to_bytes(2)
    if v5:
        head += b"\0"
    size = _varint(len(head) + len(payload))
    return b"".join((bytes((PUBLISH | qos << 1 | retain,)), size, head, payload))


def _varint(value: int) -> bytes:
    if value > REMAINING_MAX_BYTES:
        raise ValueError(f"{value} bytes: at most {REMAINING_MAX_BYTES} go into one message")
    groups = bytearray()
    while True:
        value, group = value >> 7, value & 0x7F
        groups.append(group | 0x80 if value else group)
        if not value:
            return bytes(groups)


class Sieve:
    """Takes PUBACKs out of what a broker sends; the rest goes on as it came, in its order, to paho."""

    def __init__(self) -> None:
        self.acked: list[Acked] = []
        self._rest = b""  # the beginning of a packet that is not all there
        self._passing_bytes = 0  # of a packet that goes on, still to come

    def feed(self, data: bytes) -> bytes:
        """What is not ours of `data`. Raises Malformed."""
        data, at, passed = self._rest + data, 0, list[bytes]()
        while at < len(data):
            if not self._passing_bytes:
                sizes = self._sizes(data, at)
                if sizes is None:
                    break
                head_bytes, body_bytes = sizes
                end = at + head_bytes + body_bytes
                if data[at] & 0xF0 == PUBACK:
                    if end > len(data):
                        break
                    self._take(data[at], data[at + head_bytes : end])
                    at = end
                    continue
                self._passing_bytes = head_bytes + body_bytes
            part = data[at : at + self._passing_bytes]
            passed.append(part)
            self._passing_bytes -= len(part)
            at += len(part)
        self._rest = data[at:]
        return b"".join(passed)

    def _sizes(self, data: bytes, at: int) -> tuple[int, int] | None:
        """Bytes of the header and of what follows it; None while the header is not all there."""
        size = 0
        for index, group in enumerate(data[at + 1 : at + 5]):
            size |= (group & 0x7F) << 7 * index
            if group < 0x80:
                if data[at] & 0xF0 == PUBACK and size > ACK_MAX_BYTES:
                    raise Malformed(f"a PUBACK of {size} bytes")
                return index + 2, size
        if len(data) >= at + 5:
            raise Malformed("a length of more than four bytes")
        return None

    def _take(self, first: int, body: bytes) -> None:
        if first != PUBACK or len(body) < 2:
            raise Malformed(f"a PUBACK that is none: {bytes((first,)).hex()} {body[:8].hex()}")
        self.acked.append(Acked(body[0] << 8 | body[1], body[2] if len(body) > 2 else 0))
