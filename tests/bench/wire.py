"""Bytes on the wire of one 60-metric sample: ours in batches of 100, JSON, and the least that Sparkplug B allows, same data.

50 quantities with noise (a third of them powers that jump, the rest voltages, currents and temperatures that drift), 6
counters, 4 contacts. Counted is the payload; topic and MQTT header are alike for all, and in a batch a hundredth of it.
"""

import json
import random

from edge.cloud.codec import Batch, encode_batch
from edge.model import Sample

METRICS_COUNT, BATCH_COUNT, BATCHES_COUNT = 60, 100, 10
BYTES_MAX = 60.0
WALL_MS = 1_780_000_000_000
NOISE = (40,) * 16 + (4,) * 34  # standard deviation of a second, in hundredths of the unit shown
_TIMESTAMP_BYTES, _FLOAT_BYTES, _BOOL_BYTES = 1 + 6, 1 + 4, 1 + 1  # Sparkplug: key and value of a field


def samples(count: int, seed: int = 1) -> list[Sample]:
    """Seconds of a site. Columns 0..49 in hundredths of their unit, 50..55 counts, 56..59 contacts."""
    draw = random.Random(seed)
    levels = [draw.randrange(-30_000, 60_000) for _ in NOISE]
    counters = [draw.randrange(10**5, 10**7) for _ in range(6)]
    contacts = [0, 1, 1, 0]
    found = []
    for second in range(count):
        levels = [level + round(draw.gauss(0, noise / 10)) for level, noise in zip(levels, NOISE, strict=True)]
        shown = [level + round(draw.gauss(0, noise)) for level, noise in zip(levels, NOISE, strict=True)]
        counters = [counter + draw.randrange(3) for counter in counters]
        contacts = [contact ^ (draw.random() < 0.001) for contact in contacts]
        wall_ms = WALL_MS + 1_000 * second + draw.randrange(3)
        found.append(Sample(1_000 * second, wall_ms, (*shown, *counters, *contacts)))
    return found


def ours_bytes(rows: list[Sample]) -> float:
    """Per sample, deflated batches of 100."""
    sizes = []
    for first in range(0, len(rows), BATCH_COUNT):
        batch = Batch("0123456789abcdef", 1 << 62, 1 + first, tuple(rows[first : first + BATCH_COUNT]))
        sizes.append(len(encode_batch(batch)))
    return sum(sizes) / len(rows)


def json_bytes(rows: list[Sample]) -> float:
    """Per sample: one object with names of a usual length, two decimals, no spaces."""
    names = [f"m{index // 10}_power_l{index % 10}_w" for index in range(METRICS_COUNT)]
    return sum(len(json.dumps(_named(names, row), separators=(",", ":"))) for row in rows) / len(rows)


def _named(names: list[str], row: Sample) -> dict[str, float | int | bool]:
    values = [value or 0 for value in row.values]
    shown = [*(value / 100 for value in values[:50]), *values[50:56], *(bool(value) for value in values[56:])]
    return {"t": row.wall_ms} | dict(zip(names, shown, strict=True))


def sparkplug_bytes(rows: list[Sample]) -> float:
    """Per sample: DDATA with every metric by alias, each with its own timestamp (readers want it), 32-bit floats.

    Sparkplug B 3.0 has one sample in a payload and its metrics one by one: protobuf's size follows from its rules alone.
    """
    return sum(map(_ddata_bytes, rows)) / len(rows)


def _ddata_bytes(row: Sample) -> int:
    size = _TIMESTAMP_BYTES + 2  # of the payload: timestamp, and seq of one byte or two
    for index, value in enumerate(row.values):
        number = _FLOAT_BYTES if index < 50 else 1 + _varint_bytes(value or 0) if index < 56 else _BOOL_BYTES
        metric = 1 + _varint_bytes(index) + _TIMESTAMP_BYTES + number
        size += 1 + _varint_bytes(metric) + metric
    return size


def _varint_bytes(value: int) -> int:
    return max(1, (value.bit_length() + 6) // 7)


def rows() -> list[tuple[str, float, float, str]]:
    """For `make bench`: (what, measured, at most, unit)."""
    data = samples(BATCH_COUNT * BATCHES_COUNT)
    ours, text, plug = ours_bytes(data), json_bytes(data), sparkplug_bytes(data)
    return [
        ("wire, 60 metrics in batches of 100", ours, BYTES_MAX, "bytes a sample"),
        (f"the same data as JSON, 2 decimals: {text:.0f}; ours", ours / text, BYTES_MAX / 1_333, "x"),
        (f"as Sparkplug DDATA, the least it allows: {plug:.0f}; ours", ours / plug, BYTES_MAX / 936, "x"),
    ]
