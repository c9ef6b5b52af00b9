"""NYISO, rtfuelmix.csv: MW by fuel every five minutes of one day, stamped at the end, with EST or EDT beside it.

"Dual Fuel" are units that burn gas or oil and do not say which: they count as gas, and the sample says so.
"""

import re
from datetime import UTC, datetime, timedelta

from edge.plan.signals.read.body import csv_rows, kw_of, offset, refuse, wall_ms_of
from edge.plan.signals.read.mix import MixTable
from edge.plan.signals.read.source import Ask, Reply, Request, Source
from edge.plan.signals.samples import MixSample

NAME = "nyiso"
WHERE = "NYISO rtfuelmix"
INTERVAL_MS = 300_000
ZONES = {"EST": offset(-5), "EDT": offset(-4)}
_STAMP = re.compile(r"(\d{2})/(\d{2})/(\d{4}) (\d{2}):(\d{2}):(\d{2})", re.ASCII)
FUELS = {
    "dual fuel": "gas", "natural gas": "gas", "nuclear": "nuclear", "other fossil fuels": "oil",
    "other renewables": "biomass", "wind": "wind", "hydro": "hydro", "energy storage": "storage",
}  # fmt: skip
NOTES = {"dual fuel": "units that burn gas or oil are counted as gas"}


def request(ask: Ask) -> Request:
    """The file of the day in New York; in the first minutes of a day that of the day before, which is still whole."""
    day = datetime.fromtimestamp(ask.wall_ms // 1000, UTC) - timedelta(hours=5, minutes=15)
    return Request(ask.base_url, f"/public/csv/rtfuelmix/{day:%Y%m%d}rtfuelmix.csv")


def parse(reply: Reply) -> tuple[MixSample, ...]:
    """Raises DataFault."""
    table = MixTable(NAME, "nyiso-rtfuelmix", INTERVAL_MS // 1000, FUELS)
    for row in csv_rows(reply.body, WHERE, ("time stamp", "time zone", "fuel category", "gen mw")):
        end_ms = _end_ms(row["time stamp"].strip(), row["time zone"].strip())
        table.add(end_ms - INTERVAL_MS, row["fuel category"], kw_of(row["gen mw"], f"{WHERE} Gen MW"))
    return table.samples(reply, notes=NOTES)


def _end_ms(text: str, zone: str) -> int:
    match = _STAMP.fullmatch(text)
    if match is None or zone not in ZONES:
        refuse(f"{WHERE} Time Stamp", f"{text} {zone}", "MM/DD/YYYY hh:mm:ss and EST or EDT")
    month, day, year, hour, minute, second = (int(part) for part in match.groups())
    try:
        return wall_ms_of(datetime(year, month, day, hour, minute, second, tzinfo=ZONES[zone]), WHERE)
    except ValueError:
        refuse(f"{WHERE} Time Stamp", text, "a time that exists")


SOURCE = Source(
    name=NAME,
    title="NYISO real-time fuel mix",
    kind="average_generation",
    base_url="http://mis.nyiso.com",
    region="US-NY-NYIS",
    factors="eia-us-2023",
    interval_s=300,
    key="",
    licence="NYISO terms, public site",
    doubt="plain http as documented: whoever sits between can change it; Dual Fuel hides the oil",
    request=request,
    parse=parse,
)
