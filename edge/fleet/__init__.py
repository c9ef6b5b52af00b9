"""The operator's side, for a server: the reference ingest."""
