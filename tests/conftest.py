"""What every test shares: hypothesis without wall-clock limits (these machines are shared and noisy); the broker named."""

import pytest
from hypothesis import HealthCheck, settings

from hil.demo.broker import broker_text

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("shared")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which broker the tests with a real one have used."""
    terminalreporter.write_line(broker_text())
