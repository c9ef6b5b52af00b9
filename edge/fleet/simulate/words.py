"""The word `edge-fleet simulate`: N gateways on a broker, the ingest beside them, and a verdict at the end."""

import argparse
import subprocess
import sys

from edge.clock import SystemClock
from edge.errors import DataFault
from edge.fleet.books.open import add_book, book_opener
from edge.fleet.books.reading import open_reader
from edge.fleet.broker import add_broker, settings_of, stop_on_signals
from edge.fleet.simulate.judge import judge
from edge.fleet.simulate.swarm import Swarm

GATEWAYS_MAX = 20_000
DRAIN_MAX_MS = 120_000
TELL_MS = 5_000
EXIT_BAD_VERDICT = 1
_TEXT = """\
Simulates N gateways (tenant sim) of 60 values on the broker, with the codec, the connections and the acks of real ones,
and runs edge-fleet ingest beside them unless --no-ingest says that one runs already. At the end every row of the database
is compared with what was sent. Exit 1: something is lost, doubled or wrong. Use a database of its own.
"""


def add_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word and its options."""
    parser = words.add_parser("simulate", help="try broker, ingest and database with N gateways", description=_TEXT)
    parser.set_defaults(act=simulate)
    parser.add_argument("count", type=int, metavar="N", help=f"1..{GATEWAYS_MAX}")
    parser.add_argument("--minutes", type=float, default=1.0, metavar="M", help="(%(default)s)")
    parser.add_argument("--rate", type=int, default=1, help="samples a second of each, 1..100 (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="of the ingest (%(default)s)")
    parser.add_argument("--no-ingest", action="store_true", help="it runs already, into the same database")
    add_book(parser)
    add_broker(parser)


def simulate(options: argparse.Namespace) -> int:
    """The whole run. Raises DataFault for what cannot be used."""
    if not 1 <= options.count <= GATEWAYS_MAX or not 1 <= options.rate <= 100 or options.minutes <= 0:
        raise DataFault(f"allowed: N 1..{GATEWAYS_MAX}, --rate 1..100, --minutes above 0")
    book_opener(options)
    settings = [settings_of(options, f"-{number}") for number in range(options.count)]
    ingest = None if options.no_ingest else subprocess.Popen(_ingest_words(options))
    clock, stopped = SystemClock(), stop_on_signals()
    swarm = Swarm(settings, clock.wall_ms(), clock.mono_ms(), options.rate)
    try:
        end_mono_ms = clock.mono_ms() + int(options.minutes * 60_000)
        told_mono_ms = 0
        while not stopped and clock.mono_ms() < end_mono_ms + DRAIN_MAX_MS:
            more = clock.mono_ms() < end_mono_ms
            if not more and not swarm.unacked_count:
                break
            swarm.step(clock.mono_ms(), more=more)
            if clock.mono_ms() >= told_mono_ms:
                told_mono_ms = clock.mono_ms() + TELL_MS
                counts = f"{swarm.sample_count} samples, {swarm.unacked_count} not acknowledged"
                print(f"{swarm.connected_count} of {options.count} connected, {counts}", file=sys.stderr, flush=True)
    finally:
        swarm.close()
        if ingest is not None:
            ingest.terminate()
            ingest.wait()
    verdict = judge(swarm.gateways, open_reader(options))
    print(verdict.text())
    return 0 if verdict.good else EXIT_BAD_VERDICT


def _ingest_words(options: argparse.Namespace) -> list[str]:
    book = ["--sqlite", str(options.sqlite)] if options.sqlite else ["--postgres", options.postgres]
    words = [*book, "--workers", str(options.workers), "--tenant", "sim", "--retry-max-ms", str(options.retry_max_ms)]
    for name in ("host", "port", "username", "password_file", "ca_file", "cert_file", "key_file"):
        if value := getattr(options, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return [sys.executable, "-m", "edge.fleet", "ingest", *words, *(["--tls"] if options.tls else [])]
