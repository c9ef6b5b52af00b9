"""The messages in JSON, which any tool can read: events, the request to send a range again and its result, the fleet's caps.

Layouts: deploy/handbook/wire.md. Numbers above 2^53 are texts, for JSON in JavaScript would round them. The parsers take
any bytes and return a value or raise DataFault, nothing else.
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from edge.cloud.codec import SEQ_MAX, VERSION
from edge.errors import DataFault
from edge.model import Event, EventLevel

EVENTS_STREAM = "ev"  # its name in an ack
EVENTS_MAX_COUNT = 100
MESSAGE_MAX_BYTES = 1 << 18
RATE_MAX = 1_000_000_000
COMMAND_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # it is a level of a topic
ReplayOutcome = Literal["accepted", "refused", "done"]


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    """An event as it is kept. `synced`: its wall time is of a synchronised clock, or was put right by one."""

    seq: int
    event: Event
    synced: bool


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in the order of their numbers, which may have holes."""

    epoch: int
    events: tuple[NumberedEvent, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """A request to send first..last of `stream` again; `epoch` 0: of the one in use."""

    command_id: str
    stream: str
    epoch: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What became of it. "done": each batch was taken by the broker or given up; what the database has its acks say."""

    command_id: str
    outcome: ReplayOutcome
    reason: str = ""
    sent_count: int = 0
    gone_count: int = 0  # numbers of the range that the ring does not hold any more


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of the fleet to the backfill of each gateway; None: no limit. They only ever lower what a site allows."""

    batches_per_s: float | None = None
    bytes_per_s: int | None = None


NO_CAPS = Caps()


def encode_events(batch: EventBatch) -> bytes:
    rows = []
    for one in batch.events:
        event = one.event
        row = {"seq": one.seq, "wall_ms": event.wall_ms, "mono_ms": event.mono_ms, "synced": one.synced}
        rows.append(row | {"level": event.level, "name": event.name, "text": event.text})
    return _dump({"version": VERSION, "epoch": str(batch.epoch), "events": rows})


def decode_events(payload: bytes) -> EventBatch:
    """The events of an `ev` message. Raises DataFault for anything else."""
    found = _load(payload)
    rows = found.get("events")
    if found.get("version") != VERSION or not isinstance(rows, list) or not 0 < len(rows) <= EVENTS_MAX_COUNT:
        raise DataFault(f"expected version {VERSION} and 1..{EVENTS_MAX_COUNT} events")
    return EventBatch(_epoch(found.get("epoch")), tuple(_event(row) for row in rows))


def _event(row: object) -> NumberedEvent:
    if not isinstance(row, dict):
        raise DataFault("an event is not an object")
    level, name, text = (_text(row, key) for key in ("level", "name", "text"))
    if level not in get_args(EventLevel):
        raise DataFault(f"level {level!r:.40}: must be one of {', '.join(get_args(EventLevel))}")
    mono_ms, wall_ms = (_whole(row.get(key), -SEQ_MAX, SEQ_MAX, key) for key in ("mono_ms", "wall_ms"))
    event = Event(mono_ms, wall_ms, name, text, cast(EventLevel, level))
    return NumberedEvent(_whole(row.get("seq"), 1, SEQ_MAX, "seq"), event, row.get("synced") is True)


def encode_replay(replay: Replay) -> bytes:
    row: dict[str, object] = {"id": replay.command_id, "stream": replay.stream, "from": replay.first, "to": replay.last}
    return _dump(row | ({"epoch": str(replay.epoch)} if replay.epoch else {}))


def decode_replay(payload: bytes) -> Replay:
    """A `cmd/replay` message. Raises DataFault for anything else."""
    found = _load(payload)
    command_id, stream = _text(found, "id"), _text(found, "stream")
    if not COMMAND_ID.fullmatch(command_id):
        raise DataFault(f"id {command_id!r:.40}: must be 1..64 of A-Z a-z 0-9 . _ -, the first a letter or digit")
    epoch = _epoch(found["epoch"]) if "epoch" in found else 0
    first = _whole(found.get("from"), 1, SEQ_MAX, "from")
    return Replay(command_id, stream, epoch, first, _whole(found.get("to"), first, SEQ_MAX, "to"))


def encode_result(result: ReplayResult) -> bytes:
    row = asdict(result)
    return _dump({"id": row.pop("command_id")} | row)


def decode_result(payload: bytes) -> ReplayResult:
    """A `res/{id}` message of a replay. Raises DataFault for anything else."""
    found = _load(payload)
    outcome = _text(found, "outcome")
    if outcome not in get_args(ReplayOutcome):
        raise DataFault(f"outcome {outcome!r:.40}: must be one of {', '.join(get_args(ReplayOutcome))}")
    sent_count, gone_count = (_whole(found.get(key), 0, SEQ_MAX, key) for key in ("sent_count", "gone_count"))
    known = cast(ReplayOutcome, outcome)
    return ReplayResult(_text(found, "id"), known, _text(found, "reason"), sent_count, gone_count)


def encode_caps(caps: Caps) -> bytes:
    rates = {"backfill_batches_per_s": caps.batches_per_s, "backfill_bytes_per_s": caps.bytes_per_s}
    return _dump({key: value for key, value in rates.items() if value is not None})


def decode_caps(payload: bytes) -> Caps:
    """A `caps` message; an empty one lifts the caps. Raises DataFault for anything else."""
    if not payload:
        return NO_CAPS
    found = _load(payload)
    batches, size = found.get("backfill_batches_per_s"), found.get("backfill_bytes_per_s")
    if batches is not None and (type(batches) not in (int, float) or not 0 <= batches <= RATE_MAX):
        raise DataFault(f"backfill_batches_per_s {batches!r:.40}: must be 0..{RATE_MAX}")
    return Caps(batches, None if size is None else _whole(size, 0, RATE_MAX, "backfill_bytes_per_s"))


def _dump(row: dict[str, Any]) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode()


def _load(payload: bytes) -> dict[str, Any]:
    if len(payload) > MESSAGE_MAX_BYTES:
        raise DataFault(f"{len(payload)} bytes: at most {MESSAGE_MAX_BYTES}")
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise DataFault(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise DataFault("not a JSON object")
    return found


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise DataFault(f"{key} {value!r:.40}: must be a text")
    return value


def _epoch(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,19}", value):
        raise DataFault(f"epoch {value!r:.40}: must be a whole number as a text")
    return _whole(int(value), 1, SEQ_MAX, "epoch")


def _whole(value: object, low: int, high: int, name: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise DataFault(f"{name} {value!r:.40}: must be a whole number {low}..{high}")
    return value
