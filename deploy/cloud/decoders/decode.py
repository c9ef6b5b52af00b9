#!/usr/bin/env python3
"""Decodes a `tm` or `bf` message of a Tidewatt Edge gateway: one line of JSON per sample. Needs `pip install msgpack`.

    python decode.py SCHEMA.json < PAYLOAD        as a module: for row in decode(payload, schema): ...

SCHEMA.json is the retained message of `tw1/<tenant>/<gateway>/sch/<id>`. Values are the gateway's integers; the schema says
their unit. Layout: deploy/handbook/wire.md.
"""

import hashlib
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack


def sums(deltas: list[int | None]) -> list[int | None]:
    """A column: each value is a step from the last one that was known, in 64 bit; None is not known."""
    before, values = 0, list[int | None]()
    for delta in deltas:
        if delta is not None:
            before = (before + delta + 2**63) % 2**64 - 2**63
        values.append(None if delta is None else before)
    return values


def decode(payload: bytes, schema: bytes) -> Iterator[dict[str, Any]]:
    """The samples of one message: seq, wall_ms, mono_ms and one entry per field. Raises ValueError."""
    if payload[:1] == b"\x78":  # no message of ours begins like a zlib stream
        payload = zlib.decompress(payload)
    version, schema_id, epoch, seq0, flags, walls, monos, columns = msgpack.unpackb(payload)
    if version != 1 or flags > 7 or hashlib.sha256(schema).hexdigest()[:16] != schema_id:
        raise ValueError(f"version {version}, flags {flags}, schema {schema_id}: not known here, or another schema")
    names = [field["name"] for field in json.loads(schema)["fields"]]
    wall_ms, mono_ms, values = sums(walls), sums(monos), [sums(column) for column in columns]
    for index in range(len(walls)):
        head = {"epoch": epoch, "seq": seq0 + index, "historical": bool(flags & 1), "unsynced": bool(flags & 2)}
        times = {"wall_ms": wall_ms[index], "mono_ms": mono_ms[index]}
        yield head | times | {name: column[index] for name, column in zip(names, values, strict=True)}


if __name__ == "__main__":
    known = Path(sys.argv[1]).read_bytes()
    for row in decode(sys.stdin.buffer.read(), known):
        print(json.dumps(row))
