"""The broker of these tests: a real one, in a folder of its own. A module that needs another has its own fixture."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.broker import Broker, running


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running(tmp_path) as broker:
        yield broker
