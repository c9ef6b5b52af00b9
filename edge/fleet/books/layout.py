"""The tables of both databases, as numbered steps: step N brings version N - 1 to N. Only ever append.

series   whose numbers they are; samples refer to it by a small number
sample   one row a sample, its values side by side in the order of its schema
held     the numbers that are in `sample`, as ranges; written in the same transaction, so that acks and gaps need no scan
samples_<schema id>   a view with a named column for each value: what Grafana asks
"""

import json
import re

SQLITE: tuple[str, ...] = (
    """
CREATE TABLE series (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, gateway TEXT NOT NULL, stream TEXT NOT NULL,
  epoch INTEGER NOT NULL, UNIQUE (tenant, gateway, stream, epoch));
CREATE TABLE sample_schema (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, json TEXT);
CREATE TABLE sample (series INTEGER NOT NULL, seq INTEGER NOT NULL, wall_ms INTEGER NOT NULL, mono_ms INTEGER NOT NULL,
  schema INTEGER NOT NULL, unsynced INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (series, seq)) WITHOUT ROWID;
CREATE INDEX sample_time ON sample (series, wall_ms);
CREATE INDEX sample_unsynced ON sample (series, seq) WHERE unsynced;
CREATE TABLE held (series INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (series, first)) WITHOUT ROWID;
CREATE VIEW samples AS SELECT tenant, gateway, stream, epoch, seq, wall_ms, mono_ms, unsynced, name AS schema, data
  FROM sample JOIN series ON series.id = sample.series JOIN sample_schema ON sample_schema.id = sample.schema;
""",
)

POSTGRES: tuple[str, ...] = (
    """
CREATE TABLE series (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text NOT NULL, gateway text NOT NULL,
  stream text NOT NULL, epoch bigint NOT NULL, UNIQUE (tenant, gateway, stream, epoch));
CREATE TABLE sample_schema (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, json text);
CREATE TABLE sample (series integer NOT NULL, seq bigint NOT NULL, time timestamptz NOT NULL, mono_ms bigint NOT NULL,
  schema integer NOT NULL, unsynced boolean NOT NULL, v bigint[] NOT NULL);
CREATE INDEX sample_time ON sample (series, time);
CREATE INDEX sample_unsynced ON sample (series, seq) WHERE unsynced;
CREATE TABLE held (series integer NOT NULL, first bigint NOT NULL, last bigint NOT NULL, PRIMARY KEY (series, first));
CREATE VIEW samples AS SELECT tenant, gateway, stream, epoch, seq, time, mono_ms, unsynced, name AS schema, v
  FROM sample JOIN series ON series.id = sample.series JOIN sample_schema ON sample_schema.id = sample.schema;
""",
)
# The key of the samples: a hypertable is cut by time, and wants the time in every unique index.
POSTGRES_KEY = {
    False: "ALTER TABLE sample ADD PRIMARY KEY (series, seq)",
    True: "ALTER TABLE sample ADD PRIMARY KEY (series, seq, time)",
}
HYPERTABLE = "SELECT create_hypertable('sample', 'time', chunk_time_interval => interval '7 days')"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")  # PostgreSQL cuts names after 63 bytes
_TAKEN = {"tenant", "gateway", "stream", "epoch", "seq", "time", "wall_ms", "mono_ms", "unsynced"}
_VIEW = """\
CREATE VIEW samples_{id} AS SELECT tenant, gateway, stream, epoch, seq, {time}, mono_ms, unsynced, {columns}
  FROM sample JOIN series ON series.id = sample.series WHERE schema = {number}"""


def _names(schema: str) -> list[str]:
    """Column names of a schema, [] when it has none that can be used. One that is odd or twice becomes value_<n>."""
    try:
        fields = [field["name"] for field in json.loads(schema)["fields"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
    names: list[str] = []
    for index, name in enumerate(fields, 1):
        usable = isinstance(name, str) and _NAME.fullmatch(name) and name not in _TAKEN and name not in names
        names.append(name if usable else f"value_{index}")
    return names


def view(schema_id: str, number: int, schema: str, *, postgres: bool) -> str:
    """The statement that makes the view of a schema; empty when the schema names nothing. `number`: its row."""
    one, time = ("v[{at}]", "time") if postgres else ("json_extract(data, '$[{index}]')", "wall_ms")
    columns = [f'{one.format(at=index + 1, index=index)} AS "{name}"' for index, name in enumerate(_names(schema))]
    return _VIEW.format(id=schema_id, time=time, columns=", ".join(columns), number=number) if columns else ""
