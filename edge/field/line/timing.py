"""How long bytes take on an RS-485 line, and the silence between transactions (Modbus over Serial Line V1.02, 2.5.1).

Over TCP bytes and silence take no time, a transaction that of the device and the network.
"""

from collections.abc import Iterable

from edge.config.options import Port
from edge.field.profile import Link

GAP_DEFAULT_MS = 20  # what a shared bus of mixed makes needs (reference: peers lose answers below it)
FAST_SILENCE_US = 1_750  # above 19 200 baud the silence of 3.5 characters is fixed at this
TCP_LATENCY_US = (
    2_000  # there and back through a switch or two; a radio link takes more: `edge check --live` measures it
)
NEVER_S = -1e9
LOAD_WINDOW_S = 5.0
READ_BYTES = 13  # request 8, answer 5, and two for each register
ECHO_BYTES = 8  # of any write


class Load:
    """How busy a line is, averaged over a few seconds."""

    __slots__ = ("_busy_s", "_window_s", "permille")

    def __init__(self) -> None:
        self._busy_s, self._window_s, self.permille = 0.0, NEVER_S, 0

    def note(self, now_s: float, busy_s: float) -> None:
        """A transaction of `busy_s` has ended."""
        self._busy_s += busy_s
        if now_s - self._window_s >= LOAD_WINDOW_S:
            self.permille = min(1000, int(1000 * self._busy_s / min(now_s - self._window_s, 60.0)))
            self._window_s, self._busy_s = now_s, 0.0


def char_bits(port: Port) -> int:
    """Bits of one character: start, 8 data, parity if any, stop."""
    return 9 + (port.parity != "N") + port.stopbits


def char_s(port: Port) -> float:
    """Seconds of one character."""
    return 0.0 if port.kind == "tcp" else char_bits(port) / port.baud


def chars_us(port: Port, count: int) -> int:
    """`count` characters without a pause, rounded up. None over TCP: its time is the device's and the network's."""
    if port.kind == "tcp":
        return 0
    return -(-count * char_bits(port) * 1_000_000 // port.baud)


def silence_us(port: Port) -> int:
    """t3.5: what ends a frame; over TCP its length does."""
    if port.kind == "tcp":
        return 0
    return 3_500_000 * char_bits(port) // port.baud if port.baud <= 19_200 else FAST_SILENCE_US


def gap_us(port: Port, links: Iterable[Link]) -> int:
    """Silence before each request: the site's word, else the most patient profile's; never below 3.5 characters.

    Over TCP nobody else hears it: none unless the site says so.
    """
    if port.kind == "tcp":
        return 1000 * port.gap_ms
    gap_ms = port.gap_ms or max((link.min_gap_ms for link in links), default=GAP_DEFAULT_MS)
    return max(silence_us(port), 1000 * gap_ms)


def read_bytes(count: int) -> int:
    """A read of `count` registers, request and answer."""
    return READ_BYTES + 2 * count


def write_bytes(fc: int, count: int) -> int:
    """A write of `count` registers, request and echo."""
    return ECHO_BYTES + (ECHO_BYTES if fc in (5, 6) else 9 + 2 * count)


def transaction_us(port: Port, link: Link, size_bytes: int) -> int:
    """From the first byte of a request to the last of its answer. A device hears the end of a request by its silence."""
    network_us = TCP_LATENCY_US if port.kind == "tcp" else 0
    return chars_us(port, size_bytes) + max(1000 * link.turnaround_ms, silence_us(port)) + network_us


def hole_max_count(port: Port, link: Link) -> int:
    """Registers that may be read for nothing before a second transaction is cheaper; its gap is at least this link's."""
    if port.kind == "tcp":  # registers cost nothing, requests do
        return link.max_regs
    spared_us = gap_us(port, [link]) + transaction_us(port, link, READ_BYTES)
    return max(0, (spared_us - 1) // chars_us(port, 2))
