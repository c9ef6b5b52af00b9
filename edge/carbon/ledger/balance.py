"""What the numbers of an interval must be to each other, and to the interval before. Used to judge, never to mend.

A Fault is a field that contradicts the others: with an untouched ledger there is none. What metering does (a register
that disagrees with the powers, one that jumped between two intervals) is a doubt: true, worth telling, nobody's forgery.
"""

from collections.abc import Iterator
from typing import Any

from edge.carbon.ledger.body import MJ_PER_WH, SINCE, Fault, carbon_ug, derived, energy_mj, shape_fault
from edge.carbon.ledger.entry import Body
from edge.carbon.ledger.market import MJ_MG_PER_UG_KWH
from edge.config.evidence import CLASSES

WALL_MAX_MS = 253_370_764_800_000  # year 9999
SPAN_MAX_MS = 400 * 86_400_000  # one entry for a long outage; more is a wrong clock
PAIRS = {
    ("grid", "load"), ("grid", "battery"), ("grid", "export"), ("grid", "losses"),
    ("pv", "load"), ("pv", "battery"), ("pv", "export"), ("pv", "losses"),
    ("genset", "load"), ("genset", "battery"), ("genset", "export"), ("genset", "losses"),
    ("battery", "load"), ("battery", "export"), ("battery", "losses"),
}  # fmt: skip
BALANCE_MIN_PERMILLE = 10  # 1 %, or the classes of the meters if that is more
STEP_WH = 200  # two counts of the coarsest register met (100 Wh)


def interval_fault(body: Body, plan: Body) -> Fault | None:
    """The first thing wrong in an interval's body, judged by itself and by the plan of its day."""
    shape = shape_fault(body)
    if shape is not None:
        return shape
    return next(
        (fault for check in (_times, _flows, _factor, _pool, _registers) for fault in check(body, plan)), None
    ) or next(_derived(body, plan), None)


def _times(body: Body, plan: Body) -> Iterator[Fault]:
    start, stop = body["start_ms"], body["stop_ms"]
    if not 0 <= start < WALL_MAX_MS:
        yield Fault("start_ms", f"0..{WALL_MAX_MS}", start)
    if not start < stop <= start + SPAN_MAX_MS:
        yield Fault("stop_ms", f"after start_ms, at most {SPAN_MAX_MS} ms later", stop)
    if body["missing_ms"] < 0:
        yield Fault("missing_ms", "0 or more", body["missing_ms"])


def _flows(body: Body, plan: Body) -> Iterator[Fault]:
    seen = set()
    for index, flow in enumerate(body["flows"]):
        pair = (flow["from"], flow["to"])
        if pair not in PAIRS or pair in seen:
            yield Fault(f"flows[{index}]", "each source to each sink once", f"{pair[0]} to {pair[1]}")
        seen.add(pair)
        if flow["mj"] < 0 or flow["ug"] < 0:
            yield Fault(f"flows[{index}].{'mj' if flow['mj'] < 0 else 'ug'}", "0 or more", min(flow["mj"], flow["ug"]))


def _factor(body: Body, plan: Body) -> Iterator[Fault]:
    """The import's carbon is its energy times the factor, which is rounded to 1 mg/kWh."""
    imported_mj, factor = energy_mj(body, "grid"), body["factor"]["mg_per_kwh"]
    if factor < 0:
        yield Fault("factor.mg_per_kwh", "0 or more", factor)
    expected_ug = imported_mj * factor // MJ_MG_PER_UG_KWH
    allowed_ug = imported_mj // MJ_MG_PER_UG_KWH + 2
    found_ug = carbon_ug(body, "grid")
    if abs(found_ug - expected_ug) > allowed_ug:
        yield Fault("flows: sum of ug from grid", f"{expected_ug} +- {allowed_ug} (energy times factor)", found_ug)


def _pool(body: Body, plan: Body) -> Iterator[Fault]:
    """Carbon: opening + charged = delivered + written off + closing, to the microgram. Energy: what is lost is the rest."""
    pool = body["pool"]
    for name in ("open_uj", "open_ug", "close_uj", "close_ug", "loss_ug"):
        if pool[name] < 0:
            yield Fault(f"pool.{name}", "0 or more", pool[name])
    charged, delivered = (
        carbon_ug(body, None, "battery"),
        carbon_ug(body, "battery") - carbon_ug(body, "battery", "losses"),
    )
    expected_ug = pool["open_ug"] + charged - delivered - pool["loss_ug"]
    if pool["close_ug"] != expected_ug:
        yield Fault("pool.close_ug", expected_ug, pool["close_ug"])
    lost_ug = carbon_ug(body, "battery", "losses")
    if lost_ug not in (0, pool["loss_ug"]):
        yield Fault("pool.loss_ug", lost_ug, pool["loss_ug"])
    lost_mj = energy_mj(body, "battery", "losses")
    moved_mj = energy_mj(body, None, "battery") - energy_mj(body, "battery") + lost_mj
    rest_uj = pool["open_uj"] + moved_mj * 1000 + pool["true_up_uj"] - pool["close_uj"]
    if lost_mj != max(0, rest_uj // 1000):
        yield Fault("flows: mj from battery to losses", max(0, rest_uj // 1000), lost_mj)


def _registers(body: Body, plan: Body) -> Iterator[Fault]:
    meters = {meter["device"]: meter for meter in plan["meters"]}
    for index, span in enumerate(body["registers"]):
        expected = span_delta_wh(span["start_wh"], span["stop_wh"], meters.get(span["meter"]))
        if expected is None or span["reason"] not in ("", SINCE):
            continue  # rolled over, exchanged, substituted: the reason says what happened, an entry of its own the numbers
        if span["delta_wh"] != expected:
            yield Fault(f"registers[{index}].delta_wh", expected, span["delta_wh"])


def _derived(body: Body, plan: Body) -> Iterator[Fault]:
    made = derived(body, plan)
    for key in ("gap", "location_ug", "market", "quality"):
        if body[key] != made[key]:
            yield Fault(key, made[key], body[key])


def span_delta_wh(start_wh: int | None, stop_wh: int | None, meter: Body | None) -> int | None:
    """Energy of a register that went from `start_wh` to `stop_wh`; None: not known, or it went back."""
    if start_wh is None or stop_wh is None or stop_wh < start_wh:
        return None
    return scaled_wh(stop_wh - start_wh, meter)


def rolled_delta_wh(start_wh: int, stop_wh: int, meter: Body | None) -> int | None:
    """As `span_delta_wh` for one that began again at 0 on the way; None: where it begins again is not stated."""
    modulus_wh = meter["register_max_wh"] if meter else 0
    if modulus_wh <= max(start_wh, stop_wh):
        return None
    return scaled_wh(stop_wh - start_wh + modulus_wh, meter)


def scaled_wh(counted_wh: int, meter: Body | None) -> int:
    """Counted energy times the ratios of the transformers, where the meter does not do that itself."""
    if meter is None or meter["registers"] == "primary":
        return counted_wh
    (ct_a, ct_to_a), (pt_v, pt_to_v) = meter["ct"], meter["pt"]
    return int(counted_wh * ct_a * pt_v // (ct_to_a * pt_to_v))


# ---- doubts


def balance_doubts(body: Body, plan: Body) -> Iterator[str]:
    """Where registers and integrated powers differ by more than 1 %, their class, or the step of a register."""
    meters = {meter["device"]: meter for meter in plan["meters"]}
    for (use, register), (source, sink) in COMPARED.items():
        spans = [
            span
            for span in body["registers"]
            if span["register"] == register
            and meters.get(span["meter"], {}).get("use") == use
            and span["delta_wh"] is not None
        ]
        if not spans or body["quality"] == "substituted":
            continue
        by_register_wh = sum(span["delta_wh"] for span in spans)
        by_power_wh = energy_mj(body, source, sink) // MJ_PER_WH
        if source == "battery":
            by_power_wh -= energy_mj(body, "battery", "losses") // MJ_PER_WH
        permille = BALANCE_MIN_PERMILLE + sum(CLASSES.get(meters[span["meter"]]["accuracy_class"], 0) for span in spans)
        if abs(by_register_wh - by_power_wh) * 1000 > by_register_wh * permille + STEP_WH * 1000:
            yield f"{register}: {by_register_wh} Wh by register, {by_power_wh} Wh by integrated power"


COMPARED: dict[tuple[str, str], tuple[str | None, str | None]] = {
    ("poc", "meter.energy_import"): ("grid", None),
    ("poc", "meter.energy_export"): (None, "export"),
    ("pv", "pv.energy"): ("pv", None),
    ("pcs", "pcs.energy_charge"): (None, "battery"),
    ("pcs", "pcs.energy_discharge"): ("battery", None),
}


def registers_of(body: Body) -> dict[tuple[str, str], Any]:
    """(meter, register) -> span."""
    return {(span["meter"], span["register"]): span for span in body["registers"]}


def jump_doubts(before: Body, body: Body) -> Iterator[str]:
    """Registers that do not go on where the interval before left them."""
    old = registers_of(before)
    for key, span in registers_of(body).items():
        was = old.get(key)
        if was is None or was["stop_wh"] is None or span["start_wh"] is None or was["stop_wh"] == span["start_wh"]:
            continue
        yield f"{key[0]} {key[1]}: left at {was['stop_wh']} Wh, went on at {span['start_wh']} Wh"
