"""States that no run leads to: any bits, and single fields put at their edges."""

import struct
from random import Random
from typing import Any

from tests.kernel.oracle import bridge as b
from tests.kernel.oracle.causes import HOUR_MS
from tests.kernel.oracle.words import INT32_MAX, INT32_MIN, INT64_MIN, U32, U64

RANGES = {"i": (INT32_MIN, INT32_MAX), "I": (0, U32), "q": (INT64_MIN, -INT64_MIN - 1), "Q": (0, U64)}
SMALL = {
    "mode": 13,
    "tries": 3,
    "first_out": 53,
    "first_out_unit": 8,
    "started": 1,
    "held": 2,
    "seen": 4,
    "sharing": 256,
}


def garbage_state(rng: Random, raw: bytes) -> bytes:
    """Any bits everywhere, or a real state with one unit of any bits."""
    if rng.random() < 0.5:
        return rng.randbytes(len(raw))
    at = b.UNIT_STATES_AT
    return raw[:at] + rng.randbytes(b.UNIT_STATE.size) + raw[at + b.UNIT_STATE.size :]


def poke_state(rng: Random, c: Any, raw: bytes) -> bytes:
    """One field of the site's or a unit's state at an edge."""
    state = bytearray(raw)
    unit = rng.random() < 0.7
    layout = b.UNIT_STATE if unit else b.STATE
    at = b.UNIT_STATES_AT + rng.randrange(c.unit_count) * layout.size if unit else 0
    row = list(layout.unpack_from(state, at))
    index = rng.randrange(len(row))
    name, code = layout.names[index], layout.codes[index]
    row[index] = draw_value(rng, c, name, code, row[index])
    layout.struct.pack_into(state, at, *row)
    return bytes(state)


def draw_value(rng: Random, c: Any, name: str, code: str, value: int) -> int:
    low, high = RANGES[code]
    if name in SMALL and rng.random() < 0.8:
        return rng.randint(-1 if low < 0 else 0, SMALL[name])
    if name in ("active", "latched"):
        return value ^ (1 << rng.randrange(8 * struct.calcsize(code)))
    times = (HOUR_MS, 60_000, 10_000, 2_000, 1_000, c.reset_hold_ms, c.connect_max_ms, c.stop_max_ms, c.start_max_ms)
    edge = rng.choice((0, -1, 1, low, high, rng.randint(low, high), *times))
    return min(max(edge + rng.choice((-1, 0, 0, 1, -c.cycle_ms)), low), high)
