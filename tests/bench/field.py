"""The field's numbers, each with its bound: wrong values, what a dead device costs, how much of a wire is used, how fast.

Run alone: `python -m tests.bench.field`.
"""

import asyncio
from collections import Counter

from edge.app import bus_devices
from edge.field.bus import Bus
from edge.model import Reading
from hil.assembly import build_site, build_slaves, unit_specs
from hil.faults import Fault, FaultBox
from hil.plant.site import SiteSpec
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from hil.wire import WirePort
from tests.bench.paced import meter_to_pcs_ms, preferred, used_part
from tests.bench.rtu import rtu_cpu_ratio
from tests.field.stream import stream
from tests.field.traffic import site_of

Row = tuple[str, float, float, str]
TRANSACTIONS = 1_000_000
DEAD_FROM_S, DEAD_FOR_S = 20.0, 120.0
FIVE = [
    ("poc", "abb-b23", "a"), ("pcs", "sinexcel-pcs-30", "a"), ("bms", "soltaro-rack-c", "a"), ("pv", "sungrow-sg", "a"),
    ("load", "eastron-sdm630", "a"),
]  # fmt: skip


def readings_of_each(faults: list[Fault]) -> Counter[str]:
    """Five devices on one bus at 38 400 baud, in virtual time: what is read of each while one of them may be dead."""

    async def main(loop: VirtualLoop, clock: VirtualClock) -> Counter[str]:
        config = site_of({"a": {"baud": 38_400, "gap_ms": 4}}, FIVE, site={"id": "x", "cycle_ms": 200})
        site = build_site(config, SiteSpec(units=unit_specs(config)), 1)
        box = FaultBox(faults)
        line = WirePort("a", 38_400, build_slaves(config, site)["a"], faults=box)
        counts: Counter[str] = Counter()

        def note(reading: Reading) -> None:
            if loop.time() >= DEAD_FROM_S:
                counts[reading.device] += 1

        bus = Bus(0, config.port[0], line, bus_devices(config), clock, note, lambda *_: True)
        task = asyncio.create_task(bus.run())
        await asyncio.sleep(DEAD_FROM_S + DEAD_FOR_S)
        task.cancel()
        return counts

    return run_virtual(main)


def rate_lost_pct() -> float:
    """Of the device that loses most, while another one of the five is dead: lost in operation, or never there."""
    healthy = readings_of_each([])
    worst = 0.0
    for dead in healthy:
        for since_s in (0.0, DEAD_FROM_S):
            found = readings_of_each([Fault(dead, "silence", since_s)])
            worst = max(worst, *(1 - found[name] / healthy[name] for name in healthy if name != dead))
    return 100 * worst


def rows(transactions: int = TRANSACTIONS, cpu: dict[str, float] | None = None) -> list[Row]:
    """(what, measured, at most, unit). `cpu`: what `rtu_cpu_ratio` has found already."""
    cpu = cpu or rtu_cpu_ratio()
    result = stream(1, transactions)
    found: list[Row] = [
        (f"wrong values, {result.sent_count} transactions, bad line", len(result.wrong), 0, ""),
        ("one of five devices dead: reads lost by others", rate_lost_pct(), 10.0, "%"),
        ("client CPU, 20 registers, ours / pymodbus async", cpu["ratio"], 0.5, "x"),
        ("client CPU, 20 registers, ours / minimalmodbus", cpu["ratio_simplest"], 0.25, "x"),
    ]
    with preferred() as real_time:
        named = "" if real_time else " (not real time)"
        for baud in (9_600, 19_200, 115_200):
            unused_pct = 100 * (1 - used_part(baud))
            found.append((f"paced wire left unused, {baud} baud{named}", unused_pct, 5.0, "%"))
        p50_ms, p99_ms, limit_ms = meter_to_pcs_ms()
    found.append((f"meter to PCS, p50 / arithmetic{named}", p50_ms / limit_ms, 1.5, "x"))
    found.append((f"meter to PCS, p99 / arithmetic{named}", p99_ms / limit_ms, 3.0, "x"))
    return found


if __name__ == "__main__":
    for name, measured, bound, unit in rows():
        mark = "" if measured <= bound else "   NOT REACHED"
        print(f"{name:<52}{measured:>12.2f}{bound:>12.2f}  {unit}{mark}")
