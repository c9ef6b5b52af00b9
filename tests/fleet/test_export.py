"""What comes out of the database is what went in, whichever database and form; and a short word on each gateway."""

import contextlib
import csv
import io
import json
import os
import pty
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edge.cloud.codec import schema_id, schema_json
from edge.cloud.link import Link, LinkSettings
from edge.cloud.topics import Topics
from edge.fleet.__main__ import main
from edge.fleet.books.book import Book, Columns
from edge.fleet.books.postgres import PostgresBook
from edge.fleet.books.sqlite import SqliteBook
from edge.model import SAMPLE_FIELDS
from tests.cloud.broker import WHY_NONE, Broker, wait_until
from tests.cloud.test_access import edge
from tests.fleet.cluster import Cluster
from tests.fleet.made import FIRST_WALL_MS, SCHEMA, SCHEMA_ID, batch, series, told

OTHER = schema_json((("soc_cpct", "cpct"), ("new_w", "W")))
NAMES = [name for name, _ in SAMPLE_FIELDS]


class Store:
    """A book and the words that name it."""

    def __init__(self, book: Book, *words: str) -> None:
        self.book, self.words = book, words


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "sqlite":
        return Store(SqliteBook(tmp_path / "fleet.db"), "--sqlite", str(tmp_path / "fleet.db"))
    cluster: Cluster = request.getfixturevalue("cluster")
    dsn = cluster.dsn()
    return Store(PostgresBook(dsn), "--postgres", dsn)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    said = capsys.readouterr()
    return code, said.out, said.err


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_samples_come_out_as_they_went_in_whatever_their_schema(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Columns(schema_id(OTHER), 7, 4, [FIRST_WALL_MS + 4_000], [4], [[5], [None]])
    unnamed = Columns("f" * 16, 7, 5, [FIRST_WALL_MS + 5_000], [5], [[6], [7], [8]], unsynced=True)
    schemas = {SCHEMA_ID: SCHEMA.decode(), schema_id(OTHER): OTHER.decode()}
    store.book.commit([batch(1, 3), batch(1, 2, series("gw-2")), (series(), other), (series(), unnamed)], schemas)
    code, text, said = run(capsys, "export", *store.words, "gw-1")
    rows = table(text)
    assert code == 0 and "5 samples" in said and text.splitlines()[0].startswith("tenant,gateway,stream,epoch,seq,time")
    assert [row["seq"] for row in rows] == ["1", "2", "3", "4", "5"] and {row["gateway"] for row in rows} == {"gw-1"}
    assert rows[0]["time"] == "2025-10-09T08:53:21.000Z" and rows[0]["mono_ms"] == "1000"
    assert [rows[1][name] for name in NAMES[:3]] == ["2", "", "-7"], "a value that was not known is empty"
    assert (rows[3]["soc_cpct"], rows[3]["new_w"], rows[3]["unsynced"]) == ("5", "", "0")
    assert [rows[4][f"value_{at}"] for at in (1, 2, 3)] == ["6", "7", "8"] and rows[4]["unsynced"] == "1"
    code, text, _ = run(capsys, "export", *store.words, "--json")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["gateway"], line["seq"]) for line in lines] == [("gw-1", at) for at in range(1, 6)] + [
        ("gw-2", 1),
        ("gw-2", 2),
    ]
    assert lines[0]["epoch"] == "7" and lines[0][NAMES[1]] is None and lines[0][NAMES[2]] == -7
    assert lines[3]["soc_cpct"] == 5 and NAMES[0] not in lines[3], "a line has what its sample has"


def test_a_time_is_from_the_first_to_before_the_second(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.book.commit([batch(1, 100)], {SCHEMA_ID: SCHEMA.decode()}, [told(*range(1, 100))])
    limits = ("--from", "2025-10-09T08:53:25Z", "--to", "2025-10-09T10:53:27.500+02:00")
    for more in ((), ("--events",)):
        code, text, _ = run(capsys, "export", *store.words, *limits, *more)
        assert code == 0 and [row["seq"] for row in table(text)] == ["5", "6", "7"]
    code, text, said = run(capsys, "export", *store.words, "--from", "2025-10-10")
    assert code == 1 and "no samples of that time" in said and len(text.splitlines()) == 1
    assert len(table(run(capsys, "export", *store.words, "--to", "2025-10-10")[1])) == 100


def test_events_come_out_with_commas_quotes_and_lines_in_them(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    whose, events = told(3)
    odd = events[0].event.__class__(9, FIRST_WALL_MS, "cloud.refused", 'a "b", c\nd', "warning")
    store.book.commit([], {}, [(whose, (events[0].__class__(3, odd, synced=False),))])
    rows = table(run(capsys, "export", *store.words, "--events")[1])
    assert [(row["level"], row["name"], row["text"], row["unsynced"]) for row in rows] == [
        ("warning", "cloud.refused", 'a "b", c\nd', "1")
    ]
    line = json.loads(run(capsys, "export", *store.words, "--events", "--json")[1])
    assert line["text"] == 'a "b", c\nd' and line["stream"] == "ev"


def test_a_file_has_its_name_only_once_it_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "fleet.db", tmp_path / "out.csv"
    SqliteBook(path).commit([batch(1, 20)], {SCHEMA_ID: SCHEMA.decode()})
    assert run(capsys, "export", "--sqlite", str(path), "--out", str(out))[0] == 0
    assert len(table(out.read_text())) == 20 and not list(tmp_path.glob("*.part"))
    code, _, said = run(capsys, "export", "--sqlite", str(path), "--out", str(out))
    assert code == 2 and "exists already" in said
    with sqlite3.connect(path) as db:
        db.execute("UPDATE sample SET data = '[1' WHERE seq = 11")
    code, _, said = run(capsys, "export", "--sqlite", str(path), "--out", str(tmp_path / "bad.csv"))
    assert code == 2 and "malformed JSON" in said and not list(tmp_path.glob("bad*"))


def test_what_cannot_be_used_is_said_clearly(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.book.commit([batch(1, 3)], {})

    def said(*words: str) -> str:
        code, _, text = run(capsys, *words)
        assert code == 2
        return text

    assert "--from '1.11.2026': must be a time such as" in said("export", *store.words, "--from", "1.11.2026")
    assert "the first must be before" in said("export", *store.words, "--from", "2026-11-02", "--to", "2026-11-02")
    assert "gw-9: not in this database; it has acme/gw-1" in said("export", *store.words, "gw-9")
    assert "No such file" in said("export", *store.words, "--out", str(tmp_path / "no" / "x.csv"))
    if store.words[0] == "--sqlite":
        path = store.words[1]
        for version, text in ((1, "brings it to 2: run it once"), (9, "update it")):
            with contextlib.closing(sqlite3.connect(path)) as db:
                db.execute(f"PRAGMA user_version={version}")
            assert text in said("status", "--sqlite", path) and text in said("gaps", "--sqlite", path)


def test_a_database_without_tables_is_no_traceback(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = run(capsys, "status", "--postgres", cluster.dsn())
    assert code == 2 and said == "postgres: no tables; edge-fleet ingest --postgres makes them\n"


def test_a_reader_that_goes_away_ends_the_export_quietly(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    SqliteBook(path).commit([batch(at, 1_000) for at in range(1, 8_000, 1_000)], {SCHEMA_ID: SCHEMA.decode()})
    command = f"{sys.executable} -m edge.fleet export --sqlite {path} | head -2 | wc -l"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.strip() == "2" and "Traceback" not in done.stderr and "Broken" not in done.stderr


# ---- status


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_status_tells_the_newest_its_age_and_what_is_missing(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    late_ms = now_ms() - FIRST_WALL_MS
    lost = [batch(11, 5, late_ms=late_ms), batch(21, 5, late_ms=late_ms)]
    old = batch(1, 50, series(epoch=3))
    unset = batch(1, 4, series("gw-2"), unsynced=True)
    store.book.commit([*lost, old, unset], {}, [told(1, 2, 5)])
    code, text, _ = run(capsys, "status", *store.words, "--json", "--stale-s", "3600")
    one, two = json.loads(text)
    assert code == 1, "the clock of gw-2 was never set: how old its data are nobody knows"
    assert (one["gateway"], one["epoch"], one["last_seq"], one["stored_count"]) == ("acme/gw-1", "7", 25, 10)
    assert (one["missing_count"], one["gap_count"], one["event_count"], one["last_event"]) == (
        15,
        2,
        3,
        "alarm test.made",
    )
    assert 0 <= one["age_s"] <= 60 and not one["is_stale"] and two["age_s"] is None and two["is_stale"]
    code, text, _ = run(capsys, "status", *store.words, "gw-1", "--stale-s", "3600")
    assert code == 0
    head, row = text.splitlines()
    assert row.split()[:3] == ["acme/gw-1", "site", "25"] and head.index("stored") + 6 == row.index(" 10 ") + 3
    assert run(capsys, "status", *store.words, "gw-1", "--stale-s", "-9")[0] == 1
    assert run(capsys, "status", *store.words, "gw-9")[0] == 1


def on_terminal(*words: str, **environment: str) -> str:
    primary, secondary = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | environment
    command = [sys.executable, "-m", "edge.fleet", *words]
    subprocess.run(command, stdout=secondary, env=environ, timeout=30, check=False)
    os.close(secondary)
    text = os.read(primary, 10_000).decode()
    os.close(primary)
    return text


def test_what_is_stale_is_red_on_a_terminal_unless_no_colour_is_wanted(tmp_path: Path) -> None:
    SqliteBook(tmp_path / "fleet.db").commit([batch(1, 3)], {})
    words = ("status", "--sqlite", str(tmp_path / "fleet.db"))
    assert "\x1b[31m" in on_terminal(*words) and "\x1b" not in on_terminal(*words, NO_COLOR="1")


@pytest.mark.hil
@pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)
def test_status_asks_the_broker_too_who_is_online_and_how_far_behind(tmp_path: Path, broker: Broker) -> None:
    SqliteBook(tmp_path / "fleet.db").commit([batch(1, 3), batch(1, 3, series("gw-2"))], {})
    link = Link(LinkSettings("127.0.0.1", broker.port))

    def step() -> None:
        link.step(time.monotonic_ns() // 1_000_000)
        time.sleep(0.005)

    assert wait_until(lambda: link.connected, 5, step)
    link.publish(Topics("acme", "gw-1").status, b'{"online": true, "pending_count": 5}', 1, True)
    assert wait_until(lambda: len(link.settled) == 1, 5, step)
    words = ("--sqlite", str(tmp_path / "fleet.db"), "--host", "127.0.0.1", "--port", str(broker.port))
    told = edge("status", *words, "--json", module="edge.fleet").stdout
    rows: list[dict[str, Any]] = json.loads(told)
    assert [(row["state"], row["behind_count"]) for row in rows] == [("online", 5), ("offline", None)]
    shown = edge("status", *words, module="edge.fleet").stdout.splitlines()
    assert "state" in shown[0] and "online" in shown[1] and "offline" in shown[2]
