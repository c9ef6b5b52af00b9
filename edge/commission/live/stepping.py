"""The sign test from outside: asks the running controller for it, shows how far it is, and ends it when we are ended.

The test lives in the controller. What holds it is our connection: when that closes, by Ctrl-C, a dropped session or a
crash of ours, the controller takes the battery to 0 W and the site to SERVICE.
"""

import asyncio
import json
import sys
from typing import Any

from edge.commission.controller import ask_controller, refused
from edge.commission.progress import Ticker
from edge.config.options import Config
from edge.errors import EdgeError

LOOK_S = 1.0
END_MAX_S = 10.0  # the controller needs about two seconds to be at rest
NO_CONTROLLER = (
    "the sign test goes through the running controller, and none answers: start it (edge run -c FILE) with console.socket "
    "in the site file, type `service` at its console, then again"
)


def sign_test(config: Config, ticker: Ticker) -> dict[str, Any]:
    """What the controller says of it. Raises EdgeError with the reason when it does not begin."""
    if ask_controller(config, "sign-test") is None:
        raise EdgeError(NO_CONTROLLER)
    answer = asyncio.run(_hold(config, ticker))
    if refused(answer):
        raise EdgeError(refused(answer))
    data: dict[str, Any] = answer["data"]
    return data


async def _hold(config: Config, ticker: Ticker) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(config.console.socket, limit=1 << 20)
    try:
        writer.write(b"sign-test run --json\n")
        reply = asyncio.ensure_future(reader.readline())
        while not (await asyncio.wait({reply}, timeout=LOOK_S))[0]:
            text = await asyncio.to_thread(_progress, config)
            ticker.note(f"sign test: {text}", asyncio.get_running_loop().time())
        raw = reply.result()
        if not raw:
            raise EdgeError("the controller has ended during the sign test; its devices were told 0 W")
        answer: dict[str, Any] = json.loads(raw)
        return answer
    except asyncio.CancelledError:
        writer.close()
        await _wait_for_rest(config)
        raise
    finally:
        writer.close()


def _progress(config: Config) -> str:
    answer = ask_controller(config, "sign-test")
    return str(answer["data"]["text"]) if answer is not None and answer["ok"] else "the controller does not say"


async def _wait_for_rest(config: Config) -> None:
    """After Ctrl-C: until the controller says that it is over, and says so."""
    for _ in range(int(END_MAX_S / LOOK_S)):
        answer = await asyncio.to_thread(ask_controller, config, "sign-test")
        if answer is not None and answer["ok"] and not answer["data"]["running"]:
            print("\nsign test stopped; the battery is at 0 W and the site in SERVICE", file=sys.stderr)
            return
        await asyncio.sleep(LOOK_S)
    print("\nsign test stopped, but the controller does not say that it is at rest: see `show status`", file=sys.stderr)
