"""One entry of the ledger: its canonical bytes, its hash, and how it is kept on the disk. Format: handbook, ledger.md.

An entry is one line of JSON: keys sorted, no spaces, ASCII, whole numbers only. Its hash is the SHA-256 of that line
without the line feed, and stands in the next entry as `previous`. What cannot be written so is refused here.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, get_args

from edge.errors import DataFault

Kind = Literal[
    "opening",  # of the chain, and again whenever the rows before it were lost
    "plan",  # meters, contracts, site: the first entry of every day
    "interval",
    "correction",  # names the entry that it replaces
    "rollover",
    "meter_exchange",
    "calibration_change",
    "clock_correction",
    "factor_revised",  # late, or published anew
    "pool_step",  # the battery's content is not what the interval before left
    "day_root",
    "signature",
    "time_stamp",
]
KINDS: tuple[str, ...] = get_args(Kind)
VERSION = 1
FIRST_PREVIOUS = "0" * 64
KEYS = {"at_ms", "body", "kind", "no", "previous", "site", "v"}
LINE_MAX_BYTES = 1 << 20  # an interval with eight meters has 3 kB; more than this is no entry
NUMBER_MAX = (1 << 63) - 1
LONG_NUMBER = re.compile(rb"[0-9]{19}")  # fewer digits are within 63 bits

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it was read; `line` are its canonical bytes, `digest` their SHA-256 in hex."""

    no: int
    kind: str
    at_ms: int
    site: str
    previous: str
    body: Body
    line: bytes
    digest: str


def canonical(value: object) -> bytes:
    """The one way to write it. Raises DataFault for what has no canonical form: a float, a key that is no text."""
    _check(value)
    return _dump(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, check_circular=False)


def _dump(value: object) -> bytes:
    return _ENCODER.encode(value).encode()


def _check(value: object) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise DataFault(f"ledger: the key {key!r} is no text")
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    elif isinstance(value, int):
        if abs(value) > NUMBER_MAX:
            raise DataFault(f"ledger: {value} is beyond 63 bits")
    elif value is not None and not isinstance(value, str):
        raise DataFault(
            f"ledger: {value!r} has no canonical form: whole numbers, texts, true, false, null, lists, tables"
        )


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=64)
def utc_text(wall_ms: int) -> str:
    """2026-01-31T23:45:00Z; a second that is repeated or skipped in UTC has no name of its own. "" outside 1970..9999."""
    try:
        return datetime.fromtimestamp(wall_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""


def utc_day(wall_ms: int) -> str:
    """The UTC day, 2026-01-31."""
    return utc_text(wall_ms)[:10]


def make_entry(kind: Kind, no: int, at_ms: int, site: str, previous: str, body: Body) -> Entry:
    """The next entry of a chain whose newest line has the hash `previous`."""
    whole = {"at_ms": at_ms, "body": body, "kind": kind, "no": no, "previous": previous, "site": site, "v": VERSION}
    line = canonical(whole)
    return Entry(no, kind, at_ms, site, previous, body, line, sha256(line))


def _float(text: str) -> None:
    raise DataFault(f"the number {text}, which is not whole")


def _once(pairs: list[tuple[str, Any]]) -> Body:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DataFault("a key that stands twice")
    return found


def trusted_line(line: bytes) -> Entry:
    """An entry from a line that `parse_line` has read before, in a tenth of the time."""
    whole = json.loads(line)
    return Entry(whole["no"], whole["kind"], whole["at_ms"], whole["site"], whole["previous"], whole["body"], line, "")


def parse_line(line: bytes) -> Entry:
    """An entry from its line. Raises DataFault, in words, for anything but an entry in canonical form."""
    if len(line) > LINE_MAX_BYTES:
        raise DataFault(f"{len(line)} bytes in one line: no entry is longer than {LINE_MAX_BYTES}")
    try:
        whole = json.loads(line, parse_float=_float, parse_constant=_float, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise DataFault(f"not JSON: {error}") from error
    if not isinstance(whole, dict) or set(whole) != KEYS:
        raise DataFault(f"not an entry: it must have exactly the keys {', '.join(sorted(KEYS))}")
    kinds = {"at_ms": int, "body": dict, "kind": str, "no": int, "previous": str, "site": str, "v": int}
    for key, kind in kinds.items():
        if type(whole[key]) is not kind:
            raise DataFault(f"{key} = {whole[key]!r}: must be {kind.__name__}")
    if whole["v"] != VERSION:
        raise DataFault(f"v = {whole['v']}: this program knows version {VERSION}")
    if whole["kind"] not in KINDS:
        raise DataFault(f"kind = {whole['kind']!r}: must be one of {', '.join(KINDS)}")
    if LONG_NUMBER.search(line):
        _check(whole)
    if _dump(whole) != line:
        raise DataFault("not in canonical form (keys sorted, no spaces, ASCII)")
    return Entry(
        whole["no"], whole["kind"], whole["at_ms"], whole["site"], whole["previous"], whole["body"], line, sha256(line)
    )


# ---- the root of a day: a Merkle tree as in RFC 6962 §2.1, leaves and nodes hashed apart, none doubled


def leaf_of(line: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + line).digest()


def merkle_root(leaves: Sequence[bytes]) -> str:
    """Root in hex over the leaves; of none it is the SHA-256 of nothing."""
    level = list(leaves)
    if not level:
        return sha256(b"")
    while len(level) > 1:  # a node without a sister goes up as it is: the same tree as splitting at a power of two
        pairs = [hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0].hex()


# ---- as it is kept: deflated with a dictionary of what every entry says again. Append to PRESETS, never change one.

PRESETS: tuple[bytes, ...] = (
    b'"pool_step""rollover""meter_exchange""calibration_change""clock_correction""factor_revised""correction""opening"'
    b'{"at_ms":1,"body":{"count":98,"day":"2026-01-01","first_no":1,"last_no":98,"root":"'
    b'"residual","quality":"estimated","reason":"substituted","reason":"register_difference'
    b'{"at_ms":1700000000000,"body":{"clock":{"offset_ms":0,"source":"ntp","synced":true},"facility_mj":0,"factor":{"id":"'
    b'","kind":"average_generation","mg_per_kwh":400000,"payload_sha256":"","published_ms":1700000000000,"quality":"measured",'
    b'"source":"ercot","version":"1"},"flows":[{"from":"grid","mj":0,"to":"load","ug":0},{"from":"grid","mj":0,"to":"battery",'
    b'"ug":0},{"from":"grid","mj":0,"to":"export","ug":0},{"from":"pv","mj":0,"to":"load","ug":0},{"from":"pv","mj":0,"to":'
    b'"battery","ug":0},{"from":"pv","mj":0,"to":"export","ug":0},{"from":"battery","mj":0,"to":"load","ug":0},{"from":'
    b'"battery","mj":0,"to":"losses","ug":0},{"from":"battery","mj":0,"to":"export","ug":0}],"gap":null,"it_mj":0,'
    b'"location_ug":0,"market":{"parts":[{"mg_per_kwh":0,"mj":0,"name":"grid","ug":0}],"ug":0},"method":"","missing_ms":0,'
    b'"pool":{"close_ug":0,"close_uj":0,"loss_ug":0,"open_ug":0,"open_uj":0,"true_up_uj":0},"quality":"measured","registers":[{"delta_wh":0,'
    b'"meter":"poc","quality":"measured","reason":"","register":"meter.energy_import","start_wh":0,"stop_wh":0},{"delta_wh":0,'
    b'"meter":"poc","quality":"measured","reason":"","register":"meter.energy_export","start_wh":0,"stop_wh":0},{"delta_wh":0,'
    b'"meter":"pcs1","quality":"measured","reason":"","register":"pcs.energy_charge","start_wh":0,"stop_wh":0},{"delta_wh":0,'
    b'"meter":"pcs1","quality":"measured","reason":"","register":"pcs.energy_discharge","start_wh":0,"stop_wh":0},{"delta_wh":0,'
    b'"meter":"pv1","quality":"measured","reason":"","register":"pv.energy","start_wh":0,"stop_wh":0}],"start_ms":1700000000000,'
    b'"stop_ms":1700000000000},"kind":"interval","no":1,"previous":"","site":"gw-0001","v":1}',
)


def deflate(entry: Entry) -> bytes:
    """What is kept of an entry: the number of the dictionary, then the deflated line."""
    number = len(PRESETS) - 1
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, PRESETS[number])
    return bytes([number]) + packer.compress(entry.line) + packer.flush()


def inflate(kept: bytes) -> bytes:
    """The line of a kept entry. Raises DataFault when it is none."""
    if not kept or kept[0] >= len(PRESETS):
        raise DataFault("a row of the ledger that this program did not write")
    unpacker = zlib.decompressobj(-15, PRESETS[kept[0]])
    try:
        line = unpacker.decompress(kept[1:], LINE_MAX_BYTES)
    except zlib.error as error:
        raise DataFault(f"a damaged row of the ledger: {error}") from error
    if not unpacker.eof:
        raise DataFault("a row of the ledger that does not end")
    return line
