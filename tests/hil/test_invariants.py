"""Each invariant: silent over a good cycle, loud over the one thing that it forbids. And every simulation asks them."""

from collections.abc import Callable
from typing import Any

import pytest

from edge.control.kernel import Command, Mode, Order, ffi
from edge.model import CycleRecord
from hil import invariants
from hil.day.image import default_day
from hil.invariants.watch import Watch, promises
from tests.kernel.rig import Rig

UNITS = 2
Spoil = Callable[[Any, Any, Any, Any], None]  # before, input, after, output


class Cycle:
    """One good cycle of two units that discharge, as the kernel made it: copies that a test may spoil."""

    def __init__(self) -> None:
        rig = Rig(units=UNITS, obedient=True, setpoint_ramp_w_per_s=200_000).run()
        rig.step(20, wish_kind=1, wish_w=20_000, wish_left_ms=9_000)
        self.config = rig.config
        self.before = ffi.new("tw_state_t *", rig.state[0])
        rig.step(1)
        self.input, self.after = ffi.new("tw_input_t *", rig.input[0]), ffi.new("tw_state_t *", rig.state[0])
        self.output = ffi.new("tw_output_t *", rig.out[0])
        assert self.output.battery_w == 20_000

    def broken(self) -> list[str]:
        return invariants.broken(self.config, self.before, self.input, self.after, self.output)


def spoil(name: str, part: str, field: str, value: int, unit: int = -1) -> tuple[str, Spoil]:
    """(the invariant that must speak, how to break the cycle)."""

    def act(before: Any, tw_input: Any, after: Any, output: Any) -> None:
        struct = {"before": before, "input": tw_input, "after": after, "output": output}[part]
        setattr(struct.unit[unit] if unit >= 0 else struct, field, value)

    return name, act


BROKEN = [
    spoil("inside_unit_band", "output", "setpoint_w", 30_001, 0),
    spoil("inside_unit_band", "output", "discharge_max_w", 30_001, 0),
    spoil("inside_unit_band", "output", "mode", Mode.RUN, 2),
    spoil("inside_site_band_or_units_cannot", "output", "net_load_w", 110_001),
    spoil("zero_on_stale_or_missing", "input", "bms_age_ms", 2_001, 0),
    spoil("zero_on_stale_or_missing", "input", "pcs_age_ms", 2**31 - 1, 1),
    spoil("zero_on_stale_or_missing", "input", "soc_cpct", -1, 0),
    spoil("zero_on_stale_or_missing", "input", "poc_age_ms", 3_001),
    spoil("zero_on_stale_or_missing", "input", "io_age_ms", -1),
    spoil("no_charge_above_and_no_discharge_below_stops", "input", "soc_cpct", 1_000, 0),
    spoil("no_charge_above_and_no_discharge_below_stops", "input", "cell_voltage_min_mv", 2_800, 1),
    spoil("no_charge_above_and_no_discharge_below_stops", "input", "cell_temp_max_dc", 550, 0),
    spoil("no_charge_above_and_no_discharge_below_stops", "input", "current_discharge_max_da", 1, 0),
    spoil("latch_never_clears_by_itself", "before", "latched", 1 << 1, 0),
    spoil("ramp_kept_unless_forbidden", "before", "setpoint_w", -90_000, 0),
    spoil("allocation_sums_exactly", "output", "battery_w", 19_999),
    spoil("allocation_sums_exactly", "after", "setpoint_w", 0, 0),
    spoil("no_unit_charges_while_another_discharges", "output", "setpoint_w", -1, 1),
    spoil("power_only_in_run", "output", "mode", Mode.STANDBY, 0),
    spoil("power_only_in_run", "input", "pcs_flags", 0, 0),
    spoil("authority_is_in_order", "input", "commands", Command.RUN | Command.HOLD),
    spoil("authority_is_in_order", "input", "commands", 0),
    spoil("authority_is_in_order", "input", "commands", Command.RUN | Command.ESTOP),
    spoil("nothing_starts_blind", "input", "commands", 0),
    spoil("nothing_starts_blind", "input", "bms_age_ms", 2_001, 0),
    spoil("nothing_starts_blind", "after", "latched", 1, 0),
]


def test_a_good_cycle_breaks_nothing() -> None:
    assert Cycle().broken() == []


@pytest.mark.parametrize(("name", "act"), BROKEN)
def test_a_broken_cycle_is_seen(name: str, act: Spoil) -> None:
    cycle = Cycle()
    if name == "nothing_starts_blind":
        cycle.output.unit[0].order = Order.START
    act(cycle.before, cycle.input, cycle.after, cycle.output)
    assert name in {text.partition(":")[0] for text in cycle.broken()}


def test_every_invariant_has_a_cycle_that_breaks_it_and_a_promise_in_words() -> None:
    names = [rule.__name__ for rule in invariants.EVERY]
    assert {name for name, _ in BROKEN} == set(names)
    assert list(promises()) == names and all(promises().values())


def test_a_day_is_watched_cycle_by_cycle() -> None:
    day = default_day()
    day.watch = Watch(day.config)
    day.run(600)
    assert day.watch.told() == f"{len(invariants.EVERY)} invariants held in each of 600 cycles"


def test_a_watch_says_what_was_broken_first_and_judges_no_cycle_after_a_gap() -> None:
    day = default_day()
    watch = Watch(day.config)
    records = []
    for seq in range(30):
        day.run(1)
        records.append(CycleRecord(seq, day.clock.now_ms, 0, 0, *day.kernel.images()))
    output = ffi.new("tw_output_t *")
    ffi.buffer(output)[:] = records[20].output
    output.battery_w += 1
    spoilt = CycleRecord(20, records[20].mono_ms, 0, 0, records[20].input, records[20].state, ffi.buffer(output)[:])
    for record in [*records[:20], spoilt]:
        watch.note(record)
    assert watch.told().startswith(f"BROKEN {sum(map(len, watch.breaches.values()))} times in 21 cycles, first")
    assert watch.breaches["allocation_sums_exactly"][0].mono_ms == records[20].mono_ms
    watch.note(records[25])
    assert watch.cycle_count == 21
