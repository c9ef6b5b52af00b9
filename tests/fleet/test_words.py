"""The words that ask: gaps of the database, and a range from a gateway; no answer is never told as success."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.cloud.link import Link, LinkSettings
from edge.cloud.notices import ReplayResult, decode_replay, encode_result
from edge.cloud.topics import Topics
from edge.fleet.books.sqlite import SqliteBook
from tests.cloud.broker import WHY_NONE, Broker, wait_until
from tests.cloud.test_access import edge
from tests.fleet.made import batch, series

TOPICS = Topics("acme", "gw-1")


def test_gaps_tells_what_is_missing_as_a_table_and_as_json(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    book = SqliteBook(path)
    book.commit([batch(11, 5), batch(21, 5), batch(1, 3, series("gw-2"))], {})
    book.close()
    done = edge("gaps", "--sqlite", str(path), module="edge.fleet")
    assert done.returncode == 1
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [row[3:] for row in rows] == [["10", "1", "10", "10"], ["10", "16", "20", "5"], ["3", "-", "-", "0"]]
    done = edge("gaps", "gw-1", "--json", "--sqlite", str(path), module="edge.fleet")
    assert [row["gaps"] for row in json.loads(done.stdout)] == [[[1, 10], [16, 20]]]
    assert edge("gaps", "gw-2", "--sqlite", str(path), module="edge.fleet").returncode == 0
    assert "no such file" in edge("gaps", "--sqlite", str(tmp_path / "no"), module="edge.fleet").stderr


@pytest.mark.hil
@pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)
@pytest.mark.parametrize(
    ("answers", "code", "said"),
    [
        ([("accepted", ""), ("done", "")], 0, "done: 5 sent, 2 no longer in the ring"),
        ([("refused", "too many waiting")], 1, "refused: too many waiting"),
        ([("accepted", "")], 1, "unknown: the gateway accepted it, but no result came in time"),
        ([], 1, "unknown: the gateway did not answer"),
    ],
)
def test_replay_tells_what_the_gateway_answered_and_nothing_else(
    broker: Broker, answers: list[tuple[str, str]], code: int, said: str
) -> None:
    asked: list[tuple[int, int]] = []
    link = Link(LinkSettings("127.0.0.1", broker.port))

    def answer(_topic: str, payload: bytes) -> None:
        wish = decode_replay(payload)
        asked.append((wish.first, wish.last))
        for outcome, reason in answers:
            result = ReplayResult(wish.command_id, outcome, reason, 5, 2)  # type: ignore[arg-type]  # from the table
            link.publish(TOPICS.result(wish.command_id), encode_result(result))

    def step() -> None:
        link.step(time.monotonic_ns() // 1_000_000)
        time.sleep(0.005)

    link.subscribe(TOPICS.replay, answer)
    assert wait_until(lambda: link.connected, 5, step)
    words = ["replay", "acme/gw-1", "3", "9", "--port", str(broker.port), "--timeout-s", "3"]
    with subprocess.Popen([sys.executable, "-m", "edge.fleet", *words], stdout=subprocess.PIPE, text=True) as process:
        assert wait_until(lambda: process.poll() is not None, 10, step)
        assert process.stdout is not None and process.stdout.read().strip() == said
    assert process.returncode == code and asked == [(3, 9)]


def test_a_request_that_cannot_be_made_is_refused() -> None:
    assert "must be TENANT/GW" in edge("replay", "gw", "1", "2", module="edge.fleet").stderr
    assert "count from 1" in edge("replay", "a/gw", "0", "2", module="edge.fleet").stderr


@pytest.mark.hil
@pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)
def test_list_tells_who_is_online_and_how_far_behind(broker: Broker) -> None:
    link = Link(LinkSettings("127.0.0.1", broker.port))

    def step() -> None:
        link.step(time.monotonic_ns() // 1_000_000)
        time.sleep(0.005)

    assert wait_until(lambda: link.connected, 5, step)
    up = {"online": True, "version": "0.1.0", "seq": 77, "pending_count": 5, "queue_age_s": 9}
    for gateway, status in (("gw-1", json.dumps(up)), ("gw-2", '{"online": false}'), ("gw-3", "garbage")):
        link.publish(Topics("acme", gateway).status, status.encode(), 1, True)
    assert wait_until(lambda: len(link.settled) == 3, 5, step)
    port = str(broker.port)
    rows = [line.split() for line in edge("list", "--port", port, module="edge.fleet").stdout.splitlines()[1:]]
    assert rows == [
        ["acme/gw-1", "online", "0.1.0", "77", "5", "9"],
        ["acme/gw-2", "offline", "-", "-", "-", "-"],
    ]
    told = json.loads(edge("list", "gw-1", "--json", "--port", port, module="edge.fleet").stdout)
    assert told == [{"gateway": "acme/gw-1", **up}]


def test_list_without_a_broker_is_an_error() -> None:
    done = edge("list", "--port", "1", "--wait-s", "0.5", module="edge.fleet")
    assert done.returncode == 2 and "127.0.0.1:1: " in done.stderr and "Traceback" not in done.stderr
