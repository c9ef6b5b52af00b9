"""The arithmetic of a bus: by hand, against the bus itself in virtual time, and what is refused with what would help."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from edge.__main__ import main
from edge.app import bus_devices
from edge.config.options import Config, Port
from edge.config.reader import load_config
from edge.errors import ConfigFault
from edge.field.budget import BudgetRow, budget, check_budget, role_ages
from edge.field.device import BusDevice
from edge.field.line.timing import hole_max_count
from edge.field.profiles.loader import FOLDER, load_profile
from tests.field.traffic import site_of, traffic

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "site.example.toml"
KINDS: dict[str, list[str]] = {}
for path in sorted(FOLDER.glob("*.toml")):
    KINDS.setdefault(load_profile(path.stem).kind, []).append(path.stem)


def example() -> tuple[Config, list[BusDevice]]:
    config = load_config(EXAMPLE)
    return config, bus_devices(config)


def at(config: Config, change: Callable[[Port], Port]) -> Config:
    return replace(config, port=tuple(change(port) for port in config.port))


def row_of(rows: list[BudgetRow], device: str, what: str) -> BudgetRow:
    return next(row for row in rows if (row.device, row.what) == (device, what))


def test_the_arithmetic_is_that_of_the_line() -> None:
    """115 200 baud, 8N1: a character takes 10 bits; the gap of the example is 2 ms, both devices answer in 5 ms."""
    rows = budget(*example())
    read, write = row_of(rows, "poc", "read power"), row_of(rows, "pcs1", "write power_set")
    assert (read.size_bytes, write.size_bytes) == (8 + 5 + 2 * 2, 8 + 8)
    assert read.wire_us == 2_000 + 5_000 + 17 * 10 * 1_000_000 // 115_200 + 1
    assert sum(row.wire_us / row.period_ms for row in rows if row.port == "fast") == pytest.approx(332, abs=1)


def test_the_age_at_worst_is_period_and_wait_and_transaction() -> None:
    """The POC's power waits for the PCS's status, just sent, and for all that is at least as urgent as itself once."""
    rows = [row for row in budget(*example()) if row.port == "fast"]
    poc, pcs, state = (row_of(rows, d, f"read {b}") for d, b in (("poc", "power"), ("pcs1", "fast"), ("pcs1", "state")))
    writes_us = sum(row.wire_us for row in rows if row.latency_max_ms)
    commands_us = 3 * row_of(rows, "pcs1", "write power_set").wire_us  # start, stop, clear: one register each
    turn_us = state.wire_us + pcs.wire_us + state.wire_us + writes_us + commands_us
    assert poc.age_max_ms == 100 + -(-(turn_us + poc.wire_us - 2_000) // 1000) + 1


def test_what_is_urgent_waits_for_the_longest_read_that_is_not() -> None:
    config, devices = example()
    pcs = devices[1]
    *others, energy = pcs.profile.blocks
    long = BusDevice(pcs.settings, replace(pcs.profile, blocks=(*others, replace(energy, count=60))), 100)
    before, after = (budget(config, [devices[0], device, *devices[2:]]) for device in (pcs, long))
    longest_us = row_of(after, "pcs1", "read energy").wire_us
    asked_us = 2_000 + 5_000 + (13 + 2 * 16) * 10 * 1_000_000 // 115_200 + 1  # a technician's, the longest before
    more_ms = row_of(after, "poc", "read power").age_max_ms - row_of(before, "poc", "read power").age_max_ms
    assert longest_us - asked_us - 1_000 <= 1_000 * more_ms <= longest_us - asked_us + 1_000


def test_a_setpoint_waits_for_its_interval_the_transaction_under_way_and_its_turn() -> None:
    rows = [row for row in budget(*example()) if row.port == "fast"]
    power, reactive = (row_of(rows, "pcs1", f"write {name}") for name in ("power_set", "reactive_set"))
    longest_us = max(row.wire_us for row in rows)
    waited_us = longest_us + reactive.wire_us + 3 * power.wire_us + power.wire_us - 2_000
    assert power.latency_max_ms >= 100 + waited_us // 1000
    assert power.latency_max_ms <= 100 + waited_us // 1000 + 4, "a technician's 16 registers may be longer than all"


def test_a_meter_that_averages_is_older_by_half_of_it() -> None:
    config, devices = example()
    poc = devices[0]
    link = replace(poc.profile.link, averaging_ms=500)
    late = BusDevice(poc.settings, replace(poc.profile, link=link), config.site.cycle_ms)
    before, after = (row_of(budget(config, [d, *devices[1:]]), "poc", "read power") for d in (poc, late))
    assert after.age_max_ms == before.age_max_ms + 250
    measured = BusDevice(replace(poc.settings, averaging_ms=120), late.profile, config.site.cycle_ms)
    row = row_of(budget(config, [measured, *devices[1:]]), "poc", "read power")
    assert row.age_max_ms == before.age_max_ms + 60, "the site's own word counts, not the profile's"
    assert measured.watch.averaging_ms == 120


def test_the_example_site_keeps_its_promises() -> None:
    config, devices = example()
    assert check_budget(config, devices) == []
    for port in ("fast", "slow"):
        assert sum(row.wire_us / row.period_ms for row in budget(config, devices) if row.port == port) < 600
    assert max(row.age_max_ms for row in budget(config, devices) if row.device == "bms1" and row.blocks) < 1_000
    ages = {(age.device, age.role): age for age in role_ages(config, devices)}
    assert ages["poc", "meter.power"].limit_ms == 3_000 and ages["poc", "meter.energy_import"].limit_ms is None
    assert ages["bms1", "bms.soc"].age_max_ms < 1_000 and ages["bms1", "bms.soc"].limit_ms == 2_000


def test_a_port_that_is_too_slow_is_refused_with_the_sums_and_the_baud_that_would_do() -> None:
    config, devices = example()
    slow = at(config, lambda port: replace(port, baud=1_200))
    texts = [str(problem) for problem in check_budget(slow, devices)]
    assert any("port[0].baud = 1200" in text and "% of the time" in text for text in texts)
    assert any("bms1 main is never sure of its turn" in text for text in texts)
    assert "pcs1 read fast 533.3 ms per 100 ms" in texts[0] and "19200 baud would do" in texts[0]
    better = replace(slow, port=tuple(replace(port, baud=19_200) for port in slow.port))
    assert not [problem for problem in check_budget(better, devices) if "port[0]" in str(problem)]
    almost = replace(slow, port=tuple(replace(port, baud=9_600) for port in slow.port))
    assert [problem for problem in check_budget(almost, devices) if "port[0]" in str(problem)], "the least that does"


def test_a_value_that_gets_too_old_is_refused_with_the_arithmetic_and_every_single_remedy() -> None:
    config = load_config(EXAMPLE)
    units = tuple(replace(unit, bms_age_max_ms=780) for unit in config.unit)
    slow = replace(config, unit=units)
    (first, *others) = check_budget(slow, example()[1])
    text = str(first)
    assert "bms1 main can be 794 ms old = 500 ms period + 294 ms until its turn and answer; at most 780 ms" in text
    assert "about 14 of its 44 registers fewer would do" in text, "14 ms at 1.04 ms a register"
    assert "38400 baud would do" in text and "a port of its own for bms1 or pv1 would do" in text
    assert "gap_ms = 2 would do, if the devices bear it" in text
    assert others and all("baud would do" not in str(problem) for problem in others), "said once"
    for name in ("bms1", "pv1"):  # what it says is true
        apart = [replace(d, port="third") if d.name == name else d for d in slow.device]
        third = replace(slow.port[1], name="third", path="/dev/third")
        assert bus_devices(replace(slow, device=tuple(apart), port=(*slow.port, third)))
    hopeless = replace(config, unit=tuple(replace(unit, bms_age_max_ms=510) for unit in config.unit))
    assert "divide the devices" in str(check_budget(hopeless, example()[1])[0])


@pytest.mark.parametrize(
    ("watchdog_s", "interval_ms", "baud", "said"),
    [
        (5, 100, 115_200, ""),
        (1, 100, 115_200, ""),
        (3_600, 100, 115_200, ""),
        (1, 300, 115_200, "repeated every 250 ms, 303 ms at worst, and it takes one every 300 ms"),
        (1, 100, 19_200, "repeated every 250 ms, 363 ms at worst, and it takes one every 100 ms"),
    ],
)
def test_a_watchdog_that_would_bite_between_two_setpoints_is_refused(
    watchdog_s: int, interval_ms: int, baud: int, said: str
) -> None:
    config, devices = example()
    pcs = devices[1]
    power, *others = pcs.profile.writes
    profile = replace(pcs.profile, writes=(replace(power, min_interval_ms=interval_ms), *others))
    devices[1] = BusDevice(replace(pcs.settings, watchdog_s=watchdog_s), profile, 100)
    faults = [str(p) for p in check_budget(at(config, lambda port: replace(port, baud=baud)), devices)]
    assert devices[1].boxes["power_set"].repeat_ms == min(1_000, 250 * watchdog_s)
    assert [text for text in faults if "watchdog" in text and said and said in text] or (not said and not faults), (
        faults
    )
    assert not said or any("a watchdog of 1000 ms wants it every 333 ms" in text for text in faults)


def merging(gaps_allowed: bool = True, *, hole_count: int = 6, max_regs: int = 60) -> BusDevice:
    """A battery whose alarms lie `hole_count` registers behind its values."""
    profile = load_profile("soltaro-rack-c")
    main, alarms, precharge = profile.blocks
    start = main.start + main.count + hole_count
    points = tuple(replace(point, addr=point.addr - alarms.start + start) for point in alarms.points)
    blocks = (main, replace(alarms, start=start, points=points), precharge)
    link = replace(profile.link, gaps_allowed=gaps_allowed, max_regs=max_regs)
    config, _ = example()
    (settings_of,) = (device for device in config.device if device.name == "bms1")
    port = next(port for port in config.port if port.name == "slow")
    return BusDevice(settings_of, replace(profile, blocks=blocks, link=link), 100, hole_max_count(port, link))


def test_near_blocks_are_one_read_while_the_hole_is_cheaper_than_a_second_transaction() -> None:
    def names(device: BusDevice) -> list[str]:
        return [poll.name for poll in device.polls]

    apart = ["main", "alarms", "precharge"]
    together = ["main+alarms", "precharge"]
    assert names(merging()) == together and merging().polls[0].shape == (3, 0x2100, 28)
    spared_us = 20_000 + 10_000 + 13 * 10_000_000 // 19_200  # gap, turnaround, 13 characters
    at_most = spared_us // (2 * 10_000_000 // 19_200)
    assert names(merging(hole_count=at_most)) == together and names(merging(hole_count=at_most + 1)) == apart
    assert names(merging(gaps_allowed=False)) == apart and names(merging(gaps_allowed=False, hole_count=0)) == together
    assert names(merging(max_regs=27)) == apart
    config, devices = example()
    devices[2] = merging()
    rows = budget(config, devices)
    whole = row_of(rows, "bms1", "read main+alarms")
    assert whole.blocks == ("main", "alarms") and whole.size_bytes == 13 + 2 * 28
    assert whole.wire_us < sum(row_of(budget(*example()), "bms1", f"read {n}").wire_us for n in ("main", "alarms"))


@st.composite
def sites(draw: st.DrawFn) -> Config:
    """One to three ports, one or two units, and whatever else there is, at any speed that can hold."""
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    baud = st.sampled_from([9_600, 19_200, 38_400, 57_600, 115_200])
    ports: dict[str, dict[str, object]] = {
        name: {
            "baud": draw(baud),
            "parity": draw(st.sampled_from("NE")),
            "gap_ms": draw(st.sampled_from([0, 2, 8, 20])),
        }
        for name in names
    }
    uses = [
        "poc",
        *["pcs", "bms"] * draw(st.integers(1, 2)),
        *draw(st.lists(st.sampled_from(["pv", "load"]), unique=True)),
    ]
    kind = {"poc": "meter", "load": "meter"}
    devices = [(use, draw(st.sampled_from(KINDS[kind.get(use, use)])), draw(st.sampled_from(names))) for use in uses]
    try:
        return site_of(ports, devices, site={"id": "x", "cycle_ms": draw(st.sampled_from([100, 200, 500]))})
    except ConfigFault:
        return draw(st.nothing())


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(sites(), st.integers(0, 1_000), st.sampled_from([0.0, 0.05, 100.0]))
def test_no_value_of_any_site_gets_older_and_no_setpoint_later_than_promised(
    config: Config, seed: int, spread_s: float
) -> None:
    try:
        bus_devices(config)
    except ConfigFault:
        assume(False)
    seen = traffic(config, seed, 24.0, spread_s)
    late = {key: (seen.reached[key], seen.promised[key]) for key, ratio in seen.ratios().items() if ratio > 1}
    assert not late and seen.failed_count == 0


def test_the_promises_are_not_just_huge_each_is_nearly_reached() -> None:
    """The example site under the worst that can be asked of it: the best of a few minutes."""
    config = load_config(EXAMPLE)
    best: dict[tuple[str, str], float] = {}
    for seed, spread_s, port in itertools.product(range(4), (0.0, 0.1), ("fast", "slow")):
        for key, ratio in traffic(config, seed, 60.0, spread_s, port).ratios().items():
            best[key] = max(best.get(key, 0.0), ratio)
    assert all(0.8 <= ratio <= 1 for ratio in best.values()), best


def test_check_prints_the_plan_and_its_worst_and_gives_it_to_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", str(EXAMPLE)]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if line.startswith("port"))
    power = next(line for line in lines if "read power" in line and line.startswith("fast"))
    for title, cell in (
        ("bytes", "17"),
        ("wire ms", "8.5"),
        ("period ms", "100"),
        ("load %", "8.5"),
        ("age max ms", "183"),
    ):
        end = head.index(title) + len(title)
        assert power[:end].rstrip().endswith(cell), (title, power)
    assert any(line.split() == ["poc", "183", "3000", "power"] for line in lines)
    assert main(["check", "-c", str(EXAMPLE), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["what"]: row["age_max_ms"] for row in told["bus"]}["read fast"] == 183
    assert {age["role"]: age["limit_ms"] for age in told["ages"]}["bms.soc"] == 2_000


def test_a_timer_that_is_written_again_costs_all_that_goes_ahead_of_it() -> None:
    devices = [("poc", "abb-b23", "a"), ("pcs", "deye-sg01hp3-30", "b"), ("bms", "gaote", "c")]
    config = site_of({name: {"baud": 9_600} for name in "abc"}, devices)
    timer = next(row for row in budget(config, bus_devices(config)) if row.what == "comm-loss timer")
    wire_us = 3 * (17 + 15) * 10 * 1_000_000 // 9_600  # three registers at least, each written and read back
    assert timer.period_ms == 5_000 and timer.wire_us >= wire_us + 6 * 50_000, (
        "six gaps of 20 ms, six answers after 30 ms"
    )


def test_check_refuses_with_the_arithmetic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.toml"
    file.write_text(EXAMPLE.read_text().replace("baud = 115_200", "baud = 9_600"))
    assert main(["check", "-c", str(file)]) == 2
    said = capsys.readouterr().err
    assert "is busy 137 % of the time; at most 90 %" in said and "19200 baud would do" in said
    assert "3 problems; the site cannot be run like this" in said
