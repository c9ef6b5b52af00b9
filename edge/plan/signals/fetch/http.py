"""One GET with every limit: time, size, TLS verification, no redirect, no retry of its own. What goes wrong is a text.

urllib3 does the protocol. Its own log lines hold whole URLs, keys included: they are switched off here.
"""

import logging
import re
import ssl
from dataclasses import dataclass
from typing import Protocol

import urllib3
from urllib3 import exceptions

from edge.clock import Clock
from edge.errors import DataFault
from edge.plan.signals.read.source import Request

CONNECT_S, READ_S = 5.0, 10.0  # a publisher of Great Britain advises 5 s
TOTAL_MS = 30_000
BODY_MAX_BYTES = 4 << 20  # ten times the largest recorded answer
CHUNK_BYTES = 64 << 10
RETRY_AFTER_MAX_S = 86_400
_SECONDS = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came. `fault` "" only for 200 with a whole body, and for 304."""

    status: int  # 0: none came
    body: bytes = b""
    etag: str = ""
    modified: str = ""
    retry_after_s: int = 0
    fault: str = ""


class Getter(Protocol):
    def get(self, request: Request, etag: str = "", modified: str = "") -> Answer: ...


class Http:
    """Not thread-safe: one owner. Raises DataFault for a CA file that cannot be read."""

    def __init__(self, clock: Clock, ca_file: str = "") -> None:
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
        self._clock = clock
        try:
            context = ssl.create_default_context(cafile=ca_file or None)
        except (OSError, ValueError) as error:
            raise DataFault(f"ca_file {ca_file}: {getattr(error, 'strerror', None) or error}; must be PEM") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=context, retries=False)

    def get(self, request: Request, etag: str = "", modified: str = "") -> Answer:
        """Waits at most about half a minute; never raises for what a network or a publisher does."""
        headers = {"User-Agent": "tidewatt-edge", "Accept-Encoding": "gzip", **dict(request.headers)}
        headers |= {"If-None-Match": etag} if etag else {}
        headers |= {"If-Modified-Since": modified} if modified else {}
        end_mono_ms = self._clock.mono_ms() + TOTAL_MS
        try:
            timeout = urllib3.Timeout(connect=CONNECT_S, read=READ_S)
            response = self._pool.request(
                "GET", request.url, headers=headers, timeout=timeout, preload_content=False, redirect=False
            )
        except (exceptions.HTTPError, OSError, ValueError) as error:
            return Answer(0, fault=f"{request.shown}: {_reason(error)}")
        try:
            return self._read(response, request.shown, end_mono_ms)
        except (exceptions.HTTPError, OSError, ValueError) as error:
            return Answer(response.status, fault=f"{request.shown}: {_reason(error)}")
        finally:
            response.close()  # polls are minutes apart: a connection that stays open is only one more thing to break

    def _read(self, response: urllib3.BaseHTTPResponse, shown: str, end_mono_ms: int) -> Answer:
        head = response.headers
        etag, modified = head.get("ETag", "")[:256], head.get("Last-Modified", "")[:64]
        text = head.get("Retry-After", "").strip()
        retry_after_s = min(int(text), RETRY_AFTER_MAX_S) if _SECONDS.fullmatch(text) else 0
        if response.status == 304:
            return Answer(304, etag=etag, modified=modified)
        if response.status != 200:
            fault = f"{shown}: status {response.status}{_remedy(response.status)}"
            return Answer(response.status, retry_after_s=retry_after_s, fault=fault)
        parts: list[bytes] = []
        size_bytes = 0
        while chunk := response.read1(CHUNK_BYTES):
            size_bytes += len(chunk)
            parts.append(chunk)
            if size_bytes > BODY_MAX_BYTES:
                return Answer(200, fault=f"{shown}: more than {BODY_MAX_BYTES} bytes; not what was asked for")
            if self._clock.mono_ms() > end_mono_ms:
                return Answer(200, fault=f"{shown}: not whole within {TOTAL_MS // 1000} s")
        told = head.get("Content-Length", "")
        if told.isascii() and told.isdigit() and not head.get("Content-Encoding") and int(told) != size_bytes:
            return Answer(200, fault=f"{shown}: broke off after {size_bytes} of {told[:12]} bytes")
        return Answer(200, b"".join(parts), etag, modified)


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "; check the key, what it is allowed, and whether this place is served"
    if status == 429:
        return "; asked too often, by this gateway or its neighbours"
    if 300 <= status < 400:
        return "; has moved, and is not followed: give the new base_url"
    return ""


def _reason(error: Exception) -> str:
    """In words without the URL, which may hold a key."""
    match error:
        case exceptions.NameResolutionError():
            return "the name cannot be resolved"
        case exceptions.ConnectTimeoutError():
            return f"no connection within {CONNECT_S:g} s"
        case exceptions.TimeoutError():
            return f"no answer within {READ_S:g} s"
        case exceptions.SSLError() | ssl.SSLError():
            cause = error.args[0] if error.args and isinstance(error.args[0], ssl.SSLCertVerificationError) else error
            why = getattr(cause, "verify_message", "") or "the handshake failed"
            return f"TLS: {why}; check the clock, ca_file and base_url"
        case exceptions.NewConnectionError():
            return "no connection"
        case exceptions.DecodeError():
            return "cannot be decompressed"
        case exceptions.ProtocolError():
            return "the answer broke off"
        case _:
            return type(error).__name__
