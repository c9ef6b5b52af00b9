"""The invariants as findings of a scenario: each over every cycle, and the end of the plant."""

from hil.invariants.watch import promises
from hil.scenario.model import Finding, Played

ZERO_W = 100.0  # one count of the PCS's setpoint register
AT_THE_END = "The plant ends at 0 kW"


def check(played: Played) -> tuple[Finding, ...]:
    """One finding an invariant, then the end of the plant."""
    return (*(_finding(played, name, text) for name, text in promises().items()), _end(played))


def _finding(played: Played, name: str, text: str) -> Finding:
    watch = played.watch
    breaches = watch.breaches[name]
    if not watch.cycle_count:
        return Finding(text, False, "no cycle was seen")
    if not breaches:
        return Finding(text, True, f"{watch.cycle_count} cycles")
    return Finding(text, False, f"{len(breaches)} cycles, first at {breaches[0].mono_ms} ms: {breaches[0].text}")


def _end(played: Played) -> Finding:
    if not played.samples:
        return Finding(AT_THE_END, False, "nothing was seen")
    last = played.samples[-1]
    word = {None: "by its own timer", True: "told so and echoed", False: "NOT echoed by every device"}
    at_zero = all(abs(unit.power_w) < ZERO_W for unit in last.units)
    return Finding(AT_THE_END, at_zero and played.ended_safe is not False,
                   f"{last.battery_w / 1e3:.1f} kW, {word[played.ended_safe]}")  # fmt: skip
