"""EIA-930 through API v2: net generation by fuel and hour of a balancing authority, UTC.

`period` is the END of its hour. Rows are asked for newest first: without sorting, paging is not stable. Nulls are hours
that have not been reported; they are not zero. Fuel codes have been added since 2024.
"""

from datetime import UTC, datetime

from edge.plan.signals.read.body import kw_of, list_of, read_json, refuse, stamp_ms, table_of, text_of
from edge.plan.signals.read.mix import MixTable
from edge.plan.signals.read.source import Ask, Reply, Request, Source
from edge.plan.signals.samples import MixSample

NAME = "eia"
WHERE = "EIA-930"
HOUR_MS = 3_600_000
ROWS_MAX = 5_000  # one page; more rows were cut off
WINDOW_MS = 72 * HOUR_MS  # three days of sixteen fuels are 1152 rows; the fuel types lag by a day
FUELS = {
    "col": "coal", "ng": "gas", "nuc": "nuclear", "oil": "oil", "wat": "hydro", "sun": "solar", "wnd": "wind",
    "wind": "wind", "geo": "geothermal", "oth": "unknown", "unk": "unknown", "bat": "storage", "ps": "storage",
    "oes": "storage", "ues": "storage", "snb": "solar", "wnb": "wind",
}  # fmt: skip


def request(ask: Ask) -> Request:
    """The key goes into a header: a URL is written down in too many places."""
    start = datetime.fromtimestamp((ask.wall_ms - WINDOW_MS) // 1000, UTC).strftime("%Y-%m-%dT%H")
    query = (
        ("data[]", "value"), ("facets[respondent][]", ask.region), ("frequency", "hourly"), ("start", start),
        ("sort[0][column]", "period"), ("sort[0][direction]", "desc"), ("offset", "0"), ("length", str(ROWS_MAX)),
    )  # fmt: skip
    return Request(ask.base_url, "/v2/electricity/rto/fuel-type-data/data/", query, (("X-Api-Key", ask.key),))


def parse(reply: Reply) -> tuple[MixSample, ...]:
    """Raises DataFault."""
    top = table_of(read_json(reply.body, WHERE), WHERE)
    if "error" in top and "response" not in top:
        refuse(WHERE, top["error"], "data; check the key and the region")
    rows = list_of(table_of(top.get("response"), f"{WHERE} response").get("data"), f"{WHERE} data")
    table = MixTable(NAME, "eia-v2-fuel-type", 3600, FUELS)
    ends: list[tuple[int, str, int | None]] = []
    for row in rows:
        row = table_of(row, f"{WHERE} row")
        if row.get("value-units", "megawatthours") != "megawatthours":
            refuse(f"{WHERE} value-units", row["value-units"], "megawatthours")
        period = text_of(row.get("period"), f"{WHERE} period")
        end_ms = stamp_ms(f"{period}:00" if len(period) == 13 else period, f"{WHERE} period", UTC)
        ends.append(
            (end_ms, text_of(row.get("fueltype"), f"{WHERE} fueltype"), kw_of(row.get("value"), f"{WHERE} value"))
        )
    cut_ms = min((end_ms for end_ms, _, _ in ends), default=0) if len(rows) >= ROWS_MAX else None
    for end_ms, fuel, power_kw in ends:
        if end_ms != cut_ms:  # the oldest hour of a full page may go on behind it
            table.add(end_ms - HOUR_MS, fuel, power_kw)
    return table.samples(reply)


SOURCE = Source(
    name=NAME,
    title="EIA-930, US balancing authorities",
    kind="average_generation",
    base_url="https://api.eia.gov",
    region="ERCO",
    factors="eia-us-2023",
    interval_s=3600,
    key="free, from eia.gov/opendata",
    licence="United States government, public domain",
    doubt="an hour to a day late by fuel; generation only; restated for weeks",
    request=request,
    parse=parse,
)
