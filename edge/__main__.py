"""The command words of the gateway; thin. Each says what is wrong on stderr and ends with a code that scripts can use.

0 done · 1 a difference or a refusal · 2 the configuration or a file cannot be used · 70 a fault of this program
"""

import argparse
import dataclasses
import importlib
import json
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from edge.app import bus_devices, open_port, serve
from edge.carbon.desk.words import add_words as add_ledger_words
from edge.carbon.factors.weights import load_weights
from edge.carbon.factors.words import add_factor_words
from edge.cloud.access import access_of
from edge.cloud.views.choice import accesses_of
from edge.commission.live.command import add_options, check_live
from edge.commission.words import add_words
from edge.config.option import UNTOLD
from edge.config.options import Config, Port
from edge.config.reader import load_config
from edge.console import client
from edge.control.interlocks import Cause
from edge.control.settings import poc_averaging_ms, smoothing_doubt
from edge.errors import ConfigFault, EdgeError, Problem
from edge.field.budget import BudgetRow, RoleAge, budget, role_ages
from edge.field.device import BusDevice
from edge.field.profiles.words import add_profile_words
from edge.fleet import replay
from edge.logbook.words import add_words as add_logbook_words
from edge.plan.signals.apart.marginal import marginal_problems
from edge.plan.signals.live import kept_answer, signal_problems
from edge.plan.signals.words import add_signal_words
from edge.report.command import add_report_word
from edge.report.words import add_kpi_word
from edge.store.db.journal import FILE
from edge.store.db.view import read_ledger

EXIT_DIFFERENCE, EXIT_BAD_INPUT = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `edge`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["demo"]:
        return _demo(arguments[1:])
    options = _parser().parse_args(arguments)
    try:
        code = int(options.act(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # who reads our output has seen enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DIFFERENCE
    except ConfigFault as fault:
        for problem in fault.problems:
            print(problem, file=sys.stderr)
        count = len(fault.problems)
        undone = getattr(options, "undone", "")
        print(f"{count} problem{'s' * (count != 1)}{undone and f'; {undone}'}", file=sys.stderr)
    except EdgeError as fault:
        print(fault, file=sys.stderr)
    return EXIT_BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge", description="Tidewatt Edge: the controller of one AI data-centre site"
    )
    words = parser.add_subparsers(required=True, metavar="WORD")
    run = _word(words, "run", "run the controller of a site until told to stop", _run, config=True)
    run.set_defaults(undone="nothing was started")
    check = _word(
        words, "check", "say everything that is wrong with a site file, and show the bus plan", _check, config=True
    )
    check.set_defaults(undone="the site cannot be run like this")
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
    add_logbook_words(words)
    add_ledger_words(words, lambda store: read_ledger(store / FILE), kept_answer)
    add_words(words, open_port)
    add_profile_words(words)
    add_factor_words(words)
    add_kpi_word(words)
    add_report_word(words)
    add_signal_words(words, load_weights)
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
        return check_live(options, config, open_port)
    rows, ages = budget(config, devices), role_ages(config, devices)
    profiles = {device.name: device.profile for device in devices}
    doubt = smoothing_doubt(config, profiles)
    if options.json:
        bus, roles = [dataclasses.asdict(row) for row in rows], [dataclasses.asdict(age) for age in ages]
        smoothing = {"averaging_ms": poc_averaging_ms(config, profiles), "doubt": doubt.name if doubt else ""}
        print(json.dumps({"config": dataclasses.asdict(config), "bus": bus, "ages": roles, "smoothing": smoothing}))
        return 0
    if options.effective:
        print("\n".join(effective(config)))
    print("\n".join([*_bus_lines(config, rows), "", *_age_lines(ages)]))
    print("".join(f"\n{line}" for line in _watchdog_lines(devices)))
    print("\n".join(_average_lines(devices, doubt)))
    unproven = sorted({device.profile.id for device in devices if not device.profile.verified})
    print(f"profiles never tried on a device: {', '.join(unproven) or 'none'}")
    print(f"{options.config}: good")
    return 0


def _bus_lines(config: Config, rows: Sequence[BudgetRow]) -> list[str]:
    """What goes over each port, how much of it that takes, and what it comes to at worst."""
    lines = [
        f"{'port':<10}{'device':<10}{'transaction':<24}{'bytes':>6}{'wire ms':>9}{'period ms':>11}{'load %':>8}"
        f"{'age max ms':>12}{'late max ms':>13}"
    ]
    for port in config.port:
        mine = [row for row in rows if row.port == port.name]
        for row in mine:
            worst = f"{row.age_max_ms or '':>12}{row.latency_max_ms or '':>13}"
            load = f"{row.wire_us / row.period_ms / 10:>8.1f}"
            lines.append(
                f"{row.port:<10}{row.device:<10}{row.what:<24}{row.size_bytes:>6}{row.wire_us / 1000:>9.1f}"
                f"{row.period_ms:>11}{load}{worst}".rstrip()
            )
            if len(row.blocks) > 1:
                lines.append(f"{'':<20}  ({', '.join(row.blocks)}: near each other, one read is cheaper)")
        total = sum(row.wire_us / row.period_ms for row in mine) / 10
        lines.append(f"{port.name:<10}{'':<10}{total_of(port):<24}{'':>26}{total:>8.1f}")
    return lines


def total_of(port: Port) -> str:
    """The heading of a port's sum."""
    return "total over TCP" if port.kind == "tcp" else f"total at {port.baud} baud"


def _age_lines(ages: Sequence[RoleAge]) -> list[str]:
    """How old each value gets at worst, those of one block and one limit on one line."""
    lines = [f"{'device':<10}{'age max ms':>10}{'limit ms':>10}  values"]
    together: dict[tuple[str, int, int | None], list[str]] = {}
    for age in ages:
        together.setdefault((age.device, age.age_max_ms, age.limit_ms), []).append(age.role.partition(".")[2])
    for (device, age_ms, limit_ms), roles in together.items():
        head = f"{device:<10}{age_ms:>10}{'-' if limit_ms is None else limit_ms:>10}  "
        lines += textwrap.wrap(", ".join(roles), 118, initial_indent=head, subsequent_indent=" " * 32)
    return lines


def _watchdog_lines(devices: Sequence[BusDevice]) -> list[str]:
    """What becomes of each PCS and BMS when this controller dies."""
    lines = []
    for device in devices:
        wanted, said = device.settings.acceptance(), device.settings.without_watchdog
        if device.watchdog_ms is not None:
            lines.append(
                f"{device.name}: watchdog of {device.watchdog_ms / 1000:g} s, written and read back before RUN"
            )
        elif device.beat is not None:
            lines.append(
                f"{device.name}: no timer, but a heartbeat that it must take before RUN; what it does without: see profile"
            )
        elif said:
            lines.append(f"{device.name}: NO WATCHDOG: {said}")
        elif wanted:
            lines.append(
                f"{device.name}: its profile has no watchdog: RUN will be refused, unless the site file says\n"
                f'    without_watchdog = "{wanted}"'
            )
    return lines


def _average_lines(devices: Sequence[BusDevice], doubt: Cause | None) -> list[str]:
    """Over how long the POC meter averages, who says so, and what smoothing makes of it."""
    poc = next(device for device in devices if device.settings.use == "poc")
    said_by = f"profile {poc.profile.id}" if poc.settings.averaging_ms == UNTOLD else "the site file"
    told = "" if poc.averaging_ms is None else f"{poc.name}: averages over {poc.averaging_ms} ms, {said_by} says"
    if doubt is None:
        return [told or f"{poc.name}: nobody says over how long it averages; without ramp limits nothing depends on it"]
    head = told or f"{poc.name}: {doubt.text}"
    return textwrap.wrap(f"LOOK {head}: {doubt.action}; {doubt.hint}", 118, subsequent_indent="    ")


def _checked_devices(config: Config) -> list[BusDevice]:
    """The devices of a site whose profiles, bus plan and files of the cloud are right. Raises ConfigFault with all faults.

    `run` does not ask for the files: a gateway whose password is missing controls its site all the same, and says so.
    """
    problems = [*signal_problems(config, load_weights), *marginal_problems(config)]
    clouds = [("cloud", access_of(config.cloud))] if config.cloud.host else []
    for table, access in (*clouds, *accesses_of(config)):
        for fault in access.faults():
            key, _, text = fault.partition(" ")
            problems.append(Problem(config.file, f"{table}.{key}", None, text))
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
