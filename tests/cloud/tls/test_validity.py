"""The two dates of a certificate, as our few lines read them and as OpenSSL does; and any bytes at all."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cloud.tls.validity import Validity, out_of_time, validities_in, validity_of
from edge.errors import DataFault
from edge.ops.clockfloor import Moment
from tests.cloud.authority import OPENSSL, Authority, now

needs_openssl = pytest.mark.skipif(not OPENSSL, reason="the openssl command is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


def ms(date: datetime) -> int:
    return int(date.timestamp() * 1_000)


@needs_openssl
@pytest.mark.parametrize("days", [30, 365 * 30], ids=["UTCTime", "GeneralizedTime"])  # the second ends after 2049
def test_the_dates_are_those_that_were_asked_for(folder: Path, days: int) -> None:
    since = now()
    until = since + timedelta(days=days)
    authority = Authority(folder / str(days), since=since, until=until)
    issued = authority.issue("gw-1")
    pem = issued.cert.read_text() + authority.ca.read_text()
    assert list(validities_in(f"a word before\n{pem}")) == [Validity(ms(since), ms(until))] * 2


@needs_openssl
def test_a_certificate_cut_at_any_byte_before_its_dates_end_is_refused(folder: Path) -> None:
    der = ssl.PEM_cert_to_DER_cert(Authority(folder / "cut").ca.read_text())
    good = validity_of(der)
    end = next(size for size in range(len(der)) if _reads(der[:size]))
    assert end > 60 and validity_of(der[: end + 1]) == good


def _reads(der: bytes) -> bool:
    try:
        validity_of(der)
    except DataFault:
        return False
    return True


@given(st.binary(max_size=200))
def test_any_bytes_give_dates_or_a_fault(der: bytes) -> None:
    _reads(der)


@given(st.text(max_size=100).map(lambda text: f"-----BEGIN CERTIFICATE-----{text}-----END CERTIFICATE-----"))
def test_any_text_in_a_file_gives_dates_or_a_fault(pem: str) -> None:
    try:
        list(validities_in(pem))
    except DataFault as fault:
        assert str(fault)


HELD = Validity(ms(datetime(2026, 12, 1, tzinfo=UTC)), ms(datetime(2027, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("read", "synced", "floor", "texts"),
    [
        ((2026, 12, 1), True, None, ()),
        ((2027, 1, 1), False, None, ()),
        ((1970, 1, 1), False, (2026, 12, 5), ()),
        ((1970, 1, 1), False, (2026, 11, 26), ("not yet valid by this clock", "the clock reads 1970-01-01 00:00 UTC, not"
            " synchronised, and is taken for 2026-11-26 00:00 UTC (the release)", "waiting for time sync")),
        ((2026, 11, 30), True, None, ("is from 2026-12-01", "the clock reads 2026-11-30 00:00 UTC;", "issue it anew")),
        ((2027, 1, 2), True, None, ("has expired", "valid until 2027-01-01 00:00 UTC", "; renew it")),
        ((2027, 1, 2), False, None, ("has expired", "not synchronised", "or if the clock is ahead put that right")),
        ((1970, 1, 1), False, (2027, 2, 1), ("has expired", "taken for 2027-02-01")),
    ],
)  # fmt: skip
def test_the_reason_and_the_way_out(
    read: tuple[int, int, int], synced: bool, floor: tuple[int, int, int] | None, texts: tuple[str, ...]
) -> None:
    read_ms = ms(datetime(*read, tzinfo=UTC))
    judged_ms = ms(datetime(*floor, tzinfo=UTC)) if floor else read_ms
    said = out_of_time(HELD, Moment(judged_ms, read_ms, synced, "the release" if floor else ""), "it")
    assert bool(said) == bool(texts)
    for text in texts:
        assert text in said
