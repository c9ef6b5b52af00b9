"""The demo: a simulated site, the real controller, a broker, an ingest and one live screen."""
