"""The recorded replies beside the project, read in place; and samples as an adapter gives them."""

from pathlib import Path

import pytest

from edge.plan.signals.read.source import Reply, reply_of

DATA = Path(__file__).resolve().parents[3] / "../shared/data"
FIXTURES = DATA / "fixtures"
needs_data = pytest.mark.skipif(not FIXTURES.exists(), reason="the recorded data is not beside the project")


def recorded(name: str, region: str = "", received_wall_ms: int = 1_780_000_000_000) -> Reply:
    return reply_of((FIXTURES / name).read_bytes(), region, received_wall_ms)


def reply(body: str | bytes, region: str = "", received_wall_ms: int = 1_780_000_000_000) -> Reply:
    return reply_of(body.encode() if isinstance(body, str) else body, region, received_wall_ms)
