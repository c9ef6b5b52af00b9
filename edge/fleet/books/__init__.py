"""Where the samples of the fleet are kept: one protocol, SQLite and PostgreSQL behind it."""
