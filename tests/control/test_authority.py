"""Leases: tables of offers and time leaps against what stands."""

import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.control import authority
from edge.control.authority import (
    COMMAND_HOLD,
    COMMAND_RESET,
    COMMAND_RUN,
    COMMAND_SERVICE,
    LEASE_MAX_MS,
    QUEUE_MAX,
    Authority,
)
from edge.model import Request, RequestKind

KERNEL_ABI = Path(__file__).resolve().parents[2] / "native" / "kernel_abi.h"
KINDS: tuple[RequestKind, ...] = ("power", "hold", "resume", "reset", "service", "run")


def power(source: str, power_w: int, expires_mono_ms: int) -> Request:
    return Request(source, "power", power_w, expires_mono_ms)


def test_the_command_bits_are_those_of_the_kernel() -> None:
    text = KERNEL_ABI.read_text()
    for name in ("RUN", "HOLD", "SERVICE", "RESET"):
        found = re.search(rf"TW_COMMAND_{name} = (\d+)", text)
        assert found and int(found[1]) == getattr(authority, f"COMMAND_{name}")


# Each row: (time, offers, wish, left, source) in order of time on one Authority.
TABLES: dict[str, list[tuple[int, list[Request], int, int, str]]] = {
    "a wish ends with its lease": [
        (0, [power("rule", 500, 1_000)], 500, 1_000, "rule"),
        (999, [], 500, 1, "rule"),
        (1_000, [], 0, 0, ""),
    ],
    "a leap over the end ends it": [
        (0, [power("rule", 500, 1_000)], 500, 1_000, "rule"),
        (3_600_000, [], 0, 0, ""),
    ],
    "priority, and falling back when the higher expires": [
        (0, [power("rule", 1, 900), power("plan", 2, 800)], 2, 800, "plan"),
        (0, [power("fleet", 3, 700), power("console", 4, 600)], 4, 600, "console"),
        (650, [], 3, 50, "fleet"),
        (750, [], 2, 50, "plan"),
        (850, [], 1, 50, "rule"),
        (950, [], 0, 0, ""),
    ],
    "the newest of a source replaces, also when it ends earlier": [
        (0, [power("plan", 1, 10_000), power("plan", 2, 100)], 2, 100, "plan"),
        (100, [], 0, 0, ""),
    ],
    "an expired wish withdraws": [
        (1_000, [power("plan", 1, 10_000)], 1, 9_000, "plan"),
        (1_100, [power("plan", 1, 0)], 0, 0, ""),
    ],
    "time that goes back drops every lease": [
        (5_000, [power("plan", 1, 10_000)], 1, 5_000, "plan"),
        (4_000, [], 0, 0, ""),
    ],
    "no lease is longer than the longest, no wish larger than the kernel's": [
        (0, [power("console", 10**12, 10**15)], 100_000_000, LEASE_MAX_MS, "console"),
        (LEASE_MAX_MS, [], 0, 0, ""),
        (LEASE_MAX_MS + 1, [power("console", -(10**12), LEASE_MAX_MS + 2)], -100_000_000, 1, "console"),
    ],
    "hold drops wishes, and they do not come back by resume": [
        (0, [power("console", 9, 900_000)], 9, 900_000, "console"),
        (100, [Request("console", "hold")], 0, 0, "console"),
        (200, [power("console", 9, 900_000)], 0, 0, "console"),
        (300, [Request("console", "resume")], 0, 0, ""),
        (400, [power("rule", 7, 500)], 7, 100, "rule"),
    ],
    "an unknown source is nobody": [(0, [power("cloud", 9, 900)], 0, 0, "")],
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_wishes(name: str) -> None:
    leases = Authority(auto_run=True)
    for now_ms, offers, wish_w, left_ms, source in TABLES[name]:
        for offer in offers:
            leases.offer(offer)
        standing = leases.settle(now_ms)
        assert (standing.wish_w, standing.wish_left_ms, standing.source) == (wish_w, left_ms, source), now_ms


def test_hold_is_sticky_until_the_console_resumes() -> None:
    leases = Authority(auto_run=True)
    leases.offer(Request("fleet", "hold", reason="storm"))
    standing = leases.settle(0)
    assert standing.commands == COMMAND_RUN | COMMAND_HOLD
    assert standing.text() == "held by fleet: storm"
    leases.offer(Request("fleet", "resume"))
    assert leases.settle(10**9).commands & COMMAND_HOLD
    leases.offer(Request("console", "resume"))
    assert leases.settle(10**9 + 1).commands == COMMAND_RUN


def test_without_auto_run_the_site_waits_for_the_console() -> None:
    leases = Authority(auto_run=False)
    assert leases.settle(0).commands == 0
    assert leases.settle(0).text() == "waiting for resume"
    leases.offer(Request("console", "resume"))
    assert leases.settle(1).commands == COMMAND_RUN


def test_reset_is_an_edge_of_one_cycle() -> None:
    leases = Authority(auto_run=True)
    leases.offer(Request("console", "reset"))
    assert [leases.settle(t).commands & COMMAND_RESET for t in (0, 100, 200)] == [COMMAND_RESET, 0, 0]


def test_service_is_toggled_by_the_console_only() -> None:
    leases = Authority(auto_run=True)
    leases.offer(Request("fleet", "service"))
    assert not leases.settle(0).commands & COMMAND_SERVICE
    assert (leases.refused_count, leases.refused_last) == (1, "service from fleet")
    leases.offer(Request("console", "service"))
    assert leases.settle(1).commands & COMMAND_SERVICE
    leases.offer(Request("console", "service"))
    assert not leases.settle(2).commands & COMMAND_SERVICE
    leases.offer(Request("console", "service"))
    leases.offer(Request("console", "resume"))
    assert not leases.settle(3).commands & COMMAND_SERVICE


@pytest.mark.parametrize("source", ["fleet", "plan", "rule", "nobody"])
@pytest.mark.parametrize("kind", ["resume", "reset", "run", "service"])
def test_remote_can_never_permit(source: str, kind: RequestKind) -> None:
    leases = Authority(auto_run=False)
    leases.offer(Request("console", "hold"))
    leases.offer(Request(source, kind))
    assert leases.settle(0).commands == COMMAND_HOLD
    assert leases.refused_count == 1


@pytest.mark.parametrize("source", ["console", "fleet", "plan", "rule"])
def test_everybody_may_hold_and_only_the_console_ends_it(source: str) -> None:
    leases = Authority(auto_run=True)
    leases.offer(power("rule", 5, 10_000))
    leases.offer(Request(source, "hold", reason="smoke"))
    standing = leases.settle(0)
    assert (standing.commands, standing.wish_w) == (COMMAND_RUN | COMMAND_HOLD, 0)
    assert standing.text() == f"held by {source}: smoke"
    leases.offer(Request("console", "resume"))
    assert leases.settle(1).commands == COMMAND_RUN


def test_a_full_queue_drops_and_counts_but_never_loses_a_hold() -> None:
    leases = Authority(auto_run=True)
    for _ in range(QUEUE_MAX + 10):
        leases.offer(power("rule", 1, 1_000))
    leases.offer(Request("fleet", "hold"))
    standing = leases.settle(0)
    assert standing.commands & COMMAND_HOLD and standing.source == "fleet"
    assert leases.dropped_count == 10


def test_offers_from_many_threads_all_arrive() -> None:
    leases = Authority(auto_run=False)

    def offer_many() -> None:
        for _ in range(50):
            leases.offer(Request("rule", "run"))

    threads = [threading.Thread(target=offer_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    leases.settle(0)
    assert leases.refused_count == 200


REQUESTS = st.builds(
    Request,
    source=st.sampled_from(["console", "fleet", "plan", "rule", "x"]),
    kind=st.sampled_from(KINDS),
    power_w=st.integers(),
    expires_mono_ms=st.integers(-10, 2_000_000),
)


@given(st.lists(st.tuples(st.integers(0, 2_000_000), st.lists(REQUESTS, max_size=4)), max_size=30))
def test_whatever_is_offered_a_wish_has_time_left_and_never_stands_beside_a_hold(
    steps: list[tuple[int, list[Request]]],
) -> None:
    leases = Authority(auto_run=True)
    for now_ms, offers in steps:
        for offer in offers:
            leases.offer(offer)
        standing = leases.settle(now_ms)
        assert abs(standing.wish_w) <= 100_000_000
        assert 0 <= standing.wish_left_ms <= LEASE_MAX_MS
        if standing.commands & (COMMAND_HOLD | COMMAND_SERVICE) or standing.wish_left_ms == 0:
            assert standing.wish_w == 0
