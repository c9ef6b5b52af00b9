"""Keys, waits, kept answers, and the fetching thread against a publisher that behaves badly in turn."""

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import SystemClock
from edge.errors import DataFault
from edge.plan.signals.fetch.bodies import RawBodies, kept_bodies, load_body
from edge.plan.signals.fetch.http import Answer, Http
from edge.plan.signals.fetch.keys import hide, read_key
from edge.plan.signals.fetch.pace import RETRY_MAX_MS, Pace
from edge.plan.signals.fetch.worker import QUEUE_MAX, Fetched, Fetcher
from edge.plan.signals.grid import eia, ercot
from edge.plan.signals.read.source import Request
from edge.plan.signals.relayed import watttime
from edge.plan.signals.samples import MarginalSample
from tests.plan.signals.server import Behaviour, publisher
from tests.plan.signals.test_ercot import FUEL, answer
from tests.plan.signals.test_sources import watttime_answer


class Script:
    """A network in memory: gives what is written down, and remembers the questions."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Request, str]] = []

    def get(self, request: Request, etag: str = "", modified: str = "") -> Answer:
        self.asked.append((request, etag))
        return self.answers.pop(0)


class StillClock:
    def __init__(self) -> None:
        self.now_ms = 1_760_000_000_000

    def mono_us(self) -> int:
        return self.now_ms * 1000

    def mono_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return self.now_ms


def ercot_body(*minutes: int) -> bytes:
    return answer({f"2025-10-08 00:{minute:02}:56-0500": FUEL for minute in minutes}).encode()


def fetcher(network: Script, **more: object) -> Fetcher:
    return Fetcher(ercot.SOURCE, "US-TEX-ERCO", "direct", network, StillClock(), pace=Pace(300, lambda: 0.5), **more)  # type: ignore[arg-type]


# ---- keys


def test_a_key_comes_from_a_file_or_a_credential_and_its_fault_names_the_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "eia.key"
    path.write_text("abc123\n")
    assert read_key(str(path)) == "abc123" and read_key("") == ""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(DataFault, match=r"no \$CREDENTIALS_DIRECTORY; give a path, or LoadCredential=eia.key:PATH"):
        read_key("eia.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_key("eia.key") == "abc123"
    for text in ("", "a\nb\nc", "clé", "a\tb", "x" * 5_000):
        path.write_text(text)
        with pytest.raises(DataFault, match="must hold one key") as fault:
            read_key(str(path))
        assert not text.strip() or text[:3] not in str(fault.value).partition(": ")[2].partition("must")[0]
    with pytest.raises(DataFault, match="No such file"):
        read_key(str(tmp_path / "none"))


def test_a_publisher_that_repeats_our_key_does_not_get_it_into_a_text(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abc123xyz")
    body = json.dumps({"error": "key abc123xyz is not known"}).encode()
    network = Script(Answer(200, body))
    clock = StillClock()
    one = Fetcher(eia.SOURCE, "ERCO", "direct", network, clock, key_file=str(tmp_path / "key"))
    fault = one.fetch().fault
    assert "abc123xyz" not in fault and "key *** is not known" in fault
    assert hide("a me: b pass1", "me\npass1") == "a me: b ***"


# ---- when


def test_a_good_source_is_asked_at_most_as_often_as_it_publishes() -> None:
    for draw in (0.0, 0.999):
        pace = Pace(300, lambda draw=draw: draw)  # type: ignore[misc]
        assert 300_000 <= pace.good_ms() <= 330_000 and pace.first_ms() < 10_000


def test_waits_after_faults_grow_with_full_jitter_up_to_an_hour_and_begin_anew() -> None:
    most, least = Pace(300, lambda: 0.999_999), Pace(300, lambda: 0.0)
    assert [most.fault_ms(500) // 1000 for _ in range(9)] == [129, 159, 219, 339, 579, 1059, 2019, 3699, 3699]
    assert {least.fault_ms(500) for _ in range(9)} == {100_000}  # three questions an interval at most
    most.good_ms()
    assert most.fault_ms(500) // 1000 == 129
    assert most.fault_ms(401) == 100_000 + int(RETRY_MAX_MS * 0.999_999)
    assert least.fault_ms(429, 900) == 900_000


@given(st.integers(300, 3600), st.lists(st.sampled_from([0, 401, 429, 500]), max_size=40), st.floats(0, 0.999))
def test_no_wait_is_shorter_than_a_third_of_an_interval_or_two_minutes(
    interval_s: int, statuses: list[int], draw: float
) -> None:
    pace = Pace(interval_s, lambda: draw)
    for status in statuses:
        assert min(interval_s * 1000 // 3, 120_000) <= pace.fault_ms(status) <= RETRY_MAX_MS + 120_000


# ---- kept answers


def test_answers_are_kept_found_by_their_hash_and_bounded_by_count_and_bytes(tmp_path: Path) -> None:
    bodies = [os.urandom(1_000) for _ in range(10)]
    store = RawBodies(tmp_path / "a", bytes_max=1 << 20, count_max=4)
    for index, body in enumerate(bodies):
        assert store.keep(body, hashlib.sha256(body).hexdigest(), 1_760_000_000_000 + index)
        assert store.keep(body, hashlib.sha256(body).hexdigest(), 1_760_000_000_500 + index)  # the same again
    kept = kept_bodies(tmp_path / "a")
    assert [sha for _, sha in kept] == [hashlib.sha256(body).hexdigest() for body in bodies[-4:]]
    assert load_body(tmp_path / "a", kept[0][1]) == bodies[-4]
    assert kept_bodies(tmp_path / "a", 1_760_000_000_007, 1_760_000_000_009) == kept[1:3]
    again = RawBodies(tmp_path / "a", bytes_max=2_500, count_max=100)  # a restart with less room
    assert again.keep(b"small", hashlib.sha256(b"small").hexdigest(), 1_770_000_000_000)
    assert sum(path.stat().st_size for path in (tmp_path / "a").iterdir()) <= 2_500
    assert kept_bodies(tmp_path / "none") == []


def test_a_changed_or_missing_answer_is_named_and_a_sick_disk_is_a_text(tmp_path: Path) -> None:
    store = RawBodies(tmp_path / "a", bytes_max=1 << 20)
    sha256 = hashlib.sha256(b"body").hexdigest()
    store.keep(b"body", sha256, 1_760_000_000_000)
    (path,) = (tmp_path / "a").glob("*.z")
    for raw in (path.read_bytes()[:5], b"", RawBodies.__name__.encode()):
        path.write_bytes(raw)
        with pytest.raises(DataFault, match=path.name):
            load_body(tmp_path / "a", sha256)
    with pytest.raises(DataFault, match="no answer"):
        load_body(tmp_path / "a", "0" * 64)
    (tmp_path / "file").write_text("")
    sick = RawBodies(tmp_path / "file", bytes_max=1 << 20)
    assert not sick.keep(b"body", sha256, 0) and "file" in sick.fault


# ---- the thread


def test_only_what_is_new_is_handed_over_and_the_next_question_is_conditional(tmp_path: Path) -> None:
    first, second = ercot_body(4, 9, 14), ercot_body(4, 9, 14, 19)
    network = Script(Answer(200, first, '"1"'), Answer(304), Answer(200, second, '"2"'), Answer(200, second))
    one = fetcher(network, bodies=RawBodies(tmp_path, bytes_max=1 << 20))
    assert [len(one.fetch().samples) for _ in range(4)] == [3, 0, 1, 0]
    assert [etag for _, etag in network.asked] == ["", '"1"', '"1"', '"2"']
    assert {sha for _, sha in kept_bodies(tmp_path)} == {hashlib.sha256(b).hexdigest() for b in (first, second)}
    assert one.wait_ms == 315_000


def test_a_fault_keeps_the_condition_of_the_last_good_answer_and_waits(tmp_path: Path) -> None:
    network = Script(
        Answer(200, ercot_body(4), '"1"'), Answer(429, retry_after_s=700, fault="x: status 429"),
        Answer(200, b"<html>", '"bad"'), Answer(200, ercot_body(4, 9)),
    )  # fmt: skip
    one = fetcher(network)
    assert one.fetch().fault == ""
    assert one.fetch().fault == "x: status 429" and one.wait_ms == 700_000
    assert "a web page" in one.fetch().fault and one.wait_ms < 300_000
    assert len(one.fetch().samples) == 1
    assert [etag for _, etag in network.asked] == ["", '"1"', '"1"', '"1"']


def test_a_login_gives_a_token_that_is_used_until_it_is_old_or_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("me\npassword")
    token, good = Answer(200, b'{"token":"t1"}'), Answer(200, watttime_answer().encode())
    network = Script(token, good, good, Answer(401, fault="no"), token, good)
    clock = StillClock()
    one = Fetcher(
        watttime.SOURCE, "CAISO_NORTH", "direct", network, clock, key_file=str(tmp_path / "key"), pace=Pace(300)
    )
    fetched = [one.fetch() for _ in range(4)]
    assert [one.fault for one in fetched] == ["", "", "no", ""]
    assert isinstance(fetched[0].samples[0], MarginalSample)
    paths = [request.path for request, _ in network.asked]
    assert paths == ["/login", "/v3/forecast", "/v3/forecast", "/v3/forecast", "/login", "/v3/forecast"]
    assert ("Authorization", "Bearer t1") in network.asked[1][0].headers


def test_a_missing_key_asks_nobody(tmp_path: Path) -> None:
    network = Script()
    one = Fetcher(eia.SOURCE, "ERCO", "direct", network, StillClock(), key_file=str(tmp_path / "none"))
    assert "key_file" in one.fetch().fault and network.asked == []


def test_the_queue_forgets_the_oldest_and_never_waits() -> None:
    one = fetcher(Script())
    assert one.poll() is None
    for index in range(QUEUE_MAX + 3):
        one._queue.append(Fetched(index, 0, ""))
    first = one.poll()
    assert first is not None and first.mono_ms == 3


class Hurried(Pace):
    """Does not wait, so that a test need not."""

    def first_ms(self) -> int:
        return 0

    def good_ms(self) -> int:
        return 3_600_000

    def fault_ms(self, status: int, retry_after_s: int = 0) -> int:
        return 1


@pytest.mark.hil
def test_a_thread_comes_through_a_publisher_that_breaks_in_every_way() -> None:
    good = ercot_body(4, 9)
    script = [
        Behaviour(500), Behaviour(429, headers={"Retry-After": "1"}), Behaviour(body=b"<html>"), Behaviour(body=b""),
        Behaviour(body=good, cut=50), Behaviour(body=b"\xff" * 90), Behaviour(body=good),
    ]  # fmt: skip
    with publisher(*script) as there:
        one = Fetcher(
            ercot.SOURCE, "x", "direct", Http(SystemClock()), SystemClock(), base_url=there.url, pace=Hurried(300)
        )
        ended = one.start()
        found: list[Fetched] = []
        pause = threading.Event()
        for _ in range(500):
            while (fetched := one.poll()) is not None:
                found.append(fetched)
            if found and found[-1].samples:
                break
            pause.wait(0.01)
        ended.set()
    assert [bool(fetched.fault) for fetched in found] == [True] * 6 + [False]
    assert len(found[-1].samples) == 2
