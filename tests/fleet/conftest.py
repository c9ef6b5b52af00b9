"""A broker for each test, and one PostgreSQL for all that ask; they are skipped where this machine has none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.broker import Broker, running
from tests.fleet import cluster as postgres


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running(tmp_path) as broker:
        yield broker


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    if postgres.WHY_NONE:
        pytest.skip(postgres.WHY_NONE)
    with postgres.running() as cluster:
        yield cluster
