"""An interval as the body of an entry, and back: facts as they were given, and the figures that are made of them.

What is made: the energy that only the registers saw (`gap`), location-based and market-based carbon, and one quality
word. `shape_fault` says what is wrong with a body of another's making; numbers are judged in balance.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from edge.carbon.interval import (
    ClockState,
    FactorKind,
    FactorUse,
    Flow,
    Interval,
    RegisterSpan,
    Sink,
    Source,
    SpanQuality,
)
from edge.carbon.ledger.entry import Body, utc_day
from edge.carbon.ledger.market import LocationUg, market_of, ug_of

MISSING_MIN_PERMILLE = 10  # of an interval without powers before the registers are asked what passed meanwhile
MJ_PER_WH = 3_600_000
GAP_MIN_MJ = 100 * MJ_PER_WH  # 100 Wh: less is the step of the register, not energy that was missed
SINCE = "since the last reading before an outage"
WEAK_FACTORS = ("stale", "substituted", "default")
_RANK = {"measured": 0, "estimated": 1, "substituted": 2, "corrected": 3}

INT, TEXT, FLAG, MAYBE = "a whole number", "a text", "true or false", "a whole number or null"
ANY, NULL = "anything", "null"
SHAPE: dict[str, Any] = {
    "clock": {"offset_ms": MAYBE, "source": TEXT, "synced": FLAG},
    "facility_mj": MAYBE,
    "factor": {
        "id": TEXT, "kind": get_args(FactorKind), "mg_per_kwh": INT, "payload_sha256": TEXT, "published_ms": MAYBE,
        "quality": TEXT, "source": TEXT, "version": TEXT,
    },
    "flows": [{"from": get_args(Source), "mj": INT, "to": get_args(Sink), "ug": INT}],
    "it_mj": MAYBE,
    "location_ug": INT,
    "market": {"parts": [{"mg_per_kwh": MAYBE, "mj": INT, "name": TEXT, "ug": INT}], "ug": INT},
    "method": TEXT,
    "missing_ms": INT,
    "pool": {"close_ug": INT, "close_uj": INT, "loss_ug": INT, "open_ug": INT, "open_uj": INT, "true_up_uj": INT},
    "quality": get_args(SpanQuality),
    "registers": [
        {
            "delta_wh": MAYBE, "meter": TEXT, "quality": get_args(SpanQuality), "reason": TEXT, "register": TEXT,
            "start_wh": MAYBE, "stop_wh": MAYBE,
        }
    ],
    "start_ms": INT,
    "stop_ms": INT,
}  # fmt: skip
METER_SHAPE = {
    "accuracy_class": TEXT, "calibrated": TEXT, "calibration_due": TEXT, "certificate": TEXT, "ct": [INT], "device": TEXT,
    "owner": TEXT, "profile": TEXT, "pt": [INT], "register_max_wh": INT, "registers": ("primary", "secondary"),
    "seal": TEXT, "serial": TEXT, "use": ("poc", "load", "pv", "pcs"),
}  # fmt: skip
PLAN_SHAPE = {
    "capacity_wh": INT,
    "contracts": [
        {
            "document": TEXT, "first": TEXT, "kind": ("ppa", "certificate", "supplier"), "last": TEXT, "mg_per_kwh": INT,
            "name": TEXT, "share_permille": INT,
        }
    ],
    "it_category": INT,
    "meters": [METER_SHAPE],
    "operator": TEXT,
    "place": TEXT,
    "pv_certificates_sold": FLAG,
    "region": TEXT,
    "residual": {"mg_per_kwh": INT, "source": TEXT},
    "tenant": TEXT,
    "units": [{"bms": TEXT, "capacity_wh": INT, "pcs": TEXT}],
}  # fmt: skip
_REGISTER = SHAPE["registers"][0]
# Of the other kinds; an exchange has two forms: told by the site file, or seen by the registers.
SHAPES: dict[str, Any] = {
    "opening": {"plan": PLAN_SHAPE, "tenant": TEXT, "why": TEXT},
    "plan": {"plan": PLAN_SHAPE},
    "correction": {"digest": TEXT, "entry": INT, "interval": ANY, "who": TEXT, "why": TEXT},
    "rollover": {**_REGISTER, "entry": INT},
    "calibration_change": {"changes": ANY, "meter": TEXT, "who": TEXT, "why": TEXT},
    "clock_correction": {"entry": INT, "offset_ms": INT, "who": TEXT, "why": TEXT},
    "factor_revised": {"difference_ug": INT, "digest": TEXT, "entry": INT, "factor": SHAPE["factor"], "why": TEXT},
    "pool_step": {"from_ug": INT, "from_uj": INT, "to_ug": INT, "to_uj": INT},
    "day_root": {"count": INT, "day": TEXT, "first_no": INT, "last_no": INT, "root": TEXT},
    "signature": {"digest": TEXT, "entry": INT, "key": TEXT, "signature": TEXT},
    "time_stamp": {"authority": TEXT, "digest": TEXT, "entry": INT, "token": TEXT},
}
EXCHANGES: tuple[Any, ...] = (
    SHAPES["calibration_change"], {**_REGISTER, "entry": INT, "who": TEXT, "why": TEXT},
)  # fmt: skip
GAP_SHAPE = {"import_mj": INT, "mg_per_kwh": INT, "rule": ("register_difference",), "ug": INT}


@dataclass(frozen=True, slots=True)
class Fault:
    """One field that is not what it must be; `field` is a path such as `flows[2].ug`."""

    field: str
    expected: object
    found: object


def shape_fault(body: Body) -> Fault | None:
    """The first field of an interval's body that is absent, too much, or of another type."""
    return _fault({**SHAPE, "gap": GAP_SHAPE if body.get("gap") is not None else NULL}, body, "")


def other_fault(kind: str, body: Body) -> Fault | None:
    """As `shape_fault` for an entry that is no interval."""
    if kind == "meter_exchange":
        faults = [_fault(shape, body, "") for shape in EXCHANGES]
        return None if None in faults else faults[0]
    return _fault(SHAPES[kind], body, "")


def _fault(shape: Any, value: Any, path: str) -> Fault | None:
    good = _LEAVES.get(shape) if isinstance(shape, str) else None
    if good is not None:
        return None if good(value) else Fault(path, shape, value)
    if isinstance(shape, tuple):
        return None if isinstance(value, str) and value in shape else Fault(path, f"one of {', '.join(shape)}", value)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return Fault(path, "a list", value)
        for index, item in enumerate(value):
            bad = _fault(shape[0], item, f"{path}[{index}]")
            if bad is not None:
                return bad
        return None
    if not isinstance(value, dict) or value.keys() != shape.keys():
        return Fault(path or "body", f"the keys {', '.join(sorted(shape))}", _keys(value))
    for key, inner in shape.items():
        item, leaf = value[key], _LEAVES.get(inner) if isinstance(inner, str) else None
        if leaf is not None and leaf(item):  # nearly always: no call, no path
            continue
        bad = _fault(inner, item, f"{path}.{key}".strip("."))
        if bad is not None:
            return bad
    return None


_LEAVES: dict[str, Callable[[Any], bool]] = {
    ANY: lambda value: True,
    INT: lambda value: type(value) is int,
    TEXT: lambda value: isinstance(value, str),
    FLAG: lambda value: isinstance(value, bool),
    MAYBE: lambda value: value is None or type(value) is int,
    NULL: lambda value: value is None,
}


def _keys(value: Any) -> object:
    return ", ".join(sorted(map(str, value))) if isinstance(value, dict) else value


# ---- sums that several ask for


def energy_mj(body: Body, source: str | None = None, sink: str | None = None) -> int:
    """Sum of the flows from `source` to `sink`; None: from or to all."""
    return sum(one["mj"] for one in body["flows"] if source in (None, one["from"]) and sink in (None, one["to"]))


def carbon_ug(body: Body, source: str | None = None, sink: str | None = None) -> int:
    """As `energy_mj`, of carbon."""
    return sum(one["ug"] for one in body["flows"] if source in (None, one["from"]) and sink in (None, one["to"]))


def import_mj(body: Body) -> int:
    """Import of the interval: the flows and what only the registers saw."""
    return energy_mj(body, "grid") + (body["gap"]["import_mj"] if body["gap"] else 0)


def derived(body: Body, plan: Body) -> Body:
    """The fields of a body that are made of the others: gap, location_ug, market, quality."""
    gap = gap_of(body, plan)
    location = LocationUg(carbon_ug(body, "grid") + (gap["ug"] if gap else 0))
    imported_mj = energy_mj(body, "grid") + (gap["import_mj"] if gap else 0)
    pv_used_mj = energy_mj(body, "pv") - energy_mj(body, "pv", "export")
    day = utc_day(body["start_ms"])
    market, parts = market_of(plan, day, imported_mj, pv_used_mj, location)
    made = {"gap": gap, "location_ug": location, "market": {"parts": parts, "ug": market}}
    return {**made, "quality": quality_of({**body, **made})}


def is_missing(body: Body) -> bool:
    """Powers were not known for more of the interval than counts as nothing."""
    return bool(body["missing_ms"] * 1000 >= (body["stop_ms"] - body["start_ms"]) * MISSING_MIN_PERMILLE)


def gap_of(body: Body, plan: Body) -> Body | None:
    """Import that the register counted while powers were not known: energy is never lost, only its shape.

    Booked at the interval's own factor, to the load. None: nothing was missing, or the register does not tell.
    """
    poc = {meter["device"] for meter in plan["meters"] if meter["use"] == "poc"}
    spans = [one for one in body["registers"] if one["register"] == "meter.energy_import" and one["meter"] in poc]
    if not is_missing(body) and not any(span["reason"] == SINCE for span in spans):
        return None
    known = [span["delta_wh"] for span in spans if span["delta_wh"] is not None]
    missed_mj = sum(known) * MJ_PER_WH - energy_mj(body, "grid") if known else 0
    if missed_mj < GAP_MIN_MJ:
        return None
    factor = body["factor"]["mg_per_kwh"]
    ug = ug_of(missed_mj, factor)
    return {"import_mj": missed_mj, "mg_per_kwh": factor, "rule": "register_difference", "ug": ug}


def quality_of(body: Body) -> str:
    """The worst of registers, gap and factor. Only what was metered throughout, at a measured factor, is measured."""
    words = [one["quality"] for one in body["registers"]]
    if body["gap"] or body["factor"]["quality"] in WEAK_FACTORS:
        words.append("substituted")
    if is_missing(body) or body["factor"]["quality"] == "estimated_by_source":
        words.append("estimated")
    return max(words, key=lambda word: _RANK[word], default="measured")


def body_of(interval: Interval, plan: Body) -> Body:
    """The body of an interval's entry."""
    facts: Body = {
        "clock": {"offset_ms": interval.clock.offset_ms, "source": interval.clock.source, "synced": interval.clock.synced},
        "facility_mj": interval.facility_mj,
        "factor": factor_body(interval.factor),
        "flows": [{"from": f.source, "mj": f.energy_mj, "to": f.sink, "ug": f.carbon_ug} for f in interval.flows],
        "it_mj": interval.it_mj,
        "method": interval.method,
        "missing_ms": interval.missing_ms,
        "pool": {
            "close_ug": interval.carbon_close_ug, "close_uj": interval.stored_close_uj, "loss_ug": interval.storage_loss_ug,
            "open_ug": interval.carbon_open_ug, "open_uj": interval.stored_open_uj, "true_up_uj": interval.true_up_uj,
        },
        "registers": [_register_body(span) for span in interval.registers],
        "start_ms": interval.start_wall_ms,
        "stop_ms": interval.stop_wall_ms,
    }  # fmt: skip
    return {**facts, **derived(facts, plan)}


def factor_body(factor: FactorUse) -> Body:
    return {
        "id": factor.factor_id, "kind": factor.kind, "mg_per_kwh": factor.value_mg_per_kwh,
        "payload_sha256": factor.payload_sha256, "published_ms": factor.published_wall_ms, "quality": factor.quality,
        "source": factor.source, "version": factor.version,
    }  # fmt: skip


def _register_body(span: RegisterSpan) -> Body:
    return {
        "delta_wh": span.delta_wh, "meter": span.meter, "quality": span.quality, "reason": span.reason,
        "register": span.register, "start_wh": span.start_wh, "stop_wh": span.stop_wh,
    }  # fmt: skip


def interval_of(body: Body) -> Interval:
    """The facts of a body whose shape is right; what is made of them is not in an Interval."""
    pool, clock, factor = body["pool"], body["clock"], body["factor"]
    return Interval(
        start_wall_ms=body["start_ms"], stop_wall_ms=body["stop_ms"], method=body["method"],
        flows=tuple(Flow(one["from"], one["to"], one["mj"], one["ug"]) for one in body["flows"]),
        registers=tuple(RegisterSpan(**span) for span in body["registers"]),
        factor=FactorUse(
            factor_id=factor["id"], kind=factor["kind"], value_mg_per_kwh=factor["mg_per_kwh"], source=factor["source"],
            version=factor["version"], published_wall_ms=factor["published_ms"],
            payload_sha256=factor["payload_sha256"], quality=factor["quality"],
        ),
        it_mj=body["it_mj"], facility_mj=body["facility_mj"], stored_open_uj=pool["open_uj"],
        carbon_open_ug=pool["open_ug"], stored_close_uj=pool["close_uj"], carbon_close_ug=pool["close_ug"],
        storage_loss_ug=pool["loss_ug"], missing_ms=body["missing_ms"], clock=ClockState(**clock),
        true_up_uj=pool["true_up_uj"],
    )  # fmt: skip
