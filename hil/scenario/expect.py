"""What a scenario may expect, and whether it was so. A kind is one row of KINDS; the reader takes its keys from there.

Three ways to say when: at_s (the newest look not after it), after_s with within_s (it becomes true in time), from_s with
to_s (it is true all the time). What was never looked at is never true.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.roles import WRITES
from hil.day.image import OVER_MAX_S, TOLERANCE_W
from hil.scenario.look import MODES, ORDERS, REASONS
from hil.scenario.model import Expectation, Finding, Look, Played, Sample

NOTHING = "nothing"
OLD_S = 1.0  # a look older than this says nothing about a moment
PART_MIN = 0.9
ALL_W = 1e9


@dataclass(frozen=True, slots=True)
class Kind:
    """`stream`: cycles of the controller, samples of the plant, or the whole span at once. `words`: what `is` may be."""

    stream: str  # "cycles", "plant", "span"
    see: Callable[[Any], Any] = lambda _: None
    holds: Callable[[Any, Expectation], bool] = lambda _, __: False
    words: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()  # which of low_w, high_w, part_min, longest_s it takes
    device: bool = False


def _same(seen: Any, wanted: Expectation) -> bool:
    return bool(seen == wanted.word)


def _among(seen: Any, wanted: Expectation) -> bool:
    return wanted.word in seen if wanted.word != NOTHING else not seen


def _within(seen: Any, wanted: Expectation) -> bool:
    return bool(wanted.low_w <= seen <= wanted.high_w)


POWER = ("low_w", "high_w")
KINDS: Mapping[str, Kind] = {
    "mode": Kind("cycles", lambda look: look.mode, _same, MODES),
    "reason": Kind("cycles", lambda look: look.reasons, _among, REASONS),
    "no_reason": Kind("cycles", lambda look: look.reasons, lambda seen, wanted: wanted.word not in seen, REASONS),
    "latched": Kind("cycles", lambda look: look.latched, _among, (NOTHING, *REASONS)),
    "first_out": Kind("cycles", lambda look: look.first_out or NOTHING, _same, (NOTHING, *REASONS)),
    "order": Kind("cycles", lambda look: {unit.order for unit in look.units}, _among, ORDERS),
    "setpoint": Kind("cycles", lambda look: look.setpoint_w, _within, numbers=POWER),
    "battery_power": Kind("plant", lambda sample: sample.battery_w, _within, numbers=POWER),
    "grid_power": Kind("plant", lambda sample: sample.grid_w, _within, numbers=POWER),
    "pcs": Kind("plant", lambda sample: {unit.pcs_state for unit in sample.units}, _among,
                ("standby", "starting", "running", "fault")),
    "contactor": Kind("plant", lambda sample: {unit.contactor for unit in sample.units}, _among,
                      ("open", "precharge", "closed")),
    "output": Kind("plant", lambda sample: sample.outputs, _among, (NOTHING, *WRITES["io"])),
    "grid_within_limits": Kind("span", numbers=("longest_s",)),
    "rate_kept": Kind("span", numbers=("part_min",), device=True),
}  # fmt: skip
DEFAULTS = {"low_w": -ALL_W, "high_w": ALL_W, "part_min": PART_MIN, "longest_s": float(OVER_MAX_S)}


def judge(played: Played) -> tuple[Finding, ...]:
    """Every expectation of the scenario."""
    return tuple(_judge(played, wanted) for wanted in played.scenario.expectations)


def _judge(played: Played, wanted: Expectation) -> Finding:
    kind = KINDS[wanted.what]
    text = describe(wanted)
    if wanted.what == "rate_kept":
        return Finding(text, *_rate_kept(played, wanted))
    if wanted.what == "grid_within_limits":
        return Finding(text, *_grid_within_limits(played, wanted))
    stream: Sequence[Look] | Sequence[Sample] = played.looks if kind.stream == "cycles" else played.samples
    if wanted.at_s is not None:
        return Finding(text, *_at(kind, stream, wanted, wanted.at_s))
    if wanted.after_s is not None and wanted.within_s is not None:
        return Finding(text, *_soon(kind, stream, wanted, wanted.after_s, wanted.within_s))
    assert wanted.from_s is not None and wanted.to_s is not None
    return Finding(text, *_always(kind, stream, wanted, wanted.from_s, wanted.to_s))


Result = tuple[bool, str]
Stream = Sequence[Look] | Sequence[Sample]


def _at(kind: Kind, stream: Stream, wanted: Expectation, at_s: float) -> Result:
    index = bisect_right(stream, at_s, key=lambda item: item.at_s) - 1
    if index < 0 or at_s - stream[index].at_s > OLD_S:
        return False, "nothing was seen then"
    seen = kind.see(stream[index])
    return kind.holds(seen, wanted), shown(seen)


def _soon(kind: Kind, stream: Stream, wanted: Expectation, after_s: float, within_s: float) -> Result:
    seen = None
    for item in stream:
        if item.at_s < after_s:
            continue
        if item.at_s > after_s + within_s:
            break
        seen = kind.see(item)
        if kind.holds(seen, wanted):
            return True, f"after {item.at_s - after_s:.1f} s"
    return False, "nothing was seen then" if seen is None else f"not in time; was {shown(seen)}"


def _always(kind: Kind, stream: Stream, wanted: Expectation, from_s: float, to_s: float) -> Result:
    seen = None
    for item in stream:
        if from_s <= item.at_s <= to_s:
            seen = kind.see(item)
            if not kind.holds(seen, wanted):
                return False, f"at {item.at_s:.1f} s {shown(seen)}"
    return (False, "nothing was seen then") if seen is None else (True, f"{shown(seen)} at the end")


def _span(played: Played, from_s: float, to_s: float) -> list[Sample]:
    return [sample for sample in played.samples if from_s <= sample.at_s <= to_s]


def _rate(played: Played, device: str, from_s: float, to_s: float) -> float:
    span = _span(played, from_s, to_s)
    if len(span) < 2:
        return 0.0
    count = span[-1].read_counts[device] - span[0].read_counts[device]
    return count / (span[-1].at_s - span[0].at_s)


def _rate_kept(played: Played, wanted: Expectation) -> Result:
    """Answered reads of the device in the span, against a span of the same length before it."""
    assert wanted.from_s is not None and wanted.to_s is not None
    before = _rate(played, wanted.device, 2 * wanted.from_s - wanted.to_s, wanted.from_s)
    now = _rate(played, wanted.device, wanted.from_s, wanted.to_s)
    return before > 0 and now >= wanted.part_min * before, f"{now:.1f} reads/s, before {before:.1f}"


def _grid_within_limits(played: Played, wanted: Expectation) -> Result:
    """The grid may be past a limit for `longest_s`: one second to see a step, one to follow it, one to spare."""
    assert wanted.from_s is not None and wanted.to_s is not None
    limits, since_s, longest_s, worst_w = played.scenario.config.limits, None, 0.0, 0.0
    span = _span(played, wanted.from_s, wanted.to_s)
    for sample in span:
        over_w = max(sample.grid_w - limits.import_max_w, -limits.export_max_w - sample.grid_w)
        worst_w = max(worst_w, over_w)
        if over_w <= TOLERANCE_W:
            since_s = None
            continue
        since_s = sample.at_s if since_s is None else since_s
        longest_s = max(longest_s, sample.at_s - since_s)
    seen = f"past for {longest_s:.1f} s at most, by {worst_w / 1e3:.1f} kW" if worst_w > 0 else "never past"
    return bool(span) and longest_s <= wanted.longest_s, seen


# ---- words for people


def describe(wanted: Expectation) -> str:
    """The expectation as one line."""
    kind = KINDS[wanted.what]
    parts = [wanted.what.replace("_", " ")]
    if kind.device:
        parts.append(f"of {wanted.device}")
    if kind.words:
        parts.append(wanted.word)
    if "low_w" in kind.numbers:
        parts.append(_range(wanted))
    if wanted.at_s is not None:
        parts.append(f"at {wanted.at_s:g} s")
    elif wanted.after_s is not None:
        parts.append(f"within {wanted.within_s:g} s of {wanted.after_s:g} s")
    else:
        parts.append(f"{wanted.from_s:g}..{wanted.to_s:g} s")
    return " ".join(parts)


def _range(wanted: Expectation) -> str:
    low_w, high_w = wanted.low_w, wanted.high_w
    if low_w == high_w:
        return f"{low_w / 1e3:g} kW"
    if low_w <= -ALL_W:
        return f"<= {high_w / 1e3:g} kW"
    if high_w >= ALL_W:
        return f">= {low_w / 1e3:g} kW"
    return f"{low_w / 1e3:g}..{high_w / 1e3:g} kW"


def shown(seen: Any) -> str:
    """What was seen: powers in kW, sets as words."""
    if isinstance(seen, set | frozenset):
        return ", ".join(sorted(seen)) or NOTHING
    if isinstance(seen, int | float):
        return f"{seen / 1e3:.1f} kW"
    return str(seen)
