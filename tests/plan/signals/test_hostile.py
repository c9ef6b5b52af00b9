"""Whatever bytes a publisher sends: samples in order of time, or one DataFault in printable words."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DataFault
from edge.plan.signals.read.source import reply_of
from edge.plan.signals.samples import FUELS, MixSample
from edge.plan.signals.sources import SOURCES
from tests.plan.signals.kit import FIXTURES, needs_data

HEAD = b"Time,Solar,Wind,Natural Gas\n"
SHAPES: list[Callable[[Any], str]] = [
    json.dumps,
    lambda x: json.dumps({"data": x, "lastUpdated": "2025-10-08 00:10:00-0500", "meta": x, "items": x, "history": x}),
    lambda x: json.dumps({"data": {"d": {"2025-10-08 00:04:56-0500": x}}, "lastUpdated": "2025-10-08 00:10:00-0500"}),
    lambda x: json.dumps({"response": {"data": x}, "Fuel": {"Type": x}, "data": [x], "items": [x]}),
    lambda x: json.dumps({"Fuel": {"Type": [x]}, "response": {"data": [x]}, "meta": {"region": "", "model": x}}),
]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("name", SOURCES)
@given(data=st.data())
def test_any_bytes_give_samples_or_a_data_fault(name: str, data: st.DataObject) -> None:
    shaped = st.builds(lambda shape, x: shape(x).encode(), st.sampled_from(SHAPES), ANY_JSON)
    head = st.builds(lambda tail: HEAD + tail, st.binary(max_size=60))
    xml = st.builds(lambda tail: b"<GL_MarketDocument><TimeSeries>" + tail, st.binary(max_size=60))
    body = data.draw(st.binary(max_size=200) | shaped | head | xml)
    check(name, body)


@needs_data
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("eia", "EIA_US_NW_BPAT-wind.json"), ("pjm", "US_PJM_gen_by_fuel.json"),
        ("miso", "MISO.html"), ("entsoe", "ENTSOE_NO-NO5_production-negatives.xml"),
        ("electricitymaps", "electricitymaps_latest_carbon_intensity.json"),
    ],
)  # fmt: skip
@given(data=st.data())
def test_a_recorded_reply_with_bytes_changed_gives_samples_or_a_fault(
    name: str, file: str, data: st.DataObject
) -> None:
    body = bytearray((FIXTURES / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    check(name, bytes(body))


def check(name: str, body: bytes) -> None:
    try:
        samples = SOURCES[name].parse(reply_of(body, "US-CAR-DUK", 1_780_000_000_000))
    except DataFault as fault:
        assert str(fault).isprintable()
        return
    assert samples and list(samples) == sorted(samples, key=lambda sample: sample.start_wall_ms)
    for sample in samples:
        if isinstance(sample, MixSample):
            assert {fuel for fuel, _ in sample.power_kw} <= set(FUELS)
