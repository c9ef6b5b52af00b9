"""The broker on the command line of `edge-fleet`: the options every word shares, checked all at once, and the wait."""

import argparse
import select
import signal
from collections.abc import Iterator, Sequence

from edge.cloud.access import Access
from edge.cloud.link import Link, LinkSettings
from edge.errors import DataFault

WAIT_S = 0.1


def add_broker(parser: argparse.ArgumentParser) -> None:
    """The options."""
    group = parser.add_argument_group("broker")
    group.add_argument("--host", default="127.0.0.1", help="(%(default)s)")
    group.add_argument("--port", type=int, default=1883, help="(%(default)s)")
    group.add_argument("--client-id", default="", help="default: one given by the broker")
    group.add_argument("--username", default="")
    group.add_argument("--password-file", default="", metavar="FILE", help="first line: the password")
    group.add_argument("--tls", action="store_true")
    group.add_argument("--ca-file", default="", metavar="FILE", help="PEM; default: the system's")
    group.add_argument("--cert-file", default="", metavar="FILE", help="PEM, a client certificate")
    group.add_argument("--key-file", default="", metavar="FILE", help="PEM, its key; default: in --cert-file")
    group.add_argument("--retry-max-ms", type=int, default=5_000, help="longest wait between connections (%(default)s)")


def settings_of(options: argparse.Namespace, suffix: str = "") -> LinkSettings:
    """The settings of a link; `suffix` tells the connections of one program apart. Raises DataFault with every fault."""
    access = Access(
        options.username, options.password_file, options.tls, options.ca_file, options.cert_file, options.key_file
    )
    faults = [*access.faults(), *_contradictions(options)]
    if faults:
        raise DataFault("\n".join(faults))
    client_id = options.client_id and options.client_id + suffix
    return LinkSettings(
        options.host,
        options.port,
        client_id=client_id,
        access=access,
        retry_first_ms=min(500, options.retry_max_ms),
        retry_max_ms=options.retry_max_ms,
    )


def _contradictions(options: argparse.Namespace) -> Iterator[str]:
    if not options.tls and (options.ca_file or options.cert_file or options.key_file):
        yield "--ca-file, --cert-file and --key-file need --tls: without it they would not be used"
    if options.key_file and not options.cert_file:
        yield "--key-file needs --cert-file"
    if options.password_file and not options.username:
        yield "--password-file needs --username"


def wait_for(links: Sequence[Link], wait_s: float = WAIT_S) -> None:
    """Until one of them has something to do, or the time is over."""
    reads = [link.fileno() for link in links if link.fileno() >= 0]
    writes = [link.fileno() for link in links if link.fileno() >= 0 and link.wants_write()]
    select.select(reads, writes, [], wait_s)


def stop_on_signals() -> list[int]:
    """A list that is no longer empty once SIGTERM or SIGINT came."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopped.append(number))
    return stopped
