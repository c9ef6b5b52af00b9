"""The way to a running controller: one word of its console at a time, answered in JSON."""

import json
from typing import Any

from edge.config.options import Config
from edge.console import client
from edge.errors import EdgeError

REPLY_S = 10.0  # a technician's question waits behind everything else on the bus


def ask_controller(config: Config, line: str, timeout_s: float = REPLY_S) -> dict[str, Any] | None:
    """What the running controller answers to a word of the console; None when none runs. Raises EdgeError."""
    if not config.console.socket:
        return None
    try:
        reply = client.ask(config.console.socket, f"{line} --json", timeout_s)
        answer: dict[str, Any] = json.loads(reply.text)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except (OSError, ValueError) as fault:
        raise EdgeError(f"{config.console.socket}: the controller does not answer: {fault}") from fault
    return answer


def refused(answer: dict[str, Any]) -> str:
    """Why the controller does not do it; "" when it did."""
    return "" if answer["ok"] else str((answer["data"] or {}).get("error", "refused"))
