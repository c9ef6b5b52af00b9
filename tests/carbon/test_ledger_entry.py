"""Entries: one way to write each, nothing else is read, what is kept comes back."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.carbon.ledger.entry import canonical, deflate, inflate, leaf_of, make_entry, merkle_root, parse_line, utc_text
from edge.errors import DataFault

WHOLE = st.integers(-(2**63) + 1, 2**63 - 1)
VALUES: Any = st.recursive(
    st.none() | st.booleans() | WHOLE | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.text(max_size=5), VALUES, max_size=4)


@given(BODIES, st.integers(1, 10**9), WHOLE)
def test_what_is_written_is_read_and_what_is_kept_comes_back(body: dict[str, Any], no: int, at_ms: int) -> None:
    entry = make_entry("plan", no, at_ms, "gw-1", "0" * 64, body)
    assert parse_line(entry.line) == entry
    assert inflate(deflate(entry)) == entry.line
    assert entry.digest == hashlib.sha256(entry.line).hexdigest()
    assert entry.line.isascii() and b"\n" not in entry.line


@given(st.binary(max_size=200))
def test_whatever_else_is_a_fault_in_words(data: bytes) -> None:
    for read in (parse_line, inflate):
        try:
            read(data)
        except DataFault:
            continue
        assert read is inflate  # some bytes happen to be deflated text; none happens to be an entry


def test_a_line_that_is_written_otherwise_is_none() -> None:
    line = make_entry("plan", 1, 2, "gw-1", "0" * 64, {"a": 1}).line
    text = line.decode()
    for other in (
        text.replace(":1", ": 1"), text.replace('"a":1', '"a":1.0'), text.replace('"a":1', '"a":1,"a":1'),
        text.replace('"a":1', '"a":NaN'), text.replace('"v":1', '"v":true'), text.replace('"v":1', '"v":2'),
        text.replace('"plan"', '"plane"'), text.replace('"no":1', '"no":"1"'), json.dumps([1]), text[:-1], "",
    ):  # fmt: skip
        assert other != text
        with pytest.raises(DataFault):
            parse_line(other.encode())


def test_a_float_has_no_canonical_form() -> None:
    for value in (1.5, {1: 2}, {"a": [b"x"]}, 2**64):
        with pytest.raises(DataFault):
            canonical(value)


def test_no_zip_bomb_is_inflated() -> None:
    huge = make_entry("plan", 1, 2, "gw-1", "0" * 64, {"a": "x" * 2_000_000})
    with pytest.raises(DataFault, match="does not end"):
        inflate(deflate(huge))


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_the_root_is_that_of_the_recursive_definition(lines: list[bytes]) -> None:
    def tree(part: list[bytes]) -> bytes:
        if not part:
            return hashlib.sha256(b"").digest()
        if len(part) == 1:
            return hashlib.sha256(b"\x00" + part[0]).digest()
        split = 1
        while split * 2 < len(part):
            split *= 2
        return hashlib.sha256(b"\x01" + tree(part[:split]) + tree(part[split:])).digest()

    assert merkle_root([leaf_of(line) for line in lines]) == tree(lines).hex()


def test_times_are_utc_and_none_outside_the_calendar() -> None:
    assert utc_text(1_767_225_599_999) == "2025-12-31T23:59:59Z"
    assert utc_text(1 << 62) == ""
