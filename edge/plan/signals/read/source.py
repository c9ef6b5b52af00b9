"""A source as data: where to ask, with what, how often, under which licence; and the two pure functions of its adapter."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode, urlsplit

from edge.plan.signals.samples import Sample

SourceKind = Literal["average_generation", "average_consumption", "marginal"]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request is made of. `key` is secret: it goes into a header or a query, never into a text."""

    base_url: str
    region: str
    basis: str  # direct or lifecycle
    wall_ms: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One GET. `query` and `headers` may hold a key: only `shown` is for people."""

    base_url: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        query = f"?{urlencode(self.query)}" if self.query else ""
        return f"{self.base_url.rstrip('/')}{self.path}{query}"

    @property
    def shown(self) -> str:
        """Host and path: no key can be in it."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.hostname or '?'}{parts.path.rstrip('/')}{self.path}"


@dataclass(frozen=True, slots=True)
class Reply:
    """A body as it came."""

    body: bytes
    region: str  # that was asked for
    received_wall_ms: int
    sha256: str


def reply_of(body: bytes, region: str, received_wall_ms: int) -> Reply:
    return Reply(body, region, received_wall_ms, hashlib.sha256(body).hexdigest())


@dataclass(frozen=True, slots=True)
class Login:
    """A source that gives a token for a key first."""

    request: Callable[[Ask], Request]
    token: Callable[[bytes], str]  # raises DataFault
    lifetime_s: int


@dataclass(frozen=True, slots=True)
class Source:
    """One publisher. `parse` is pure: samples in order of time, or DataFault; any bytes may come."""

    name: str
    title: str
    kind: SourceKind
    base_url: str
    region: str  # the usual one; "" must be given
    factors: str  # the table that fits, "" for none
    interval_s: int  # how often it publishes; it is asked no faster
    key: str  # how to get a key; "" needs none
    licence: str
    doubt: str
    request: Callable[[Ask], Request]
    parse: Callable[[Reply], tuple[Sample, ...]]
    login: Login | None = None
