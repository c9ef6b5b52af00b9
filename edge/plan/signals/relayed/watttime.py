"""WattTime v3: the marginal rate co2_moer in lb/MWh, every five minutes. For estimates of avoided emissions only.

Its samples are of a type that the inventory cannot take. A name and a password are changed for a token of half an hour.
"""

import base64

from edge.plan.signals.base import INTENSITY_MAX_G_PER_KWH
from edge.plan.signals.read.body import list_of, number_of, plain, read_json, refuse, stamp_ms, table_of, text_of
from edge.plan.signals.read.source import Ask, Login, Reply, Request, Source
from edge.plan.signals.samples import LB_PER_MWH_TO_MG_PER_KWH, MarginalSample

NAME = "watttime"
WHERE = "WattTime"
SIGNAL = "co2_moer"
UNITS = "lbs_co2_per_mwh"
TOKEN_MAX = 4_096
PERIOD_MAX_S = 3_600


def login(ask: Ask) -> Request:
    """The key file holds the name in its first line and the password in its second."""
    basic = base64.b64encode(ask.key.replace("\n", ":", 1).encode()).decode()
    return Request(ask.base_url, "/login", (), (("Authorization", f"Basic {basic}"),))


def token_of(body: bytes) -> str:
    """Raises DataFault."""
    token = text_of(table_of(read_json(body, f"{WHERE} login"), f"{WHERE} login").get("token"), f"{WHERE} token")
    if len(token) > TOKEN_MAX or not (token.isascii() and token.isprintable()):
        refuse(f"{WHERE} token", f"{len(token)} characters", f"printable ASCII, at most {TOKEN_MAX}")
    return token


def request(ask: Ask) -> Request:
    query = (("region", ask.region), ("signal_type", SIGNAL), ("horizon_hours", "0"))
    return Request(ask.base_url, "/v3/forecast", query, (("Authorization", f"Bearer {ask.key}"),))


def parse(reply: Reply) -> tuple[MarginalSample, ...]:
    """Raises DataFault."""
    top = table_of(read_json(reply.body, WHERE), WHERE)
    meta = table_of(top.get("meta"), f"{WHERE} meta")
    for key, wanted in (("region", reply.region), ("signal_type", SIGNAL), ("units", UNITS)):
        if meta.get(key) != wanted:
            refuse(f"{WHERE} {key}", meta.get(key), f"{wanted}")
    period = number_of(meta.get("data_point_period_seconds"), f"{WHERE} data_point_period_seconds")
    if not 0 < period <= PERIOD_MAX_S:
        refuse(f"{WHERE} data_point_period_seconds", str(period), f"1..{PERIOD_MAX_S}")
    model = plain(table_of(meta.get("model", {}), f"{WHERE} model").get("date", ""))
    updated_ms = stamp_ms(meta["generated_at"], f"{WHERE} generated_at") if meta.get("generated_at") else None
    note = "; ".join(plain(text) for text in list_of(meta.get("warnings", []), f"{WHERE} warnings"))[:200]
    found = []
    for row in list_of(top.get("data"), f"{WHERE} data"):
        row = table_of(row, f"{WHERE} row")
        found.append(
            MarginalSample(
                source=NAME, region=reply.region, start_wall_ms=stamp_ms(row.get("point_time"), f"{WHERE} point_time"),
                interval_s=int(period), received_wall_ms=reply.received_wall_ms, updated_wall_ms=updated_ms,
                raw_sha256=reply.sha256, schema_id="watttime-v3", quality="estimated_by_source",
                marginal_mg_per_kwh=_mg_per_kwh(row.get("value")), model=model, note=note,
            )
        )  # fmt: skip
    if not found:
        refuse(WHERE, "no rows", "at least one point")
    return tuple(sorted(found, key=lambda sample: sample.start_wall_ms))


def _mg_per_kwh(value: object) -> int:
    factor, divisor = LB_PER_MWH_TO_MG_PER_KWH
    mg = number_of(value, f"{WHERE} value") * factor / divisor
    if not 0 <= mg <= INTENSITY_MAX_G_PER_KWH * 1000:
        refuse(f"{WHERE} value", value, "lb/MWh, 0..11000")
    return int(mg.to_integral_value())


SOURCE = Source(
    name=NAME,
    title="WattTime v3, marginal",
    kind="marginal",
    base_url="https://api.watttime.org",
    region="CAISO_NORTH",
    factors="",
    interval_s=300,
    key="name and password of an account; free ones see CAISO_NORTH only",
    licence="data under contract, apart from the client's MIT licence",
    doubt="a model of what is on the margin; never part of an inventory",
    request=request,
    parse=parse,
    login=Login(login, token_of, 1_500),  # a token lives 1800 s
)
