"""The report of a live check: a table for people, the same lines for machines. Pure functions."""

import os
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edge.commission.live.measure import Measured
from edge.commission.live.verdicts import Line, balance_line, clock_line, device_lines, port_lines
from edge.config.options import Config
from edge.console.screens import clean, paint
from edge.field.device import BusDevice

WIDTH = 80
COLOURS = {"good": "32", "look": "33", "FAIL": "31"}


def all_lines(
    config: Config, devices: Sequence[BusDevice], seen: Sequence[Measured], synchronised: bool | None
) -> list[Line]:
    """Every verdict of a site, device by device, then the buses, then the site."""
    found = {item.device: item for item in seen}
    lines = [line for device in devices for line in device_lines(device, found[device.name])]
    lines += port_lines(config, devices, seen)
    balance = balance_line(devices, seen)
    return [*lines, *([balance] if balance is not None else ()), clock_line(synchronised)]


def use_colour(is_tty: bool) -> bool:
    """Colour for people at a terminal who have not said no (NO_COLOR)."""
    return is_tty and "NO_COLOR" not in os.environ


def screen(lines: Sequence[Line], colour: bool = False) -> list[str]:
    """The rows, and how it stands with the whole."""
    return [*rows(lines, colour), "", summary(lines)]


def rows(lines: Sequence[Line], colour: bool = False) -> list[str]:
    """Subject, check, verdict, text; the text wrapped in its own column."""
    widths = [max((len(getattr(line, name)) for line in lines), default=0) for name in ("subject", "check")]
    shown, last = [], ""
    for line in lines:
        subject = "" if line.subject == last else line.subject
        last = line.subject
        head = f"{clean(subject, 16):<{widths[0]}}  {line.check:<{widths[1]}}  "
        indent = len(head) + 6
        texts = textwrap.wrap(clean(line.text, 400), WIDTH - indent) or [""]
        word = paint(line.word, COLOURS[line.word], colour) + " " * (4 - len(line.word))
        shown += [f"{head}{word}  {texts[0]}".rstrip(), *(" " * indent + text for text in texts[1:])]
    return shown


def summary(lines: Sequence[Line]) -> str:
    counts = {word: sum(line.word == word for line in lines) for word in ("good", "look", "FAIL")}
    if counts["FAIL"]:
        end = "not fit to run; mend and check again"
    else:
        end = "fit to run; look at what is marked" if counts["look"] else "fit to run"
    return f"{counts['good']} good, {counts['look']} to look at, {counts['FAIL']} failed: {end}"


def has_failed(lines: Sequence[Line]) -> bool:
    return any(line.word == "FAIL" for line in lines)


def as_json(lines: Sequence[Line], seen: Sequence[Measured]) -> dict[str, Any]:
    return {
        "ok": not has_failed(lines),
        "lines": [{"subject": x.subject, "check": x.check, "verdict": x.word.lower(), "text": x.text} for x in lines],
        "devices": [asdict(item) for item in seen],
    }
