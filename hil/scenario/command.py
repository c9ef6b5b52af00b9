"""`python -m hil list` and `python -m hil run SCENARIO`: 0 when everything was as expected, 1 when not, 2 for a bad file."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from edge.errors import ConfigFault, EdgeError
from hil.scenario import expect, promises
from hil.scenario.file.reader import load, names
from hil.scenario.model import Scenario, Verdict
from hil.scenario.play import play_wire
from hil.scenario.process import play_process
from hil.scenario.screen import as_data, brief, screen

EXIT_FAILED, EXIT_BAD_INPUT = 1, 2
ALL = "all"


def add_words(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The words `list` and `run` of `python -m hil`."""
    told = words.add_parser("list", help="the scenarios that come with the project")
    told.add_argument("--json", action="store_true", help="for machines")
    told.set_defaults(act=_list)
    run = words.add_parser("run", help="play a scenario and judge it; exit 1 when something was not as expected")
    run.add_argument("scenario", help=f"a name of `list`, a path to a .toml file, or `{ALL}`")
    run.add_argument("--seed", type=int, help="instead of the file's")
    run.add_argument(
        "--level", choices=("wire", "hil"), default="wire",
        help="wire: virtual time in this process; hil: the real process on PTYs, in real time",
    )  # fmt: skip
    run.add_argument("--json", action="store_true", help="for machines: one object a scenario and line")
    run.set_defaults(act=_run)


def verdict_of(scenario: Scenario, level: str = "wire", seed: int | None = None) -> Verdict:
    """Plays and judges one scenario. Raises EdgeError when this level cannot play it."""
    seed = scenario.seed if seed is None else seed
    played = play_process(scenario, seed) if level == "hil" else play_wire(scenario, seed)
    return Verdict(played, expect.judge(played), promises.check(played))


def _list(options: argparse.Namespace) -> int:
    try:
        found = [load(name) for name in names()]
    except ConfigFault as fault:
        return _refuse(fault)
    if options.json:
        rows = [{"name": s.name, "duration_s": s.duration_s, "description": s.description} for s in found]
        print(json.dumps(rows))
        return 0
    for scenario in found:
        print(f"{scenario.name:<26}{scenario.duration_s:>5g} s  {scenario.description}")
    return 0


def _run(options: argparse.Namespace) -> int:
    wanted: Sequence[str] = names() if options.scenario == ALL else [options.scenario]
    try:
        scenarios = _load_all(wanted)
        failed = 0
        for scenario in scenarios:
            verdict = verdict_of(scenario, options.level, options.seed)
            _show(verdict, options.json, len(scenarios) > 1)
            failed += not verdict.passed
    except EdgeError as fault:
        return _refuse(fault)
    if len(scenarios) > 1 and not options.json:
        print(f"{len(scenarios) - failed} of {len(scenarios)} scenarios passed")
    return EXIT_FAILED if failed else 0


def _load_all(wanted: Sequence[str]) -> list[Scenario]:
    """Every file is read before anything is played: all that is wrong with all of them, at once."""
    found: list[Scenario] = []
    problems: list[Any] = []
    for name in wanted:
        try:
            found.append(load(name))
        except ConfigFault as fault:
            problems += fault.problems
    if problems:
        raise ConfigFault(problems)
    return found


def _show(verdict: Verdict, as_json: bool, short: bool) -> None:
    if as_json:
        print(json.dumps(as_data(verdict)), flush=True)
    else:
        print("\n".join(brief(verdict) if short else screen(verdict)), flush=True)


def _refuse(fault: EdgeError) -> int:
    print(fault, file=sys.stderr)
    if isinstance(fault, ConfigFault):
        count = len(fault.problems)
        print(f"{count} problem{'s' * (count != 1)}; nothing was played", file=sys.stderr)
    return EXIT_BAD_INPUT
