"""MISO fuel mix: MW by fuel of the newest five minutes. Stamps are Eastern Standard Time all year, in summer too."""

import re
from datetime import datetime

from edge.plan.signals.read.body import (
    kw_of,
    list_of,
    offset,
    read_json,
    refuse,
    stamp_ms,
    table_of,
    text_of,
    wall_ms_of,
)
from edge.plan.signals.read.mix import MixTable
from edge.plan.signals.read.source import Ask, Reply, Request, Source
from edge.plan.signals.samples import MixSample

NAME = "miso"
WHERE = "MISO FuelMix"
EST = offset(-5)
_STAMP = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{2}):(\d{2}) (AM|PM)", re.ASCII)
FUELS = {
    "coal": "coal", "natural gas": "gas", "nuclear": "nuclear", "wind": "wind", "solar": "solar", "hydro": "hydro",
    "other": "unknown", "battery storage": "storage", "storage": "storage", "imports": "imports",
}  # fmt: skip


def request(ask: Ask) -> Request:
    return Request(ask.base_url, "/api/FuelMix")


def parse(reply: Reply) -> tuple[MixSample, ...]:
    """Raises DataFault."""
    top = table_of(read_json(reply.body, WHERE), WHERE)
    rows = list_of(table_of(top.get("Fuel"), f"{WHERE} Fuel").get("Type"), f"{WHERE} Type")
    table = MixTable(NAME, "miso-fuelmix", 300, FUELS)
    for row in rows:
        row = table_of(row, f"{WHERE} Type")
        start_ms = _start_ms(text_of(row.get("INTERVALEST"), f"{WHERE} INTERVALEST"))
        table.add(start_ms, text_of(row.get("CATEGORY"), f"{WHERE} CATEGORY"), kw_of(row.get("ACT"), f"{WHERE} ACT"))
    return table.samples(reply)


def _start_ms(text: str) -> int:
    match = _STAMP.fullmatch(text.strip())
    if match is None:
        return stamp_ms(text, f"{WHERE} INTERVALEST", EST)
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if not 1 <= hour <= 12:
        refuse(f"{WHERE} INTERVALEST", text, "an hour 1..12")
    try:
        stamp = datetime(year, month, day, hour % 12 + 12 * (match[7] == "PM"), minute, second, tzinfo=EST)
    except ValueError:
        refuse(f"{WHERE} INTERVALEST", text, "a time that exists")
    return wall_ms_of(stamp, WHERE)


SOURCE = Source(
    name=NAME,
    title="MISO real-time fuel mix",
    kind="average_generation",
    base_url="https://public-api.misoenergy.org",
    region="US-MIDW-MISO",
    factors="eia-us-2023",
    interval_s=300,
    key="",
    licence="MISO terms, public site",
    doubt="one interval an answer; imports are not in the average",
    request=request,
    parse=parse,
)
