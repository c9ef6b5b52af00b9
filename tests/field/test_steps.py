"""How the steps of a bus are continued and how they end: nothing is lost, nothing goes on after the end."""

import asyncio

import pytest

from edge.field.line.port import Steps
from edge.model import Reading
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.field.test_bus import Bench


def test_steps_are_continued_in_the_callback_that_brings_the_answer() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        steps: Steps[int] = Steps()
        seen: list[int] = []

        async def ask() -> str:
            seen.append(await steps.what_comes())
            await steps.rest_until(5.0)
            seen.append(await steps.what_comes())
            return "done"

        def bring(answer: int) -> None:
            steps.resume(answer)
            assert seen[-1] == answer, "before the callback ends"

        loop.call_at(1.0, bring, 1)
        loop.call_at(6.0, bring, 2)
        assert await steps.play(ask()) == "done" and seen == [1, 2]
        steps.resume(3)
        assert seen == [1, 2], "an answer after the end goes nowhere"

    run_virtual(main)


def test_only_idle_steps_are_woken_and_only_once() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        steps: Steps[int] = Steps()

        async def rest() -> list[float]:
            await steps.rest_until(2.0)
            first_s = loop.time()
            await steps.rest_until(9.0, idle=True)
            second_s = loop.time()
            await steps.rest_until(9.0)
            return [first_s, second_s, loop.time()]

        for at_s in (1.0, 3.0, 3.0, 3.0, 4.0):
            loop.call_at(at_s, steps.wake)
        assert await steps.play(rest()) == [2.0, 3.0, 9.0]

    run_virtual(main)


def test_a_fault_in_the_steps_of_a_bus_is_seen_by_who_runs_it() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        bench = Bench(clock)

        def spoilt(reading: Reading) -> None:
            raise ZeroDivisionError(reading.block)

        bench.bus._on_reading = spoilt
        with pytest.raises(ZeroDivisionError):
            await bench.bus.run()
        assert await bench.bus.shutdown() and bench.pcs.registers[135] == 0

    run_virtual(main)


def test_a_cancelled_bus_sends_nothing_more() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        for offset_ms in range(0, 60, 3):
            bench = Bench(clock)
            task = asyncio.create_task(bench.bus.run())
            await asyncio.sleep(1 + offset_ms / 1000)
            task.cancel()
            sent_count = len(bench.line.requests)
            await asyncio.sleep(2)
            assert task.cancelled() and len(bench.line.requests) == sent_count

    run_virtual(main)


def test_a_value_that_is_set_again_unchanged_is_not_sent_again() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        bench = Bench(clock)
        task = asyncio.create_task(bench.bus.run())
        for _ in range(100):
            bench.bus.set_value("pcs", "power_set", 5_000)
            await asyncio.sleep(0.1)
        task.cancel()
        assert 9 <= [register for register, _ in bench.pcs.writes].count(135) <= 12, "once a second, as heartbeat"

    run_virtual(main)


def test_between_an_answer_and_the_next_request_there_is_always_the_silence() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        bench, heard = Bench(clock), []
        deliver = bench.line._deliver
        bench.line._deliver = lambda data: (heard.append(loop.time()), deliver(data))
        task = asyncio.create_task(bench.bus.run())
        for power_w in range(0, 20_000, 100):
            bench.bus.set_value("pcs", "power_set", power_w)
            await asyncio.sleep(0.013)
        task.cancel()
        for sent_s, _ in bench.line.requests[1:]:
            before_s = max(at_s for at_s in heard if at_s <= sent_s)
            assert sent_s - before_s >= 0.002 - 1e-9, "gap_ms = 2"

    run_virtual(main)
