"""Certificates and a clock that cannot know better: no battery, steps of a day, and a time service that comes late."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.cloud.access import Access
from edge.cloud.dial import Backoff
from edge.cloud.tls.judge import LOOK_MS
from edge.ops.clockfloor import RELEASED_WALL_MS, ClockFloor
from hil.demo.broker import find_broker
from tests.cloud.authority import OPENSSL, Authority, now
from tests.cloud.broker import Broker, running, socket_of, wait_until
from tests.cloud.test_link import Bench

WHY = "" if OPENSSL and find_broker("mosquitto") else "needs mosquitto and openssl"
pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY), reason=WHY)]

RELEASED = datetime.fromtimestamp(RELEASED_WALL_MS / 1_000, UTC)
DAY = timedelta(days=1)
SINCE, UNTIL = RELEASED + 10 * DAY, RELEASED + 40 * DAY  # of the broker's certificate; the CA lasts for years


class Hand:
    """A clock that is what a test says it is, and its time service. OpenSSL still sees the machine's own clock."""

    def __init__(self, at: datetime, *, synced: bool = False) -> None:
        self.set(at)
        self.synced = synced

    def set(self, at: datetime) -> None:
        self._off_s = at.timestamp() - time.monotonic()

    def wall_ms(self) -> int:
        return int((time.monotonic() + self._off_s) * 1_000)

    def floor(self) -> ClockFloor:
        return ClockFloor(self.wall_ms, is_synced=lambda: self.synced, timesync_file=Path("/no/such/file"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), since=RELEASED - 900 * DAY, until=RELEASED + 900 * DAY)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Broker]:
    server = authority.issue("broker", "IP:127.0.0.1", since=SINCE, until=UNTIL)
    with running(tmp_path_factory.mktemp("broker"), authority.listener(server)) as broker:
        yield broker


def bench_of(broker: Broker, authority: Authority, floor: ClockFloor) -> Bench:
    return Bench(broker.port, access=Access(tls=True, ca_file=str(authority.ca)), floor=floor)


def connects(bench: Bench, limit_s: float = 1.0) -> bool:
    return wait_until(lambda: bench.link.connected, limit_s, bench.step)


BOOTS = {"1970": datetime(1970, 1, 1, 0, 1, tzinfo=UTC), "the build": RELEASED - 30 * DAY}


@pytest.mark.parametrize("boot", BOOTS)
def test_without_a_battery_the_newest_record_is_enough_to_accept_a_certificate(
    boot: str, broker: Broker, authority: Authority
) -> None:
    floor = Hand(BOOTS[boot]).floor()
    floor.note("the newest record of the store", int((SINCE + DAY).timestamp() * 1_000))
    bench = bench_of(broker, authority, floor)
    assert connects(bench, 5), bench.link.fault
    bench.link.close()


@pytest.mark.parametrize("boot", BOOTS)
def test_without_a_battery_a_certificate_that_the_store_outlived_is_not_accepted(
    boot: str, broker: Broker, authority: Authority
) -> None:
    floor = Hand(BOOTS[boot]).floor()
    floor.note("the newest record of the store", int((UNTIL + DAY).timestamp() * 1_000))
    bench = bench_of(broker, authority, floor)
    assert not connects(bench)
    assert "the broker's certificate has expired" in bench.link.fault and "(the newest record of" in bench.link.fault
    bench.link.close()


def test_what_only_time_sync_can_tell_is_waited_for_without_pestering_and_taken_up_at_once(
    broker: Broker, authority: Authority
) -> None:
    floor = Hand(BOOTS["1970"]).floor()
    bench = bench_of(broker, authority, floor)
    bench.link._backoff = Backoff(60_000, 300_000, 10**6, draw=lambda: 1.0)
    before_count = broker.log().count("New connection from")
    assert not connects(bench)
    fault = bench.link.fault
    assert "the broker's certificate is not yet valid by this clock" in fault and "waiting for time sync" in fault
    assert f"is taken for {RELEASED:%Y-%m-%d %H:%M} UTC (the release of this program)" in fault
    bench.leap_ms += 30_000
    assert not connects(bench)
    assert broker.log().count("New connection from") - before_count == 1, "the back-off, not a hot loop"
    floor.note("a time service", int((SINCE + DAY).timestamp() * 1_000))
    bench.leap_ms += LOOK_MS
    assert connects(bench, 5), bench.link.fault
    bench.link.close()


@pytest.mark.parametrize(
    ("since", "until", "texts"),
    [
        (-9, -1, ("a certificate of the broker is expired, the clock reads", "renew it")),
        (1, 9, ("a certificate of the broker is not yet valid by this clock, the clock reads",)),
    ],
)
def test_while_the_clock_is_above_the_floor_openssl_judges_and_the_text_says_what_the_clock_reads(
    tmp_path: Path, since: int, until: int, texts: tuple[str, ...]
) -> None:
    authority = Authority(tmp_path / "ca")
    server = authority.issue("broker", "IP:127.0.0.1", since=now() + since * DAY, until=now() + until * DAY)
    with running(tmp_path / "broker", authority.listener(server)) as broker:
        hand = Hand(now() + 30 * DAY)  # for the floor only
        bench = bench_of(broker, authority, hand.floor())
        assert not connects(bench)
        for text in ("certificate verify failed", *texts):
            assert text in bench.link.fault
        bench.link.close()


def test_a_clock_stepped_back_a_day_below_the_floor_changes_nothing(broker: Broker, authority: Authority) -> None:
    hand = Hand(SINCE + DAY / 2)
    floor = hand.floor()
    floor.note("the newest record of the store", int((SINCE + DAY / 2).timestamp() * 1_000))
    hand.set(SINCE - DAY / 2)
    bench = bench_of(broker, authority, floor)
    assert connects(bench, 5), bench.link.fault
    hand.set(SINCE - 1.5 * DAY)
    socket_of(bench.link).close()
    assert wait_until(lambda: not bench.link.connected, 5, bench.step)
    assert connects(bench, 5), bench.link.fault
    bench.link.close()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
def test_a_change_of_summer_time_moves_no_date(
    zone: str, broker: Broker, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for at, is_good in ((UNTIL - timedelta(minutes=30), True), (UNTIL + timedelta(minutes=30), False)):
            floor = Hand(BOOTS["1970"]).floor()
            floor.note("the newest record of the store", int(at.timestamp() * 1_000))
            bench = bench_of(broker, authority, floor)
            assert connects(bench, 3 if is_good else 0.5) == is_good, bench.link.fault
            bench.link.close()
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_issue_of_the_own_certificate_counts_until_the_clock_is_synchronised(
    tmp_path: Path, authority: Authority, broker: Broker
) -> None:
    own = authority.issue("gw-1", since=SINCE + DAY, until=UNTIL)
    hand = Hand(BOOTS["1970"])
    access = Access(tls=True, ca_file=str(authority.ca), cert_file=str(own.cert), key_file=str(own.key))
    bench = Bench(broker.port, access=access, floor=hand.floor())
    assert connects(bench, 5), bench.link.fault
    bench.link.close()
    hand.synced = True  # and the service says that it is 1970: the release is all that is known better
    other = Bench(broker.port, access=access, floor=hand.floor())
    assert not connects(other)
    assert "not yet valid" in other.link.fault and "put the time server right" in other.link.fault
    other.link.close()


def test_any_expired_certificate_of_the_chain_is_seen_not_only_the_brokers(tmp_path: Path) -> None:
    short = Authority(tmp_path / "short", since=RELEASED - 9 * DAY, until=SINCE)
    server = short.issue("broker", "IP:127.0.0.1", until=UNTIL)
    with running(tmp_path / "broker", short.listener(server)) as broker:
        floor = Hand(BOOTS["1970"]).floor()
        floor.note("the newest record of the store", int((SINCE + DAY).timestamp() * 1_000))
        bench = bench_of(broker, short, floor)
        assert not connects(bench)
        assert "a certificate above the broker's has expired" in bench.link.fault, bench.link.fault
        bench.link.close()
