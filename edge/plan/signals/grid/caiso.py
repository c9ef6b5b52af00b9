"""CAISO outlook, fuelsource.csv: MW by fuel every five minutes of one day.

Times are HH:MM on the wall in California, without a date: the day is that of the answer's arrival there, or the day
before while yesterday's file still stands. The last row may be 00:00 of the next day. In spring an hour is blank, in
autumn one comes twice. Batteries below zero charge; imports are not generation and stay out of the mix's average.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.errors import DataFault
from edge.plan.signals.read.body import csv_rows, kw_of, refuse, wall_ms_of
from edge.plan.signals.read.mix import MixTable
from edge.plan.signals.read.source import Ask, Reply, Request, Source
from edge.plan.signals.samples import MixSample

NAME = "caiso"
WHERE = "CAISO fuelsource"
ZONE = "America/Los_Angeles"
AHEAD_MAX = timedelta(minutes=10)  # a row later than now by more is of yesterday
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
FUELS = {
    "solar": "solar", "wind": "wind", "geothermal": "geothermal", "biomass": "biomass", "biogas": "biomass",
    "small hydro": "hydro", "large hydro": "hydro", "coal": "coal", "nuclear": "nuclear", "natural gas": "gas",
    "batteries": "storage", "imports": "imports", "other": "unknown",
}  # fmt: skip


def request(ask: Ask) -> Request:
    return Request(ask.base_url, "/outlook/current/fuelsource.csv")


def parse(reply: Reply) -> tuple[MixSample, ...]:
    """Raises DataFault."""
    zone = _zone()
    rows = [row for row in csv_rows(reply.body, WHERE, ("time", "natural gas")) if _filled(row)]
    times = [_time(row["time"]) for row in rows]
    now = _at(reply.received_wall_ms, zone)
    table = MixTable(NAME, "caiso-fuelsource", 300, FUELS)
    for row, start in zip(rows, _starts(times, _day_of(times, now), zone), strict=True):
        if start is None:
            continue
        for name, cell in row.items():
            if name != "time":
                table.add(wall_ms_of(start, WHERE), name, kw_of(cell, f"{WHERE} {name[:32]}"))
    return table.samples(reply)


def _zone() -> ZoneInfo:
    try:
        return ZoneInfo(ZONE)
    except ZoneInfoNotFoundError:
        raise DataFault(f"{WHERE}: this machine knows no time zone {ZONE}; install its tzdata package") from None


def _at(wall_ms: int, zone: tzinfo) -> datetime:
    try:
        return datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        refuse(WHERE, str(wall_ms), "a clock of these years")


def _filled(row: dict[str, str]) -> bool:
    return any(cell.strip() for name, cell in row.items() if name != "time")


def _time(text: str) -> time:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        refuse(f"{WHERE} Time", text, "HH:MM")
    return time(int(match[1]), int(match[2]))


def _day_of(times: list[time], now: datetime) -> date:
    """Today, unless the file reaches farther than the clock there does."""
    inner = times[:-1] if len(times) > 1 and times[-1] == time(0) else times
    last = max(inner, default=time(0))
    today = now.date()
    return today if datetime.combine(today, last) <= now.replace(tzinfo=None) + AHEAD_MAX else today - timedelta(days=1)


def _starts(times: list[time], day: date, zone: tzinfo) -> Iterator[datetime | None]:
    """UTC of each row, increasing; None for a time that the wall skipped in spring."""
    before: datetime | None = None
    for index, wall in enumerate(times):
        on = day + timedelta(days=1) if wall == time(0) and 0 < index == len(times) - 1 else day
        local = datetime.combine(on, wall, zone)
        folds = [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
        if folds[0].astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            yield None
            continue
        later = [utc for utc in folds if before is None or utc > before]
        if not later:
            refuse(f"{WHERE} Time", str(wall), f"a time after {times[index - 1]}")
        before = later[0]
        yield before


SOURCE = Source(
    name=NAME,
    title="CAISO outlook",
    kind="average_generation",
    base_url="https://www.caiso.com",
    region="US-CAL-CISO",
    factors="egrid2023-camx",
    interval_s=300,
    key="",
    licence="CAISO terms; redistribution not granted in writing",
    doubt="imports, a third of the consumption at times, are not in the average; no date in the file",
    request=request,
    parse=parse,
)
