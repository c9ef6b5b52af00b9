"""Gateways that are only simulated, and the judge who compares what they sent with what the database holds."""
