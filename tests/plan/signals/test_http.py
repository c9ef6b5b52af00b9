"""One GET against a publisher on this machine: every misbehaviour becomes a text, no key is in any of them."""

import logging
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.errors import DataFault
from edge.plan.signals.fetch import http
from edge.plan.signals.fetch.http import Answer, Http
from edge.plan.signals.read.source import Request
from tests.cloud.authority import OPENSSL, Authority
from tests.plan.signals.server import Behaviour, publisher, zipped

SECRET = "s3cret-k3y"


def ask(url: str, path: str = "/api") -> Request:
    return Request(url, path, (("securityToken", SECRET),), (("auth-token", SECRET),))


def get(*script: Behaviour) -> Answer:
    with publisher(*script) as there:
        return Http(SystemClock()).get(ask(there.url))


BAD = [
    (Behaviour(429, headers={"Retry-After": "120"}), 429, "status 429; asked too often"),
    (Behaviour(500, b"<html>"), 500, "status 500"),
    (Behaviour(401), 401, "status 401; check the key"),
    (Behaviour(302, headers={"Location": "http://127.0.0.1:1/"}), 302, "status 302; has moved, and is not followed"),
    (Behaviour(body=b"x" * 500, cut=100), 200, "broke off"),
    (Behaviour(body=b"x" * 500, headers={"Content-Encoding": "gzip"}), 200, "cannot be decompressed"),
    (Behaviour(body=b"x" * 100_000, repeat=50), 200, "more than 4194304 bytes"),
    (zipped(b"\0" * (64 << 20)), 200, "more than 4194304 bytes"),
]


@pytest.mark.parametrize(("behaviour", "status", "says"), BAD, ids=[row[2] for row in BAD])
def test_what_is_no_answer_is_told_in_words(behaviour: Behaviour, status: int, says: str) -> None:
    answer = get(behaviour)
    assert (answer.status, answer.body) == (status, b"")
    assert says in answer.fault and SECRET not in answer.fault and "?" not in answer.fault
    assert answer.retry_after_s == (120 if status == 429 else 0)


def test_a_whole_answer_comes_plain_or_deflated_and_is_asked_for_conditionally_the_next_time() -> None:
    first = Behaviour(body=b'{"a":1}', headers={"ETag": '"7"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"})
    with publisher(first, Behaviour(304, headers={"ETag": '"7"'}), zipped(b"plain again")) as there:
        client = Http(SystemClock())
        answer = client.get(ask(there.url))
        assert (answer.status, answer.body, answer.etag, answer.fault) == (200, b'{"a":1}', '"7"', "")
        again = client.get(ask(there.url), answer.etag, answer.modified)
        assert (again.status, again.body, again.fault) == (304, b"", "")
        assert client.get(ask(there.url)).body == b"plain again"
    assert there.asked[0][1]["auth-token"] == SECRET and f"securityToken={SECRET}" in there.asked[0][0]
    assert there.asked[1][1]["If-None-Match"] == '"7"' and there.asked[1][1]["If-Modified-Since"] == answer.modified
    assert "If-None-Match" not in there.asked[2][1]


def test_a_publisher_that_says_nothing_is_left_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_S", 0.2)
    assert "no answer within 0.2 s" in get(Behaviour(hang=True)).fault


def test_a_body_that_never_ends_is_left_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TOTAL_MS", -1)
    assert "not whole within" in get(Behaviour(body=b"x" * 200_000)).fault


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1", "no connection"),
        ("https://nobody.invalid", "cannot be resolved"),
    ],
)
def test_nobody_there_is_told_in_words(url: str, says: str) -> None:
    answer = Http(SystemClock()).get(ask(url))
    assert answer.status == 0 and says in answer.fault and SECRET not in answer.fault


@pytest.mark.skipif(OPENSSL is None, reason="needs the openssl command")
def test_a_certificate_is_verified_and_a_private_ca_can_be_given(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    good, other = authority.issue("server", "IP:127.0.0.1"), authority.issue("other", "DNS:elsewhere.example")
    with publisher(Behaviour(body=b"{}"), cert=good.cert, key=good.key) as there:
        stranger = Http(SystemClock()).get(ask(there.url))
        assert stranger.status == 0 and "TLS: " in stranger.fault and "ca_file" in stranger.fault
        assert Http(SystemClock(), str(authority.ca)).get(ask(there.url)).body == b"{}"
    with publisher(Behaviour(body=b"{}"), cert=other.cert, key=other.key) as there:
        wrong = Http(SystemClock(), str(authority.ca)).get(ask(there.url))
        assert "TLS: " in wrong.fault and wrong.body == b""
    with pytest.raises(DataFault, match="ca_file"):
        Http(SystemClock(), str(tmp_path / "none.pem"))


def test_no_log_of_any_level_holds_the_key(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        get(Behaviour(body=b"{}"))
        get(Behaviour(500))
        Http(SystemClock()).get(ask("http://127.0.0.1:1"))
    assert SECRET not in caplog.text
