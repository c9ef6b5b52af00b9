"""`edge-fleet`: the words of the operator's side. Thin; each word is its own module.

0 done · 2 a file or an option cannot be used
"""

import argparse
import select
import signal
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.clock import SystemClock
from edge.cloud.access import Access
from edge.cloud.link import Link, LinkSettings
from edge.fleet.ingest import Ingest, SampleBook

PROGRESS_MS = 1_000
WAIT_S = 0.1
EXIT_BAD_INPUT = 2
_INGEST = """\
Takes telemetry batches (live and backfill) of every gateway from the broker, stores each sample exactly once
in a SQLite file (WAL) and acknowledges to the gateways after each commit, about once a second. Stop it with
SIGTERM or Ctrl-C; run it again at any time: nothing is lost, nothing is stored twice. One ingest per file;
it talks MQTT 5, or 3.1.1 where the broker has no more. Table sample: one row a sample, its values as a msgpack
array; table schema: what they are.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `edge-fleet`."""
    options = _parser().parse_args(argv)
    try:
        return int(options.act(options))
    except (OSError, sqlite3.Error) as error:
        print(f"{options.sqlite}: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-fleet", description="Tidewatt Edge, the operator's side")
    words = parser.add_subparsers(required=True, metavar="WORD")
    ingest = words.add_parser(
        "ingest",
        help="store the telemetry of the fleet in SQLite, and tell the gateways what is stored",
        description=_INGEST,
        epilog="example: edge-fleet ingest --sqlite fleet.db --host broker.example --tls --ca-file ca.pem",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ingest.set_defaults(act=_ingest)
    ingest.add_argument("--sqlite", type=Path, required=True, metavar="FILE", help="created when it does not exist")
    ingest.add_argument("--host", default="127.0.0.1", help="broker (%(default)s)")
    ingest.add_argument("--port", type=int, default=1883, help="(%(default)s)")
    ingest.add_argument("--tenant", default="+", help="only this tenant; default: all")
    ingest.add_argument("--client-id", default="", help="default: one given by the broker")
    ingest.add_argument("--username", default="")
    ingest.add_argument("--password-file", default="", metavar="FILE", help="first line: the password")
    ingest.add_argument("--tls", action="store_true")
    ingest.add_argument("--ca-file", default="", metavar="FILE", help="PEM; default: the system's")
    ingest.add_argument("--cert-file", default="", metavar="FILE", help="PEM, a client certificate")
    ingest.add_argument("--key-file", default="", metavar="FILE", help="PEM, its key; default: in --cert-file")
    ingest.add_argument(
        "--retry-max-ms", type=int, default=5_000, help="longest wait between connections (%(default)s)"
    )
    return parser


def _ingest(options: argparse.Namespace) -> int:
    if not options.sqlite.parent.is_dir():
        print(f"{options.sqlite.parent}: no such folder", file=sys.stderr)
        return EXIT_BAD_INPUT
    access = Access(
        options.username,
        options.password_file,
        options.tls,
        options.ca_file,
        options.cert_file,
        options.key_file,
    )
    faults = [*access.faults(), *_contradictions(options)]
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        return EXIT_BAD_INPUT
    settings = LinkSettings(
        options.host,
        options.port,
        client_id=options.client_id,
        access=access,
        retry_first_ms=500,
        retry_max_ms=options.retry_max_ms,
    )
    link = Link(settings)
    ingest = Ingest(link, SampleBook(options.sqlite), options.tenant)
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopped.append(number))
    clock = SystemClock()
    said = ""
    progress_due_mono_ms = 0
    while not stopped:
        _wait(link)
        now_mono_ms = clock.mono_ms()
        ingest.step(now_mono_ms)
        if now_mono_ms >= progress_due_mono_ms:
            progress_due_mono_ms = now_mono_ms + PROGRESS_MS
            said = _progress(ingest, link, said)
    ingest.close()
    if sys.stdout.isatty():
        print()
    return 0


def _contradictions(options: argparse.Namespace) -> Iterator[str]:
    if not options.tls and (options.ca_file or options.cert_file or options.key_file):
        yield "--ca-file, --cert-file and --key-file need --tls: without it they would not be used"
    if options.key_file and not options.cert_file:
        yield "--key-file needs --cert-file"
    if options.password_file and not options.username:
        yield "--password-file needs --username"


def _wait(link: Link) -> None:
    fd = link.fileno()
    if fd < 0:
        select.select([], [], [], WAIT_S)
    else:
        select.select([fd], [fd] if link.wants_write() else [], [], WAIT_S)


def _progress(ingest: Ingest, link: Link, said: str) -> str:
    """One line that is rewritten on a terminal; elsewhere only changes of the connection or of the fault are told."""
    counts = ingest.counts
    state = counts.fault or link.fault or ("connected" if link.connected else "connecting")
    if sys.stdout.isatty():
        numbers = f"{counts.samples} samples, {counts.doubles} doubles, {counts.rejected} rejected"
        line = f"{len(counts.gateways)} gateways, {numbers}; {state}"
        print(f"\r{line[:118]}\x1b[K", end="", flush=True)
    elif state != said:
        print(f"ingest state={state!r}", file=sys.stderr, flush=True)
    return state


if __name__ == "__main__":
    sys.exit(main())
