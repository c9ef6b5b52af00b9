"""TLS, passwords and client certificates against a real mosquitto with a private CA, and what is said of wrong ones."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.cloud.access import Access
from edge.cloud.dial import Backoff
from edge.cloud.link import Link, LinkSettings
from hil.demo.broker import find_broker
from tests.cloud.authority import OPENSSL, PASSWORDS, Authority, Issued, password_file
from tests.cloud.broker import Broker, running, socket_of, wait_until
from tests.cloud.test_link import Bench

WHY = "" if OPENSSL and PASSWORDS and find_broker("mosquitto") else "needs mosquitto, mosquitto_passwd and openssl"
pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY), reason=WHY)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Issued:
    return authority.issue("broker", "IP:127.0.0.1,DNS:localhost")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, authority: Authority, server: Issued) -> Iterator[Broker]:
    """TLS and a password: gw-1, secret."""
    folder = tmp_path_factory.mktemp("closed")
    users = password_file(folder / "users", "gw-1", "secret")
    with running(folder, authority.listener(server, "allow_anonymous false", f"password_file {users}")) as broker:
        yield broker


def access(authority: Authority, folder: Path, password: str = "secret") -> Access:
    (folder / "password").write_text(f"{password}\nthe second line is no part of it\n")
    return Access("gw-1", str(folder / "password"), True, str(authority.ca))


def refused(bench: Bench, seconds: float = 1.5) -> str:
    """Tries for a while; the fault. The back-off of the bench is 50..100 ms at most."""
    assert not wait_until(lambda: bench.link.connected, seconds, bench.step)
    return bench.link.fault


def test_the_right_ca_and_password_connect_with_tls_1_2_or_later(
    tmp_path: Path, authority: Authority, closed: Broker
) -> None:
    bench = Bench(closed.port, access=access(authority, tmp_path))
    bench.connect()
    line = socket_of(bench.link)
    assert isinstance(line, ssl.SSLSocket) and line.version() in ("TLSv1.2", "TLSv1.3")
    seen: list[bytes] = []
    bench.link.subscribe("loop", lambda _, payload: seen.append(payload))
    big = bytes(range(256)) * 2_000  # many TLS records
    assert wait_until(lambda: bench.link.publish("loop", big) is not None, 2, bench.step)
    assert wait_until(lambda: bool(seen), 5, bench.step) and seen[0] == big
    bench.link.close()


def test_a_broker_of_another_ca_is_refused_and_not_pestered(tmp_path: Path, closed: Broker) -> None:
    other = Authority(tmp_path / "other", "another ca")
    bench = Bench(closed.port, access=access(other, tmp_path))
    bench.link._backoff = Backoff(200, 400, 10**6, draw=lambda: 1.0)
    before_count = connections(closed)
    fault = refused(bench, 2)
    assert "certificate verify failed" in fault and "check ca_file" in fault
    assert 3 <= connections(closed) - before_count <= 8, "200 ms, then 400 ms apart"


def connections(broker: Broker) -> int:
    return broker.log().count("New connection from")


def test_a_certificate_for_another_host_is_refused(tmp_path: Path, authority: Authority) -> None:
    elsewhere = authority.issue("elsewhere", "DNS:broker.example")
    with running(tmp_path, authority.listener(elsewhere)) as broker:
        fault = refused(Bench(broker.port, access=Access(tls=True, ca_file=str(authority.ca))))
    assert "certificate verify failed" in fault and "not valid for '127.0.0.1'" in fault


def test_a_broker_of_tls_1_1_is_refused(authority: Authority, server: Issued) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    with pytest.warns(DeprecationWarning):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    mine = Access(tls=True, ca_file=str(authority.ca))
    found = mine.context()
    assert found is not None and found.minimum_version >= ssl.TLSVersion.TLSv1_2
    found.set_ciphers("ALL:@SECLEVEL=0")  # so that only the version is left to refuse
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = found.wrap_bio(theirs, ours, server_hostname="127.0.0.1")
    peer = context.wrap_bio(ours, theirs, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
        peer.do_handshake()


def test_a_wrong_password_is_a_clear_fault_with_back_off_and_a_corrected_file_is_enough(
    tmp_path: Path, authority: Authority, closed: Broker
) -> None:
    bench = Bench(closed.port, access=access(authority, tmp_path, "wrong"))
    bench.link._backoff = Backoff(200, 400, 10**6, draw=lambda: 1.0)
    before_count = connections(closed)
    fault = refused(bench, 2)
    assert "Not authorized; check username, password_file" in fault
    assert "wrong" not in fault.replace("what", "")
    assert 3 <= connections(closed) - before_count <= 8
    access(authority, tmp_path)  # the file is put right: no restart
    bench.connect()
    bench.link.close()


def test_a_client_certificate_is_asked_for_and_shown(tmp_path: Path, authority: Authority, server: Issued) -> None:
    mine = authority.issue("gw-1")
    stranger = Authority(tmp_path / "stranger").issue("gw-1")
    lines = authority.listener(server, "require_certificate true", "use_identity_as_username true")
    base = Access(tls=True, ca_file=str(authority.ca))
    with running(tmp_path / "broker", lines) as broker:
        for wrong in (base, replace(base, cert_file=str(stranger.cert), key_file=str(stranger.key))):
            fault = refused(Bench(broker.port, access=wrong))
            assert (
                fault
                == "127.0.0.1: the broker hung up without an answer; does it ask for a client certificate (cert_file)?"
            )
        bench = Bench(broker.port, access=replace(base, cert_file=str(mine.cert), key_file=str(mine.key)))
        bench.connect()
        both = tmp_path / "both.pem"
        both.write_bytes(mine.cert.read_bytes() + mine.key.read_bytes())
        again = Bench(broker.port, access=replace(base, cert_file=str(both)))
        again.connect()
        bench.link.close()
        again.link.close()


def test_a_broker_that_stops_in_the_middle_of_the_handshake_costs_no_time(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = Link(LinkSettings("127.0.0.1", silent.getsockname()[1], access=Access(tls=True)))
        for step in range(100):
            link.step(100 * step)
        assert not link.connected
        for step in range(100, 110):
            link.step(100 * step)
        assert "no connection within 10000 ms" in link.fault
        link.close()
