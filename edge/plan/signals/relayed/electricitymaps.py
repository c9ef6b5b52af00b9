"""Electricity Maps v3, carbon-intensity/latest: gCO2eq/kWh of consumption by hour.

Without a zone that it knows, the API may answer for the place the question comes from: an answer for another zone is
refused. The newest hours are always estimates, and say so.
"""

from edge.plan.signals.base import INTENSITY_MAX_G_PER_KWH
from edge.plan.signals.read.body import grams_to_mg, plain, read_json, refuse, stamp_ms, table_of
from edge.plan.signals.read.source import Ask, Reply, Request, Source
from edge.plan.signals.samples import IntensitySample

NAME = "electricitymaps"
WHERE = "Electricity Maps"
BASES = ("lifecycle", "direct")


def request(ask: Ask) -> Request:
    query = (("zone", ask.region), ("emissionFactorType", ask.basis), ("disableCallerLookup", "true"))
    return Request(ask.base_url, "/v3/carbon-intensity/latest", query, (("auth-token", ask.key),))


def parse(reply: Reply) -> tuple[IntensitySample, ...]:
    """One hour, or a history of them. Raises DataFault."""
    top = table_of(read_json(reply.body, WHERE), WHERE)
    if "status" in top or "error" in top:
        refuse(WHERE, top.get("error", top.get("status")), "data; check the zone and what the key allows")
    rows = top["history"] if isinstance(top.get("history"), list) else [top]
    found = [_sample(table_of(row, f"{WHERE} row"), reply) for row in rows]
    if not found:
        refuse(WHERE, "no rows", "at least one hour")
    return tuple(sorted(found, key=lambda sample: sample.start_wall_ms))


def _sample(row: dict[str, object], reply: Reply) -> IntensitySample:
    if row.get("zone") != reply.region:
        refuse(f"{WHERE} zone", row.get("zone"), f"{reply.region}, that was asked for")
    basis, estimated = row.get("emissionFactorType"), row.get("isEstimated")
    if basis not in BASES:
        refuse(f"{WHERE} emissionFactorType", basis, "one of " + ", ".join(BASES))
    if not isinstance(estimated, bool):
        refuse(f"{WHERE} isEstimated", estimated, "true or false")
    return IntensitySample(
        source=NAME, region=reply.region, start_wall_ms=stamp_ms(row.get("datetime"), f"{WHERE} datetime"),
        interval_s=3600, received_wall_ms=reply.received_wall_ms,
        updated_wall_ms=stamp_ms(row.get("updatedAt"), f"{WHERE} updatedAt"), raw_sha256=reply.sha256,
        schema_id="electricitymaps-v3", quality="estimated_by_source" if estimated else "measured",
        value_mg_per_kwh=grams_to_mg(row.get("carbonIntensity"), WHERE, INTENSITY_MAX_G_PER_KWH),
        kind="average_consumption", method=str(basis), note=plain(row.get("estimationMethod") or ""),
    )  # fmt: skip


SOURCE = Source(
    name=NAME,
    title="Electricity Maps v3",
    kind="average_consumption",
    base_url="https://api.electricitymaps.com",
    region="",
    factors="ipcc-ar5-2014",
    interval_s=3600,
    key="of a contract, per zone and signal",
    licence="free keys are personal and non-commercial; a site needs a contract; values must not be passed on",
    doubt="newest hours are estimates; method and past values change",
    request=request,
    parse=parse,
)
