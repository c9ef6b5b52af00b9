"""The layouts that deploy/handbook/wire.md freezes: its examples, bytes written by hand, and the JSON messages."""

import contextlib
import hashlib
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cloud import notices
from edge.cloud.codec import Ack, Batch, decode_ack, decode_batch, encode_ack, encode_batch, schema_id, schema_json
from edge.cloud.notices import Caps, EventBatch, NumberedEvent, Replay, ReplayResult
from edge.errors import DataFault
from edge.model import SAMPLE_FIELDS, Event, Sample

PAGE = (Path(__file__).resolve().parents[2] / "deploy" / "handbook" / "wire.md").read_text()
BY_HAND = bytes.fromhex(
    "98"  # an array of 8
    "01"  # version
    "b0" + b"0123456789abcdef".hex() + "05"  # schema id, epoch
    "0a"  # seq0
    "03"  # historical and unsynced
    "92cf0000019e70448800cd03e8"  # wall_ms: 1 780 000 000 000, then 1 000 later
    "9264cd03e8"  # mono_ms: 100, 1 100
    "9392cd0bb8ff9207c092c007"  # columns: 3 000 and 2 999; 7 and not known; not known and 7
)
SAMPLES = (Sample(100, 1_780_000_000_000, (3_000, 7, None)), Sample(1_100, 1_780_000_001_000, (2_999, None, 7)))


def examples() -> list[Any]:
    """The JSON of the page's indented blocks, in its order."""
    blocks = re.findall(r"(?:^    .*\n)+", PAGE, re.MULTILINE)
    texts = (re.sub(r" {6,}without.*", "", block).replace(", ...]", "]") for block in blocks)
    return [json.loads(text) for text in texts if text.strip().startswith("{")]


def test_a_batch_is_these_bytes() -> None:
    batch = decode_batch(BY_HAND)
    assert batch == Batch("0123456789abcdef", 5, 10, SAMPLES, historical=True, unsynced=True)
    assert encode_batch(batch) == BY_HAND, "too short to be deflated"
    assert decode_batch(zlib.compress(BY_HAND)) == batch


def test_flags_that_are_not_known_are_refused() -> None:
    for flags in (8, 255):
        with pytest.raises(DataFault):
            decode_batch(msgpack.packb([1, "x", 1, 1, flags, [1], [1], [[1]]]))


def test_an_ack_has_five_parts_or_six() -> None:
    assert encode_ack(Ack("site", 5, 9, ((11, 12),))) == msgpack.packb([1, "site", 5, 9, [[11, 12]]])
    six = msgpack.packb([1, "site", 5, 9, [], [[1, 3]]])
    assert decode_ack(six) == Ack("site", 5, 9, (), ((1, 3),)) and encode_ack(decode_ack(six)) == six


def test_the_schema_says_unit_scale_and_type_of_every_column() -> None:
    found = json.loads(schema_json())
    assert schema_id(schema_json()) == hashlib.sha256(schema_json()).hexdigest()[:16]
    rows = {row["name"]: (row["unit"], row["scale"], row["type"]) for row in found["fields"]}
    assert [row["name"] for row in found["fields"]] == [name for name, _ in SAMPLE_FIELDS]
    assert rows["soc_cpct"] == ("%", -2, "int") and rows["cell_voltage_max_mv"] == ("V", -3, "int")
    assert rows["poc_power_w"] == ("W", 0, "int") and rows["why"] == ("", 0, "bits") and rows["mode"][2] == "enum"


def test_the_examples_of_the_page_are_what_the_program_reads_and_writes() -> None:
    schema, events, replay, result, caps = examples()
    assert schema["fields"] == [row for row in json.loads(schema_json())["fields"] if row["name"] == "soc_cpct"]
    text = "tw1/acme/gw-1/bf/site: Not authorized"
    event = NumberedEvent(7, Event(81_250, 1_780_000_000_000, "cloud.refused", text, "warning"), synced=True)
    assert json.loads(notices.encode_events(EventBatch(4711, (event,)))) == events
    assert json.loads(notices.encode_replay(Replay("r-17", "site", 4711, 100, 900))) == replay
    assert json.loads(notices.encode_result(ReplayResult("r-17", "done", "", 801, 0))) == result
    assert json.loads(notices.encode_caps(Caps(2, 20_000))) == caps


EVENTS = st.builds(
    Event,
    st.integers(0, 2**62),
    st.integers(-(2**62), 2**62),
    st.text(max_size=9),
    st.text(max_size=99),
    st.sampled_from(["info", "warning", "alarm"]),
)
NUMBERED = st.builds(NumberedEvent, st.integers(1, 2**62), EVENTS, st.booleans())
SEQS = st.integers(1, 2**61)  # two of them added are still one
RATES = st.none() | st.integers(0, 10**9)


@given(st.builds(EventBatch, SEQS, st.lists(NUMBERED, min_size=1, max_size=5).map(tuple)))
def test_events_survive_the_round_trip(batch: EventBatch) -> None:
    assert notices.decode_events(notices.encode_events(batch)) == batch


@given(SEQS, st.integers(1, 2**61), st.none() | SEQS, RATES, RATES)
def test_the_other_messages_survive_it_too(first: int, more: int, epoch: int | None, batches: int, size: int) -> None:
    replay = Replay("r-1", "site", epoch or 0, first, first + more)
    assert notices.decode_replay(notices.encode_replay(replay)) == replay
    result = ReplayResult("r-1", "refused", "too late", first, more)
    assert notices.decode_result(notices.encode_result(result)) == result
    assert notices.decode_caps(notices.encode_caps(Caps(batches, size))) == Caps(batches, size)


PARSERS: list[Callable[[bytes], object]] = [
    notices.decode_events, notices.decode_replay, notices.decode_result, notices.decode_caps,
]  # fmt: skip
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
KEYS = st.sampled_from(
    ["version", "epoch", "events", "id", "stream", "from", "to", "outcome", "backfill_bytes_per_s", "seq"]
)
JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=9))


@given(st.binary(max_size=99) | JSON.map(lambda found: json.dumps(found).encode()))
def test_anything_else_is_a_fault(payload: bytes) -> None:
    for parse in PARSERS:
        with contextlib.suppress(DataFault):
            parse(payload)
    with pytest.raises(DataFault):
        notices.decode_events(b"[" * 100_000)


def test_a_command_id_cannot_leave_its_level_of_the_topic() -> None:
    for wrong in ("", "a/b", "#", "+", "x" * 65):
        with pytest.raises(DataFault):
            notices.decode_replay(json.dumps({"id": wrong, "stream": "site", "from": 1, "to": 2}).encode())
