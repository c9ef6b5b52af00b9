"""The small records that must not be lost: events, audit, ledger, configurations, clock marks. SQLite."""
