"""Certificate files that change while the link runs, against a real mosquitto that wants a client certificate."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from edge.cloud.access import Access
from edge.cloud.tls.papers import AGAIN_MS, LISTEN_MS, LOOK_MS, SHOW_AGAIN_MS
from hil.demo.broker import find_broker
from tests.cloud.authority import OPENSSL, Authority, Issued, now
from tests.cloud.broker import Broker, running, socket_of, wait_until
from tests.cloud.test_link import Bench

WHY = "" if OPENSSL and find_broker("mosquitto") else "needs mosquitto and openssl"
pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY), reason=WHY)]
ALTERNATIVE = "IP:127.0.0.1,DNS:localhost"


def replace_file(path: Path, content: bytes) -> None:
    """As who renews does: written beside it, then renamed."""
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    beside.replace(path)


@dataclass
class Site:
    """A gateway with its three files, connected."""

    folder: Path
    broker: Broker
    files: dict[str, Path] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def start(self, ca: Path, own: Issued) -> None:
        self.folder.mkdir(exist_ok=True)
        for name, path in (("ca", ca), ("cert", own.cert), ("key", own.key)):
            self.files[name] = self.folder / f"{name}.pem"
            shutil.copy(path, self.files[name])
        access = Access("", "", True, *(str(self.files[name]) for name in ("ca", "cert", "key")))
        self.bench = Bench(self.broker.port, access=access)
        self.bench.connect()
        self.look()

    def put(self, own: Issued) -> None:
        replace_file(self.files["key"], own.key.read_bytes())
        replace_file(self.files["cert"], own.cert.read_bytes())

    def look(self, times: int = 2, leap_ms: int = LOOK_MS) -> None:
        """So much later, with whatever the link does of it. Nothing must be under way: PUBACK has 20 s."""
        for _ in range(times):
            self.bench.leap_ms += leap_ms
            wait_until(lambda: False, 0.1, self.bench.step)
        self.bench.leap_ms += LISTEN_MS
        wait_until(lambda: False, 0.3, self.bench.step)
        self.said += [note.text for note in self.bench.link.notes]
        self.bench.link.notes.clear()

    @property
    def sessions_count(self) -> int:
        return self.bench.link.up_count

    def shown(self) -> str:
        """The subject by which the broker knows us, of the newest connection."""
        lines = [line for line in self.broker.log().splitlines() if "New client connected" in line]
        return lines[-1].rpartition("u'")[2].split("'")[0]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), until=now() + timedelta(days=60))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Broker]:
    server = authority.issue("broker", ALTERNATIVE)
    lines = authority.listener(server, "require_certificate true", "use_identity_as_username true")
    with running(tmp_path_factory.mktemp("broker"), lines) as broker:
        yield broker


@pytest.fixture
def site(tmp_path: Path, broker: Broker, authority: Authority) -> Iterator[Site]:
    site = Site(tmp_path / "gateway", broker)
    site.start(authority.ca, authority.issue("first"))
    yield site
    site.bench.link.close()


def test_a_renewed_certificate_is_used_at_once_and_the_old_connection_ends_in_order(
    site: Site, authority: Authority
) -> None:
    link, broker = site.bench.link, site.broker
    assert site.sessions_count == 1 and site.shown() == "first"
    before = broker.log()
    site.put(authority.issue("second"))
    site.look(3)
    site.bench.connect()
    assert site.sessions_count == 2 and site.shown() == "second"
    assert len(site.said) == 1 and "renewed certificate files are in use, cert_file valid until" in site.said[0]
    more = broker.log()[len(before) :]
    assert "disconnected." in more and "closed its connection" not in more and "already connected" not in more
    assert link.publish("a", b"x") is not None
    assert wait_until(lambda: bool(link.settled), 2, site.bench.step) and link.settled[0].outcome == "acked"
    site.look(6)
    assert site.sessions_count == 2, "once"


def test_what_is_under_way_is_acked_before_the_change_over(site: Site, authority: Authority) -> None:
    link = site.bench.link
    site.put(authority.issue("third"))
    tokens, outcomes, sent_until = list[int](), list[str](), 0
    for _ in range(2_000):
        while (token := link.publish("a", b"x" * 2_000)) is not None:
            tokens.append(token)
        site.bench.step()
        site.bench.leap_ms += 10
        outcomes += [one.outcome for one in link.settled]
        link.settled.clear()
        if site.sessions_count == 2 and link.connected:
            sent_until = sent_until or len(tokens)
            if len(tokens) > sent_until + 100:
                break
    assert site.sessions_count == 2 and site.shown() == "third"
    assert wait_until(lambda: len(outcomes) + len(link.settled) == len(tokens), 5, site.bench.step)
    outcomes += [one.outcome for one in link.settled]
    assert set(outcomes) == {"acked"} and len(outcomes) > 500, "none was lost with the old connection"


def test_a_half_file_and_a_key_of_another_are_refused_and_the_good_pair_that_follows_is_used(
    site: Site, authority: Authority
) -> None:
    good, other = authority.issue("fourth"), authority.issue("fifth")
    replace_file(site.files["cert"], good.cert.read_bytes()[:300])
    site.look(3)
    replace_file(site.files["cert"], good.cert.read_bytes())  # the key is still that of the first
    site.look(3)
    replace_file(site.files["key"], other.key.read_bytes())
    site.look(3)
    replace_file(site.files["key"], b"")
    site.look(3)
    assert site.sessions_count == 1 and site.bench.link.connected
    for text in site.said:
        assert text.startswith(
            ("renewed certificate files are not used: cert_file", "renewed certificate files are not used: key")
        )
        assert "must be a certificate and its key in PEM" in text
        assert "the connection goes on with the ones before; put the files right, no restart is needed" in text
    assert "no whole certificate is in it" in site.said[0] and "no whole private key is in it" in site.said[-1]
    assert len(site.said) == 3 and "key values mismatch" in " ".join(site.said).lower()
    replace_file(site.files["key"], good.key.read_bytes())
    site.look(3)
    site.bench.connect()
    assert site.sessions_count == 2 and site.shown() == "fourth"


def test_files_that_are_still_being_written_at_a_look_are_not_complained_of(site: Site, authority: Authority) -> None:
    good = authority.issue("slow")
    site.files["cert"].write_bytes(good.cert.read_bytes()[:300])
    site.look(1)
    site.put(good)
    site.look(3)
    site.bench.connect()
    assert site.shown() == "slow" and len(site.said) == 1 and "are in use" in site.said[0]


def test_a_missing_file_is_told_once_and_a_cut_meanwhile_is_survived_with_what_was(
    site: Site, authority: Authority
) -> None:
    kept = site.files["key"].read_bytes()
    site.files["key"].unlink()
    site.look(40)
    assert len(site.said) == 1 and "key_file" in site.said[0] and "No such file" in site.said[0]
    socket_of(site.bench.link).close()
    assert wait_until(lambda: not site.bench.link.connected, 5, site.bench.step)
    site.bench.connect()
    assert site.sessions_count == 2, "the context in memory still has them"
    replace_file(site.files["key"], kept)
    site.look(3)
    site.bench.connect()
    assert site.sessions_count == 3 and "in use" in site.said[-1]


def test_an_unreadable_file_that_is_made_readable_is_used_though_its_stat_is_the_same(
    site: Site, authority: Authority
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    own = authority.issue("sixth")
    site.put(own)
    site.files["key"].chmod(0)
    site.look(3)
    site.files["key"].chmod(0o600)
    site.look(2, AGAIN_MS)
    site.bench.connect()
    assert site.shown() == "sixth"


def test_a_renewal_that_has_expired_already_is_refused_and_one_near_its_end_is_warned_of(
    site: Site, authority: Authority
) -> None:
    old = authority.issue("old", since=now() - timedelta(days=9), until=now() - timedelta(days=1))
    site.put(old)
    site.look(3)
    assert site.sessions_count == 1 and "has expired: it was valid until" in site.said[0]
    site.put(authority.issue("short", until=now() + timedelta(days=3)))
    site.look(4)
    site.bench.connect()
    site.look(2)
    assert site.sessions_count == 2 and "only: renew it in place" in site.said[-1]


def test_a_certificate_that_the_broker_does_not_take_is_shown_on_a_second_connection_only(
    tmp_path: Path, site: Site
) -> None:
    stranger = Authority(tmp_path / "stranger").issue("stranger")
    site.put(stranger)
    site.look(4)
    assert site.sessions_count == 1 and site.bench.link.connected
    assert len(site.said) == 1 and "the broker refuses them" in site.said[0], site.said
    site.look(4, SHOW_AGAIN_MS // 20)
    assert len(site.said) == 1, "told once"


def test_a_renewed_ca_is_tried_beside_the_connection_and_used_when_the_broker_has_its_part(
    tmp_path: Path, authority: Authority
) -> None:
    other = Authority(tmp_path / "other", "the next ca")
    own = authority.issue("seventh")
    both = tmp_path / "both.pem"
    both.write_bytes(authority.ca.read_bytes() + other.ca.read_bytes())
    server = authority.issue("old broker", ALTERNATIVE)
    files = Issued(tmp_path / "server.pem", tmp_path / "server.key")
    shutil.copy(server.cert, files.cert)
    shutil.copy(server.key, files.key)
    lines = authority.listener(files, "require_certificate true", "use_identity_as_username true")
    lines = lines.replace(f"cafile {authority.ca}", f"cafile {both}")
    with running(tmp_path / "broker", lines) as broker:
        site = Site(tmp_path / "gateway", broker)
        site.start(authority.ca, own)
        replace_file(site.files["ca"], other.ca.read_bytes())  # too early: the broker still shows the old one
        site.look(4)
        assert site.sessions_count == 1 and site.bench.link.connected
        assert "certificate verify failed" in site.said[-1] and "check ca_file" in site.said[-1]
        replace_file(site.files["ca"], both.read_bytes())
        site.look(4)
        site.bench.connect()
        assert site.sessions_count == 2
        new = other.issue("new broker", ALTERNATIVE)
        broker.stop()
        shutil.copy(new.cert, files.cert)
        shutil.copy(new.key, files.key)
        broker.start()
        replace_file(site.files["ca"], other.ca.read_bytes())  # while away: what is on the disk counts
        assert wait_until(lambda: not site.bench.link.connected, 5, site.bench.step)
        site.bench.connect()
        replace_file(site.files["ca"], authority.ca.read_bytes())
        socket_of(site.bench.link).close()
        assert wait_until(lambda: "check ca_file" in site.bench.link.fault, 5, site.bench.step)
        assert not wait_until(lambda: site.bench.link.connected, 1, site.bench.step), "no trust that was taken out"
        site.bench.link.close()


def test_at_the_start_an_expired_certificate_is_named_when_the_broker_hangs_up(
    tmp_path: Path, broker: Broker, authority: Authority
) -> None:
    old = authority.issue("gone", since=now() - timedelta(days=9), until=now() - timedelta(days=1))
    bench = Bench(broker.port, access=Access(tls=True, ca_file=str(authority.ca), cert_file=str(old.cert),
                                             key_file=str(old.key)))  # fmt: skip
    assert not wait_until(lambda: bench.link.connected, 1.5, bench.step)
    assert f"cert_file {old.cert} has expired: it was valid until" in bench.link.fault, bench.link.fault
    bench.link.close()
