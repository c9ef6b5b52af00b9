"""Batches for tests: the first value of each sample is its number."""

from edge.cloud.codec import Batch, encode_batch, schema_id, schema_json
from edge.fleet.books.book import Series, Taken
from edge.fleet.taking.columns import decode_columns
from edge.model import SAMPLE_FIELDS, Sample

SCHEMA = schema_json()
SCHEMA_ID = schema_id(SCHEMA)
FIRST_WALL_MS = 1_760_000_000_000


def payload(
    seq0: int, count: int, *, epoch: int = 7, late_ms: int = 0, marks: tuple[bool, bool, bool] = (False, False, False)
) -> bytes:
    """A tm or bf message; `late_ms` shifts its times, `marks` are historical, unsynced, restamped."""
    rest: tuple[int | None, ...] = (None, *([-7] * (len(SAMPLE_FIELDS) - 2)))
    samples = tuple(
        Sample(seq * 1_000, FIRST_WALL_MS + seq * 1_000 + late_ms, (seq, *rest)) for seq in range(seq0, seq0 + count)
    )
    return encode_batch(Batch(SCHEMA_ID, epoch, seq0, samples, *marks))


def series(gateway: str = "gw-1", *, tenant: str = "acme", epoch: int = 7) -> Series:
    return Series(tenant, gateway, "site", epoch)


def batch(
    seq0: int,
    count: int,
    whose: Series | None = None,
    *,
    late_ms: int = 0,
    unsynced: bool = False,
    restamped: bool = False,
) -> Taken:
    whose = whose or series()
    marks = (False, unsynced, restamped)
    return whose, decode_columns(payload(seq0, count, epoch=whose.epoch, late_ms=late_ms, marks=marks))
