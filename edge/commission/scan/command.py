"""`edge scan`: its arguments, its progress, its exit code."""

import argparse
import asyncio
import json

from edge.commission.progress import Ticker, interruptible
from edge.commission.scan import report
from edge.commission.scan.search import Progress, Search
from edge.commission.scan.settings import TURNAROUND_MS, UNITS_DEFAULT, Plan, make_plan
from edge.field.line.port import TtyPort
from edge.field.profile import Profile
from edge.field.profiles.loader import FOLDER, read_profile


def add_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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


def _scan(options: argparse.Namespace) -> int:
    plan = make_plan(
        options.path, options.units, options.baud, options.parity, options.turnaround_ms, everything=options.all
    )
    if not options.json:
        print(report.plan_text(plan), flush=True)
    return interruptible(lambda: asyncio.run(_play(plan, as_json=options.json)))


async def _play(plan: Plan, *, as_json: bool) -> int:
    loop, profiles, ticker = asyncio.get_running_loop(), all_profiles(), Ticker()

    def note(progress: Progress) -> None:
        ticker.note(report.progress_line(progress), loop.time())

    search = Search(plan, lambda setting: TtyPort(setting.port(plan.path)), profiles, note)
    try:
        result = await search.run()
    finally:
        ticker.end()
    if as_json:
        print(json.dumps(report.as_json(plan, result, profiles)))
    else:
        print("\n".join(report.screen(plan, result, profiles)))
    return 0 if result.verdict == "found" else 1
