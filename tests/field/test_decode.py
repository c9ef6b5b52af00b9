"""The decoder's shortcuts against its own sentence: canonical = sign * raw * factor + offset, or nothing."""

import struct
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from edge.field.decode import BlockDecoder
from edge.field.profile import Block, Point

CODES = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q"}
FACTORS = [Fraction(1), Fraction(10), Fraction(100), Fraction(1, 10), Fraction(5, 2), Fraction(1000, 3)]


def expected(point: Point, raw: int) -> int | None:
    """Straight from the rule, in fractions."""
    if raw in point.sentinels:
        return None
    exact = point.sign * raw * point.factor
    rounded = int(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)  # halves away from zero
    value = rounded + point.offset
    outside = (point.min is not None and value < point.min) or (point.max is not None and value > point.max)
    return None if outside else value


@st.composite
def points(draw: st.DrawFn) -> tuple[Point, int]:
    kind = draw(st.sampled_from(sorted(CODES)))
    bits = 8 * struct.calcsize(">" + CODES[kind])
    low, high = (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    near = st.sampled_from([low, low + 1, high - 1, high]) | st.integers(-50, 50).filter(lambda n: low <= n <= high)
    raws = near | st.integers(low, high)
    sentinels = tuple(draw(st.lists(raws, max_size=3)))
    limits = st.none() | st.integers(-300, 300) | st.integers(-(2**70), 2**70)
    order = draw(st.sampled_from(["big", "little"]))
    point = Point("p", "meter.power", 100, kind, order, draw(st.sampled_from(FACTORS)),
                  draw(st.sampled_from([0, -400, 25])), draw(st.sampled_from([1, -1])), sentinels, draw(limits),
                  draw(limits), ())  # fmt: skip
    return point, draw(raws | st.sampled_from(sentinels or (low,)))


@given(points())
def test_a_count_is_decoded_as_the_rule_says(case: tuple[Point, int]) -> None:
    point, raw = case
    words = struct.pack(">" + CODES[point.type], raw)
    if point.word_order == "little":
        words = b"".join(words[at : at + 2] for at in range(len(words) - 2, -1, -2))
    block = Block("b", 3, 98, 2 + len(words) // 2 + 1, 1000, 3, (point,), (0,))
    reading = BlockDecoder(block, "x").decode(b"\0" * 4 + words + b"\0" * 2, 7)
    assert reading.values == (expected(point, raw),)
    assert reading.complete == (reading.values[0] is not None)
