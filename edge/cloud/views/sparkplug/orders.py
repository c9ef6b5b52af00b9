"""What a host may order: Rebirth, and a wish for the battery's power where the owner lets it. Judged here, done elsewhere.

Sparkplug commands carry no proof of who sent them but the broker's own access rules. So the list is closed: what is not
on it is refused in words, whatever its name. A wish must bear a time that fits (an old one that a broker kept is not
obeyed), is cut to the ratings of the site, and is a lease like all others: it ends, and the kernel narrows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from edge.cloud.views.sparkplug.payload import DataType, Metric, as_whole, decode_payload
from edge.cloud.views.sparkplug.tags import BATTERY, NODE, REBIRTH, WISH, Layout
from edge.errors import DataFault

COMMAND_MAX_BYTES = 4_096
NAME_MAX = 80  # of a metric in what is told
WALL_OFF_MAX_MS = 60_000  # clocks of host and gateway together; a retained command is older than this


@dataclass(frozen=True, slots=True)
class Order:
    """What to do, or in words why not: `refused` is empty for what is allowed."""

    name: str
    power_w: int = 0
    refused: str = ""
    cut: str = ""  # what was asked for, when it was more than there is


@dataclass(frozen=True, slots=True)
class Rights:
    """What the owner lets a host do. Powers as of the site's ratings: + discharge."""

    setpoints: bool
    power_min_w: int
    power_max_w: int


def read_orders(payload: bytes, device: str, layout: Layout, rights: Rights, wall_ms: int | None) -> Iterator[Order]:
    """One Order per metric of an NCMD (`device` = NODE) or DCMD; `wall_ms` None: this gateway has no time yet."""
    try:
        if len(payload) > COMMAND_MAX_BYTES:
            raise DataFault(f"longer than {COMMAND_MAX_BYTES} bytes")
        command = decode_payload(payload)
    except DataFault as fault:
        yield Order("command", refused=f"not a Sparkplug command: {fault}")
        return
    for metric in command.metrics:
        name = layout.find(device, metric)
        if device == NODE and name == REBIRTH:
            yield Order(REBIRTH, refused="" if metric.value is True else "only the value true means something")
        elif device == BATTERY and name == WISH and rights.setpoints:
            at_ms = command.wall_ms if command.wall_ms is not None else metric.wall_ms
            yield _wish(metric, rights, at_ms, wall_ms)
        else:
            yield Order(_told(device, name, metric), refused=_why_not(name, rights))


def _told(device: str, name: str, metric: Metric) -> str:
    """What was to be written, fit to be shown and kept: a host may have written anything."""
    text = f"{device} {name or metric.name or f'alias {metric.alias}'}".strip()
    return "".join(letter for letter in text if letter.isprintable())[:NAME_MAX]


def _why_not(name: str, rights: Rights) -> str:
    if not name:
        return "no such metric in the last birth; a Rebirth tells the names and aliases anew"
    writable = f"{REBIRTH} and {BATTERY} {WISH}" if rights.setpoints else f"{REBIRTH}"
    return f"not to be written from here; only {writable}"


def _wish(metric: Metric, rights: Rights, at_ms: int | None, wall_ms: int | None) -> Order:
    if wall_ms is None or at_ms is None or abs(at_ms - wall_ms) > WALL_OFF_MAX_MS:
        return Order(WISH, refused=f"its time must be within {WALL_OFF_MAX_MS // 1_000} s of this gateway's clock")
    power_w = as_whole(metric.value, metric.datatype)
    if power_w is None:
        return Order(WISH, refused=f"the value must be a power in W as {DataType.INT64.name}")
    cut_w = max(rights.power_min_w, min(power_w, rights.power_max_w))
    return Order(WISH, cut_w, cut="" if cut_w == power_w else f"{power_w} W")
