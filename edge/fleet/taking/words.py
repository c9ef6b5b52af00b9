"""The word `edge-fleet ingest`: one worker in this process, or several in processes of their own."""

import argparse
import gc
import sys

from edge.clock import SystemClock
from edge.cloud.link import Link
from edge.errors import DataFault
from edge.fleet.books.open import add_book, book_opener
from edge.fleet.broker import add_broker, settings_of, stop_on_signals, wait_for
from edge.fleet.taking.crew import Crew
from edge.fleet.taking.worker import NAME, Ingest

PROGRESS_MS = 1_000
WORKERS_MAX = 32
CREW_STEP_S = 0.2
GC_THRESHOLDS = (100_000, 20, 20)  # batches are short-lived trees; looking through them costs a fifth of the time
EXIT_NOT_STORED = 1
_TEXT = """\
Takes telemetry batches (live and backlog) of every gateway from the broker, stores each sample exactly once and
acknowledges to the gateways after each commit, about once a second. Stop it with SIGTERM or Ctrl-C; run it again at
any time: nothing is lost, nothing is stored twice. MQTT 5, or 3.1.1 where the broker has no more.

--sqlite: one file (WAL), one worker; for trials and for some hundred gateways. PostgreSQL: any number of workers, here
and on other machines; they share the work through shared subscriptions ($share/GROUP/..., live and backlog apart).
Tables and views are made and brought up to date by themselves: samples has every sample, samples_<schema id> names the
values. When the database is away the worker keeps some ten thousand samples, then reads no more; the gateways keep the
rest. Exit 1: it was stopped while the database was away.
"""
_EPILOG = """\
examples:
  edge-fleet ingest --sqlite fleet.db --host broker.example --tls --ca-file ca.pem
  edge-fleet ingest --postgres postgresql://fleet@db.example/fleet --workers 2 --host broker.example --tls
The password of a database belongs into ~/.pgpass or PGPASSWORD, not on the command line.
"""


def add_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word and its options."""
    parser = words.add_parser(
        "ingest",
        help="store the telemetry of the fleet, and tell the gateways what is stored",
        description=_TEXT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(act=ingest)
    add_book(parser)
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help=f"1..{WORKERS_MAX}, one a core; only with --postgres (1)"
    )
    parser.add_argument("--group", default="ingest", help="who shares the work; only with --postgres (%(default)s)")
    parser.add_argument("--tenant", default="+", help="only this tenant; default: all")
    parser.add_argument("--worker", type=int, default=0, help=argparse.SUPPRESS)  # the crew says which one it is
    add_broker(parser)


def ingest(options: argparse.Namespace) -> int:
    """Runs until it is told to stop. Raises DataFault for what cannot be used."""
    if not 1 <= options.workers <= WORKERS_MAX:
        raise DataFault(f"--workers {options.workers}: allowed 1..{WORKERS_MAX}")
    if options.workers > 1 and options.sqlite:
        raise DataFault("--workers: one SQLite file takes one worker; use --postgres for more")
    if not NAME.fullmatch(options.group):
        raise DataFault(f"--group {options.group!r}: allowed are letters, digits, '_', '-' and '.'")
    settings_of(options)
    book_opener(options)
    if options.workers == 1 or options.worker:
        return _work(options)
    return _lead(options)


def _work(options: argparse.Namespace) -> int:
    suffix = f"-{options.worker}" if options.worker else ""
    links = Link(settings_of(options, suffix)), Link(settings_of(options, f"{suffix}-backlog"))
    group = options.group if options.postgres else ""
    worker = Ingest(*links, book_opener(options), tenant=options.tenant, group=group)
    stopped, clock = stop_on_signals(), SystemClock()
    said, due_mono_ms = "", 0
    gc.set_threshold(*GC_THRESHOLDS)
    while not stopped:
        wait_for(links if worker.reading else ())
        now_mono_ms = clock.mono_ms()
        worker.step(now_mono_ms)
        if now_mono_ms >= due_mono_ms:
            due_mono_ms = now_mono_ms + PROGRESS_MS
            said = _progress(worker, links, said, options.worker)
    stored = worker.close()
    if sys.stdout.isatty() and not options.worker:
        print()
    return 0 if stored else EXIT_NOT_STORED


def _lead(options: argparse.Namespace) -> int:
    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    crew = Crew(sys.argv[1:], options.workers, say)
    stopped, clock = stop_on_signals(), SystemClock()
    while not stopped and not crew.refused:
        crew.step(clock.mono_ms())
        wait_for((), CREW_STEP_S)
    code = crew.end()
    return 2 if crew.refused else code


def _progress(worker: Ingest, links: tuple[Link, Link], said: str, number: int) -> str:
    """One line that is rewritten on a terminal; elsewhere only changes of the connection or of the fault are told."""
    counts = worker.counts
    fault = counts.fault or next((link.fault for link in links if link.fault), "")
    state = fault or ("connected" if all(link.connected for link in links) else "connecting")
    if not worker.reading:
        state = f"{state}; holds all it can, reads no more"
    if sys.stdout.isatty() and not number:
        numbers = f"{counts.samples} samples, {counts.doubles} doubles, {counts.rejected} rejected"
        line = f"{len(counts.gateways)} gateways, {numbers}; {state}"
        print(f"\r{line[:118]}\x1b[K", end="", flush=True)
    elif state != said:
        print(f"ingest {f'worker={number} ' if number else ''}state={state!r}", file=sys.stderr, flush=True)
    return state
