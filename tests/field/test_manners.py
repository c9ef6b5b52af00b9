"""Manners on the line: who speaks late is let finish, an echo is no answer, a broadcast expects none, a technician waits."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from edge.config import options
from edge.field.line.port import TtyPort
from edge.field.line.rtu import Answer, Broadcast, Expect, read_request, with_crc, write_request
from edge.field.schedule.asks import ASK_MAX_S, AskFault
from edge.field.schedule.poll import due_poll
from edge.model import Outcome
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.field.test_budget import merging
from tests.field.test_bus import PCS_SET, POC_POWER, Bench, play

GAP_S = 0.002  # of the bench's port


def run(
    script: Callable[[Bench, VirtualLoop], Awaitable[None]], allowed: Callable[..., bool] = lambda *_: True
) -> Bench:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> Bench:
        bench = Bench(clock, allowed)
        task = asyncio.create_task(bench.bus.run())
        await script(bench, loop)
        assert not task.done()
        task.cancel()
        await asyncio.wait({task})
        return bench

    return run_virtual(main)


def test_nobody_is_asked_while_a_late_answer_is_still_coming() -> None:
    """The POC answers in pieces, the first just after its time-out: the PCS is asked when the last one is over."""

    async def script(bench: Bench, loop: VirtualLoop) -> None:
        await asyncio.sleep(1)
        timeout_s = 0.2 + 25 * 10 / 115_200  # of its power: 8 + 9 characters, rounded up
        pieces = [timeout_s + 0.001 + 0.0015 * n for n in range(40)]
        late = iter([[(at_s, b"\x01") for at_s in pieces]])
        bench.line.spoil = lambda request, reply: next(late, []) if request[0] == 1 else [(0.005, reply)]
        await asyncio.sleep(3)
        asked_s = next(at_s for at_s, frame in bench.line.requests if at_s > 1 and frame[0] == 1)
        quiet_s = asked_s + pieces[-1] + GAP_S
        between = [at_s for at_s, _ in bench.line.requests if asked_s < at_s < quiet_s]
        assert not [at_s for at_s in between if at_s > asked_s + pieces[0] + 1e-6]

    run(script)


def test_a_babbler_does_not_silence_the_bus_for_ever() -> None:
    async def script(bench: Bench, loop: VirtualLoop) -> None:
        await asyncio.sleep(1)

        async def babble() -> None:
            while True:
                bench.line._deliver(b"\x00")
                await asyncio.sleep(0.001)

        task = asyncio.create_task(babble())
        await asyncio.sleep(5)
        task.cancel()
        sent_s = [at_s for at_s, _ in bench.line.requests if at_s > 1]
        assert max(b - a for a, b in pairwise(sent_s)) < 0.6

    run(script)


@pytest.mark.parametrize("hears", [True, False], ids=["with the answer", "without an answer"])
def test_an_adapter_that_hears_itself_is_found_out_and_its_echo_never_is_an_answer_to_a_write(hears: bool) -> None:
    async def script(bench: Bench, loop: VirtualLoop) -> None:
        answers = True
        bench.line.spoil = lambda request, reply: [(0.001, request), *([(0.006, reply)] if answers else [])]
        await asyncio.sleep(1)
        assert bench.bus.port_health().hears_itself
        answers = hears
        bench.bus.set_value("pcs", "power_set", 5_000)
        await asyncio.sleep(0.05)
        box = bench.bus.device("pcs").boxes["power_set"]
        assert (box.sent_raw == 50) == hears
        if hears:
            await asyncio.sleep(2)
            counts = bench.bus.device("pcs").outcome_counts
            assert sum(counts[1:]) == 0 and {r.values for r in bench.of("poc", "power")} == {(123,)}

    run(script)


def test_a_setpoint_waits_for_the_read_that_shows_whether_the_line_hands_back_what_is_sent() -> None:
    async def script(bench: Bench, loop: VirtualLoop) -> None:
        bench.line.spoil = lambda request, reply: [(0.001, request), (0.006, reply)]
        bench.bus.set_value("pcs", "power_set", 5_000)
        await asyncio.sleep(0.2)
        asked = [frame for _, frame in bench.line.requests if frame[0] == 2]
        assert asked[0][1] in (3, 4) and asked[1][1] == 6, "one read, then the setpoint"
        assert bench.bus.port_health().hears_itself and bench.bus.device("pcs").boxes["power_set"].sent_raw == 50

    run(script)


@pytest.mark.parametrize(("value_w", "sent_raw"), [(5_000, None), (0, 0)], ids=["a setpoint", "a stop"])
def test_where_nobody_answers_an_echo_is_no_answer_and_only_a_stop_goes_out(value_w: int, sent_raw: int | None) -> None:
    """Behind one read, because it does good whether it is counted or not. It is not counted, so it is sent again."""

    async def script(bench: Bench, loop: VirtualLoop) -> None:
        bench.line.spoil = lambda request, reply: [(0.001, request)]
        bench.bus.set_value("pcs", "power_set", value_w)
        await asyncio.sleep(3)
        device = bench.bus.device("pcs")
        written = [frame for _, frame in bench.line.requests if frame[1] == 6]
        assert len(written) >= 2 if sent_raw == 0 else not written
        assert {frame[4:6] for frame in written} <= {b"\0\0"}
        assert device.boxes["power_set"].sent_raw is None and not device.outcome_counts[0] and not device.answered
        if written:
            to_pcs = [frame[1] for _, frame in bench.line.requests if frame[0] == 2]
            assert to_pcs.index(6) == 1, "a stop waits for one transaction at most"

    run(script)


def test_a_refused_read_shows_the_echo_of_the_line_as_well() -> None:
    """The refusal is shorter than the answer would be: request and refusal together look like no more than one."""

    async def script(bench: Bench, loop: VirtualLoop) -> None:
        def refuse(request: bytes, reply: bytes) -> list[tuple[float, bytes]]:
            refused = with_crc(bytes((request[0], request[1] | 0x80, 4)))
            return [(0.001, request), *([(0.006, refused)] if request[1] in (3, 4) else [])]

        bench.line.spoil = refuse
        bench.bus.set_value("pcs", "power_set", 5_000)
        await asyncio.sleep(3)
        assert bench.bus.port_health().hears_itself
        assert bench.bus.device("pcs").boxes["power_set"].sent_raw is None, "nobody has answered it"

    run(script)


def test_a_write_heard_twice_on_a_line_not_known_yet_was_echoed_and_answered() -> None:
    async def script(bench: Bench, loop: VirtualLoop) -> None:
        bench.line.spoil = lambda request, reply: [(0.001, request), *([(0.006, reply)] if request[1] == 6 else [])]
        bench.bus.set_value("pcs", "power_set", 0)
        await asyncio.sleep(2)
        assert bench.bus.device("pcs").boxes["power_set"].sent_raw == 0 and bench.bus.port_health().hears_itself

    run(script)


def test_an_adapter_that_does_not_hear_itself_is_not_taken_for_one() -> None:
    def noisy(bench: Bench) -> None:
        bench.bus.set_value("pcs", "power_set", 5_000)
        bench.line.spoil = lambda request, reply: [(0.005, b"\x00\xff" + reply)]

    assert not play(3, noisy).bus.port_health().hears_itself


def test_a_broadcast_waits_for_no_answer_but_until_all_have_obeyed() -> None:
    request = write_request(0, 6, 650, (1,))

    async def script(bench: Bench, loop: VirtualLoop) -> None:
        await asyncio.sleep(1)
        assert await bench.bus.ask("poc", Broadcast(request)) == b""
        assert bench.bus.device("poc").latency_us < 10_000, "it is no answer of anybody"
        await asyncio.sleep(0.1)
        sent_s = [at_s for at_s, _ in bench.line.requests]
        at = next(n for n, (_, frame) in enumerate(bench.line.requests) if frame == request)
        assert 0.1 <= sent_s[at + 1] - sent_s[at] <= 0.12

    run(script)
    with pytest.raises(ValueError, match="only a write to unit 0"):
        Broadcast(read_request(0, 3, 0, 1))
    assert Broadcast(request).match(request) is None, "the echo of it is no answer"


def test_a_broadcast_and_any_write_of_a_technician_must_pass_the_gate() -> None:
    asked: list[tuple[int, ...]] = []

    def allowed(*write: int) -> bool:
        asked.append(write)
        return write[1:4] == (2, 6, 650)

    async def script(bench: Bench, loop: VirtualLoop) -> None:
        await asyncio.sleep(0.5)
        for expect, outcome in (
            (Broadcast(write_request(0, 6, 650, (1,))), Outcome.GATE),
            (Expect(write_request(2, 6, PCS_SET, (300,))), Outcome.GATE),
            (Expect(write_request(2, 16, 650, (1, 2))), Outcome.GATE),
            (Expect(write_request(2, 6, 650, (1,))), b"\x02\x8a\x00\x01"),
        ):
            assert await bench.bus.ask("pcs", expect) == outcome
        assert (0, 0, 6, 650, 1, 1) in asked and (0, 2, 16, 650, 2, 0x0001_0002) in asked
        assert [frame for _, frame in bench.line.requests if frame[1] == 16 or frame[0] == 0] == []

    run(script, allowed)


def test_a_question_of_a_technician_is_answered_between_the_others_and_makes_none_of_them_later() -> None:
    def ages(bench: Bench) -> list[int]:
        taken = [reading.taken_mono_ms for reading in bench.of("pcs", "fast")]
        return [b - a for a, b in pairwise(taken)]

    async def script(bench: Bench, loop: VirtualLoop) -> None:
        for _ in range(200):
            answer = await bench.bus.ask("poc", Expect(read_request(1, 3, POC_POWER, 2)))
            assert answer == (12_345).to_bytes(4, "big")

    bench = run(script)
    assert max(ages(bench)) <= max(ages(play(3))) + 9, "one transaction of 16 bytes at most"


def test_a_question_that_would_make_others_late_is_refused_with_what_to_do() -> None:
    async def script(bench: Bench, loop: VirtualLoop) -> None:
        with pytest.raises(AskFault, match="17 registers at once would make others late; at most 16: ask in parts"):
            bench.bus.ask("poc", Expect(read_request(1, 3, 0, 17)))

    run(script)


def test_a_question_to_a_silent_device_ends_and_one_that_nobody_waits_for_is_never_sent() -> None:
    async def script(bench: Bench, loop: VirtualLoop) -> None:
        bench.line.spoil = lambda request, reply: [] if request[0] == 1 else [(0.005, reply)]
        await asyncio.sleep(2)
        started_s = loop.time()
        expect = Expect(read_request(1, 3, 0x7777, 3))
        forgotten, waiting = bench.bus.ask("poc", expect), bench.bus.ask("poc", Expect(read_request(1, 3, 0x7778, 3)))
        forgotten.cancel()
        assert await waiting is Outcome.TIMEOUT and loop.time() - started_s <= ASK_MAX_S + 1.1
        assert not [frame for _, frame in bench.line.requests if frame == expect.request]

    run(script)


def test_after_a_lost_answer_to_a_question_the_next_question_waits_for_a_probe() -> None:
    async def script(bench: Bench, loop: VirtualLoop) -> None:
        await asyncio.sleep(0.5)
        bench.devices[0].polls[0].due_s = 1e6  # nothing else is asked of it
        first, second = (read_request(1, 3, register, 2) for register in (0x7000, 0x7010))
        bench.line.spoil = lambda request, reply: [] if request == first else [(0.005, reply)]
        answers = [bench.bus.ask("poc", Expect(request)) for request in (first, second)]
        assert await answers[0] is Outcome.TIMEOUT
        await asyncio.sleep(ASK_MAX_S)
        asked = [frame for _, frame in bench.line.requests if frame[0] == 1]
        assert second not in asked[: asked.index(first) + 2], "at least the probe before it"

    run(script)


@pytest.mark.parametrize("after_s", [0.0, 0.02], ids=["waiting", "on its way"])
def test_questions_end_with_the_bus(after_s: float) -> None:
    waiting: list[asyncio.Future[Answer]] = []

    async def script(bench: Bench, loop: VirtualLoop) -> None:
        await asyncio.sleep(0.5)
        bench.line.spoil = lambda request, reply: [(0.1 if request[2] == 0x70 else 0.002, reply)]
        waiting.append(bench.bus.ask("poc", Expect(read_request(1, 3, 0x7000, 1))))
        await asyncio.sleep(after_s)

    run(script)
    assert waiting[0].cancelled()


def test_a_refusal_is_kept_with_its_code() -> None:
    def refuse(bench: Bench) -> None:
        bench.line.spoil = lambda request, reply: [
            (0.005, with_crc(bytes((1, 0x83, 6))) if request[0] == 1 and request[2] == 0x5B else reply)
        ]

    bench = play(3, refuse)
    health = next(h for h in bench.bus.health() if h.device == "poc")
    assert health.exception_code == 6 and health.outcome_counts[Outcome.EXCEPTION] > 10 and health.failed_count == 0
    assert len(bench.of("pcs", "fast")) > 25, "who refuses costs the others nothing"


def test_what_is_hoped_for_goes_behind_all_that_is_due() -> None:
    async def script(bench: Bench, loop: VirtualLoop) -> None:
        first, second = (device.polls[0] for device in bench.devices)
        for poll in (first, second):
            poll.due_s, poll.hope_s = 1e6, float("inf")
        first.hope(100.0)
        assert due_poll([first, second], 99.9) == (None, 100.0)
        assert due_poll([first, second], 100.0)[0] is first
        second.due_s = 100.0
        assert due_poll([first, second], 100.0)[0] is second
        first.note_sent(100.0)
        assert (first.due_s, first.hope_s) == (100.0 + first.period_s, float("inf"))

    run(script)


def test_a_device_that_refuses_a_joined_read_is_read_block_by_block_from_then_on() -> None:
    """Its two blocks of ten and two registers lie six apart."""

    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        bench = Bench(clock)
        device = merging()
        bench.line._devices = (type(bench.poc)(device.settings.address),)
        bench.line.spoil = lambda request, reply: [
            (0.005, with_crc(bytes((request[0], 0x83, 2))) if request[5] == 28 else reply)
        ]
        bus = type(bench.bus)(
            0, bench.bus._settings, bench.line, [device], clock, bench.readings.append, lambda *_: True
        )
        task = asyncio.create_task(bus.run())
        await asyncio.sleep(5)
        task.cancel()
        assert [frame[5] for _, frame in bench.line.requests].count(28) == 1
        assert {name: len(bench.of("bms1", name)) >= 9 for name in ("main", "alarms", "precharge")} == dict.fromkeys(
            ("main", "alarms", "precharge"), True
        )

    run_virtual(main)


def test_a_joined_read_gives_each_block_its_own_values() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        bench = Bench(clock)
        device = merging()
        slave = type(bench.poc)(device.settings.address)
        slave.registers |= {0x2103: 55, 0x2100 + 20 + 6: 1}
        bench.line._devices = (slave,)
        bus = type(bench.bus)(
            0, bench.bus._settings, bench.line, [device], clock, bench.readings.append, lambda *_: True
        )
        task = asyncio.create_task(bus.run())
        await asyncio.sleep(2)
        task.cancel()
        main_block, alarms = bench.of("bms1", "main")[0], bench.of("bms1", "alarms")[0]
        assert main_block.values[2] == 5_500 and alarms.values == (4, 0)
        assert main_block.taken_mono_ms == alarms.taken_mono_ms, "one read, one time"

    run_virtual(main)


@pytest.mark.hil
def test_low_latency_is_refused_only_where_it_is_asked_for() -> None:
    async def main() -> None:
        pair = os.openpty()
        path = os.ttyname(pair[1])
        with pytest.raises(OSError, match='low_latency = "on" is refused'):
            TtyPort(options.Port(name="a", path=path, low_latency="on")).open(lambda _: None)
        for words in ("auto", "off"):
            port = TtyPort(options.Port(name="a", path=path, low_latency=words))
            port.open(lambda _: None)
            port.close()
        for fd in pair:
            os.close(fd)

    asyncio.run(main())
