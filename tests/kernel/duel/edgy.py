"""States one cycle before something happens: every timer, age and count at its edge at once.

A run hardly ever meets two edges in one cycle; here each step begins from such a state, with some disturbances besides.
"""

from random import Random
from typing import Any

from tests.kernel.oracle import bridge as b
from tests.kernel.oracle import records as r
from tests.kernel.oracle import words as w
from tests.kernel.oracle.causes import HOUR_MS, Table
from tests.kernel.oracle.site_rows import DOOR_WARNS
from tests.kernel.oracle.unit_rows import UNIT


def around(rng: Random, *limits: int) -> int:
    return rng.choice(limits) + rng.choice((-1, 0, 0, 1))


def some_bits(rng: Random, count: int) -> int:
    """Few bits, many, or none."""
    few = rng.getrandbits(count) & rng.getrandbits(count) & rng.getrandbits(count)
    return rng.choice((0, few, few, 1 << rng.randrange(count), rng.getrandbits(count)))


def timers(rng: Random, table: Table, dt: int) -> list[int]:
    return [
        max(around(rng, row.on_ms, row.off_ms) - dt, -1) if rng.random() < 0.5 else rng.choice((0, 0, -5, w.INT32_MAX))
        for row in table.rows
    ]


def site_edges(rng: Random, c: Any, dt: int) -> dict[str, Any]:
    return {
        "started": rng.choice((1, 1, 1, 0)), "commands": rng.choice((0, 0, 8, w.U32)),
        "active": some_bits(rng, len(w.SITE_CAUSES)), "latched": rng.choice((0, 0, some_bits(rng, len(w.SITE_CAUSES)))),
        "timer_ms": timers(rng, DOOR_WARNS, dt),
        "overrun_recent_ms": [around(rng, HOUR_MS - dt, HOUR_MS, 0) for _ in range(2)],
        "clear_ms": around(rng, c.reset_hold_ms - dt, c.reset_hold_ms, 0), "held": rng.choice((0, 1, 2)),
        "grid_good_ms": around(rng, c.grid_return_ms - dt, c.grid_return_ms, 0), "mode": rng.randrange(13),
        "first_out": rng.choice((-2, -1, -1, 0, 31, 32, 51, 52)), "sharing": rng.getrandbits(32),
        "first_out_unit": rng.choice((-2, -1, 0, c.unit_count - 1, c.unit_count, 8)), "cycle_count": rng.choice((7, w.U32)),
        "first_out_mono_ms": rng.choice((0, 77)), "pv_limit_w": around(rng, 0, c.pv_rated_w, c.pv_rated_w // 2),
    }  # fmt: skip


def unit_edges(rng: Random, c: Any, u: Any, dt: int) -> dict[str, Any]:
    rating = max(u.power_charge_max_w, u.power_discharge_max_w)
    limits = (0, rating * 1000, w.LIMIT * 1000, rng.randint(0, rating * 1000), w.INT64_MIN + 1)
    steps = (c.connect_max_ms, c.start_max_ms, c.stop_max_ms)
    return {
        "active": some_bits(rng, len(w.UNIT_CAUSES)), "latched": rng.choice((0, 0, some_bits(rng, len(w.UNIT_CAUSES)))),
        "charge_limit_mw": around(rng, *limits), "discharge_limit_mw": around(rng, *limits),
        "timer_ms": timers(rng, UNIT, dt), "tries": rng.choice((-2, 0, 1, 2, 98, 99, 100, 101)),
        "recent_ms": [around(rng, HOUR_MS - dt, HOUR_MS, 0) for _ in range(2 * w.HOURLY)],
        "clear_ms": around(rng, c.reset_hold_ms - dt, c.reset_hold_ms, 0),
        "fresh_ms": around(rng, c.boot_settle_ms - dt, c.boot_settle_ms), "mode": rng.choice((5, 5, 5, *range(13))),
        "mode_ms": around(rng, *steps, *(ms - dt for ms in steps)), "cooldown_ms": around(rng, 0, dt, c.cooldown_ms),
        "setpoint_w": rng.choice((0, rng.randint(-rating, rating), rating, -rating, w.INT32_MIN)),
        "heartbeat": rng.choice((0, 5, w.UNKNOWN)), "heartbeat_ms": around(rng, u.heartbeat_max_ms - dt, u.heartbeat_max_ms),
        "temp_then_dc": rng.choice((0, 250, u.temp_charge_max_dc)), "temp_then_ms": around(rng, 60_000 - dt, 60_000, 0, -1),
        "seen": rng.choice((0, 1, 2, 3, 7)),
    }  # fmt: skip


def put(layout: b.Layout, state: bytearray, at: int, values: dict[str, Any]) -> None:
    row = list(layout.unpack_from(state, at))
    for name, start, stop in layout.fields:
        if name in values:
            value = values[name]
            row[start : start + 1 if stop < 0 else stop] = [value] if stop < 0 else value
    layout.pack_into(state, at, *row)


def edgy_state(rng: Random, c: Any, raw: bytes, mono_ms: int) -> bytes:
    """A whole state of the site and of the units that there are; the last cycle was at `mono_ms`."""
    state, dt = bytearray(raw), rng.choice((c.cycle_ms, c.cycle_ms, 2 * c.cycle_ms))
    put(b.STATE, state, 0, site_edges(rng, c, dt) | {"mono_ms": mono_ms})
    for n in range(c.unit_count):
        put(b.UNIT_STATE, state, b.UNIT_STATES_AT + n * b.UNIT_STATE.size, unit_edges(rng, c, c.unit[n], dt))
    return bytes(state)


def as_shown(rng: Random, state: r.State) -> list[r.UnitOutput]:
    """What the devices follow when there was no last output: any order, the state's setpoints."""
    units = [r.UnitOutput(*[0] * 12)._replace(order=rng.randrange(6), mode=s.mode) for s in state.unit]
    return [unit._replace(setpoint_w=s.setpoint_w) for unit, s in zip(units, state.unit, strict=True)]
