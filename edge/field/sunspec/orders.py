"""What may be written to a walked device: setpoint or limit with its enable, commands, comm-loss timer, heartbeat."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from edge.field.sunspec.meaning import (
    CHARGE_SOURCES,
    COMMAND_SOURCES,
    DISCHARGE_SOURCES,
    HEARTBEAT_SOURCES,
    RATING_SOURCES,
    Source,
)
from edge.field.sunspec.points import Found

if TYPE_CHECKING:
    from edge.field.sunspec.draft import Draft

REVERT_S = 10  # without a setpoint for this long the device goes to 0 W by itself; setpoints come every second
SETPOINT_MS = (200, 1_000)  # not more often, not more seldom
LIMIT_MS = (1_000, 30_000)
ENABLED = 1


def add_orders(one: "Draft") -> None:
    """Adds what the kind of the device needs and its models offer; what is missing is noted."""
    one.tables["write"] = []
    if one.kind == "pcs":
        _setpoint(one)
    elif one.kind == "pv":
        _limit(one)
    commands = [_command(one, name, *source) for name, source in COMMAND_SOURCES.get(one.kind, {}).items()]
    one.tables["command"] = [command for command in commands if command]
    if one.kind in HEARTBEAT_SOURCES:
        _heartbeat(one, *HEARTBEAT_SOURCES[one.kind])


def _setpoint(one: "Draft") -> None:
    """704: enable, mode and watts in one request, so that each setpoint also restarts the reversion timer."""
    points = one.points.get(704, {})
    point = points.get("WSet")
    if point is None or point.scale is None or not one.rest_on(point):
        one.notes.append("no power_set: model 704 with WSet and its scale factor is not there")
        return
    charge_w, discharge_w = _rating_w(one, CHARGE_SOURCES), _rating_w(one, DISCHARGE_SOURCES)
    if not charge_w or not discharge_w:
        one.notes.append("no power_set: neither 702 nor 120, 121 say how much power the device has")
        return
    if point.scale < 0:
        one.notes.append(
            f"704.WSet counts 1e{point.scale} W: the gate counts whole watts and is stricter than it need be"
        )
    watts = next(value for value, name in points["WSetMod"].symbols if name == "WATTS")
    one.tables["write"].append(
        {
            "name": "power_set", "addr": points["WSetEna"].addr, "fc": 16, "type": "s32", "before": [ENABLED, watts],
            "scale": _decimal(point.scale), "unit": "W", "min": -charge_w, "max": discharge_w, "safe": 0,
            "min_interval_ms": SETPOINT_MS[0], "max_interval_ms": SETPOINT_MS[1],
            "verify": {"addr": points["WSetEna"].addr, "fc": 3, "delay_ms": 100, "tol": 0},
        }
    )  # fmt: skip
    _reversion(one, points)


def _reversion(one: "Draft", points: dict[str, Found]) -> None:
    timer, target, enable = (points.get(name) for name in ("WSetRvrtTms", "WSetRvrt", "WSetEnaRvrt"))
    if timer is None or timer.value is None:
        one.notes.append(
            "no watchdog: 704.WSetRvrtTms is not implemented. The device may hold its last setpoint; no RUN"
        )
        return
    table: dict[str, Any] = {
        "addr": timer.addr, "fc": 16, "type": "u32", "value": REVERT_S, "seconds_per_count": 1, "on_loss": "unknown",
    }  # fmt: skip
    if target is not None and target.value is not None and enable is not None:
        table["first"] = [[target.addr, 0, 0], [enable.addr, ENABLED]]
        table["on_loss"] = "reverts to WSetRvrt, which is set to 0 W"
    else:
        one.notes.append("704.WSetRvrt is not implemented: what the device reverts to is its own affair; try it")
    one.tables["watchdog"] = table


def _limit(one: "Draft") -> None:
    """704 or 123: a limit in percent of the rating, with its enable in the same request. It has no end: a limit stays."""
    table: dict[str, Any] = {}
    point = one.points.get(704, {}).get("WMaxLimPct")
    if point is not None and point.value is None:
        point = None
    if point is not None:
        table["before"] = [ENABLED]
    else:
        point = one.points.get(123, {}).get("WMaxLimPct")
        table["after"] = [0, 0, 0, ENABLED]  # no window, no reversion, no ramp of its own; enabled
    rating = one.pick(RATING_SOURCES)
    if point is None or point.scale is None or rating is None or not isinstance(rating.value, Fraction):
        one.notes.append("no power_limit: WMaxLimPct of 704 or 123, or the rating it refers to, is not there")
        return
    if not (one.rest_on(point) and one.rest_on(rating)):
        return
    one.fix(rating)  # a percentage of something else would be another limit
    addr = point.addr - len(table.get("before", ()))
    factor_w = rating.value * Fraction(10) ** point.scale / 100
    one.tables["write"].append(
        {
            "name": "power_limit", "addr": addr, "fc": 16, "type": "u16", **table,
            "scale": int(factor_w) if factor_w.denominator == 1 else float(factor_w), "unit": "W",
            "min": 0, "max": int(rating.value), "safe": 0,
            "min_interval_ms": LIMIT_MS[0], "max_interval_ms": LIMIT_MS[1],
            "verify": {"addr": addr, "fc": 3, "delay_ms": 1_000, "tol": 0},
        }
    )  # fmt: skip


def _rating_w(one: "Draft", sources: tuple[Source, ...]) -> int:
    point = one.pick(sources)
    return int(point.value) if point is not None and isinstance(point.value, Fraction) else 0


def _command(
    one: "Draft", name: str, number: int, point_name: str, wanted: str | int, unless: str, until: str
) -> dict[str, Any] | None:
    point = one.points.get(number, {}).get(point_name)
    if point is None:
        return None
    one.rest_on(point)
    value = next((v for v, symbol in point.symbols if symbol == wanted), wanted)
    return {"name": name, "writes": [[point.addr, value]], "fc": 16, "unless": unless, "until": until}


def _heartbeat(one: "Draft", number: int, name: str) -> None:
    point = one.points.get(number, {}).get(name)
    if point is None or point.value is None:
        without = "" if one.tables.get("watchdog") else "; without it and without a timer there is no RUN"
        one.notes.append(f"no heartbeat: {number}.{name} is not implemented{without}")
        return
    one.rest_on(point)
    kind = {1: "u16", 2: "u32"}[point.size]
    one.tables["heartbeat"] = {"addr": point.addr, "fc": 16, "type": kind, "period_ms": 1_000}


def _decimal(exponent: int) -> int | float:
    return 10**exponent if exponent >= 0 else float(Fraction(10) ** exponent)
