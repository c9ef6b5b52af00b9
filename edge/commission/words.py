"""The command words of commissioning: arguments, progress, exit codes. What they do is in the modules beside it.

0 done · 1 nothing found, a difference or a refusal · 2 the line or a file cannot be used · 130 ended with Ctrl-C
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable

from edge.commission.scan import report
from edge.commission.scan.search import Progress, Search
from edge.commission.scan.settings import TURNAROUND_MS, UNITS_DEFAULT, make_plan
from edge.field.line.port import TtyPort
from edge.field.profile import Profile
from edge.field.profiles.loader import FOLDER, read_profile

EXIT_STOPPED = 130
LINE_EVERY_S = 5.0  # progress where there is no terminal: a log wants to stay readable


class Ticker:
    """Progress on stderr: one line that is rewritten on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._is_tty = sys.stderr.isatty()
        self._next_s = -1e9

    def note(self, text: str, now_s: float) -> None:
        if self._is_tty:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        elif now_s >= self._next_s:
            self._next_s = now_s + LINE_EVERY_S
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._is_tty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def add_words(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The words of this folder for the parser of `edge`."""
    text = "find out who answers on an RS-485 line; only reads"
    scan = words.add_parser("scan", help=text, description=text)
    scan.add_argument("path", metavar="PORT", help="the tty, such as /dev/ttyUSB0")
    scan.add_argument("--units", default="", metavar="N-M", help=f"addresses ({UNITS_DEFAULT}), such as 1-16 or 1,5,20")
    scan.add_argument("--all", action="store_true", help="every address and every line setting")
    scan.add_argument("--baud", default="", metavar="N,M", help="only these")
    scan.add_argument("--parity", default="", metavar="N,E,O", help="only these")
    scan.add_argument(
        "--turnaround-ms", type=int, default=TURNAROUND_MS, metavar="N",
        help=f"how long a device may think ({TURNAROUND_MS}); slow ones take up to 800",
    )  # fmt: skip
    scan.add_argument("--json", action="store_true", help="for machines")
    scan.set_defaults(act=_scan)


def all_profiles() -> tuple[Profile, ...]:
    """Every profile that ships."""
    return tuple(read_profile(path) for path in sorted(FOLDER.glob("*.toml")))


def interruptible(act: Callable[[], int]) -> int:
    """Ctrl-C is a way to end, not a fault."""
    try:
        return act()
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        return EXIT_STOPPED


def _scan(options: argparse.Namespace) -> int:
    plan = make_plan(
        options.path, options.units, options.baud, options.parity, options.turnaround_ms, everything=options.all
    )
    profiles, ticker = all_profiles(), Ticker()

    async def main() -> int:
        loop = asyncio.get_running_loop()

        def note(progress: Progress) -> None:
            ticker.note(report.progress_line(progress), loop.time())

        search = Search(plan, lambda setting: TtyPort(setting.port(plan.path)), profiles, note)
        try:
            result = await search.run()
        finally:
            ticker.end()
        if options.json:
            print(json.dumps(report.as_json(plan, result, profiles)))
        else:
            print("\n".join(report.screen(plan, result, profiles)))
        return 0 if result.verdict == "found" else 1

    if not options.json:
        print(report.plan_text(plan))
    return interruptible(lambda: asyncio.run(main()))
