"""From when until when a certificate holds: two dates out of its DER, and what is said of them. No trust is decided here.

X.509 (RFC 5280, 4.1): Certificate { tbs { [0] version, serial, algorithm, issuer, validity { from, until }, ... } ... }.
Only lengths and these two dates are looked at. Any bytes give the dates or a DataFault.
"""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.errors import DataFault
from edge.ops.clockfloor import Moment

SEQUENCE, VERSION, UTC_TIME, GENERAL_TIME = 0x30, 0xA0, 0x17, 0x18
_FORMATS = {UTC_TIME: "%y%m%d%H%M%SZ", GENERAL_TIME: "%Y%m%d%H%M%SZ"}
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
BEFORE_FIELDS_COUNT = 3  # serial, algorithm, issuer


@dataclass(frozen=True, slots=True)
class Validity:
    """Both ends included."""

    from_wall_ms: int
    until_wall_ms: int


def validity_of(der: bytes) -> Validity:
    """The dates of one certificate. Raises DataFault for anything else."""
    try:
        at, _ = _open(der, 0, SEQUENCE)
        at, _ = _open(der, at, SEQUENCE)
        if der[at] == VERSION:
            at = _close(der, at)
        for _ in range(BEFORE_FIELDS_COUNT):
            at = _close(der, at)
        at, end = _open(der, at, SEQUENCE)
        first, second = _time(der, at), _time(der, _close(der, at))
    except (IndexError, ValueError) as error:
        raise DataFault(f"not an X.509 certificate: {error}") from error
    if end > len(der):
        raise DataFault("not an X.509 certificate: cut off")
    return Validity(first, second)


def validities_in(pem: str) -> Iterator[Validity]:
    """Of each certificate of a file, in its order. Raises DataFault."""
    for part in pem.split(_BEGIN)[1:]:
        try:
            der = ssl.PEM_cert_to_DER_cert(f"{_BEGIN}{part.partition(_END)[0]}{_END}")
        except ValueError as error:
            raise DataFault(f"not a certificate in PEM: {error}") from error
        yield validity_of(der)


def out_of_time(validity: Validity, moment: Moment, whose: str) -> str:
    """Why this certificate does not hold at this moment, and what to do; "" when it does."""
    if moment.wall_ms < validity.from_wall_ms:
        begins = f"{whose} is not yet valid by this clock: it is from {when(validity.from_wall_ms)}, {reading(moment)}"
        return f"{begins}; {not_yet(moment)}"
    if moment.wall_ms > validity.until_wall_ms:
        ends = f"{whose} has expired: it was valid until {when(validity.until_wall_ms)}, {reading(moment)}"
        return f"{ends}; {expired(moment)}"
    return ""


def reading(moment: Moment) -> str:
    """What the clock says, and what it is taken for."""
    said = f"the clock reads {when(moment.read_wall_ms)}" + ("" if moment.synced else ", not synchronised")
    return f"{said}, and is taken for {when(moment.wall_ms)} ({moment.known_by})" if moment.is_raised else said


def not_yet(moment: Moment) -> str:
    """The way out of "not yet valid"."""
    if moment.synced:
        return "issue it anew with the right date, or put the time server right"
    return "waiting for time sync: check the time server (timedatectl), or set the clock (date -s)"


def expired(moment: Moment) -> str:
    """The way out of "expired"."""
    return "renew it" if moment.synced else "renew it, or if the clock is ahead put that right (timedatectl, date -s)"


def when(wall_ms: int) -> str:
    return f"{datetime.fromtimestamp(wall_ms / 1_000, UTC):%Y-%m-%d %H:%M} UTC"


def _open(der: bytes, at: int, tag: int) -> tuple[int, int]:
    """(where the content of the element at `at` begins, where it ends)."""
    if der[at] != tag:
        raise ValueError(f"0x{der[at]:02x} at {at}, expected 0x{tag:02x}")
    size, begin = der[at + 1], at + 2
    if size >= 0x80:
        count = size & 0x7F
        size, begin = int.from_bytes(der[begin : begin + count]), begin + count
    return begin, begin + size


def _close(der: bytes, at: int) -> int:
    """Where the element after the one at `at` begins."""
    return _open(der, at, der[at])[1]


def _time(der: bytes, at: int) -> int:
    begin, end = _open(der, at, der[at])
    form = _FORMATS.get(der[at])
    if form is None:
        raise ValueError(f"0x{der[at]:02x} at {at} is no date")
    found = datetime.strptime(der[begin:end].decode("ascii"), form)
    return int(found.replace(tzinfo=UTC).timestamp() * 1_000)
