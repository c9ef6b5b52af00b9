"""The command words of the gateway; thin. Each says what is wrong on stderr and ends with a code that scripts can use.

0 done · 1 a difference or a refusal · 2 the configuration or a file cannot be used · 70 a fault of this program
"""

import argparse
import dataclasses
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.app import bus_devices, serve
from edge.cloud.access import access_of
from edge.commission.live.command import add_options, check_live
from edge.commission.words import add_words
from edge.config.options import Config
from edge.config.reader import load_config
from edge.console import client
from edge.errors import ConfigFault, EdgeError, Problem
from edge.field.budget import budget
from edge.field.device import BusDevice
from edge.fleet import replay

EXIT_BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `edge`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["demo"]:
        return _demo(arguments[1:])
    options = _parser().parse_args(arguments)
    try:
        return int(options.act(options))
    except ConfigFault as fault:
        for problem in fault.problems:
            print(problem, file=sys.stderr)
        count = len(fault.problems)
        print(f"{count} problem{'s' * (count != 1)}; nothing was started", file=sys.stderr)
    except EdgeError as fault:
        print(fault, file=sys.stderr)
    return EXIT_BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge", description="Tidewatt Edge: the controller of one AI data-centre site"
    )
    words = parser.add_subparsers(required=True, metavar="WORD")
    _word(words, "run", "run the controller of a site until told to stop", _run, config=True)
    check = _word(
        words, "check", "say everything that is wrong with a site file, and show the bus plan", _check, config=True
    )
    check.add_argument("--effective", action="store_true", help="print every option with its value, defaults included")
    check.add_argument("--json", action="store_true", help="for machines")
    add_options(check)
    show = _word(words, "show", "print a trace as a table", _show)
    show.add_argument("trace", type=Path)
    show.add_argument("--every", type=int, default=10, metavar="N", help="one row every N cycles (10)")
    again = _word(words, "replay", "re-run the kernel on a trace; exit 1 at the first difference", _replay)
    again.add_argument("trace", type=Path)
    talk = _word(words, "console", "talk to a running controller", _console)
    talk.add_argument("socket", help="path of its console socket")
    talk.add_argument("words", nargs="*", help="one command; none: a session")
    add_words(words)
    words.add_parser("demo", help="a simulated site with the real controller (needs the hil package)", add_help=False)
    return parser


def _word(words: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str, act: object, *,
          config: bool = False) -> argparse.ArgumentParser:  # fmt: skip
    parser = words.add_parser(name, help=text, description=text)
    if config:
        parser.add_argument("-c", "--config", required=True, metavar="FILE", help="the site file (TOML)")
    parser.set_defaults(act=act)
    return parser


def _run(options: argparse.Namespace) -> int:
    return serve(load_config(options.config))


def _check(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    devices = _checked_devices(config)
    if options.live or options.sign_test:
        return check_live(options, config)
    rows = budget(config, devices)
    if options.json:
        print(json.dumps({"config": dataclasses.asdict(config), "bus": [dataclasses.asdict(row) for row in rows]}))
        return 0
    if options.effective:
        print("\n".join(effective(config)))
    print(f"{'port':<10}{'device':<10}{'transaction':<20}{'wire ms':>8}{'period ms':>11}{'load %':>8}")
    for port in config.port:
        mine = [row for row in rows if row.port == port.name]
        for row in mine:
            load = f"{row.wire_us / row.period_ms / 10:.1f}"
            print(f"{row.port:<10}{row.device:<10}{row.what:<20}{row.wire_us / 1000:>8.1f}{row.period_ms:>11}{load:>8}")
        total = sum(row.wire_us / row.period_ms for row in mine) / 10
        print(f"{port.name:<10}{'':<10}{f'total at {port.baud} baud':<20}{'':>19}{total:>8.1f}")
    unproven = sorted({device.profile.id for device in devices if not device.profile.verified})
    print(f"\nprofiles never tried on a device: {', '.join(unproven) or 'none'}")
    print(f"{options.config}: good")
    return 0


def _checked_devices(config: Config) -> list[BusDevice]:
    """The devices of a site whose profiles, bus plan and files of the cloud are right. Raises ConfigFault with all faults.

    `run` does not ask for the files: a gateway whose password is missing controls its site all the same, and says so.
    """
    problems = []
    if config.cloud.host:
        for fault in access_of(config.cloud).faults():
            key, _, text = fault.partition(" ")
            problems.append(Problem(config.file, f"cloud.{key}", None, text))
    try:
        devices = bus_devices(config)
    except ConfigFault as fault:
        raise ConfigFault([*fault.problems, *problems]) from None
    if problems:
        raise ConfigFault(problems)
    return devices


def effective(config: Config) -> list[str]:
    """Every option as `table.key = value`, in the order of the options file."""
    lines = []
    for table in dataclasses.fields(config):
        value = getattr(config, table.name)
        entries = value if isinstance(value, tuple) else (value,)
        for index, entry in enumerate(entries):
            if dataclasses.is_dataclass(entry) and not isinstance(entry, type):
                name = f"{table.name}[{index}]" if isinstance(value, tuple) else table.name
                lines += [f"{name}.{key} = {json.dumps(item)}" for key, item in dataclasses.asdict(entry).items()]
    return lines


def _show(options: argparse.Namespace) -> int:
    for line in replay.table(options.trace, options.every):
        print(line)
    return 0


def _replay(options: argparse.Namespace) -> int:
    verdict = replay.replay(options.trace)
    print(verdict.text)
    return 0 if verdict.same else 1


def _console(options: argparse.Namespace) -> int:
    return int(client.run_client(options.socket, options.words))


def _demo(arguments: Sequence[str]) -> int:
    try:
        demo = importlib.import_module("hil.demo.command")
    except ModuleNotFoundError as error:
        print(f"the demo needs the hil package, which is not installed here ({error})", file=sys.stderr)
        return EXIT_BAD_INPUT
    return int(demo.main(list(arguments)))


if __name__ == "__main__":
    sys.exit(main())
