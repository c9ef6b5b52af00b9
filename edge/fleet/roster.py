"""The word `edge-fleet list`: which gateways the broker knows, who is online, and how far behind they say they are."""

import argparse
import json
from typing import Any

from edge.clock import SystemClock
from edge.cloud.link import Link
from edge.cloud.topics import Topics, parse
from edge.errors import DataFault
from edge.fleet.broker import add_broker, settings_of, stop_on_signals, wait_for

QUIET_MS = 700  # the retained messages come in one stream; this long without another means that was all
_TEXT = """\
Reads the retained status of every gateway from the broker. "online" is what the broker was told last: a gateway that lost
its power is offline once its keep-alive is over. "behind" are samples it has no acknowledgement for, "queue" is the age
of the oldest of them; both as the gateway said, at most a minute ago. What the database has, edge-fleet gaps says.
"""


def add_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word and its options."""
    parser = words.add_parser("list", help="which gateways there are, and who is online", description=_TEXT)
    parser.set_defaults(act=show)
    parser.add_argument("gateway", nargs="?", default="+", metavar="GW", help="only this one; default: all")
    parser.add_argument("--tenant", default="+", help="only this tenant")
    parser.add_argument("--wait-s", type=float, default=5.0, help="longest wait for the broker (%(default)s)")
    parser.add_argument("--json", action="store_true", help="for machines")
    add_broker(parser)


def show(options: argparse.Namespace) -> int:
    """Prints them. Raises DataFault when the broker did not answer."""
    found = _collect(Link(settings_of(options)), Topics(options.tenant, options.gateway).status, options.wait_s)
    rows = [{"gateway": name, **status} for name, status in sorted(found.items())]
    if options.json:
        print(json.dumps(rows))
        return 0
    width = max([len(name) for name in found], default=7)
    print(f"{'gateway':<{width}}  {'state':<8} {'version':<10} {'newest':>12} {'behind':>10} {'queue s':>8}")
    for row in rows:
        state = "online" if row.get("online") is True else "offline"
        numbers = " ".join(f"{_number(row.get(key)):>{size}}" for key, size in _COLUMNS)
        print(f"{row['gateway']:<{width}}  {state:<8} {_plain(str(row.get('version', '-')), 10):<10} {numbers}")
    return 0


_COLUMNS = (("seq", 12), ("pending_count", 10), ("queue_age_s", 8))


def _plain(text: str, length: int) -> str:
    """Somebody else's text, without what would steer a terminal."""
    return "".join(one if one.isprintable() else "?" for one in text[:length])


def _number(value: object) -> str:
    return str(value) if type(value) is int else "-"


def _collect(link: Link, topic: str, wait_s: float) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    clock, stopped = SystemClock(), stop_on_signals()
    end_mono_ms = clock.mono_ms() + int(wait_s * 1_000)
    quiet_mono_ms = end_mono_ms

    def take(name: str, payload: bytes) -> None:
        nonlocal quiet_mono_ms
        quiet_mono_ms = clock.mono_ms() + QUIET_MS
        address = parse(name)
        try:
            status = json.loads(payload)
        except (ValueError, RecursionError):
            return
        if address is not None and isinstance(status, dict):
            found[f"{_plain(address.tenant, 64)}/{_plain(address.gateway, 64)}"] = status

    link.subscribe(topic, take)
    connected = False
    while not stopped and clock.mono_ms() < min(end_mono_ms, quiet_mono_ms):
        wait_for((link,), 0.05)
        link.step(clock.mono_ms())
        if link.connected and not connected:
            connected, quiet_mono_ms = True, clock.mono_ms() + QUIET_MS
    fault = link.fault
    link.close()
    if not connected:
        raise DataFault(fault or "the broker did not answer")
    return found
