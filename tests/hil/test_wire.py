"""Virtual time and the simulated wire: exact times, lost collisions, and the driver's own bus on top."""

import asyncio
from time import process_time

import pytest

from edge.errors import EdgeError
from edge.field.line.rtu import read_request
from hil.faults import Fault, FaultBox
from hil.virtual import VirtualClock, VirtualLoop, run, run_virtual
from hil.wire import WirePort
from tests.hil.site_kit import Kit


def test_time_jumps_and_is_exact() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        for _ in range(86_400):
            await asyncio.sleep(1.0)
        return loop.time()

    started_s = process_time()
    assert run(main()) == 86_400.0
    assert process_time() - started_s < 4.0, "0.5 s on the build machine"


def test_the_clock_follows_the_loop_and_its_wall_may_jump() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        await asyncio.sleep(12.345)
        assert (clock.mono_us(), clock.mono_ms(), clock.wall_ms()) == (12_345_000, 12_345, 1_012_345)
        clock.wall_start_ms += 500
        assert (clock.mono_ms(), clock.wall_ms()) == (12_345, 1_012_845)

    run_virtual(main, 1_000_000)


def test_timeouts_locks_and_cancelled_timers_work() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 3.0)
        handles = [asyncio.get_running_loop().call_later(1.0 + n, lambda: None) for n in range(500)]
        for handle in handles:
            handle.cancel()
        await asyncio.sleep(0.5)
        return asyncio.get_running_loop().time()

    assert run(main()) == 3.5


def test_waiting_for_nothing_is_an_error_and_not_a_hang() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(EdgeError, match="everything waits"):
        run(main())


def exchange(port: WirePort, *writes: tuple[float, bytes], until_s: float = 3.0) -> list[tuple[float, bytes]]:
    """Requests at times; what came back when."""

    async def main() -> list[tuple[float, bytes]]:
        loop = asyncio.get_running_loop()
        heard: list[tuple[float, bytes]] = []
        port.open(lambda data: heard.append((loop.time(), data)))
        for at_s, frame in writes:
            loop.call_at(at_s, port.write, frame)
        await asyncio.sleep(until_s)
        port.close()
        return heard

    return run(main())


@pytest.mark.parametrize(
    ("baud", "parity", "stopbits", "expected_s"),
    [
        (9_600, "E", 1, (8 + 9) * 11 / 9_600 + 0.005),
        (9_600, "N", 2, (8 + 9) * 11 / 9_600 + 0.005),
        (9_600, "N", 1, (8 + 9) * 10 / 9_600 + 0.005),
        (115_200, "N", 1, (8 + 9) * 10 / 115_200 + 0.005),
        (1_200, "N", 1, (8 + 9) * 10 / 1_200 + 35 / 1_200),  # t3.5 is longer than the device's turnaround
    ],
)
def test_a_transaction_takes_the_time_of_the_wire(baud: int, parity: str, stopbits: int, expected_s: float) -> None:
    port = WirePort("fast", baud, Kit().fast, parity=parity, stopbits=stopbits)
    ((heard_s, reply),) = exchange(port, (1.0, read_request(1, 3, 0x5B14, 2)))
    assert heard_s - 1.0 == pytest.approx(expected_s, abs=1e-9) and len(reply) == 9


def test_a_request_that_runs_into_a_reply_is_lost_with_it() -> None:
    request = read_request(1, 3, 0x5B14, 2)
    ((end_s, _),) = exchange(WirePort("fast", 9_600, Kit().fast), (1.0, request))
    port = WirePort("fast", 9_600, Kit().fast)
    assert exchange(port, (1.0, request), (end_s - 0.003, request)) == [] and port.lost_count == 1
    port = WirePort("fast", 9_600, Kit().fast)
    assert len(exchange(port, (1.0, request), (end_s + 0.004, request))) == 2 and port.lost_count == 0


def test_a_cut_cable_is_an_error_of_the_port() -> None:
    port = WirePort("fast", 9_600, Kit().fast)
    port.is_cut = True
    with pytest.raises(OSError, match="fast"):
        port.open(lambda data: None)
    with pytest.raises(OSError, match="fast"):
        port.write(b"")


def test_a_late_reply_arrives_between_later_ones() -> None:
    request = read_request(1, 3, 0x5B14, 2)
    box = FaultBox([Fault("poc", "late", 0.9, 0.2, {"delay_s": 0.7})])
    port = WirePort("fast", 115_200, Kit().fast, faults=box)
    heard = exchange(port, (1.0, request), (1.5, request), (2.0, request))
    assert [round(at_s, 2) for at_s, _ in heard] == [1.51, 1.71, 2.01]


def test_a_cut_bus_and_a_foreign_address_are_silent() -> None:
    box = FaultBox([Fault("fast", "bus_cut", 0.5, 1.0)])
    port = WirePort("fast", 115_200, Kit().fast, faults=box)
    request = read_request(2, 3, 122, 22)
    assert len(exchange(port, (1.0, request), (2.0, request), (2.5, read_request(9, 3, 0, 1)))) == 1


def test_two_devices_with_one_address_are_refused() -> None:
    kit = Kit()
    with pytest.raises(EdgeError, match="one address"):
        WirePort("fast", 9_600, [kit.poc, kit.bms])
