"""ERCOT, dashboard fuel-mix.json: MW by fuel every five minutes, yesterday and today, stamps with their offset.

Two forms: until 2024 each fuel carries its seasonalCapacity, since 2025 monthlyCapacity stands on top. A stamp is the
moment of a snapshot, near the end of its five minutes; one interval may be split over two stamps a few seconds apart,
and days may come out of order. Storage shows discharging only, never charging.
"""

from typing import Any

from edge.plan.signals.read.body import kw_of, read_json, stamp_ms, table_of
from edge.plan.signals.read.mix import MixTable
from edge.plan.signals.read.source import Ask, Reply, Request, Source
from edge.plan.signals.samples import MixSample

NAME = "ercot"
WHERE = "ERCOT fuel-mix"
INTERVAL_MS = 300_000
FUELS = {
    "coal and lignite": "coal", "hydro": "hydro", "natural gas": "gas", "nuclear": "nuclear", "other": "unknown",
    "power storage": "storage", "solar": "solar", "wind": "wind",
}  # fmt: skip


def request(ask: Ask) -> Request:
    return Request(ask.base_url, "/api/1/services/read/dashboards/fuel-mix.json")


def parse(reply: Reply) -> tuple[MixSample, ...]:
    """Raises DataFault."""
    top = table_of(read_json(reply.body, WHERE), WHERE)
    schema = "ercot-fuel-mix-2025" if "monthlyCapacity" in top else "ercot-fuel-mix-2024"
    stamps: list[tuple[int, dict[str, Any]]] = []
    for day in table_of(top.get("data"), f"{WHERE} data").values():
        for text, fuels in table_of(day, f"{WHERE} day").items():
            stamps.append((stamp_ms(text, f"{WHERE} stamp"), table_of(fuels, f"{WHERE} {text[:32]}")))
    table = MixTable(NAME, schema, INTERVAL_MS // 1000, FUELS)
    for taken_ms, fuels in sorted(stamps, key=lambda pair: pair[0]):
        mark_ms = (taken_ms + INTERVAL_MS // 2) // INTERVAL_MS * INTERVAL_MS
        for name, values in fuels.items():
            where = f"{WHERE} {name[:32]}"
            table.add(mark_ms - INTERVAL_MS, name, kw_of(table_of(values, where).get("gen"), where))
    return table.samples(reply, updated_wall_ms=stamp_ms(top.get("lastUpdated"), f"{WHERE} lastUpdated"))


SOURCE = Source(
    name=NAME,
    title="ERCOT dashboards",
    kind="average_generation",
    base_url="https://www.ercot.com",
    region="US-TEX-ERCO",
    factors="egrid2023-ercot",
    interval_s=300,
    key="",
    licence="ERCOT terms, as is; redistribution not granted in writing",
    doubt="undocumented and moves; not served outside the United States; asking often gets an address blocked",
    request=request,
    parse=parse,
)
