"""The command words of commissioning. Each asks the running controller when there is one, else the line itself.

0 done · 1 nothing found, a difference or a refusal · 2 the line or a file cannot be used · 130 ended with Ctrl-C
"""

import argparse
import asyncio
import dataclasses
import json
import sys
import textwrap
from collections.abc import Callable

from edge.clock import SystemClock
from edge.commission.controller import ask_controller, refused
from edge.commission.hand import Hand, site_devices
from edge.commission.points import known_names, read_points
from edge.commission.progress import interruptible
from edge.commission.scan import command
from edge.commission.value import GOOD, Value, mute_hint, values_screen
from edge.config import options
from edge.config.options import Config
from edge.config.reader import load_config
from edge.console.screens import WIDTH
from edge.errors import EdgeError
from edge.field.device import BusDevice
from edge.field.line.port import Port

WATCH_S = 1.0
NO_WRITE = (
    "not written: a write needs the running controller, its gate and SERVICE, and none answers. Start it (edge run -c FILE) "
    "with console.socket in the site file, type `service` at its console, then again"
)


def add_words(
    words: "argparse._SubParsersAction[argparse.ArgumentParser]", open_port: Callable[[options.Port], Port]
) -> None:
    """The words of this folder for the parser of `edge`. `open_port`: as the controller opens its own."""
    command.add_word(words, open_port)
    text = "what a device says, point by point, with its registers; through the controller when one runs"
    read = words.add_parser("read", help=text, description=text)
    read.add_argument("-c", "--config", required=True, metavar="FILE", help="the site file (TOML)")
    read.add_argument("device", metavar="DEVICE", help="its name in the site file")
    read.add_argument("points", metavar="POINT", nargs="*", help="names of its profile's points; none: all")
    read.add_argument("--watch", action="store_true", help="every second, until Ctrl-C")
    read.add_argument("--json", action="store_true", help="for machines")
    read.set_defaults(act=_read, open_port=open_port, undone="nothing was asked")
    text = "one value of a profile's writes; through the running controller, in SERVICE only"
    write = words.add_parser("write", help=text, description=text)
    write.add_argument("-c", "--config", required=True, metavar="FILE", help="the site file (TOML)")
    write.add_argument("device", metavar="DEVICE", help="its name in the site file")
    write.add_argument("point", metavar="POINT", help="the name of a write of its profile")
    write.add_argument("value", metavar="VALUE", help="a number")
    write.add_argument("unit", metavar="UNIT", help="such as W or kW")
    write.add_argument("--json", action="store_true", help="for machines")
    write.set_defaults(act=_write, undone="nothing was written")


def _read(given: argparse.Namespace) -> int:
    config = load_config(given.config)
    device = _device(config, given.device)
    known_names(device, given.points)
    return interruptible(lambda: _read_on(given, config, device))


def _device(config: Config, name: str) -> BusDevice:
    devices = {device.name: device for device in site_devices(config)}
    if name not in devices:
        raise EdgeError(f"{config.file}: no device '{name}'; there are: {', '.join(devices)}")
    return devices[name]


def _read_on(given: argparse.Namespace, config: Config, device: BusDevice) -> int:
    """Once, or every second; the code is that of the last reading."""
    line = " ".join(("read", device.name, *given.points))
    answer = ask_controller(config, line)
    if answer is not None:
        while True:
            if refused(answer):
                print(refused(answer), file=sys.stderr)
                return 1
            code = _show([Value(**value) for value in answer["data"]], device, as_json=given.json)
            if not given.watch:
                return code
            asyncio.run(asyncio.sleep(WATCH_S))
            answer = ask_controller(config, line) or {"ok": False, "data": {"error": "the controller has ended"}}
    return asyncio.run(_read_line(given, config, device))


def _write(given: argparse.Namespace) -> int:
    config = load_config(given.config)
    device = _device(config, given.device)
    answer = ask_controller(config, f"write {device.name} {given.point} {given.value} {given.unit}")
    if answer is None:
        raise EdgeError(NO_WRITE)
    if given.json:
        print(json.dumps(answer))
    elif refused(answer):
        print(refused(answer), file=sys.stderr)
    else:
        print("\n".join(answer["data"]["lines"]))
    return 1 if refused(answer) else 0


async def _read_line(given: argparse.Namespace, config: Config, device: BusDevice) -> int:
    async with Hand(config.port, [device], given.open_port) as hand:
        while True:
            values = await read_points(hand.ask, device, given.points, SystemClock())
            code = _show(values, device, as_json=given.json)
            if not given.watch:
                return code
            await asyncio.sleep(WATCH_S)


def _show(values: list[Value], device: BusDevice, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps([dataclasses.asdict(value) for value in values]), flush=True)
    else:
        print("\n".join(values_screen(values, SystemClock().mono_ms())), flush=True)
        if values and not any(value.raw for value in values):
            hint = f"look at: {mute_hint(device.settings)}; `edge scan` finds who answers there"
            print("\n".join(textwrap.wrap(hint, WIDTH)), file=sys.stderr)
    return 0 if all(value.quality == GOOD for value in values) else 1
