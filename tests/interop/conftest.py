"""The table at the end: which peer, which version, how many rounds, how many right, how long one takes; what was skipped."""

import contextlib
import os
from collections.abc import Callable, Iterator

import pytest

HEADS = ("peer", "version", "what", "asked", "right", "median ms")
ROWS: list[tuple[str, ...]] = []
Row = Callable[[str, str, str, int, int, float], None]


@pytest.fixture
def row() -> Row:
    """Notes one line of the table: peer, version, what was tried, transactions asked, right ones, median ms of one."""

    def note(peer: str, version: str, what: str, asked: int, right: int, median_ms: float) -> None:
        ROWS.append((peer, version, what, f"{asked}", f"{right}", f"{median_ms:.1f}"))

    return note


@pytest.fixture(autouse=True)
def processor() -> Iterator[None]:
    """The wire and each device have a processor of their own: where we may, other work of the machine makes none late.

    Slaves inherit it. Measured with two endless loops beside them on two cores: 1 % of the answers lost, none with it.
    """
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    yield
    os.sched_setscheduler(0, policy, priority)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if _is_ours(report)]
    for reason in sorted(set(reasons)):
        terminalreporter.write_line(f"interop: {reason.removeprefix('Skipped: ')}")
    if ROWS:
        lines = [HEADS, *ROWS]
        widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
        for line in lines:
            cells = [
                text.ljust(width) if column < 3 else text.rjust(width)
                for column, (text, width) in enumerate(zip(line, widths, strict=True))
            ]
            terminalreporter.write_line("  ".join(cells).rstrip())


def _is_ours(report: pytest.TestReport) -> bool:
    return "tests/interop" in report.nodeid and isinstance(report.longrepr, tuple)
