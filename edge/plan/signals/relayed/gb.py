"""Carbon Intensity API of Great Britain: g/kWh each half hour, UTC. `actual` is null until the half hour has closed."""

from edge.plan.signals.base import INTENSITY_MAX_G_PER_KWH
from edge.plan.signals.read.body import grams_to_mg, list_of, read_json, refuse, stamp_ms, table_of
from edge.plan.signals.read.source import Ask, Reply, Request, Source
from edge.plan.signals.samples import IntensitySample, SampleQuality

NAME = "gb"
WHERE = "GB intensity"


def request(ask: Ask) -> Request:
    return Request(ask.base_url, "/intensity", (), (("Accept", "application/json"),))


def parse(reply: Reply) -> tuple[IntensitySample, ...]:
    """Raises DataFault. A half hour that is still a forecast is called an estimate of the source."""
    top = table_of(read_json(reply.body, WHERE), WHERE)
    found = [_sample(table_of(row, f"{WHERE} row"), reply) for row in list_of(top.get("data"), f"{WHERE} data")]
    if not found:
        refuse(WHERE, "no rows", "at least one half hour")
    return tuple(sorted(found, key=lambda sample: sample.start_wall_ms))


def _sample(row: dict[str, object], reply: Reply) -> IntensitySample:
    start_ms, end_ms = (stamp_ms(row.get(key), f"{WHERE} {key}") for key in ("from", "to"))
    if not 0 < end_ms - start_ms <= 3_600_000:
        refuse(f"{WHERE} to", row.get("to"), "at most an hour after `from`")
    values = table_of(row.get("intensity"), f"{WHERE} intensity")
    actual = values.get("actual")
    quality: SampleQuality = "estimated_by_source" if actual is None else "measured"
    value = grams_to_mg(values.get("forecast") if actual is None else actual, WHERE, INTENSITY_MAX_G_PER_KWH)
    return IntensitySample(
        source=NAME, region=reply.region, start_wall_ms=start_ms, interval_s=(end_ms - start_ms) // 1000,
        received_wall_ms=reply.received_wall_ms, updated_wall_ms=None, raw_sha256=reply.sha256,
        schema_id="gb-intensity", quality=quality, value_mg_per_kwh=value, kind="average_consumption",
        method="with imports and losses",
    )  # fmt: skip


SOURCE = Source(
    name=NAME,
    title="Carbon Intensity API, Great Britain",
    kind="average_consumption",
    base_url="https://api.carbonintensity.org.uk",
    region="GB",
    factors="gb-2025",
    interval_s=1800,
    key="",
    licence="CC BY 4.0: NESO, Environmental Defense Fund Europe, University of Oxford, WWF",
    doubt="includes imports and losses: losses must not be added again; factors of 2017; direct only",
    request=request,
    parse=parse,
)
