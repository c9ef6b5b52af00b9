"""ENTSO-E transparency platform, document A75: actual generation per type of a bidding zone, MW, in XML.

Curve type A03 leaves a position out when its value repeats the one before; A01 lists all. "No matching data" comes as
another document, with status 200. Series of a type that end with `outBiddingZone` are consumption of pumps.
A document type declaration (and with it every entity) is refused before it is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from xml.parsers import expat

from edge.errors import DataFault
from edge.plan.signals.read.body import kw_of, refuse, stamp_ms
from edge.plan.signals.read.mix import MixTable
from edge.plan.signals.read.source import Ask, Reply, Request, Source
from edge.plan.signals.samples import MixSample

NAME = "entsoe"
WHERE = "ENTSO-E A75"
RESOLUTIONS_S = {"PT15M": 900, "PT30M": 1_800, "PT60M": 3_600}
POINTS_MAX = 40_000  # twelve types of a quarter of an hour for a month; more is not what was asked for
FUELS = {
    "b01": "biomass", "b02": "coal", "b03": "coal", "b04": "gas", "b05": "coal", "b06": "oil", "b07": "coal",
    "b08": "coal", "b09": "geothermal", "b10": "storage", "b11": "hydro", "b12": "hydro", "b13": "hydro",
    "b14": "nuclear", "b15": "biomass", "b16": "solar", "b17": "unknown", "b18": "wind", "b19": "wind",
    "b20": "unknown", "b25": "storage",
}  # fmt: skip


def request(ask: Ask) -> Request:
    """The last day; the token can only go into the query."""
    end = datetime.fromtimestamp(ask.wall_ms // 1000, UTC).replace(minute=0) + timedelta(hours=1)
    query = (
        ("securityToken", ask.key), ("documentType", "A75"), ("processType", "A16"), ("in_Domain", ask.region),
        ("periodStart", f"{end - timedelta(hours=24):%Y%m%d%H%M}"), ("periodEnd", f"{end:%Y%m%d%H%M}"),
    )  # fmt: skip
    return Request(ask.base_url, "/api", query)


@dataclass(slots=True)
class _Series:
    psr: str = ""
    consumed: bool = False
    curve: str = ""
    start: str = ""
    end: str = ""
    resolution: str = ""
    points: list[tuple[int, str]] = field(default_factory=list)


class _Document:
    """Keeps the few elements that count; a TimeSeries is closed once for each of its periods."""

    def __init__(self) -> None:
        self.root = ""
        self.created = ""
        self.reason = ""
        self.series: list[_Series] = []
        self._now = _Series()
        self._path: list[str] = []
        self._text: list[str] = []
        self._position = ""
        self._count = 0

    def open(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        self.root = self.root or name
        self._path.append(name)
        self._text.clear()
        if name == "TimeSeries":
            self._now = _Series()
        elif name == "Period":
            self._now = _Series(self._now.psr, self._now.consumed, self._now.curve)
        if len(self._path) > 32:
            refuse(WHERE, "elements inside each other", "at most 32 levels")

    def read(self, text: str) -> None:
        self._text.append(text)

    def close(self, name: str) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        name = self._path.pop()
        inside = self._path[-1] if self._path else ""
        match name:
            case "psrType":
                self._now.psr = text.lower()
            case "outBiddingZone_Domain.mRID":
                self._now.consumed = True
            case "curveType":
                self._now.curve = text
            case "resolution":
                self._now.resolution = text
            case "start" | "end" if inside == "timeInterval":
                setattr(self._now, name, text)
            case "position":
                self._position = text
            case "quantity":
                self._point(text)
            case "Period":
                self.series.append(self._now)
            case "text" if inside == "Reason":
                self.reason = text
            case "createdDateTime":
                self.created = text

    def _point(self, quantity: str) -> None:
        self._count += 1
        if not (self._position.isascii() and self._position.isdigit()) or len(self._position) > 6:
            refuse(f"{WHERE} position", self._position, "a whole number")
        if self._count > POINTS_MAX:
            refuse(WHERE, "points", f"at most {POINTS_MAX} of them")
        self._now.points.append((int(self._position), quantity))


def _no_doctype(*parts: object) -> NoReturn:
    raise DataFault(f"{WHERE}: a document type declaration; expected plain XML")


def _read(body: bytes) -> _Document:
    document = _Document()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _no_doctype
    parser.StartElementHandler, parser.EndElementHandler = document.open, document.close
    parser.CharacterDataHandler = document.read
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as fault:  # not XML, or an encoding that nobody knows
        raise DataFault(f"{WHERE}: not XML: {str(fault)[:80]}") from None
    return document


def parse(reply: Reply) -> tuple[MixSample, ...]:
    """Raises DataFault."""
    document = _read(reply.body)
    if document.root not in ("GL_MarketDocument", "TimeSeries"):
        refuse(WHERE, document.reason or document.root, "a GL_MarketDocument; check region, key and period")
    known = [_span(series) for series in document.series if series.points]
    step_s = min((span_s for _, _, span_s in known), default=0)
    if step_s == 0:
        refuse(WHERE, "no points", "generation of at least one type")
    table = MixTable(NAME, "entsoe-a75", step_s, FUELS)
    powers: dict[tuple[int, str], int] = {}
    for series, (start_ms, end_ms, span_s) in zip((s for s in document.series if s.points), known, strict=True):
        for at_ms, quantity in _curve(series, start_ms, end_ms, span_s * 1000):
            power_kw = kw_of(quantity, f"{WHERE} quantity") or 0
            for fine_ms in range(at_ms, at_ms + span_s * 1000, step_s * 1000):
                key = (fine_ms, series.psr)
                powers[key] = powers.get(key, 0) + (-power_kw if series.consumed else power_kw)
                if len(powers) > 4 * POINTS_MAX:
                    refuse(WHERE, "points", f"at most {4 * POINTS_MAX} after filling the gaps")
    for (at_ms, psr), power_kw in powers.items():
        table.add(at_ms, psr, power_kw)
    created = stamp_ms(document.created, f"{WHERE} createdDateTime", UTC) if document.created else None
    return table.samples(reply, updated_wall_ms=created)


def _span(series: _Series) -> tuple[int, int, int]:
    span_s = RESOLUTIONS_S.get(series.resolution)
    if span_s is None:
        refuse(f"{WHERE} resolution", series.resolution, "one of " + ", ".join(RESOLUTIONS_S))
    start_ms, end_ms = (stamp_ms(text, f"{WHERE} timeInterval", UTC) for text in (series.start, series.end))
    if not 0 < end_ms - start_ms <= 32 * 86_400_000:
        refuse(f"{WHERE} timeInterval", f"{series.start} to {series.end}", "at most a month, forwards")
    return start_ms, end_ms, span_s


def _curve(series: _Series, start_ms: int, end_ms: int, span_ms: int) -> Iterator[tuple[int, str]]:
    """Each position with its quantity; A03 repeats a value until the next position, and to the end of the period."""
    count = (end_ms - start_ms) // span_ms
    points = sorted(series.points)
    if not all(1 <= position <= count for position, _ in points):
        refuse(f"{WHERE} position", str(points[-1][0]), f"1..{count}")
    for index, (position, quantity) in enumerate(points):
        after = points[index + 1][0] if index + 1 < len(points) else count + 1
        for at in range(position, after if series.curve == "A03" else min(position + 1, after)):
            yield start_ms + (at - 1) * span_ms, quantity


SOURCE = Source(
    name=NAME,
    title="ENTSO-E transparency platform",
    kind="average_generation",
    base_url="https://web-api.tp.entsoe.eu",
    region="",
    factors="ipcc-ar5-2014",
    interval_s=900,
    key="free token, asked for by e-mail at transparency.entsoe.eu",
    licence="ENTSO-E terms; many series CC BY 4.0, some owners differ",
    doubt="an hour late; types that a country does not report are missing silently; lignite is coal, waste unknown",
    request=request,
    parse=parse,
)
