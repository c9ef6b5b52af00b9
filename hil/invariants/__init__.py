"""What must hold in every cycle of every simulation, whatever is wished and whatever is in input and state.

Each of `EVERY` takes (config, state before, input, state after, output), structs of the kernel, and returns what is broken
in words, nothing if it holds; the first line of its docstring is the promise as it is shown. Written from
deploy/handbook/kernel.md, not from the C. Nothing here may be switched off by what is simulated.
"""

from typing import Any

from hil.invariants.facts import as_struct
from hil.invariants.rules import (
    allocation_sums_exactly,
    authority_is_in_order,
    inside_site_band_or_units_cannot,
    inside_unit_band,
    latch_never_clears_by_itself,
    no_charge_above_and_no_discharge_below_stops,
    no_unit_charges_while_another_discharges,
    nothing_starts_blind,
    power_only_in_run,
    ramp_kept_unless_forbidden,
    zero_on_stale_or_missing,
)

EVERY = (
    inside_unit_band,
    inside_site_band_or_units_cannot,
    zero_on_stale_or_missing,
    no_charge_above_and_no_discharge_below_stops,
    latch_never_clears_by_itself,
    ramp_kept_unless_forbidden,
    allocation_sums_exactly,
    no_unit_charges_while_another_discharges,
    power_only_in_run,
    authority_is_in_order,
    nothing_starts_blind,
)


def broken(config: Any, before: Any, tw_input: Any, after: Any, output: Any) -> list[str]:
    """All that is broken in this cycle, each with the name of its invariant. Takes structs of the kernel or raw bytes."""
    parts = [
        as_struct(kind, part)
        for kind, part in zip(
            ("config", "state", "input", "state", "output"), (config, before, tw_input, after, output), strict=True
        )
    ]
    return [f"{rule.__name__}: {text}" for rule in EVERY for text in rule(*parts)]
