"""Messages made by the gateway's codec for whoever decodes them elsewhere: deploy/cloud/decoders/golden.json.

`python -m tests.cloud.golden_batches` writes the file anew; a test fails when it is not what the codec makes now.
Whole numbers of the rows are texts there, for JSON in JavaScript would round the large ones.
"""

import json
import random
from pathlib import Path
from typing import Any

from edge.cloud.codec import SEQ_MAX, Batch, encode_batch, schema_id, schema_json
from edge.model import SAMPLE_FIELDS, Sample

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "cloud" / "decoders"
FILE = FOLDER / "golden.json"
WALL_MS = 1_780_000_000_000
WIDTH = len(SAMPLE_FIELDS)
ROW_MAX = 2**63 - 1


def day(count: int) -> tuple[Sample, ...]:
    """Seconds of a site as it is: noise on meters, steps of a mode, a meter that is lost for a while."""
    draw = random.Random(7)
    rows = []
    for second in range(count):
        values: list[int | None] = [draw.randrange(39_000, 41_000) if index < 5 else index for index in range(WIDTH)]
        values[5] = 5_500 + second // 30
        values[0] = None if second % 40 in (3, 4, 5) else values[0]
        values[3] = -draw.randrange(30_000)
        rows.append(Sample(1_000 * second + draw.randrange(3), WALL_MS + 1_000 * second, tuple(values)))
    return tuple(rows)


def _extremes() -> tuple[Sample, ...]:
    wide = [
        0,
        ROW_MAX,
        -ROW_MAX - 1,
        ROW_MAX,
        -1,
        2**53 + 1,
        127,
        128,
        -32,
        -33,
        255,
        256,
        65_535,
        65_536,
        2**31,
        2**32,
    ]
    return tuple(Sample(index, WALL_MS - index, (wide[index], -wide[index] if wide[index] > -ROW_MAX else 0, None) +
                        (0,) * (WIDTH - 3)) for index in range(len(wide)))  # fmt: skip


def batches() -> dict[str, Batch]:
    """By the sentence that says what they are."""
    schema = schema_id(schema_json())
    empty = (Sample(0, 0, (None,) * WIDTH),)
    return {
        "one sample, not deflated": Batch(schema, 1, 1, day(1)),
        "one sample that knows nothing": Batch(schema, SEQ_MAX, SEQ_MAX - 1, empty),
        "three samples": Batch(schema, 2**62 + 1, 4_000_000_000, day(3), unsynced=True),
        "a hundred samples of an outage, deflated": Batch(schema, 2**53 + 1, 86_400, day(100), True),
        "the widest numbers": Batch(schema, 7, 7, _extremes()),
    }


def golden() -> list[dict[str, Any]]:
    """What the file holds."""
    schema = schema_json()
    names = [field["name"] for field in json.loads(schema)["fields"]]
    found = []
    for name, batch in batches().items():
        rows = []
        for index, one in enumerate(batch.samples):
            head: dict[str, Any] = {"epoch": batch.epoch, "seq": batch.seq0 + index}
            head |= {"historical": batch.historical, "unsynced": batch.unsynced}
            row = head | {"wall_ms": one.wall_ms, "mono_ms": one.mono_ms} | dict(zip(names, one.values, strict=True))
            rows.append({key: str(value) if type(value) is int else value for key, value in row.items()})
        found.append({"name": name, "schema": schema.decode(), "payload": encode_batch(batch).hex(), "rows": rows})
    return found


def golden_text() -> str:
    return json.dumps(golden(), separators=(",", ":"), sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(golden_text())
