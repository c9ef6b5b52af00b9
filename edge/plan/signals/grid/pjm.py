"""PJM Data Miner 2, gen_by_fuel: MW by fuel and hour, stamped at the begin of the hour in UTC."""

from datetime import UTC

from edge.plan.signals.read.body import kw_of, list_of, read_json, stamp_ms, table_of, text_of
from edge.plan.signals.read.mix import MixTable
from edge.plan.signals.read.source import Ask, Reply, Request, Source
from edge.plan.signals.samples import MixSample

NAME = "pjm"
WHERE = "PJM gen_by_fuel"
ROWS_MAX = 300  # a day of eleven fuels
FUELS = {
    "coal": "coal", "gas": "gas", "hydro": "hydro", "multiple fuels": "unknown", "nuclear": "nuclear", "oil": "oil",
    "other": "unknown", "other renewables": "biomass", "solar": "solar", "storage": "storage", "wind": "wind",
}  # fmt: skip


def request(ask: Ask) -> Request:
    query = (
        ("rowCount", str(ROWS_MAX)), ("startRow", "1"), ("sort", "datetime_beginning_utc"), ("order", "Desc"),
        ("fields", "datetime_beginning_utc,fuel_type,mw"),
    )  # fmt: skip
    return Request(ask.base_url, "/api/v1/gen_by_fuel", query, (("Ocp-Apim-Subscription-Key", ask.key),))


def parse(reply: Reply) -> tuple[MixSample, ...]:
    """Raises DataFault."""
    items = list_of(table_of(read_json(reply.body, WHERE), WHERE).get("items"), f"{WHERE} items")
    table = MixTable(NAME, "pjm-gen-by-fuel", 3600, FUELS)
    for item in items:
        item = table_of(item, f"{WHERE} item")
        start_ms = stamp_ms(item.get("datetime_beginning_utc"), f"{WHERE} datetime_beginning_utc", UTC)
        table.add(start_ms, text_of(item.get("fuel_type"), f"{WHERE} fuel_type"), kw_of(item.get("mw"), f"{WHERE} mw"))
    return table.samples(reply)


SOURCE = Source(
    name=NAME,
    title="PJM Data Miner 2",
    kind="average_generation",
    base_url="https://api.pjm.com",
    region="US-MIDA-PJM",
    factors="eia-us-2023",
    interval_s=3600,
    key="a subscription of your own, from apiportal.pjm.com",
    licence="PJM terms: no redistribution",
    doubt="`Multiple Fuels` (gas or oil) counts as unknown; hourly",
    request=request,
    parse=parse,
)
