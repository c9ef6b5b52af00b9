"""The small records that must not be lost: events, audit, ledger, nonces, configurations, clock marks. SQLite."""
