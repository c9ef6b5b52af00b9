"""The word `edge-fleet replay`: asks a gateway for a range again, and tells what it answered; silence is no success."""

import argparse
import json
import secrets

from edge.clock import SystemClock
from edge.cloud.link import Link
from edge.cloud.notices import Replay, ReplayResult, decode_result, encode_replay
from edge.cloud.topics import Topics
from edge.errors import DataFault
from edge.fleet.broker import add_broker, settings_of, stop_on_signals, wait_for
from edge.fleet.taking.worker import NAME

EXIT_NOT_DONE = 1
_TEXT = """\
Asks a gateway to send the samples FROM..TO of its ring again. It does so behind its own backlog and under its caps; that
may take minutes. Told is what the gateway answers: refused, or done with how many were sent and how many its ring does not
hold any more. done means that the broker took them; that they are stored, edge-fleet gaps says.
Exit 0: done. Exit 1: refused, or unknown: no result came in time, and it may still happen.
"""


def add_word(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word and its options."""
    text = "ask a gateway for a range of samples again"
    parser = words.add_parser("replay", help=text, description=_TEXT)
    parser.set_defaults(act=replay)
    parser.add_argument("gateway", metavar="TENANT/GW")
    parser.add_argument("first", type=int, metavar="FROM")
    parser.add_argument("last", type=int, metavar="TO")
    parser.add_argument("--stream", default="site", help="(%(default)s)")
    parser.add_argument("--epoch", type=int, default=0, help="default: the one in use")
    parser.add_argument("--timeout-s", type=float, default=120.0, help="how long to wait for the result (%(default)s)")
    parser.add_argument("--json", action="store_true", help="for machines")
    add_broker(parser)


def replay(options: argparse.Namespace) -> int:
    """Publishes the request and waits for its result. Raises DataFault for a request that cannot be made."""
    tenant, _, gateway = options.gateway.partition("/")
    if not NAME.fullmatch(tenant) or not NAME.fullmatch(gateway):
        raise DataFault(f"{options.gateway!r}: must be TENANT/GW")
    if not 1 <= options.first <= options.last:
        raise DataFault(f"{options.first}..{options.last}: numbers count from 1, and FROM must not be after TO")
    wish = Replay(f"r-{secrets.token_hex(6)}", options.stream, options.epoch, options.first, options.last)
    result = _ask(Link(settings_of(options)), Topics(tenant, gateway), wish, options.timeout_s)
    if options.json:
        print(json.dumps(result))
    else:
        print(": ".join(filter(None, (str(result["outcome"]), str(result["text"])))))
    return 0 if result["outcome"] == "done" else EXIT_NOT_DONE


def _ask(link: Link, topics: Topics, wish: Replay, timeout_s: float) -> dict[str, object]:
    results: list[ReplayResult] = []

    def take(_topic: str, payload: bytes) -> None:
        try:
            results.append(decode_result(payload))
        except DataFault:
            return  # somebody else's words on this topic

    link.subscribe(topics.result(wish.command_id), take)
    stopped, clock = stop_on_signals(), SystemClock()
    end_mono_ms, sent = clock.mono_ms() + int(timeout_s * 1_000), False
    while not stopped and clock.mono_ms() < end_mono_ms and not any(one.outcome != "accepted" for one in results):
        wait_for((link,))
        link.step(clock.mono_ms())
        if link.connected and not sent:
            sent = link.publish(topics.replay, encode_replay(wish), 1) is not None
    link.step(clock.mono_ms())
    fault = link.fault
    link.close()
    return _told(results, sent, fault)


def _told(results: list[ReplayResult], sent: bool, fault: str) -> dict[str, object]:
    last = next((one for one in reversed(results) if one.outcome != "accepted"), None)
    if last is None:
        accepted = "the gateway accepted it, but no result came in time" if results else "the gateway did not answer"
        return {"outcome": "unknown", "text": accepted if sent else f"not sent; {fault or 'no connection'}"}
    counts = f"{last.sent_count} sent, {last.gone_count} no longer in the ring"
    told: dict[str, object] = {"outcome": last.outcome, "text": counts if last.outcome == "done" else last.reason}
    return told | {"sent_count": last.sent_count, "gone_count": last.gone_count}
