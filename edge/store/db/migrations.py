"""The tables, as numbered steps: step N brings a file of version N - 1 to N (`PRAGMA user_version`). Only ever append.

Every row of a log says its boot and the mono time in it; `wall_ms` is what the clock read then (see clockmap.py). Numbers
are given by the writer, so that a row written again after a fault of the disk is the same row.
"""

MIGRATIONS: tuple[str, ...] = (
    """
CREATE TABLE clock (seq INTEGER PRIMARY KEY, boot BLOB NOT NULL, mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
  synced INTEGER NOT NULL);
CREATE TABLE events (seq INTEGER PRIMARY KEY, boot BLOB NOT NULL, mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
  level TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE audit (seq INTEGER PRIMARY KEY, boot BLOB NOT NULL, mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
  who TEXT NOT NULL, action TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE ledger (seq INTEGER PRIMARY KEY, boot BLOB NOT NULL, mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
  body BLOB NOT NULL);
CREATE TABLE config (seq INTEGER PRIMARY KEY, boot BLOB NOT NULL, mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
  sha256 TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE dropped (seq INTEGER PRIMARY KEY, boot BLOB NOT NULL, mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
  stream TEXT NOT NULL, count INTEGER NOT NULL, reason TEXT NOT NULL);
""",
)
LOGS = ("audit", "ledger", "config", "clock", "dropped", "events")  # the tables with a number of their own
