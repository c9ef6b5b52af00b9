"""`edge check --live`: asks every device of the site, through the controller when one runs, and judges what it hears."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable

from edge.commission.controller import ask_controller, refused
from edge.commission.hand import Hand, site_devices
from edge.commission.live.measure import TRIES, Measured, measure
from edge.commission.live.report import all_lines, as_json, has_failed, screen, use_colour
from edge.commission.live.stepping import sign_test
from edge.commission.live.verdicts import Line
from edge.commission.progress import LINE_EVERY_S, Ticker, interruptible
from edge.config.options import Config
from edge.config.options import Port as PortSettings
from edge.console.screens import clean
from edge.errors import EdgeError
from edge.field.device import BusDevice
from edge.field.line.port import Port
from edge.ops.timesync import is_synchronised

OpenPort = Callable[[PortSettings], Port]
REPLY_S = 120.0  # fifty questions of the lowest priority on a busy slow bus


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `edge check` takes for its live part."""
    parser.add_argument("--live", action="store_true", help="ask every device: answers, times, identity, watchdog, bus")
    parser.add_argument(
        "--sign-test", action="store_true",
        help="live: steps of +-5 %% of the battery must move the POC meter; needs the controller, in SERVICE",
    )  # fmt: skip
    parser.add_argument("--tries", type=int, default=TRIES, metavar="N", help=f"live: questions a device ({TRIES})")


def check_live(options: argparse.Namespace, config: Config, open_port: OpenPort) -> int:
    """0: everything is fit to run; 1: something is not. Raises ConfigFault, LineFault."""
    if options.sign_test and not options.live:
        raise EdgeError("--sign-test is a part of the live check: edge check --live --sign-test -c FILE")
    if not 1 <= options.tries <= 10_000:
        raise EdgeError(f"--tries = {options.tries}: must be 1..10000")
    return interruptible(lambda: _check(options, config, open_port))


def _check(options: argparse.Namespace, config: Config, open_port: OpenPort) -> int:
    devices, ticker = site_devices(config), Ticker()
    try:
        seen = _through_controller(config, devices, options.tries, ticker)
        if seen is None:
            seen = asyncio.run(_on_lines(config, devices, options.tries, ticker, open_port))
        tested = sign_test(config, ticker) if options.sign_test else None
    finally:
        ticker.end()
    lines = all_lines(config, devices, seen, is_synchronised())
    if tested is not None:
        lines += [Line(**line) for line in tested["lines"]]
    if options.json:
        print(json.dumps(as_json(lines, seen) | {"sign_test": tested}))
    else:
        print("\n".join(screen(lines, use_colour(sys.stdout.isatty()))))
    return 1 if has_failed(lines) else 0


def _through_controller(config: Config, devices: list[BusDevice], tries: int, ticker: Ticker) -> list[Measured] | None:
    """Device by device, so that there is something to show meanwhile; None when no controller runs."""
    seen: list[Measured] = []
    for index, device in enumerate(devices):
        answer = ask_controller(config, f"check {device.name} {tries}", REPLY_S)
        if answer is None:
            if seen:
                raise EdgeError("the controller has ended meanwhile; check again")
            return None
        if refused(answer):
            raise EdgeError(refused(answer))
        seen.append(Measured(**answer["data"]))
        ticker.note(_doing(index, devices, device, tries - 1, tries), float(index) * LINE_EVERY_S)
    return seen


async def _on_lines(
    config: Config, devices: list[BusDevice], tries: int, ticker: Ticker, open_port: OpenPort
) -> list[Measured]:
    loop, seen = asyncio.get_running_loop(), []
    ports = {port.name: port for port in config.port}
    async with Hand(config.port, devices, open_port) as hand:
        for index, device in enumerate(devices):
            count = 0

            def note(index: int = index, device: BusDevice = device) -> None:
                nonlocal count
                ticker.note(_doing(index, devices, device, count, tries), loop.time())
                count += 1

            seen.append(await measure(hand.ask, device, ports[device.settings.port], tries, note))
    return seen


def _doing(index: int, devices: list[BusDevice], device: BusDevice, count: int, tries: int) -> str:
    done = 100 * (index * tries + count) // (len(devices) * tries)
    return clean(
        f"{done:>3} %  {device.name}: question {count + 1} of {tries}; device {index + 1} of {len(devices)}", 79
    )
