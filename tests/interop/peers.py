"""Software of others that speaks Modbus RTU: where it comes from, whether it is here, and how it is started on a line.

Every slave process is called PATH UNIT [option], says "ready NAME VERSION" on its output, and holds the registers of
peer.toml. A peer that is absent is a skip with its reason. `make interop` sets INTEROP=full: all rounds, and no skips.
INTEROP=required is the short form without skips: what CI runs after `make peers`.
"""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILD = HERE.parent.parent / "build" / "interop"
MODULES = BUILD / "node_modules"
READY_S = 20.0  # node on a busy machine
FULL_ROUNDS, SHORT_ROUNDS = 1_000, 100
INTEROP = os.environ.get("INTEROP", "")
IS_FULL = INTEROP == "full"
ROUNDS = FULL_ROUNDS if IS_FULL else SHORT_ROUNDS


@dataclass(frozen=True, slots=True)
class Peer:
    """One program: `package` names what installs it, `is_here` looks without starting it, `command` may build it."""

    name: str
    package: str
    is_here: Callable[[], bool]
    command: Callable[[], list[str]]


def _has_libmodbus() -> bool:
    compiler = shutil.which("cc")
    if compiler is None:
        return False
    text = "#include <modbus/modbus.h>\n"
    return (
        subprocess.run([compiler, "-E", "-"], input=text, text=True, capture_output=True, check=False).returncode == 0
    )


def _libmodbus() -> list[str]:
    source, program = HERE / "slave_libmodbus.c", BUILD / "slave_libmodbus"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        fresh = program.with_suffix(f".{os.getpid()}")
        subprocess.run(
            ["cc", "-Wall", "-Wextra", "-Werror", "-O1", str(source), "-o", str(fresh), "-lmodbus"], check=True
        )
        fresh.replace(program)
    return [str(program)]


def _has_modbus_serial() -> bool:
    return shutil.which("node") is not None and (MODULES / "modbus-serial").is_dir()


PEERS = {
    peer.name: peer
    for peer in (
        Peer("libmodbus", "apt libmodbus-dev and a C compiler", _has_libmodbus, _libmodbus),
        Peer(
            "modbus-serial",
            "npm modbus-serial and node",
            _has_modbus_serial,
            lambda: ["node", str(HERE / "slave_modbus_serial.js")],
        ),
        Peer(
            "modbus-tk",
            "pip modbus-tk",
            lambda: importlib.util.find_spec("modbus_tk") is not None,
            lambda: [sys.executable, str(HERE / "slave_modbus_tk.py")],
        ),
        Peer(
            "pysunspec2",
            "pip pysunspec2",
            lambda: importlib.util.find_spec("sunspec2") is not None,
            lambda: [sys.executable],
        ),
        Peer("mbpoll", "apt mbpoll", lambda: shutil.which("mbpoll") is not None, lambda: ["mbpoll"]),
    )
}


def require(*names: str) -> None:
    """Skips the test, or fails it where all peers are required, when one of these is absent."""
    absent = [PEERS[name] for name in names if not PEERS[name].is_here()]
    if absent:
        reason = "; ".join(f"{peer.name} is absent ({peer.package})" for peer in absent)
        (pytest.fail if INTEROP else pytest.skip)(f"{reason}: `make interop` installs it")


@contextlib.asynccontextmanager
async def slave(name: str, path: str, unit: int, *options: str) -> AsyncIterator[str]:
    """The process of a slave on this tty while the block runs; gives its version. RuntimeError when it does not start."""
    command = [*PEERS[name].command(), path, str(unit), *options]
    with tempfile.TemporaryFile() as complaints:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=complaints,
            env={**os.environ, "NODE_PATH": str(MODULES)},
        )
        assert process.stdout is not None
        try:
            word = b""
            with contextlib.suppress(TimeoutError):
                word = await asyncio.wait_for(process.stdout.readline(), READY_S)
            if not word.startswith(b"ready "):
                complaints.seek(0)
                said = complaints.read(2_000).decode(errors="replace")
                raise RuntimeError(f"{name} did not start: {word!r} {said}")
            yield word.decode().split()[-1]
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
