"""The processes beside the simulated site: a broker, the reference ingest, and the real controller."""

import asyncio
import importlib.util
import shutil
import socket
import sys
from pathlib import Path

MOSQUITTO_PATHS = ("mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")
END_S = 6.0


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def broker_command(folder: Path, port: int) -> tuple[list[str], str] | None:
    """(command, name) of a broker on the loopback; None when this machine has none."""
    for name in MOSQUITTO_PATHS:
        found = shutil.which(name)
        if found:
            settings = folder / "mosquitto.conf"
            settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
            return [found, "-c", str(settings)], "mosquitto"
    if importlib.util.find_spec("amqtt") is not None:
        settings = folder / "amqtt.yaml"
        settings.write_text(
            f"listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\n"
            "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n"
        )
        return [str(Path(sys.executable).parent / "amqtt"), "-c", str(settings)], "amqtt"
    return None


async def start(command: list[str], log: Path) -> asyncio.subprocess.Process:
    """A process in a session of its own (Ctrl-C is for us alone), its output in `log`."""
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


async def end(process: asyncio.subprocess.Process) -> int:
    """Asks it to stop, then insists. Its exit code."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()
            await process.wait()
    return process.returncode if process.returncode is not None else -1
