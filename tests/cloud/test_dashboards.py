"""The Grafana dashboards and the SQL under them: their structure anywhere, every question of theirs on a real PostgreSQL."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.cloud.codec import Batch, encode_batch, schema_id, schema_json
from edge.model import SAMPLE_FIELDS
from tests.cloud.golden_batches import day

CLOUD = Path(__file__).resolve().parents[2] / "deploy" / "cloud"
BOARDS = {file.name: json.loads(file.read_text()) for file in sorted((CLOUD / "grafana").glob("*.json"))}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}") for name, one in BOARDS.items() for panel in one["panels"]
]
COLUMNS = [name for name, _ in SAMPLE_FIELDS]
MINUTE = "to_timestamp(floor(extract(epoch FROM time) / 60) * 60)"


def test_the_dashboards_have_their_own_ids_and_ask_for_a_database() -> None:
    assert set(BOARDS) == {"fleet.json", "site.json"}
    assert len({one["uid"] for one in BOARDS.values()}) == len(BOARDS)
    for one in BOARDS.values():
        assert one["templating"]["list"][0]["type"] == "datasource" and one["schemaVersion"] >= 39
        ids = [panel["id"] for panel in one["panels"]]
        assert len(ids) == len(set(ids)) >= 8


def test_panels_do_not_overlap_and_fit_the_grid() -> None:
    for name, one in BOARDS.items():
        taken: set[tuple[int, int]] = set()
        for panel in one["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken and max(x for x, _ in cells) < 24, (name, panel["title"])
            taken |= cells


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_question_of_the_chosen_database_and_bounded_answers(panel: dict[str, Any]) -> None:
    assert panel["targets"] and panel["datasource"]["uid"] == "${source}"
    for target in panel["targets"]:
        sql = target["rawSql"]
        assert target["datasource"]["uid"] == "${source}" and target["format"] in ("time_series", "table")
        assert "$tenant" in sql, "no tenant sees another"
        bounded = "$__timeFilter" in sql or "now() - interval" in sql or "site_gateway" in sql
        assert bounded, "a dashboard must not read years"
        if panel["type"] == "table":
            assert "LIMIT" in sql


@pytest.mark.parametrize("name", ["site_sample.sql", "dashboards.sql", "clickhouse.sql"])
def test_every_column_of_a_sample_has_its_place_in_the_tables(name: str) -> None:
    text = (CLOUD / "sql" / name).read_text()
    assert not [column for column in COLUMNS if not re.search(rf"\b{column}\b", text)]


def test_a_fleet_operator_finds_what_matters() -> None:
    text = json.dumps(BOARDS["site.json"])
    for column in ("poc_power_w", "pv_power_w", "battery_power_w", "soc_cpct", "grid_intensity_mg_per_kwh",
                   "site_intensity_mg_per_kwh", "battery_intensity_mg_per_kwh", "stored_carbon_mg",
                   "site_gap", "newest", "lag(mode)"):  # fmt: skip
        assert column in text


def filled(sql: str) -> str:
    """As Grafana asks: its macros and variables put in."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '2026-01-01' AND '2027-01-01'", sql)
    sql = re.sub(r"\$__timeGroupAlias\(time, [^)]*\)", f'{MINUTE} AS "time"', sql)
    sql = re.sub(r"\$__timeGroup\(time, [^)]*\)", MINUTE, sql)
    sql = sql.replace("$tenant", "acme").replace("$gateway", "gw-1")
    assert "$" not in sql, sql
    return sql


@pytest.fixture(scope="module", params=["telegraf", "ingest"])
def database(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A database as Telegraf or as the ingest fills it: 100 seconds of a site, of which ten are missing."""
    cluster = pytest.importorskip("tests.fleet.cluster", reason="needs the ingest with PostgreSQL")
    psycopg = pytest.importorskip("psycopg", reason="needs psycopg: the fleet extra")
    if cluster.WHY_NONE:
        pytest.skip(cluster.WHY_NONE)
    with cluster.running() as server:
        dsn = server.dsn()
        runs = [(101, day(40)), (151, day(100)[50:])]
        with psycopg.connect(dsn, autocommit=True) as db:
            fill = by_telegraf if request.param == "telegraf" else by_ingest
            fill(db, dsn, runs)
            yield db


def by_telegraf(db: Any, dsn: str, runs: list[Any]) -> None:
    script = (CLOUD / "sql" / "site_sample.sql").read_text()
    db.execute(script)
    db.execute(script)  # again: nothing breaks
    names = ["time", "tenant", "gateway", "epoch", "seq", "mono_ms", *COLUMNS]
    marks = ", ".join(["to_timestamp(%s)"] + ["%s"] * (len(names) - 1))
    for seq0, samples in runs:
        for index, one in enumerate(samples):
            row = [one.wall_ms / 1_000, "acme", "gw-1", 7, seq0 + index, one.mono_ms, *one.values]
            db.execute(f"INSERT INTO site_sample ({', '.join(names)}) VALUES ({marks})", row)
    db.execute("INSERT INTO site_sample SELECT * FROM site_sample WHERE seq = 101")  # sent twice


def by_ingest(db: Any, dsn: str, runs: list[Any]) -> None:
    books = pytest.importorskip("edge.fleet.books.postgres")
    series = pytest.importorskip("edge.fleet.books.book").Series("acme", "gw-1", "site", 7)
    decode = pytest.importorskip("edge.fleet.taking.columns").decode_columns
    schema = schema_json()
    batches = [decode(encode_batch(Batch(schema_id(schema), 7, seq0, samples))) for seq0, samples in runs]
    book = books.PostgresBook(dsn)
    book.commit([(series, batch) for batch in batches], {schema_id(schema): schema.decode()})
    book.close()
    script = (CLOUD / "sql" / "dashboards.sql").read_text()
    db.execute(script)
    db.execute(script)


@pytest.mark.hil
def test_every_question_of_every_panel_is_answered(database: Any) -> None:
    for name, one in BOARDS.items():
        for variable in one["templating"]["list"][1:]:
            assert database.execute(filled(variable["query"])).fetchall() in ([("acme",)], [("gw-1",)])
        for panel in one["panels"]:
            for target in panel["targets"]:
                found = database.execute(filled(target["rawSql"]))
                heads = [column.name for column in found.description]
                assert panel["type"] not in ("timeseries", "state-timeline") or heads[0] == "time", (
                    name,
                    panel["title"],
                )
                if "now()" not in target["rawSql"]:
                    assert found.fetchall(), (name, panel["title"])


@pytest.mark.hil
def test_the_answers_are_right(database: Any) -> None:
    panels = {panel["title"]: panel for panel in BOARDS["site.json"]["panels"]}

    def asked(title: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = database.execute(filled(panels[title]["targets"][0]["rawSql"])).fetchall()
        return rows

    assert asked("Missing seconds") == [(10,)]
    ((_, epoch, first, last, missing),) = asked("Gaps")
    assert (epoch, first, last, missing) == (7, 141, 150, 10)
    assert sum(row[1] for row in asked("Seconds stored per minute")) == 90
    soc = [float(value) for _, value in asked("SOC")]
    assert soc and all(55 <= value <= 55.04 for value in soc)
    stored = [*day(40), *day(100)[50:]]
    first_minute = min(one.wall_ms // 60_000 for one in stored)
    wanted = [one.values[3] or 0 for one in stored if one.wall_ms // 60_000 == first_minute]
    found = float(asked("Battery: asked, set and measured")[0][1])
    assert found == pytest.approx(sum(wanted) / len(wanted), rel=0.1), "a double weighs a little"
