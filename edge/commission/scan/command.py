"""`edge scan`: its arguments, its progress, its exit code."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

from edge.commission.progress import Ticker, interruptible
from edge.commission.scan import report
from edge.commission.scan.search import Progress, Result, Search
from edge.commission.scan.settings import TURNAROUND_MS, UNITS_DEFAULT, Plan, make_plan
from edge.config import options
from edge.errors import EdgeError
from edge.field.line.port import Port
from edge.field.profile import Profile
from edge.field.profiles.loader import all_profiles, own_folder, shipped

SITE_FILE = "site.toml"  # in the folder where the technician stands


def add_word(
    words: "argparse._SubParsersAction[argparse.ArgumentParser]", open_port: Callable[[options.Port], Port]
) -> None:
    text = "find out who answers on an RS-485 line; only reads"
    scan = words.add_parser("scan", help=text, description=text)
    scan.add_argument("path", metavar="PORT", help="the tty, such as /dev/ttyUSB0, or tcp:HOST[:PORT]")
    scan.add_argument("--units", default="", metavar="N-M", help=f"addresses ({UNITS_DEFAULT}), such as 1-16 or 1,5,20")
    scan.add_argument("--all", action="store_true", help="every address and every line setting")
    scan.add_argument("--baud", default="", metavar="N,M", help="only these")
    scan.add_argument("--parity", default="", metavar="N,E,O", help="only these")
    scan.add_argument(
        "--turnaround-ms", type=int, default=TURNAROUND_MS, metavar="N",
        help=f"how long a device may think ({TURNAROUND_MS}); slow ones take up to 800",
    )  # fmt: skip
    scan.add_argument(
        "-c", "--config", default=SITE_FILE, metavar="FILE",
        help=f"the site file, there or not yet: the folder `profiles` beside it is used too ({SITE_FILE})",
    )  # fmt: skip
    scan.add_argument("--drafts", type=Path, metavar="FOLDER", help="write the profile of each SunSpec device there")
    scan.add_argument("--json", action="store_true", help="for machines")
    scan.set_defaults(act=_scan, open_port=open_port, undone="nothing was asked")


def _scan(given: argparse.Namespace) -> int:
    plan = make_plan(given.path, given.units, given.baud, given.parity, given.turnaround_ms, everything=given.all)
    profiles = _profiles(given.config)
    if not given.json:
        print(report.plan_text(plan), flush=True)
    return interruptible(lambda: asyncio.run(_play(plan, given, profiles)))


def _profiles(site_file: str) -> tuple[Profile, ...]:
    """Those that ship and the site's own. One that cannot be used is named and left out: the line is asked all the same."""
    profiles, problems = all_profiles(site_file)
    for problem in problems:
        print(problem, file=sys.stderr)
    own_count = len(profiles) - len(shipped())
    if problems:
        print(f"{own_folder(site_file)}: not all can be used; the scan goes on without them", file=sys.stderr)
    if own_count:
        many = "profile of the site is" if own_count == 1 else "profiles of the site are"
        print(f"{own_folder(site_file)}: {own_count} {many} used too", file=sys.stderr)
    return profiles


async def _play(plan: Plan, given: argparse.Namespace, profiles: tuple[Profile, ...]) -> int:
    loop, ticker = asyncio.get_running_loop(), Ticker()

    def note(progress: Progress) -> None:
        ticker.note(report.progress_line(progress), loop.time())

    search = Search(plan, lambda setting: given.open_port(setting.port(plan.path)), profiles, note)
    try:
        result = await search.run()
    finally:
        ticker.end()
    if given.json:
        print(json.dumps(report.as_json(plan, result, profiles)))
    else:
        print("\n".join(report.screen(plan, result, profiles)))
    if given.drafts is not None:
        _save(given.drafts, result)
    return 0 if result.verdict == "found" else 1


def _save(folder: Path, result: Result) -> None:
    """The drafts of SunSpec devices; a file that is there is left alone."""
    for found in result.found:
        described = found.identity.described
        if described is None or not described.toml:
            continue
        path = folder / f"{described.profile}.toml"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(described.toml)
        except FileExistsError:
            print(f"{path}: is there already and was left alone", file=sys.stderr)
        except OSError as error:
            raise EdgeError(f"{path}: cannot be written: {error.strerror}") from error
        else:
            print(f"{path}: written; look through it before it is used", file=sys.stderr)
