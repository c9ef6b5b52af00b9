"""A device that does not answer: how often it is tried, how long it is waited for, and what that costs the others."""

import asyncio
from itertools import pairwise

import pytest

from edge.field.line.rtu import with_crc
from edge.field.schedule.trust import BACKOFF_MAX_S, QUICK_S
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.field.test_bus import Bench

TIMEOUT_S = 0.2  # of both profiles
ANSWER_S = 0.005  # how long these devices take
AWAY_S = 10.0


def outage(for_s: float, *, from_start: bool = False, kind: str = "silent") -> tuple[Bench, list[float]]:
    """A PCS that is away for a while, ten seconds after the start or from it; when it was tried, from its going away."""

    async def main(loop: VirtualLoop, clock: VirtualClock) -> tuple[Bench, list[float]]:
        bench, since_s = Bench(clock), 0.0 if from_start else AWAY_S

        def spoil(request: bytes, reply: bytes) -> list[tuple[float, bytes]]:
            away = request[0] == 2 and since_s <= loop.time() < since_s + for_s
            if away and kind == "wrong unit":
                return [(ANSWER_S, with_crc(b"\x09" + reply[1:-2]))]
            return [] if away else [(ANSWER_S, reply)]

        bench.line.spoil = spoil
        task = asyncio.create_task(bench.bus.run())
        await asyncio.sleep(since_s + for_s + 10)
        task.cancel()
        tried_s = [at_s - since_s for at_s, frame in bench.line.requests if frame[0] == 2 and at_s >= since_s]
        return bench, tried_s

    return run_virtual(main)


def test_it_is_tried_quickly_while_the_plant_still_runs_on_it_then_at_the_cap() -> None:
    _, tried_s = outage(30.0)
    early = [b - a for a, b in pairwise(t for t in tried_s if t < QUICK_S)]
    late = [b - a for a, b in pairwise(t for t in tried_s if QUICK_S + 1 < t < 30)]
    assert max(early) <= 0.5 + TIMEOUT_S + 0.02
    assert max(late) <= BACKOFF_MAX_S["pcs"] + TIMEOUT_S + 0.02 <= 2.0, "a PCS must come back within two seconds"
    assert min(late) >= BACKOFF_MAX_S["pcs"]


def test_it_is_mostly_waited_for_no_longer_than_it_ever_needed_and_now_and_then_in_full() -> None:
    bench, _ = outage(30.0)
    requests = bench.line.requests
    waits = [after - at_s for (at_s, frame), (after, _) in pairwise(requests) if frame[0] == 2 and 16 < at_s < 40]
    assert sum(wait > TIMEOUT_S for wait in waits) in range(len(waits) // 4 - 1, len(waits) // 4 + 2)
    assert sorted(waits)[len(waits) // 2] < TIMEOUT_S / 2, "of which most is until the other is due"


def test_a_device_that_answers_later_than_it_used_to_still_comes_back() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> Bench:
        bench = Bench(clock)
        bench.line.spoil = lambda request, reply: (
            [(ANSWER_S, reply)] if request[0] == 1 or loop.time() < 10 else [] if loop.time() < 20 else [(0.15, reply)]
        )
        task = asyncio.create_task(bench.bus.run())
        await asyncio.sleep(40)
        task.cancel()
        return bench

    bench = run_virtual(main)
    assert bench.bus.device("pcs").trust.failed_count == 0 and len(bench.of("pcs", "fast")) > 100 + 50


@pytest.mark.parametrize("from_start", [False, True], ids=["lost", "never there"])
@pytest.mark.parametrize("kind", ["silent", "wrong unit"])
def test_the_other_keeps_nine_tenths_of_its_rate(kind: str, from_start: bool) -> None:
    bench, _ = outage(60.0, from_start=from_start, kind=kind)
    since_ms = 0 if from_start else 10_000
    taken = [r.taken_mono_ms for r in bench.of("poc", "power") if since_ms <= r.taken_mono_ms < since_ms + 60_000]
    assert len(taken) >= 0.9 * 600
