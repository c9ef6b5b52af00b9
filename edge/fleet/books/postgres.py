"""The book in PostgreSQL, for several workers at a time; TimescaleDB's hypertable where that extension is installed.

A commit copies the batches into a temporary table, moves what is new into `sample`, and only then locks the rows of the
series, for as long as widening their ranges takes: workers that hold halves of the same gateway hardly wait for each
other. Rows and locks are taken in the order of the key. A hypertable has no key without the time, so there the series
are locked first and what is held is left out by a look. Needs the `fleet` extra (psycopg).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from edge.cloud.ranges import RangeSet
from edge.fleet.books import copying, layout
from edge.fleet.books.book import UNSYNCED_MAX_COUNT, BookFault, Committed, Range, Series, Taken, spans, widen

# A server that went away without a word is noticed within a minute; what the DSN says goes first.
PATIENCE = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 30_000}
MIGRATION_LOCK = 0x7E1D  # workers that start together migrate once
CHUNK_BYTES = 1 << 18
_TIME = "'epoch'::timestamptz + least(greatest(i.wall_ms, 0), 4102444800000) * interval '1 ms'"  # 1970..2099
_SAME = "s.series = i.series AND s.seq = i.seq"
_BETTER = f"i.restamped AND {_SAME} AND s.unsynced"
_ROW = f"i.series, i.seq, {_TIME}, i.mono_ms, i.schema, i.unsynced, i.v"
_ORDER = "ORDER BY i.series, i.seq, i.restamped DESC, i.unsynced"
_STAMP = f"UPDATE sample s SET time = {_TIME}, unsynced = false FROM incoming i WHERE {_BETTER}"
_MOVE = f"INSERT INTO sample SELECT {_ROW} FROM incoming i {_ORDER} ON CONFLICT DO NOTHING"
_FORGET = f"DELETE FROM sample s USING incoming i WHERE {_BETTER}"
_MOVE_TIMED = f"""INSERT INTO sample SELECT DISTINCT ON (i.series, i.seq) {_ROW} FROM incoming i
  WHERE NOT EXISTS (SELECT FROM sample s WHERE {_SAME}) {_ORDER}"""
_UNSYNCED = """SELECT wanted, seq FROM unnest(%s::integer[]) AS wanted CROSS JOIN LATERAL
  (SELECT seq FROM sample WHERE series = wanted AND unsynced ORDER BY seq LIMIT %s) AS oldest"""
_LOCK = "SELECT id FROM series WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"


class PostgresBook:
    """The database of `dsn` (a URL or key=value words). Connects with the first commit, and anew after a fault.

    `timed_key`: the key of the samples has their time in it; by default where TimescaleDB is installed.
    """

    def __init__(self, dsn: str, *, timed_key: bool | None = None) -> None:
        try:
            self._dsn = make_conninfo("", **{**PATIENCE, **conninfo_to_dict(dsn)})
        except psycopg.ProgrammingError as error:
            raise BookFault(
                f"--postgres: {str(error).strip()}; allowed: a URL or words such as dbname=fleet"
            ) from error
        self._wants_timed_key, self._timed_key = timed_key, False
        self._db: psycopg.Connection[Any] | None = None
        self._series: dict[Series, int] = {}
        self._schemas: dict[str, int] = {}

    def commit(self, taken: Sequence[Taken], schemas: Mapping[str, str]) -> Committed:
        """All of it in one transaction."""
        try:
            db = self._db or self._connect()
            self._store_schemas(db, schemas)
            came = spans(taken)
            self._number(db, came, {batch.schema_id for _, batch in taken})
            numbers = [self._series[series] for series in came]
            new_count = self._store(db, taken, numbers)
            held = self._widen(db, came)
            marked = self._unsynced(db, came)
            db.commit()
        except psycopg.Error as error:
            raise BookFault(f"postgres: {' '.join(str(error).split())}") from error
        finally:
            if self._db is not None and self._db.info.transaction_status != TransactionStatus.IDLE:
                self._leave()
        return Committed(new_count, held, marked)

    # ---- connection and layout

    def _connect(self) -> psycopg.Connection[Any]:
        db = psycopg.connect(self._dsn)
        try:
            self._prepare(db)
        except (psycopg.Error, BookFault):
            db.close()
            raise
        self._db = db
        return db

    def _prepare(self, db: psycopg.Connection[Any]) -> None:
        """Brings the tables to this version and makes what the session needs."""
        db.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        db.execute("CREATE TABLE IF NOT EXISTS fleet_layout (version integer NOT NULL, timed_key boolean NOT NULL)")
        row = db.execute("SELECT version, timed_key FROM fleet_layout").fetchone()
        version, self._timed_key = row or (0, self._new_key(db))
        if version > len(layout.POSTGRES):
            raise BookFault(f"postgres: version {version}; this program knows up to {len(layout.POSTGRES)}: update it")
        for step in layout.POSTGRES[version:]:
            db.execute(step.encode())
        if not version:
            db.execute(layout.POSTGRES_KEY[self._timed_key].encode())
            if _has_timescale(db):
                db.execute(layout.HYPERTABLE)
            db.execute("INSERT INTO fleet_layout VALUES (0, %s)", (self._timed_key,))
        db.execute("UPDATE fleet_layout SET version = %s", (len(layout.POSTGRES),))
        db.execute(f"CREATE TEMPORARY TABLE incoming ({copying.TABLE}) ON COMMIT DELETE ROWS".encode())
        # an ack means that it is on disk, whatever the server's default is
        off = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        db.execute(off)
        db.commit()

    def _new_key(self, db: psycopg.Connection[Any]) -> bool:
        return _has_timescale(db) if self._wants_timed_key is None else self._wants_timed_key

    def _leave(self) -> None:
        """After a fault nothing of the session is trusted."""
        db, self._db = self._db, None
        self._series.clear()
        self._schemas.clear()
        if db is not None:
            db.close()

    def close(self) -> None:
        self._leave()

    # ---- parts of a commit

    def _number(self, db: psycopg.Connection[Any], series: Mapping[Series, RangeSet], schemas: set[str]) -> None:
        """Rows of `series` and `sample_schema` for what was not seen yet."""
        for name in sorted(schemas - self._schemas.keys()):
            db.execute("INSERT INTO sample_schema (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,))
            found = db.execute("SELECT id FROM sample_schema WHERE name = %s", (name,)).fetchone()
            self._schemas[name] = found[0] if found else 0
        new = [one for one in series if one not in self._series]
        if not new:
            return
        lists = [list(part) for part in zip(*new, strict=True)]
        columns = "tenant, gateway, stream, epoch"
        given = "unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])"
        add = f"INSERT INTO series ({columns}) SELECT * FROM {given} ON CONFLICT DO NOTHING"
        db.execute(add.encode(), lists)
        find = f"SELECT {columns}, id FROM series JOIN {given} AS given ({columns}) USING ({columns})"
        for *key, number in db.execute(find.encode(), lists):
            self._series[Series(*key)] = number

    def _store(self, db: psycopg.Connection[Any], taken: Sequence[Taken], numbers: list[int]) -> int:
        """How many were new."""
        with db.cursor() as cursor:
            with cursor.copy("COPY incoming FROM STDIN (FORMAT BINARY)") as copy:
                chunk = bytearray(copying.HEAD)
                for series, batch in taken:
                    chunk += copying.rows(self._series[series], self._schemas[batch.schema_id], batch)
                    if len(chunk) >= CHUNK_BYTES:
                        copy.write(bytes(chunk))
                        chunk.clear()
                copy.write(bytes(chunk + copying.TAIL))
            restamped = any(batch.restamped for _, batch in taken)
            if not self._timed_key:
                if restamped:
                    cursor.execute(_STAMP.encode())
                return cursor.execute(_MOVE.encode()).rowcount
            cursor.execute(_LOCK, (numbers,))
            gone_count = cursor.execute(_FORGET.encode()).rowcount if restamped else 0
            return cursor.execute(_MOVE_TIMED.encode()).rowcount - gone_count

    def _widen(self, db: psycopg.Connection[Any], came: Mapping[Series, RangeSet]) -> dict[Series, RangeSet]:
        numbers = [self._series[series] for series in came]
        db.execute(_LOCK, (numbers,))
        before: dict[int, list[Range]] = {number: [] for number in numbers}
        for number, first, last in db.execute(
            "SELECT series, first, last FROM held WHERE series = ANY(%s)", (numbers,)
        ):
            before[number].append((first, last))
        held: dict[Series, RangeSet] = {}
        gone: list[tuple[int, int]] = []
        new: list[tuple[int, int, int]] = []
        for series, number in zip(came, numbers, strict=True):
            held[series], left, added = widen(before[number], came[series])
            gone += [(number, first) for first, _ in left]
            new += [(number, *one) for one in added]
        if gone:
            listed = "unnest(%s::integer[], %s::bigint[]) AS gone (series, first)"
            delete = f"DELETE FROM held USING {listed} WHERE held.series = gone.series AND held.first = gone.first"
            db.execute(delete.encode(), [list(part) for part in zip(*gone, strict=True)])
        if new:
            add = "INSERT INTO held SELECT * FROM unnest(%s::integer[], %s::bigint[], %s::bigint[])"
            db.execute(add, [list(part) for part in zip(*new, strict=True)])
        return held

    def _unsynced(self, db: psycopg.Connection[Any], came: Mapping[Series, RangeSet]) -> dict[Series, RangeSet]:
        named = {self._series[series]: series for series in came}
        found: dict[Series, RangeSet] = {}
        for number, seq in db.execute(_UNSYNCED, (list(named), UNSYNCED_MAX_COUNT)):
            found.setdefault(named[number], RangeSet()).add(seq, seq)
        return found

    def _store_schemas(self, db: psycopg.Connection[Any], schemas: Mapping[str, str]) -> None:
        for name, text in sorted(schemas.items()):
            self._number(db, {}, {name})
            keep = "UPDATE sample_schema SET json = %s WHERE id = %s AND json IS NULL"
            statement = layout.view(name, self._schemas[name], text, postgres=True)
            if db.execute(keep, (text, self._schemas[name])).rowcount and statement:
                db.execute(statement.encode())


def _has_timescale(db: psycopg.Connection[Any]) -> bool:
    return db.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone() is not None
