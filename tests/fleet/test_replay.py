"""`edge-fleet replay` against the uplink and engine of a real gateway, over a real broker: what was lost is there again."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloud.broker import WHY_NONE, Broker, wait_until
from tests.cloud.test_access import edge
from tests.fleet.gateway import Gateway
from tests.fleet.process import Start

pytestmark = [pytest.mark.hil, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]


def replay(gateway: Gateway, port: int, *words: str) -> tuple[int, str]:
    """The word beside the gateway that goes on; its exit code and what it printed."""
    command = [sys.executable, "-m", "edge.fleet", "replay", *words, "--port", str(port), "--timeout-s", "15"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert wait_until(lambda: process.poll() is not None, 25, gateway.rest)
        assert process.stdout is not None
        return process.returncode, process.stdout.read().strip()


def forget(file: Path, first: int, last: int) -> None:
    """The database loses these samples, as one that was restored from a backup."""
    with contextlib.closing(sqlite3.connect(file, timeout=10)) as db:
        db.execute("DELETE FROM sample WHERE seq BETWEEN ? AND ?", (first, last))
        ((number, until),) = db.execute(
            "SELECT series, last FROM held JOIN series ON id = series WHERE stream = 'site'"
        )
        db.execute("UPDATE held SET last = ? WHERE series = ?", (first - 1, number))
        db.execute("INSERT INTO held VALUES (?, ?, ?)", (number, last + 1, until))
        db.commit()


def rows(file: Path) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(file, timeout=10)) as db:
        return db.execute("SELECT seq, mono_ms, wall_ms, data FROM samples ORDER BY seq").fetchall()


def test_a_range_that_the_database_lost_is_asked_for_and_comes_again_as_it_was(
    tmp_path: Path, broker: Broker, start: Start, gateway: Gateway
) -> None:
    file = tmp_path / "fleet.db"
    start("--sqlite", str(file))
    gateway.run(3)
    assert gateway.drain()
    whole = rows(file)
    assert len(whole) >= 20
    forget(file, 5, 14)
    found = edge("gaps", "--sqlite", str(file), "--json", module="edge.fleet")
    assert found.returncode == 1 and [[5, 14]] in [row["gaps"] for row in json.loads(found.stdout)]
    code, said = replay(gateway, broker.port, gateway.name, "5", "14")
    assert (code, said) == (0, "done: 10 sent, 0 no longer in the ring")
    assert wait_until(lambda: rows(file) == whole, 5, gateway.rest), "with the times and values that it had"
    assert edge("gaps", "--sqlite", str(file), module="edge.fleet").returncode == 0
    code, said = replay(gateway, broker.port, gateway.name, "1", "3", "--json")
    assert code == 0 and json.loads(said)["sent_count"] == 3 and rows(file) == whole, "what it has is not stored twice"


def test_what_a_gateway_cannot_send_is_refused_by_it_with_the_reason(broker: Broker, gateway: Gateway) -> None:
    gateway.run(1)
    assert wait_until(lambda: gateway.uplink.status().connected, 10, gateway.rest)
    for words, reason in (
        (("1", "999999"), "refused: to 999999: the newest number is "),
        (("1", "2", "--stream", "other"), "refused: stream 'other': this gateway has site"),
        (("1", "2", "--epoch", "7"), "refused: epoch 7: the one in use is "),
    ):
        code, said = replay(gateway, broker.port, gateway.name, *words)
        assert code == 1 and said.startswith(reason), said


def test_a_gateway_that_ended_is_no_success(broker: Broker, gateway: Gateway) -> None:
    gateway.run(0.5)
    gateway.again()
    words = ("replay", gateway.name, "1", "2", "--port", str(broker.port), "--timeout-s", "2")
    done = edge(*words, module="edge.fleet")  # nobody steps the gateway while this runs: it hangs
    assert done.returncode == 1 and done.stdout.startswith("unknown: the gateway did not answer")
