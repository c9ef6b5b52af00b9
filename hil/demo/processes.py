"""The processes beside the simulated site: a broker, the reference ingest, and the real controller."""

import asyncio
import socket
from pathlib import Path

END_S = 6.0


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
