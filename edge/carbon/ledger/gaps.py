"""Intervals that nobody saw: the registers say how much, the rules say when. Energy is never lost, only its shape.

Up to 2 h: spread evenly. Longer: by the shape of the same weekday a week before, scaled to the registers; evenly where
that is not known. More than a week: one interval over all of it. Carbon: the import at the highest of the factor before,
the factor after and the annual one. The battery's content stands still; what it did shows as load. Everything made here
is "substituted" and says by which rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from edge.carbon.interval import INTERVAL_MS, FactorUse, Flow, Interval, RegisterSpan
from edge.carbon.ledger.balance import registers_of, rolled_delta_wh, span_delta_wh
from edge.carbon.ledger.body import MJ_PER_WH, SINCE
from edge.carbon.ledger.entry import Body
from edge.carbon.ledger.market import ug_of

LINEAR_MAX_MS = 2 * 3_600_000
SHAPED_MAX_MS = 7 * 86_400_000
WEEK_MS = 7 * 86_400_000

Imports = Callable[
    [], dict[int, int]
]  # start of each interval that is kept -> import in mJ; asked for only when needed


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in parts like the weights, whole numbers whose sum is exactly the total; evenly where all weights are 0."""
    if not any(weights):
        weights = [1] * len(weights)
    whole, sum_before, given, parts = sum(weights), 0, 0, []
    for weight in weights:
        sum_before += weight
        upto = total * sum_before // whole
        parts.append(upto - given)
        given = upto
    return parts


def fill_gap(before: Body, after: Interval, plan: Body, annual: FactorUse, imports: Imports) -> list[Interval]:
    """The intervals between `before` and `after`; none when the POC's import register does not tell what passed."""
    gap_ms = after.start_wall_ms - before["stop_ms"]
    deltas = _deltas(before, after, plan)
    poc = next((meter["device"] for meter in plan["meters"] if meter["use"] == "poc"), "")
    if gap_ms <= 0 or deltas.get((poc, "meter.energy_import")) is None:
        return []
    starts = [before["stop_ms"]] if gap_ms > SHAPED_MAX_MS else list(_starts(before["stop_ms"], after.start_wall_ms))
    stops = [*starts[1:], after.start_wall_ms]
    weights, rule = [stop - start for start, stop in zip(starts, stops, strict=True)], "linear"
    if LINEAR_MAX_MS < gap_ms <= SHAPED_MAX_MS:
        known = imports()
        shape = [known.get(start - WEEK_MS) for start in starts]
        if None not in shape:
            weights, rule = [import_mj or 0 for import_mj in shape], "same weekday"
    spans = {key: spread(delta, weights) for key, delta in deltas.items() if delta is not None}
    factor = _worst(before, after, annual)
    reason = f"substituted: {rule}, {len(starts)} interval{'s' * (len(starts) != 1)} without data"
    return [
        _interval(index, start, stop, before, after, factor, spans, poc, reason)
        for index, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]


def join_registers(before: Body, after: Interval, plan: Body) -> Interval:
    """`after` as it follows `before` without a gap in time: its registers begin where those of `before` ended.

    They do so by themselves but for a restart: then what was counted meanwhile belongs to one of the two, and the
    second, whose register shows it, books it (`gap` of its body). A register that jumps while nothing was missing is a
    doubt, not energy.
    """
    if not before["missing_ms"] and not after.missing_ms:
        return after
    meters, old = {meter["device"]: meter for meter in plan["meters"]}, registers_of(before)

    def joined(span: RegisterSpan) -> RegisterSpan:
        left_wh = old.get((span.meter, span.register), {}).get("stop_wh")
        if None in (left_wh, span.start_wh, span.stop_wh) or span.reason:
            return span
        assert left_wh is not None and span.start_wh is not None
        if span.start_wh <= left_wh:
            return span
        delta_wh = span_delta_wh(left_wh, span.stop_wh, meters.get(span.meter))
        return replace(span, start_wh=left_wh, delta_wh=delta_wh, quality="estimated", reason=SINCE)

    return replace(after, registers=tuple(joined(span) for span in after.registers))


def _starts(first_ms: int, end_ms: int) -> list[int]:
    """Where the missing intervals begin: at `first_ms`, then at each quarter of an hour."""
    aligned_ms = (first_ms // INTERVAL_MS + 1) * INTERVAL_MS
    return [first_ms, *range(aligned_ms, end_ms, INTERVAL_MS)]


def _deltas(before: Body, after: Interval, plan: Body) -> dict[tuple[str, str], int | None]:
    """What each register counted between the two intervals, in Wh."""
    meters = {meter["device"]: meter for meter in plan["meters"]}
    old, found = registers_of(before), {}
    for span in after.registers:
        was = old.get((span.meter, span.register))
        if was is None or was["stop_wh"] is None or span.start_wh is None:
            continue
        meter = meters.get(span.meter)
        delta = span_delta_wh(was["stop_wh"], span.start_wh, meter)
        if delta is None:
            delta = rolled_delta_wh(was["stop_wh"], span.start_wh, meter)
        found[(span.meter, span.register)] = delta
    return found


def _worst(before: Body, after: Interval, annual: FactorUse) -> FactorUse:
    """The highest of the three factors: not knowing never flatters."""
    value = max(before["factor"]["mg_per_kwh"], after.factor.value_mg_per_kwh, annual.value_mg_per_kwh)
    return FactorUse(
        factor_id=annual.factor_id, kind="annual", value_mg_per_kwh=value, source=annual.source, version=annual.version,
        published_wall_ms=annual.published_wall_ms, payload_sha256="", quality="substituted",
    )  # fmt: skip


def _interval(
    index: int, start_ms: int, stop_ms: int, before: Body, after: Interval, factor: FactorUse,
    spans: dict[tuple[str, str], list[int]], poc: str, reason: str,
) -> Interval:  # fmt: skip
    def mj(meter: str, register: str) -> int:
        parts = spans.get((meter, register))
        return parts[index] * MJ_PER_WH if parts else 0

    pv_mj = sum(mj(*key) for key in spans if key[1] == "pv.energy")
    flows = _flows(mj(poc, "meter.energy_import"), pv_mj, mj(poc, "meter.energy_export"), factor.value_mg_per_kwh)
    pool = before["pool"]
    return Interval(
        start_wall_ms=start_ms,
        stop_wall_ms=stop_ms,
        method=after.method,
        flows=flows,
        registers=tuple(
            RegisterSpan(meter, register, None, None, parts[index], "substituted", reason)
            for (meter, register), parts in sorted(spans.items())
        ),
        factor=factor,
        it_mj=None,
        facility_mj=None,
        stored_open_uj=pool["close_uj"],
        carbon_open_ug=pool["close_ug"],
        stored_close_uj=pool["close_uj"],
        carbon_close_ug=pool["close_ug"],
        storage_loss_ug=0,
        missing_ms=stop_ms - start_ms,
        clock=after.clock,
    )


def _flows(import_mj: int, pv_mj: int, export_mj: int, intensity_mg_per_kwh: int) -> tuple[Flow, ...]:
    """Grid and PV to load and export by proportional sharing. More export than both (the battery's) cannot be sourced."""
    in_mj, in_ug = import_mj + pv_mj, ug_of(import_mj, intensity_mg_per_kwh)
    export_mj = min(export_mj, in_mj)
    grid_out_mj = export_mj * import_mj // in_mj if in_mj else 0
    out_ug = in_ug * export_mj // in_mj if in_mj else 0
    flows = (
        Flow("grid", "load", import_mj - grid_out_mj, in_ug - out_ug),
        Flow("grid", "export", grid_out_mj, out_ug),
        Flow("pv", "load", pv_mj - (export_mj - grid_out_mj), 0),
        Flow("pv", "export", export_mj - grid_out_mj, 0),
    )
    return tuple(flow for flow in flows if flow.energy_mj or flow.carbon_ug)
