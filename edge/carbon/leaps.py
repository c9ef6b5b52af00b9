"""A register that leaps by more than the power behind it could have carried in that time has not counted energy.

A meter that was set, a digit that was misread, two devices on one address. Its span is called substituted, says why, and
holds what the integrated power says instead; where powers were missing as well it holds nothing, and the rules for gaps
go on without it. The entry `leap` keeps both numbers.
"""

from dataclasses import replace

from edge.carbon.interval import Interval, RegisterSpan
from edge.carbon.ledger.balance import COMPARED, STEP_WH
from edge.carbon.ledger.body import MISSING_MIN_PERMILLE, MJ_PER_WH
from edge.carbon.ledger.entry import Body

HOUR_MS = 3_600_000
LEAP = "leap"  # first word of the reason


def limit_wh(meter: Body | None, span_ms: int) -> int | None:
    """What a meter's register can count in a time; None: the plan states no power for it."""
    power_w = meter.get("power_max_w", 0) if meter is not None else 0
    return power_w * span_ms // HOUR_MS + STEP_WH if power_w else None


def without_leaps(interval: Interval, plan: Body, before_ms: int = 0) -> Interval:
    """The interval with every leap substituted. `before_ms`: of the interval before, that its registers may cover too."""
    meters = {meter["device"]: meter for meter in plan["meters"]}
    span_ms = interval.stop_wall_ms - interval.start_wall_ms
    known = interval.missing_ms * 1000 < span_ms * MISSING_MIN_PERMILLE

    def judged(span: RegisterSpan) -> RegisterSpan:
        meter = meters.get(span.meter)
        most_wh = limit_wh(meter, span_ms + before_ms)
        if meter is None or most_wh is None or span.delta_wh is None or span.delta_wh <= most_wh:
            return span
        instead_wh = _by_power_wh(interval, meter["use"], span.register) if known else None
        reason = f"{LEAP}: {span.delta_wh} Wh in {(span_ms + before_ms) // 60_000} min, at most {most_wh} Wh can be"
        return replace(span, delta_wh=instead_wh, quality="substituted", reason=reason)

    return replace(interval, registers=tuple(judged(span) for span in interval.registers))


def _by_power_wh(interval: Interval, use: str, register: str) -> int | None:
    """What the integrated power says of that register; None where none is compared with it."""
    pair = COMPARED.get((use, register))
    if pair is None:
        return None
    return (
        sum(
            flow.energy_mj
            for flow in interval.flows
            if pair[0] in (None, flow.source) and pair[1] in (None, flow.sink) and flow.sink != "losses"
        )
        // MJ_PER_WH
    )
